//go:build linux

package kubernetes_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"skillcenter.io/hosting/kubernetes/deploy"
)

// The shipped manifests.
const (
	accountFile     = "service-account.yaml"
	namespacedFile  = "namespaced.yaml"
	clusterWideFile = "cluster-wide.yaml"
	kubeletFile     = "kubelet-metrics.yaml"

	compatibilityFile      = "compatibility.yaml"
	compatibilityNodesFile = "compatibility-nodes.yaml"
)

// manifest returns the objects of a shipped file. Fields that do not exist are
// an error.
func manifest(t testing.TB, name string) []runtime.Object {
	t.Helper()
	data, err := deploy.Files.ReadFile(name)
	require.NoError(t, err)
	strict := scheme.Codecs.WithoutConversion()
	info, ok := runtime.SerializerInfoForMediaType(strict.SupportedMediaTypes(), runtime.ContentTypeYAML)
	require.True(t, ok)
	var objects []runtime.Object
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(data)))
	defer documents.Close()
	for {
		buffer := make([]byte, len(data)+1)
		n, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		o, _, err := info.StrictSerializer.Decode(buffer[:n], nil, nil)
		require.NoError(t, err, name)
		objects = append(objects, o)
	}
}

// shippedRules are the rules of a shipped Role or ClusterRole.
func shippedRules(t testing.TB, file string) []rbacv1.PolicyRule {
	t.Helper()
	for _, o := range manifest(t, file) {
		switch role := o.(type) {
		case *rbacv1.Role:
			return role.Rules
		case *rbacv1.ClusterRole:
			return role.Rules
		}
	}
	require.Fail(t, "there is no role", file)
	return nil
}

// permission is one thing that a rule allows.
type permission struct{ group, resource, verb string }

func (p permission) String() string {
	return strings.TrimSpace(p.verb + " " + p.resource + " " + p.group)
}

// permissions takes rules apart.
func permissions(rules []rbacv1.PolicyRule) []permission {
	var result []permission
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					result = append(result, permission{group, resource, verb})
				}
			}
		}
	}
	return result
}

// without returns rules that allow all but one thing.
func without(all []permission, removed permission) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for _, p := range all {
		if p != removed {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{p.group}, Resources: []string{p.resource}, Verbs: []string{p.verb}})
		}
	}
	return rules
}

// asShipped applies the shipped manifests to the namespace and returns the
// configuration of a client that runs as the service account. The account is
// in the same namespace, because a cluster that tests share has room for only
// one namespace of the shipped name.
func (w *world) asShipped(t testing.TB) *rest.Config {
	t.Helper()
	ctx := t.Context()
	account := manifest(t, accountFile)[0].(*corev1.ServiceAccount)
	var role *rbacv1.Role
	var binding *rbacv1.RoleBinding
	for _, o := range manifest(t, namespacedFile) {
		switch o := o.(type) {
		case *rbacv1.Role:
			role = o
		case *rbacv1.RoleBinding:
			binding = o
		}
	}
	require.Equal(t, []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account.Name, Namespace: account.Namespace}}, binding.Subjects)
	account.Namespace, binding.Subjects[0].Namespace = w.namespace, w.namespace
	_, err := w.client.CoreV1().ServiceAccounts(w.namespace).Create(ctx, account, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = w.client.RbacV1().Roles(w.namespace).Create(ctx, role, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = w.client.RbacV1().RoleBindings(w.namespace).Create(ctx, binding, metav1.CreateOptions{})
	require.NoError(t, err)
	token, err := w.client.CoreV1().ServiceAccounts(w.namespace).CreateToken(ctx, account.Name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(2 * 60 * 60))}}, metav1.CreateOptions{})
	require.NoError(t, err)
	admin := w.cluster.Config()
	config := &rest.Config{
		Host: admin.Host, BearerToken: token.Status.Token, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: admin.CAData, CAFile: admin.CAFile},
	}
	w.awaitGranted(t, config, role.Rules)
	return config
}

// as returns the configuration of a client that may do what the rules say and
// nothing else. Impersonating is much quicker than making a user.
func (w *world) as(t testing.TB, user string, rules []rbacv1.PolicyRule) *rest.Config {
	t.Helper()
	meta := metav1.ObjectMeta{GenerateName: "test-"}
	role, err := w.client.RbacV1().Roles(w.namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = w.client.RbacV1().RoleBindings(w.namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta,
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	config := w.cluster.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	w.awaitGranted(t, config, rules)
	return config
}

// awaitGranted waits until the API server has learned of a role. It learns of
// all rules of a role at once.
func (w *world) awaitGranted(t testing.TB, config *rest.Config, rules []rbacv1.PolicyRule) {
	t.Helper()
	client, err := clientset.NewForConfig(config)
	require.NoError(t, err)
	first := permissions(rules)[0]
	resource, subresource, _ := strings.Cut(first.resource, "/")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: w.namespace, Group: first.group, Resource: resource, Subresource: subresource, Verb: first.verb,
			}},
		}, metav1.CreateOptions{})
		if assert.NoError(c, err) {
			assert.True(c, review.Status.Allowed)
		}
	}, waitTime, 50*time.Millisecond)
}

// recorder notes which permissions the requests that pass through need.
type recorder struct {
	mu   sync.Mutex
	used map[permission]bool
}

func (r *recorder) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(request *http.Request) (*http.Response, error) {
		if p, ok := permissionFor(request); ok {
			r.mu.Lock()
			if r.used == nil {
				r.used = map[permission]bool{}
			}
			r.used[p] = true
			r.mu.Unlock()
		}
		return next.RoundTrip(request)
	})
}

// permissionFor tells what the API server asks a request to be allowed. It is
// false for what everybody may do: asking for the version.
func permissionFor(request *http.Request) (permission, bool) {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	at := slices.Index(parts, "namespaces")
	if at < 0 || len(parts) < at+3 {
		return permission{}, false
	}
	var p permission
	if parts[0] == "apis" {
		p.group = parts[1]
	}
	rest := parts[at+2:] // resource, name, subresource
	p.resource = rest[0]
	if len(rest) > 2 {
		p.resource += "/" + rest[2]
	}
	switch request.Method {
	case http.MethodPost:
		p.verb = "create"
	case http.MethodPut:
		p.verb = "update"
	case http.MethodPatch:
		p.verb = "patch"
	case http.MethodDelete:
		p.verb = "delete"
	default:
		p.verb = "get"
		if len(rest) == 1 {
			p.verb = "list"
			if watch := request.URL.Query().Get("watch"); watch == "true" || watch == "1" {
				p.verb = "watch"
			}
		}
	}
	return p, true
}

// showRunning makes a pod of an instance look as if its container ran, on a
// cluster without nodes.
func (w *world) showRunning(ctx context.Context, c *assert.CollectT, instance string) {
	pods, err := w.client.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{LabelSelector: "skillcenter.io/name=" + instance})
	if !assert.NoError(c, err) || !assert.NotEmpty(c, pods.Items) {
		return
	}
	pod := &pods.Items[0]
	pod.Status.Phase = corev1.PodRunning
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{
		Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()},
	}}}
	_, err = w.client.CoreV1().Pods(w.namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	assert.NoError(c, err)
}
