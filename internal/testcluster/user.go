package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// User returns the client configuration of a user who may do what the rules
// say and nothing else: in the namespace, or in the whole cluster where the
// namespace is empty. It returns once the API server grants the rules.
func (c *Cluster) User(t testing.TB, name, namespace string, rules ...rbacv1.PolicyRule) *rest.Config {
	t.Helper()
	config, err := c.user(t, name)
	if err != nil {
		t.Fatalf("make the user %s: %v", name, err)
	}
	if err := c.grant(t, name, namespace, rules); err != nil {
		t.Fatalf("grant the user %s its rules: %v", name, err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	for _, rule := range rules {
		err := poll(t.Context(), "the permissions of "+name, func(ctx context.Context) error {
			return allowed(ctx, client, namespace, rule)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return config
}

// KubeconfigFile writes a kubeconfig file for the configuration, for code
// that wants a path, and returns its path.
func (c *Cluster) KubeconfigFile(t testing.TB, config *rest.Config) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := writeKubeconfig(path, config); err != nil {
		t.Fatalf("write a kubeconfig: %v", err)
	}
	return path
}

// user has the cluster's authority sign a client certificate.
func (c *Cluster) user(t testing.TB, name string) (*rest.Config, error) {
	signer, err := loadAuthority(filepath.Join(c.state, pkiDir), "ca")
	if err != nil {
		return nil, err
	}
	identity, err := signer.client(name)
	if err != nil {
		return nil, err
	}
	config := clientConfig(c.Config().Host, signer.cert, identity)
	config.QPS = -1
	return config, nil
}

func (c *Cluster) grant(t testing.TB, name, namespace string, rules []rbacv1.PolicyRule) error {
	if len(rules) == 0 {
		return nil
	}
	var (
		ctx      = t.Context()
		rbac     = c.client(t).RbacV1()
		meta     = metav1.ObjectMeta{GenerateName: "test-user-"}
		subjects = []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}}
	)
	if namespace != "" {
		role, err := rbac.Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		_, err = rbac.RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: meta,
			Subjects:   subjects,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		}, metav1.CreateOptions{})
		return err // both go with their namespace
	}
	role, err := rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	binding, err := rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		Subjects:   subjects,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	t.Cleanup(func() {
		ctx := context.Background() // the test's own has ended
		err := errors.Join(
			rbac.ClusterRoleBindings().Delete(ctx, binding.Name, metav1.DeleteOptions{}),
			rbac.ClusterRoles().Delete(ctx, role.Name, metav1.DeleteOptions{}))
		if err != nil {
			t.Errorf("take the permissions of %s back: %v", name, err)
		}
	})
	return nil
}

// allowed fails until the client may do one thing that the rule grants; the
// API server learns of new bindings a moment after they are stored.
func allowed(ctx context.Context, client kubernetes.Interface, namespace string, rule rbacv1.PolicyRule) error {
	spec := authorizationv1.SelfSubjectAccessReviewSpec{}
	switch {
	case len(rule.Verbs) == 0:
		return nil
	case len(rule.Resources) > 0 && len(rule.APIGroups) > 0:
		resource, subresource, _ := strings.Cut(rule.Resources[0], "/")
		attributes := &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: rule.Verbs[0], Group: rule.APIGroups[0],
			Resource: resource, Subresource: subresource,
		}
		if len(rule.ResourceNames) > 0 {
			attributes.Name = rule.ResourceNames[0]
		}
		spec.ResourceAttributes = attributes
	case len(rule.NonResourceURLs) > 0:
		spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{
			Verb: rule.Verbs[0], Path: rule.NonResourceURLs[0],
		}
	default:
		return nil
	}
	review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx,
		&authorizationv1.SelfSubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if !review.Status.Allowed {
		return fmt.Errorf("not granted yet: %v", rule)
	}
	return nil
}

// clientConfig is how the holder of a certificate reaches the API server.
func clientConfig(server string, ca []byte, identity pair) *rest.Config {
	return &rest.Config{
		Host: server,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: ca, CertData: identity.cert, KeyData: identity.key,
		},
	}
}

// writeKubeconfig stores a configuration made by clientConfig. The file is
// complete from the moment it exists.
func writeKubeconfig(path string, config *rest.Config) error {
	const name = "testcluster"
	data, err := clientcmd.Write(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			name: {Server: config.Host, CertificateAuthorityData: config.CAData},
		},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{
			name: {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData},
		},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	})
	if err != nil {
		return err
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
