package kubernetes

import (
	"maps"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"skillcenter.io/hosting"
)

// part is an object that an anchor owns.
type part struct {
	*resource
	object object
}

// parts returns what an instance consists of beside its anchor, in the order
// in which it is created: a workload finds its Secret and Services there. The
// values of the secret are nil unless the caller has just given them.
func (p *Provider) parts(r record, secretEnv hosting.SecretMap) []part {
	s := r.Desired.Spec
	// New limits bind a workload, too, that is gone when they are carried out.
	r.Desired.Replicas = r.Desired.allowed(r.Desired.Limits.clamp(r.Desired.Replicas, r.Desired.Applied))
	var result []part
	add := func(kind *resource, o object) {
		stamp(o, r.Desired.Generation)
		result = append(result, part{kind, o})
	}
	if r.Desired.SecretName != "" {
		add(secrets, p.secret(r, secretEnv))
	}
	if r.Config.InstanceType == hosting.TypeStatefulSet {
		add(services, p.headlessService(r))
	}
	if len(s.Ports) > 0 {
		add(services, p.service(r))
	}
	if s.Ingress != nil {
		add(ingresses, p.ingress(r))
	}
	kind := kinds[r.Config.InstanceType]
	if kind.replicated() {
		add(disruptionBudgets, p.disruptionBudget(r))
	}
	add(kind.resource, kind.build(p, r))
	if s.Autoscaler != nil {
		add(autoscalers, p.autoscaler(r))
	}
	return result
}

// secret is immutable: a change of its values is a new Secret, so that pods
// never see half of a change.
func (p *Provider) secret(r record, values hosting.SecretMap) object {
	result := &corev1.Secret{
		ObjectMeta: p.objectMeta(r, r.Desired.SecretName),
		Type:       corev1.SecretTypeOpaque,
		Immutable:  new(true),
		Data:       map[string][]byte{},
	}
	for name, value := range values {
		result.Data[name] = []byte(value)
	}
	return result
}

func (p *Provider) service(r record) object {
	result := &corev1.Service{
		ObjectMeta: p.networkMeta(r, r.Config.InstanceName),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceType(r.Desired.Spec.ServiceType),
			Selector: selectorFor(r.Config.InstanceName, r.Config.InstanceType),
		},
	}
	for _, port := range r.Desired.Spec.Ports {
		result.Spec.Ports = append(result.Spec.Ports, corev1.ServicePort{
			Name: portName(port), Protocol: corev1.ProtocolTCP, Port: int32(port), TargetPort: intstr.FromInt(port),
		})
	}
	return result
}

// headlessService gives the replicas of a StatefulSet names of their own, from
// the moment they start.
func (p *Provider) headlessService(r record) object {
	return &corev1.Service{
		ObjectMeta: p.objectMeta(r, headlessName(r.Config.InstanceName)),
		Spec: corev1.ServiceSpec{
			ClusterIP:                corev1.ClusterIPNone,
			Selector:                 selectorFor(r.Config.InstanceName, r.Config.InstanceType),
			PublishNotReadyAddresses: true,
		},
	}
}

func (p *Provider) ingress(r record) object {
	s := r.Desired.Spec
	pathType := networkingv1.PathTypePrefix
	result := &networkingv1.Ingress{
		ObjectMeta: p.networkMeta(r, r.Config.InstanceName),
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
			Host: s.Ingress.Host,
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{
					Path: s.Ingress.Path, PathType: &pathType,
					Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
						Name: r.Config.InstanceName,
						Port: networkingv1.ServiceBackendPort{Number: int32(s.Ports[0])},
					}},
				}},
			}},
		}}},
	}
	if s.Ingress.Class != "" {
		result.Spec.IngressClassName = &s.Ingress.Class
	}
	return result
}

// networkMeta carries the caller's annotations too: controllers of load
// balancers and ingresses are configured with them.
func (p *Provider) networkMeta(r record, name string) metav1.ObjectMeta {
	meta := p.objectMeta(r, name)
	maps.Copy(meta.Annotations, r.Config.Annotations)
	return meta
}

func (p *Provider) autoscaler(r record) object {
	limits := r.Desired.Spec.Autoscaler
	kind := kinds[r.Config.InstanceType]
	result := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: p.objectMeta(r, r.Config.InstanceName),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: kind.kind, Name: r.Config.InstanceName},
			MinReplicas:    new(int32(limits.MinReplicas)),
			MaxReplicas:    int32(limits.MaxReplicas),
		},
	}
	add := func(name corev1.ResourceName, percent int) {
		if percent == 0 {
			return
		}
		result.Spec.Metrics = append(result.Spec.Metrics, autoscalingv2.MetricSpec{
			Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{Name: name, Target: autoscalingv2.MetricTarget{
				Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(percent)),
			}},
		})
	}
	add(corev1.ResourceCPU, limits.TargetCPUUtilization)
	add(corev1.ResourceMemory, limits.TargetMemoryUtilization)
	if r.Desired.TakenOver {
		result.Spec = idle(result.Spec)
		result.Annotations[annotationBehavior] = "null"
	}
	return result
}
