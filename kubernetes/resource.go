package kubernetes

import (
	"context"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// object is any Kubernetes object.
type object interface {
	runtime.Object
	metav1.Object
}

// resource reads and writes objects of one kind. The typed clients of
// client-go do the same, but have no common form: parts are created, checked
// and removed alike, whatever they are.
type resource struct {
	kind   string // as people and errors call it
	plural string
	rest   func(clientset.Interface) rest.Interface
	empty  func() object
}

var (
	configMaps = &resource{"ConfigMap", "configmaps", coreREST, func() object { return &corev1.ConfigMap{} }}
	secrets    = &resource{"Secret", "secrets", coreREST, func() object { return &corev1.Secret{} }}
	claims     = &resource{"PersistentVolumeClaim", "persistentvolumeclaims", coreREST, func() object { return &corev1.PersistentVolumeClaim{} }}
	services   = &resource{"Service", "services", coreREST, func() object { return &corev1.Service{} }}
	ingresses  = &resource{"Ingress", "ingresses",
		func(c clientset.Interface) rest.Interface { return c.NetworkingV1().RESTClient() },
		func() object { return &networkingv1.Ingress{} }}
	endpointSlices = &resource{"EndpointSlice", "endpointslices",
		func(c clientset.Interface) rest.Interface { return c.DiscoveryV1().RESTClient() },
		func() object { return &discoveryv1.EndpointSlice{} }}
	autoscalers = &resource{"HorizontalPodAutoscaler", "horizontalpodautoscalers",
		func(c clientset.Interface) rest.Interface { return c.AutoscalingV2().RESTClient() },
		func() object { return &autoscalingv2.HorizontalPodAutoscaler{} }}
	disruptionBudgets = &resource{"PodDisruptionBudget", "poddisruptionbudgets",
		func(c clientset.Interface) rest.Interface { return c.PolicyV1().RESTClient() },
		func() object { return &policyv1.PodDisruptionBudget{} }}
)

func coreREST(c clientset.Interface) rest.Interface  { return c.CoreV1().RESTClient() }
func appsREST(c clientset.Interface) rest.Interface  { return c.AppsV1().RESTClient() }
func batchREST(c clientset.Interface) rest.Interface { return c.BatchV1().RESTClient() }

func (r *resource) get(ctx context.Context, at *region, name string) (object, error) {
	result := r.empty()
	err := r.rest(at.client).Get().Namespace(at.namespace).Resource(r.plural).Name(name).Do(ctx).Into(result)
	return result, err
}

// create makes an object; dryRun says whether to only try.
func (r *resource) create(ctx context.Context, at *region, o object, dryRun ...string) (object, error) {
	result := r.empty()
	err := r.rest(at.client).Post().Namespace(at.namespace).Resource(r.plural).
		VersionedParams(&metav1.CreateOptions{FieldManager: fieldManager, DryRun: dryRun}, scheme.ParameterCodec).
		Body(o).Do(ctx).Into(result)
	if len(dryRun) == 0 {
		r.wrote(at, result, err)
	}
	return result, err
}

// update replaces an object; it conflicts if the object has changed since.
// dryRun says whether to only try.
func (r *resource) update(ctx context.Context, at *region, o object, dryRun ...string) (object, error) {
	result := r.empty()
	err := r.rest(at.client).Put().Namespace(at.namespace).Resource(r.plural).Name(o.GetName()).
		VersionedParams(&metav1.UpdateOptions{FieldManager: fieldManager, DryRun: dryRun}, scheme.ParameterCodec).
		Body(o).Do(ctx).Into(result)
	if len(dryRun) == 0 {
		r.wrote(at, result, err)
	}
	return result, err
}

// patch changes an object for an operation.
func (r *resource) patch(ctx context.Context, at *region, name string, kind types.PatchType, patch []byte) (object, error) {
	return r.patchWith(ctx, at, name, kind, patch, metav1.PatchOptions{FieldManager: operationsManager})
}

func (r *resource) patchWith(ctx context.Context, at *region, name string, kind types.PatchType, patch []byte, options metav1.PatchOptions) (object, error) {
	result := r.empty()
	err := r.rest(at.client).Patch(kind).Namespace(at.namespace).Resource(r.plural).Name(name).
		VersionedParams(&options, scheme.ParameterCodec).
		Body(patch).Do(ctx).Into(result)
	if len(options.DryRun) == 0 {
		r.wrote(at, result, err)
	}
	return result, err
}

// wrote notes a write that has succeeded, so that reads from memory wait for it:
// not one that was only tried, which they would wait for in vain.
func (r *resource) wrote(at *region, result object, err error) {
	if err == nil {
		at.own.wrote(r, result.GetResourceVersion())
	}
}

func (r *resource) delete(ctx context.Context, at *region, name string, options metav1.DeleteOptions) error {
	answer := r.rest(at.client).Delete().Namespace(at.namespace).Resource(r.plural).Name(name).
		Body(&options).Do(ctx)
	if err := answer.Error(); err != nil {
		return err
	}
	if o, err := answer.Get(); err == nil && len(options.DryRun) == 0 {
		at.own.removed(r, name, o)
	}
	return nil
}

// list reads all objects with the labels into result.
func (r *resource) list(ctx context.Context, at *region, selector string, result runtime.Object) error {
	return r.rest(at.client).Get().Namespace(at.namespace).Resource(r.plural).
		VersionedParams(&metav1.ListOptions{LabelSelector: selector}, scheme.ParameterCodec).
		Do(ctx).Into(result)
}
