package kubernetes

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// store holds the objects of one resource of a region, trimmed. A reflector
// fills it. What is stored is never changed, only replaced. The region's mutex
// guards everything.
type store struct {
	region *regionMirror
	*resource
	labels, fields string // which objects it holds

	objects map[string]object // by name
	// group, if not nil, says under which name objects are also found in
	// groups.
	group  func(object) string
	groups map[string][]object

	version string // what the API server's state is known up to
	sync    syncState
}

var (
	_ cache.TransformingStore      = (*store)(nil)
	_ cache.ResourceVersionUpdater = (*store)(nil)
)

func newStore(region *regionMirror, r *resource, labels string) *store {
	return &store{region: region, resource: r, labels: labels, objects: map[string]object{}, groups: map[string][]object{}}
}

// Transformer implements [cache.TransformingStore].
func (s *store) Transformer() cache.TransformFunc {
	return func(o any) (any, error) {
		if o, ok := o.(object); ok {
			return trim(o), nil
		}
		return o, nil
	}
}

// Add implements [cache.ReflectorStore].
func (s *store) Add(o any) error { return s.Update(o) }

// Update implements [cache.ReflectorStore].
func (s *store) Update(o any) error {
	trimmed := trim(o.(object))
	s.region.mu.Lock()
	defer s.region.mu.Unlock()
	s.put(trimmed.GetName(), trimmed)
	return nil
}

// Delete implements [cache.ReflectorStore].
func (s *store) Delete(o any) error {
	s.region.mu.Lock()
	defer s.region.mu.Unlock()
	s.put(o.(object).GetName(), nil)
	return nil
}

// Replace implements [cache.ReflectorStore]: the objects are all there are.
func (s *store) Replace(list []any, version string) error {
	next := make(map[string]object, len(list))
	for _, o := range list {
		trimmed := trim(o.(object))
		next[trimmed.GetName()] = trimmed
	}
	s.region.mu.Lock()
	defer s.region.mu.Unlock()
	for name := range s.objects {
		if next[name] == nil {
			s.put(name, nil)
		}
	}
	for name, o := range next {
		if old := s.objects[name]; old == nil || old.GetUID() != o.GetUID() || old.GetResourceVersion() != o.GetResourceVersion() {
			s.put(name, o)
		}
	}
	s.version = version
	s.sync.listing = false
	s.sync.listed = true
	s.sync.note()
	s.region.progressed()
	return nil
}

// Resync implements [cache.ReflectorStore]. It has nothing to do.
func (s *store) Resync() error { return nil }

// UpdateResourceVersion implements [cache.ResourceVersionUpdater]. It is called
// after each change, and when nothing has changed for a while.
func (s *store) UpdateResourceVersion(version string) {
	s.region.mu.Lock()
	defer s.region.mu.Unlock()
	s.version = version
	s.region.progressed()
}

// put stores an object, or removes the one of that name if o is nil.
func (s *store) put(name string, o object) {
	if old := s.objects[name]; old != nil {
		s.ungroup(old)
		s.region.touch(old)
	}
	if o == nil {
		delete(s.objects, name)
		return
	}
	if a := s.region.anchors.objects[anchorName(o.GetLabels()[labelName])]; a != nil {
		share(o, a)
	}
	s.objects[name] = o
	if s.group != nil {
		in := s.group(o)
		s.groups[in] = append(s.groups[in], o)
	}
	s.region.touch(o)
}

func (s *store) ungroup(old object) {
	if s.group == nil {
		return
	}
	in := s.group(old)
	if i := slices.Index(s.groups[in], old); i >= 0 {
		s.groups[in] = slices.Delete(s.groups[in], i, i+1)
	}
	if len(s.groups[in]) == 0 {
		delete(s.groups, in)
	}
}

// has tells that an own removal has been seen.
func (s *store) has(r removal) bool {
	o := s.objects[r.name]
	return o == nil || o.GetUID() != r.uid || o.GetDeletionTimestamp() != nil
}

// byInstance groups pods and the runs of cronjobs.
func byInstance(o object) string { return keyOf(o).String() }

// byRegarding groups events by the name of what they are about.
func byRegarding(o object) string { return o.(*corev1.Event).InvolvedObject.Name }
