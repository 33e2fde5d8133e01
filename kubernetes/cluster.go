package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"skillcenter.io/hosting"
)

// minimumVersion is the oldest Kubernetes that has all that is used: jobs
// with elastic indexed completions (stable since 1.31).
var minimumVersion = utilversion.MustParseGeneric("1.31.0")

// cluster is an API server and what is known of it. Making one does no more
// than read files; its version is asked for when it is used first.
type cluster struct {
	config    *rest.Config
	transport http.RoundTripper // with credentials
	client    clientset.Interface
	discovery rest.Interface // not held up by the question for the version
	// patience is how long it may take to tell its version.
	patience time.Duration
	version  shared[struct{}]
	// kubelets is nil unless KubeletMetrics is set.
	kubelets *kubelets
}

// clusterError says why a cluster cannot be used.
type clusterError struct {
	reason hosting.Reason
	text   string
	err    error
}

func (e *clusterError) Error() string { return e.text }

// Unwrap returns what the network said. What an API server says when it is
// asked for its version is left out: it is not about any object, and a NotFound
// would be taken for one.
func (e *clusterError) Unwrap() error {
	var status apierrors.APIStatus
	if errors.As(e.err, &status) {
		return nil
	}
	return e.err
}

// badSource says which field a cluster cannot be used for.
type badSource struct {
	field   string
	own     bool // it is a field of the region, else of Config
	allowed string
	err     error
}

func (e *badSource) Error() string { return e.err.Error() }

func (e *badSource) Unwrap() error { return e.err }

func newCluster(config Config, r Region) (*cluster, error) {
	restConfig, err := restConfigFor(config, r)
	if err != nil {
		return nil, err
	}
	transport, err := rest.TransportFor(restConfig)
	if err != nil {
		return nil, err
	}
	c := &cluster{config: restConfig, transport: transport, patience: config.RegionTimeout}
	open, err := discovery.NewDiscoveryClientForConfigAndClient(restConfig, &http.Client{Transport: transport, Timeout: restConfig.Timeout})
	if err != nil {
		return nil, err
	}
	c.discovery = open.RESTClient()
	if config.KubeletMetrics != nil {
		if c.kubelets, err = newKubelets(*config.KubeletMetrics, restConfig); err != nil {
			return nil, err
		}
	}
	c.client, err = clientset.NewForConfigAndClient(restConfig, &http.Client{Transport: &gate{c}, Timeout: restConfig.Timeout})
	return c, err
}

// usable returns nil if the cluster is known to be new enough, and asks it
// otherwise. Calls at the same time share one request. Failures are not
// remembered: the cluster may come back, or be upgraded.
func (c *cluster) usable(ctx context.Context) error {
	_, err := c.version.get(ctx, forever, func(ctx context.Context) (struct{}, error) {
		limited, cancel := context.WithTimeout(ctx, c.patience)
		defer cancel()
		body, err := c.discovery.Get().AbsPath("/version").SetHeader("Accept", "application/json").Do(limited).Raw()
		switch {
		case err == nil:
			err = checkVersion(body)
		case ctx.Err() == nil && limited.Err() != nil:
			err = &clusterError{hosting.Unavailable, fmt.Sprintf("the cluster did not tell its version within %s", c.patience), err}
		default:
			err = &clusterError{reasonOf(ctx, err), fmt.Sprintf("asking the cluster for its version: %v", err), err}
		}
		return struct{}{}, err
	})
	return err
}

func checkVersion(body []byte) error {
	var info version.Info
	if err := json.Unmarshal(body, &info); err != nil {
		return &clusterError{hosting.Unavailable, fmt.Sprintf("version of the cluster: %v", err), err}
	}
	have, err := utilversion.ParseGeneric(info.GitVersion)
	if err != nil {
		return &clusterError{hosting.Unavailable, fmt.Sprintf("version of the cluster %q: %v", info.GitVersion, err), err}
	}
	if have.LessThan(minimumVersion) {
		return &clusterError{hosting.Unsupported, fmt.Sprintf("the cluster is Kubernetes %s: %s or newer is needed", info.GitVersion, minimumVersion), nil}
	}
	return nil
}

// gate is the way to the API server. It lets requests through once the cluster
// is known to be usable.
type gate struct{ *cluster }

// RoundTrip implements [http.RoundTripper].
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.usable(r.Context()); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // of a request that is not made
		}
		return nil, err
	}
	return g.transport.RoundTrip(r)
}

// WrappedRoundTripper lets client-go find the transport below.
func (g *gate) WrappedRoundTripper() http.RoundTripper { return g.transport }

func restConfigFor(config Config, r Region) (*rest.Config, error) {
	var restConfig *rest.Config
	if config.RESTConfig != nil && r.Kubeconfig == "" && r.Context == "" {
		restConfig = rest.CopyConfig(config.RESTConfig)
	} else {
		var err error
		if restConfig, err = readKubeconfig(config, r); err != nil {
			return nil, err
		}
	}
	// Zero would be 5 requests per second, less than one instance.
	restConfig.QPS, restConfig.Burst = config.QPS, config.Burst
	if config.QPS == 0 {
		restConfig.QPS = -1
	}
	restConfig.ContentType = "application/vnd.kubernetes.protobuf"
	restConfig.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	restConfig.WarningHandler = rest.NoWarnings{}
	if config.WrapTransport != nil {
		restConfig.Wrap(config.WrapTransport)
	}
	restConfig.UserAgent = "skillcenter-hosting"
	return restConfig, nil
}

// readKubeconfig returns what the kubeconfig of a region says, or the service
// account of the pod if there is none. The error is a [*badSource].
func readKubeconfig(config Config, r Region) (*rest.Config, error) {
	path, overrides := r.Kubeconfig, &clientcmd.ConfigOverrides{CurrentContext: r.Context}
	if path == "" {
		path = config.Kubeconfig
	}
	if r.Kubeconfig == "" && r.Context == "" {
		overrides.CurrentContext = config.Context
		overrides.ClusterInfo.Server = config.MasterURL
	}
	bad := func(field string, own bool, allowed string, err error) error {
		return &badSource{field: field, own: own, allowed: allowed, err: fmt.Errorf("kubeconfig: %w", err)}
	}
	unusable := func(err error) error {
		return bad("kubeconfig", r.Kubeconfig != "", "a kubeconfig that can be read, or in a pod none", err)
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = path
	if files := filepath.SplitList(path); len(files) > 1 {
		if !slices.ContainsFunc(files, exists) {
			return nil, unusable(fmt.Errorf("none of %s: %w", path, fs.ErrNotExist))
		}
		rules.ExplicitPath, rules.Precedence = "", files
	}
	client := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	content, err := client.RawConfig()
	if err != nil {
		return nil, unusable(err)
	}
	if name := overrides.CurrentContext; name != "" && content.Contexts[name] == nil {
		return nil, bad("context", r.Context != "", "a context of the kubeconfig", fmt.Errorf("context %.80q does not exist", name))
	}
	restConfig, err := client.ClientConfig()
	if err != nil {
		return nil, unusable(err)
	}
	return restConfig, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
