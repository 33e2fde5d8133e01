package kubernetes

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"skillcenter.io/hosting"
)

// Render returns the objects that [Provider.CreateInstance] makes of a
// configuration, in that order: the anchor first. It needs no cluster and does
// no I/O. The errors are those of [New] for settings, and of CreateInstance for
// a configuration that it does not accept.
//
// What only the creation decides is not in them: the namespace, the owner (each
// object is owned by the anchor, by UID), when it is created, how the name of
// the Secret ends, and that a Deployment with a volume for one replica has the
// strategy Recreate, since only the volume says what it is like. The Secret holds the values of secretEnv as they are
// given: take care where the objects go.
func Render(config hosting.CloudHostingConfig, settings Config) ([]runtime.Object, error) {
	settings, err := settings.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Provider{config: settings, regions: map[string]*region{}}
	for _, r := range settings.Regions {
		p.regions[r.Name] = &region{name: r.Name, namespace: r.Namespace}
	}
	r, err := p.resolve(config)
	if err != nil {
		return nil, err
	}
	r.begin(config.SecretEnv, hosting.Time{}, "rendered")
	anchor, err := p.newAnchor(r)
	if err != nil {
		return nil, hosting.Errorf(settings.Name, hosting.CreateFailed, hosting.Internal, "writing the anchor: %w", err)
	}
	objects := []object{anchor}
	for _, part := range p.parts(r, config.SecretEnv) {
		objects = append(objects, part.object)
	}
	result := make([]runtime.Object, len(objects))
	for i, o := range objects {
		kinds, _, err := scheme.Scheme.ObjectKinds(o)
		if err != nil {
			return nil, hosting.Errorf(settings.Name, hosting.CreateFailed, hosting.Internal, "%w", err)
		}
		o.GetObjectKind().SetGroupVersionKind(kinds[0])
		result[i] = o
	}
	return result, nil
}
