package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apimachinery/pkg/version"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"skillcenter.io/hosting"
)

// region is a namespace and the client of its cluster.
type region struct {
	name      string
	namespace string
	client    clientset.Interface
	// configured tells that somebody asked for this region by name. One of
	// the protocol's regions that is not there is simply empty.
	configured bool
	// own is what this provider has written here.
	own ownWrites
}

// minimumVersion is the oldest Kubernetes that has all that is used: jobs
// with elastic indexed completions (stable since 1.31).
var minimumVersion = utilversion.MustParseGeneric("1.31.0")

// connect makes the regions, with one client for each cluster.
func connect(ctx context.Context, config Config) (map[string]*region, error) {
	type cluster struct{ kubeconfig, context string }
	clients := map[cluster]clientset.Interface{}
	regions := map[string]*region{}
	for i, r := range config.Regions {
		at := cluster{r.Kubeconfig, r.Context}
		client := clients[at]
		if client == nil {
			var err error
			if client, err = newClient(ctx, config, r); err != nil {
				return nil, err
			}
			clients[at] = client
		}
		regions[r.Name] = &region{name: r.Name, namespace: r.Namespace, client: client,
			configured: i == 0 || !isProtocolRegion(r)}
	}
	return regions, nil
}

// isProtocolRegion tells whether a region is one that nobody had to configure.
func isProtocolRegion(r Region) bool {
	for _, name := range protocolRegions {
		if r == (Region{Name: name, Namespace: name}) {
			return true
		}
	}
	return false
}

func newClient(ctx context.Context, config Config, r Region) (clientset.Interface, error) {
	restConfig, err := restConfigFor(config, r)
	if err != nil {
		return nil, hosting.Errorf(config.Name, hosting.InvalidConfig, hosting.InvalidArgument, "region %s: %w", r.Name, err)
	}
	client, err := clientset.NewForConfig(restConfig)
	if err != nil {
		return nil, hosting.Errorf(config.Name, hosting.InvalidConfig, hosting.InvalidArgument, "region %s: %w", r.Name, err)
	}
	body, err := client.Discovery().RESTClient().Get().AbsPath("/version").SetHeader("Accept", "application/json").Do(ctx).Raw()
	if err != nil {
		return nil, hosting.Errorf(config.Name, hosting.InvalidConfig, reasonOf(ctx, err), "region %s: asking the cluster for its version: %w", r.Name, err)
	}
	if err := checkVersion(body); err != nil {
		return nil, hosting.Errorf(config.Name, hosting.InvalidConfig, hosting.Unsupported, "region %s: %w", r.Name, err)
	}
	return client, nil
}

func checkVersion(body []byte) error {
	var info version.Info
	if err := json.Unmarshal(body, &info); err != nil {
		return fmt.Errorf("version of the cluster: %w", err)
	}
	have, err := utilversion.ParseGeneric(info.GitVersion)
	if err != nil {
		return fmt.Errorf("version of the cluster %q: %w", info.GitVersion, err)
	}
	if have.LessThan(minimumVersion) {
		return fmt.Errorf("the cluster is Kubernetes %s: %s or newer is needed", info.GitVersion, minimumVersion)
	}
	return nil
}

func restConfigFor(config Config, r Region) (*rest.Config, error) {
	var restConfig *rest.Config
	if config.RESTConfig != nil && r.Kubeconfig == "" && r.Context == "" {
		restConfig = rest.CopyConfig(config.RESTConfig)
	} else {
		rules := clientcmd.NewDefaultClientConfigLoadingRules()
		overrides := &clientcmd.ConfigOverrides{}
		if r.Kubeconfig == "" && r.Context == "" {
			rules.ExplicitPath = config.Kubeconfig
			overrides.CurrentContext = config.Context
			overrides.ClusterInfo.Server = config.MasterURL
		} else {
			rules.ExplicitPath = r.Kubeconfig
			if r.Kubeconfig == "" {
				rules.ExplicitPath = config.Kubeconfig
			}
			overrides.CurrentContext = r.Context
		}
		var err error
		restConfig, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("kubeconfig: %w", err)
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
