package kubernetes

import (
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// ownWrites remembers what this provider has written in a region, so that a
// read from memory can wait until the memory has it. The zero value is ready
// to use. It stays small, however much is written: the versions of a resource
// grow, so the newest of each resource stands for all.
type ownWrites struct {
	mu       sync.Mutex
	versions map[string]string // the newest by the plural of the resource
	removals []removal
}

// removal is a deletion that the API server has answered without a version.
type removal struct {
	plural, name string
	uid          types.UID
}

// maxRemovals bounds the removals that are remembered. A watch tells of them in
// their order, so older ones matter only among that many concurrent calls.
const maxRemovals = 128

// wrote notes the version that a write has led to.
func (w *ownWrites) wrote(r *resource, version string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.versions == nil {
		w.versions = map[string]string{}
	}
	if !reaches(w.versions[r.plural], version) {
		w.versions[r.plural] = version
	}
}

// removed notes the answer to a deletion: the object with its mark, or a status
// if it is gone at once.
func (w *ownWrites) removed(r *resource, name string, answer runtime.Object) {
	switch answer := answer.(type) {
	case *metav1.Status:
		if answer.Details != nil && answer.Details.UID != "" {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.removals = append(w.removals, removal{r.plural, name, answer.Details.UID})
			if surplus := len(w.removals) - maxRemovals; surplus > 0 {
				w.removals = slices.Delete(w.removals, 0, surplus)
			}
		}
	case metav1.Object:
		w.wrote(r, answer.GetResourceVersion())
	}
}

// all returns what has been written so far.
func (w *ownWrites) all() writtenSoFar {
	w.mu.Lock()
	defer w.mu.Unlock()
	result := writtenSoFar{removals: slices.Clone(w.removals), versions: make([]writtenVersion, 0, len(w.versions))}
	for plural, version := range w.versions {
		result.versions = append(result.versions, writtenVersion{plural, version})
	}
	return result
}

// forget drops removals that have been seen: what is gone does not come back.
func (w *ownWrites) forget(seen []removal) {
	if len(seen) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.removals = slices.DeleteFunc(w.removals, func(r removal) bool { return slices.Contains(seen, r) })
}

// writtenSoFar is what had been written at some moment.
type writtenSoFar struct {
	versions []writtenVersion
	removals []removal
}

type writtenVersion struct{ plural, version string }

// reaches tells that version have of a resource is want or newer. Versions that
// cannot be compared never are.
func reaches(have, want string) bool {
	order, err := resourceversion.CompareResourceVersion(have, want)
	return err == nil && order >= 0
}
