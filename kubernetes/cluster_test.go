//go:build linux

package kubernetes_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/kubernetes"
)

const deadServer = "https://127.0.0.1:1"

// blackhole takes connections and never answers.
func blackhole(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	return "http://" + listener.Addr().String()
}

// versionServer says that it is an API server of a version, and no more.
func versionServer(t *testing.T, gitVersion string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/version" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		assert.NoError(t, json.NewEncoder(w).Encode(version.Info{GitVersion: gitVersion}))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// kubeconfig writes a kubeconfig with one context, named "only".
func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: server}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {}},
		Contexts:       map[string]*clientcmdapi.Context{"only": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "only",
	}, path))
	return path
}

func TestAProgramStartsWhileItsClusterIsAway(t *testing.T) {
	t.Parallel()
	config := kubernetes.DefaultConfig()
	config.RESTConfig = &rest.Config{Host: deadServer}
	p, err := kubernetes.New(t.Context(), config)
	require.NoError(t, err)

	const id = "eu-west-1.deployment.web"
	ctx := t.Context()
	calls := map[string]func() error{
		"get":    func() error { _, err := p.GetInstance(ctx, id); return err },
		"start":  func() error { return p.StartInstance(ctx, id) },
		"stop":   func() error { return p.StopInstance(ctx, id) },
		"scale":  func() error { return p.ScaleInstance(ctx, id, 2) },
		"delete": func() error { return p.DeleteInstance(ctx, id) },
		"logs":   func() error { _, err := p.GetLogs(ctx, id, hosting.LogQueryOptions{}); return err },
		"events": func() error { _, err := p.GetEvents(ctx, id); return err },
		"metric": func() error { _, err := p.GetMetrics(ctx, id); return err },
		"create": func() error {
			config := everything("web", hosting.TypeDeployment)
			config.Region = "eu-west-1"
			_, err := p.CreateInstance(ctx, config)
			return err
		},
		"list":  func() error { _, err := p.ListInstances(ctx); return err },
		"check": func() error { return p.Check(ctx) },
	}
	for name, call := range calls {
		err := call()
		require.ErrorIs(t, err, hosting.Unavailable, name)
		assert.Contains(t, err.Error(), "region eu-west-1: ", name)
		assert.Contains(t, err.Error(), "connection refused", name)
		var network *net.OpError
		require.ErrorAs(t, err, &network, "%s: the cause is reached", name)
		assert.Equal(t, "dial", network.Op)
	}
	err = calls["check"]()
	assert.Equal(t, hosting.InvalidConfig, hosting.CodeOf(err))
	for _, region := range p.SupportedRegions() {
		assert.Contains(t, err.Error(), "region "+region+": ")
	}
}

