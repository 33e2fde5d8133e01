package kubernetes

import (
	"encoding/json"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/csaupgrade"
)

// A server-side apply removes only what it finds to be ours among the managed
// fields, and they are brought up to date by a write. So it cannot be tried
// without effect. What it will make of an object is computed here instead, with
// the API server's own code; the difference is then tried as a patch.

// previewPatch is the patch of a live object that has the effect of giving it o
// by a server-side apply. It holds on to the version of the live object.
func (ap *application) previewPatch(r *resource, o, live object) ([]byte, error) {
	expected, err := ap.preview(o, live)
	if err != nil {
		return nil, err
	}
	before, err := withoutVersion(live)
	if err != nil {
		return nil, err
	}
	after, err := withoutVersion(expected)
	if err != nil {
		return nil, err
	}
	difference, err := strategicpatch.CreateTwoWayMergePatch(before, after, r.empty())
	if err != nil {
		return nil, err
	}
	var patch map[string]any
	if err := json.Unmarshal(difference, &patch); err != nil {
		return nil, err
	}
	if patch["metadata"] == nil {
		patch["metadata"] = map[string]any{}
	}
	patch["metadata"].(map[string]any)["resourceVersion"] = live.GetResourceVersion()
	return json.Marshal(patch)
}

// preview is what a server-side apply of o makes of a live object.
func (ap *application) preview(o, live object) (object, error) {
	manifest, err := manifestOf(o)
	if err != nil {
		return nil, err
	}
	applied := &unstructured.Unstructured{Object: manifest}
	kind := applied.GroupVersionKind()
	live = live.DeepCopyObject().(object)
	live.GetObjectKind().SetGroupVersionKind(kind)
	if err := csaupgrade.UpgradeManagedFields(live, sets.New(fieldManager, operationsManager), fieldManager); err != nil {
		return nil, err
	}
	// Those of other versions cannot be compared here, and the status is not ours.
	live.SetManagedFields(slices.DeleteFunc(live.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.APIVersion != kind.GroupVersion().String() || entry.Subresource != ""
	}))
	manager, err := managedfields.NewDefaultFieldManager(schemas(), scheme.Scheme, scheme.Scheme, scheme.Scheme, kind, kind.GroupVersion(), "", nil)
	if err != nil {
		return nil, err
	}
	result, err := manager.Apply(live, applied, fieldManager, true)
	if err != nil {
		return nil, err
	}
	return result.(object), nil
}

// schemas tells how lists and maps of each kind merge. To read it takes a
// moment, once.
var schemas = sync.OnceValue(func() managedfields.TypeConverter { return applyconfigurations.NewTypeConverter(scheme.Scheme) })

// withoutVersion is an object without what no patch can change.
func withoutVersion(o object) ([]byte, error) {
	o = o.DeepCopyObject().(object)
	o.SetManagedFields(nil)
	o.SetResourceVersion("")
	manifest, err := manifestOf(o)
	if err != nil {
		return nil, err
	}
	return json.Marshal(manifest)
}
