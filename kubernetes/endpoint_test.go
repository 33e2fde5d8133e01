package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"skillcenter.io/hosting"
)

// TestAnIngressThatIsAboutToBeRemovedIsNoEndpoint looks at an instance between
// two writes of an apply: the configuration has no ingress any more, and its
// object is still there.
func TestAnIngressThatIsAboutToBeRemovedIsNoEndpoint(t *testing.T) {
	t.Parallel()
	s := testSnapshot(hosting.TypeDeployment)
	s.service = &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	s.service.Name, s.service.Namespace = "web", "skills"
	s.ingress = &networkingv1.Ingress{}
	s.anchor.record.Desired.Spec.Ports = []int{80}
	s.anchor.record.Desired.Spec.Ingress = &ingressSpec{Host: "web.example.com", Path: "/"}
	endpoint, known := s.endpoint()
	assert.True(t, known)
	assert.Equal(t, "http://web.example.com/", endpoint.URL)

	s.anchor.record.Desired.Spec.Ingress = nil
	endpoint, known = s.endpoint()
	assert.True(t, known)
	assert.Equal(t, "http://web.skills.svc:80", endpoint.URL)
}

// TestAServiceThatIsAboutToBeRemovedIsNoEndpoint looks at an instance without
// ports whose Service waits for a finalizer.
func TestAServiceThatIsAboutToBeRemovedIsNoEndpoint(t *testing.T) {
	t.Parallel()
	s := testSnapshot(hosting.TypeDeployment)
	s.service = &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	s.service.Name, s.service.Namespace = "web", "skills"
	s.anchor.record.Desired.Spec.Ports = []int{80}
	_, known := s.endpoint()
	assert.True(t, known)
	s.anchor.record.Desired.Spec.Ports = nil
	_, known = s.endpoint()
	assert.False(t, known)
}