func TestAKubeconfigThatCannotBeUsedIsRefusedWithItsRegion(t *testing.T) {
	t.Parallel()
	good := kubeconfig(t, deadServer)
	garbage := filepath.Join(t.TempDir(), "garbage")
	require.NoError(t, os.WriteFile(garbage, []byte("{not yaml"), 0o600))
	for name, test := range map[string]struct {
		region kubernetes.Region
		says   string
	}{
		"no such file":    {kubernetes.Region{Kubeconfig: "/no/such/file"}, "no such file"},
		"not YAML":        {kubernetes.Region{Kubeconfig: garbage}, "garbage"},
		"unknown context": {kubernetes.Region{Kubeconfig: good, Context: "other"}, `"other" does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.region.Name = "broken"
			also := test.region
			also.Name, also.Namespace = "also-broken", "elsewhere"
			config := kubernetes.DefaultConfig()
			config.RESTConfig = &rest.Config{Host: deadServer}
			config.Regions = []kubernetes.Region{{Name: "fine"}, test.region, also}
			_, err := kubernetes.New(t.Context(), config)
			require.ErrorIs(t, err, hosting.InvalidArgument)
			assert.Equal(t, hosting.InvalidConfig, hosting.CodeOf(err))
			assert.Contains(t, err.Error(), "region broken: ")
			assert.Contains(t, err.Error(), "region also-broken: ")
			assert.NotContains(t, err.Error(), "region fine")
			assert.Contains(t, err.Error(), test.says)
		})
	}
}

func TestOneNamespaceIsNotTwoRegionsByTwoKubeconfigs(t *testing.T) {
	t.Parallel()
	config := kubernetes.DefaultConfig()
	config.Regions = []kubernetes.Region{
		{Name: "a", Namespace: "skills", Kubeconfig: kubeconfig(t, deadServer)},
		{Name: "b", Namespace: "skills", Kubeconfig: kubeconfig(t, deadServer)},
		{Name: "c", Namespace: "others", Kubeconfig: kubeconfig(t, deadServer)},
	}
	_, err := kubernetes.New(t.Context(), config)
	require.ErrorIs(t, err, hosting.InvalidArgument)
	assert.Contains(t, err.Error(), "region b: namespace skills of the same cluster is region a already")
	assert.NotContains(t, err.Error(), "region c")
}

func TestEachRegionThatFailsIsNamedAndHoldsUpTheOthersForItsTimeOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	mine := w.cluster.KubeconfigFile(t, w.cluster.User(t, "one-namespace", w.namespace,
		rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}))
	const patience = 3 * time.Second
	bad := map[string]struct {
		region kubernetes.Region
		reason hosting.Reason
		says   string
	}{
		"dead":      {kubernetes.Region{Kubeconfig: kubeconfig(t, deadServer)}, hosting.Unavailable, "connection refused"},
		"blackhole": {kubernetes.Region{Kubeconfig: kubeconfig(t, blackhole(t))}, hosting.Unavailable, "within 3s"},
		"old":       {kubernetes.Region{Kubeconfig: kubeconfig(t, versionServer(t, "v1.30.9"))}, hosting.Unsupported, "the cluster is Kubernetes v1.30.9: 1.31.0 or newer is needed"},
		"stranger":  {kubernetes.Region{Kubeconfig: kubeconfig(t, versionServer(t, "one"))}, hosting.Unavailable, `version of the cluster "one"`},
		"forbidden": {kubernetes.Region{Kubeconfig: mine, Namespace: "default"}, hosting.PermissionDenied, "forbidden"},
		"missing":   {kubernetes.Region{Namespace: "no-such-namespace"}, hosting.NotFound, `namespaces "no-such-namespace" not found`},
	}
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.RegionTimeout = patience
		for name, b := range bad {
			b.region.Name = name
			c.Regions = append(c.Regions, b.region)
		}
		// Protocol regions that nobody set up are no failures.
		c.Regions = append(c.Regions, kubernetes.Region{Name: "us-east-1"})
	})
	for name, call := range map[string]func(context.Context) error{
		"ListInstances": func(ctx context.Context) error {
			list, err := p.ListInstances(ctx)
			assert.Len(t, list, 1, "the instance of the healthy region")
			assert.Equal(t, hosting.ListFailed, hosting.CodeOf(err))
			return err
		},
		"Check": func(ctx context.Context) error {
			err := p.Check(ctx)
			assert.Equal(t, hosting.InvalidConfig, hosting.CodeOf(err))
			return err
		},
	} {
		began := time.Now()
		err := call(t.Context())
		took := time.Since(began)
		require.Error(t, err, name)
		for region, b := range bad {
			assert.Contains(t, err.Error(), "region "+region+": ", name)
			assert.Contains(t, err.Error(), b.says, name)
			assert.Equal(t, 1, strings.Count(err.Error(), "region "+region+": "), "%s: named once", name)
		}
		assert.Contains(t, err.Error(), "6 of 8 regions", name)
		assert.GreaterOrEqual(t, took, patience, name)
		assert.Less(t, took, 3*patience, name)
	}

	// A context that ends earlier goes first, and the healthy part is there.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	list, err := p.ListInstances(ctx)
	require.ErrorIs(t, err, hosting.DeadlineExceeded)
	assert.Contains(t, err.Error(), "region blackhole: ")
	assert.Len(t, list, 1)

	for region, b := range bad {
		config := everything("web", hosting.TypeDeployment)
		config.Region = region
		_, err := p.CreateInstance(t.Context(), config)
		require.ErrorIs(t, err, b.reason, region)
		assert.Contains(t, err.Error(), "region "+region+": ")
		if region == "missing" {
			continue // there is no instance in it either
		}
		_, err = p.GetInstance(t.Context(), region+".deployment.web")
		require.ErrorIs(t, err, b.reason, region)
		assert.Contains(t, err.Error(), "region "+region+": ")
	}
}

func TestAClusterIsAskedForItsVersionOnceAndAgainAfterAFailure(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Start(t)
	var versions atomic.Int32
	var away atomic.Bool
	away.Store(true)
	config := kubernetes.DefaultConfig()
	config.RESTConfig = cluster.Config()
	config.Regions = []kubernetes.Region{{Name: "a", Namespace: cluster.Namespace(t, "a")}, {Name: "b", Namespace: cluster.Namespace(t, "b")}}
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/version" {
				versions.Add(1)
			}
			if away.Load() {
				return nil, errors.New("the cluster is away")
			}
			return next.RoundTrip(r)
		})
	}
	p, err := kubernetes.New(t.Context(), config)
	require.NoError(t, err)
	require.ErrorIs(t, p.Check(t.Context()), hosting.Unavailable)
	failed := versions.Load()
	assert.Positive(t, failed)

	away.Store(false)
	versions.Store(0)
	var wait sync.WaitGroup
	for range 20 {
		for _, region := range p.SupportedRegions() {
			wait.Go(func() {
				_, err := p.GetInstance(t.Context(), region+".deployment.web")
				assert.ErrorIs(t, err, hosting.NotFound)
			})
		}
	}
	wait.Wait()
	assert.EqualValues(t, 1, versions.Load(), "both regions are of one cluster")
	require.NoError(t, p.Check(t.Context()))
	_, err = p.ListInstances(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1, versions.Load())
}
