//go:build linux

package testcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// metricsService is the Service by which the API server finds metrics-server.
const metricsService = "metrics-server"

const metricsAPIPath = "/apis/apiregistration.k8s.io/v1/apiservices"

// createObjects gives the proxy its permissions and claims a place to go.
func (s *supervisor) createObjects(ctx context.Context) error {
	_, errProxy := s.client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "testcluster:kube-proxy"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:node-proxier"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "system:kube-proxy"}},
	}, metav1.CreateOptions{})
	_, errStorage := s.client.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "standard",
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner: "kubernetes.io/host-path", // the controller manager's own
	}, metav1.CreateOptions{})
	return errors.Join(errProxy, errStorage)
}

// createMetricsAPI leads the API server to metrics-server, a process of this
// host: it asks the name that the Service stands for, localhost.
func (s *supervisor) createMetricsAPI(ctx context.Context, port string) error {
	_, err := s.client.CoreV1().Services(metav1.NamespaceSystem).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: metricsService},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	// The type is in a module of its own, which is too much for one object.
	body := fmt.Sprintf(`{
  "apiVersion": "apiregistration.k8s.io/v1",
  "kind": "APIService",
  "metadata": {"name": "v1beta1.metrics.k8s.io"},
  "spec": {
    "group": "metrics.k8s.io",
    "version": "v1beta1",
    "groupPriorityMinimum": 100,
    "versionPriority": 100,
    "insecureSkipTLSVerify": true,
    "service": {"namespace": %q, "name": %q, "port": %s}
  }
}`, metav1.NamespaceSystem, metricsService, port)
	return s.client.Discovery().RESTClient().Post().AbsPath(metricsAPIPath).
		SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(ctx).Error()
}

func (s *supervisor) metricsAvailable(ctx context.Context) error {
	data, err := s.client.Discovery().RESTClient().Get().AbsPath(metricsAPIPath, "v1beta1.metrics.k8s.io").Do(ctx).Raw()
	if err != nil {
		return err
	}
	var service struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := json.Unmarshal(data, &service); err != nil {
		return err
	}
	for _, condition := range service.Status.Conditions {
		if condition.Type == "Available" && condition.Status == metav1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("the metrics API is not available: %+v", service.Status.Conditions)
}
