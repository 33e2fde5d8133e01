package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"skillcenter.io/hosting"
)

// Config says which clusters and namespaces a Provider uses, and what its
// instances get when their own configuration does not say. Start from
// [DefaultConfig].
type Config struct {
	// Name is the name of the provider; "kubernetes" if empty.
	Name string

	// Kubeconfig is the path of a kubeconfig file, or of several with ':'
	// between them (';' on Windows), as KUBECONFIG has them. Empty: what KUBECONFIG
	// names, else the one in the home directory, else the service account of
	// the pod this runs in.
	Kubeconfig string
	// Context is the context in the kubeconfig; its current one if empty.
	Context string
	// MasterURL overrides the address of the API server.
	MasterURL string
	// RESTConfig, if not nil, is used instead of all of the above.
	RESTConfig *rest.Config

	// Namespace is the namespace of the region "default"; "default" if empty.
	Namespace string
	// Regions replaces the protocol's five regions, in order: the first is the
	// default. Namespace is then not used.
	Regions []Region

	// RegionTimeout is how long one region may take to answer ListInstances or
	// Check, and its cluster to tell its version at first; 15 seconds if zero.
	// A cluster that never answers holds up the answers of the others no longer
	// than that. A context that ends earlier goes before it.
	RegionTimeout time.Duration

	// Owner separates programs that share a namespace: a provider lists,
	// changes and deletes only what carries its owner. "default" if empty.
	Owner string

	// Defaults fill in what an instance does not say.
	Defaults Defaults

	// StorageClasses are the cluster's storage classes for the portable types
	// of volumes: [hosting.VolumeStandard], [hosting.VolumeSSD] and
	// [hosting.VolumeShared]. A type that is not in it, or is empty, has the
	// cluster's default class. A volume that exists keeps its class.
	StorageClasses map[string]string

	// KubeletMetrics, if not nil, turns network and disk metrics on.
	KubeletMetrics *KubeletMetrics

	// WrapTransport, if not nil, is called with the transport to each API
	// server, and to the kubelets, and returns the one to use: for tracing,
	// metrics and tests.
	WrapTransport func(http.RoundTripper) http.RoundTripper

	// QPS and Burst limit the requests per second of this client. Zero means
	// no limit: the API server's own priority and fairness does better.
	QPS   float32
	Burst int

	// LogStreams is how many logs the provider reads at a time, over all
	// calls, 128 if zero. More wait for their turn; logs that are followed
	// take turns of some seconds. While one is followed, it may open another
	// connection for a moment to look whether it has got everything.
	LogStreams int

	// Cache lets reads of instances be answered from memory while
	// [Provider.Run] runs, at the price of some kilobytes for each instance.
	Cache bool
}

// Region is a namespace of a cluster. Regions are independent: one whose
// cluster is away, whose credentials are refused or whose namespace is missing
// fails the calls about it and no others. ListInstances then returns the
// instances of the other regions with an error that names it.
//
// One of the protocol's regions that is a namespace of its own name and is not
// the first may be missing or forbidden: it is empty then.
type Region struct {
	// Name is the key of the region: a DNS label.
	Name string
	// Namespace must exist; Name if empty.
	Namespace string
	// Kubeconfig and Context choose another cluster; if both are empty the
	// provider's own is used. Without Kubeconfig, Context is one of the
	// provider's kubeconfig; without Context it is the file's current one.
	Kubeconfig string
	Context    string
}

// Defaults are the settings of an instance that does not say otherwise.
type Defaults struct {
	// ImagePullPolicy is "IfNotPresent", "Always" or "Never".
	ImagePullPolicy string
	// RestartPolicy is for jobs and cronjobs: "OnFailure" or "Never".
	// "Always", which Kubernetes does not allow for them, means "Never".
	// Everything else always restarts.
	RestartPolicy string
	// ServiceAccount is what pods run as. They get its token only if
	// MountServiceAccountToken is set.
	ServiceAccount           string
	MountServiceAccountToken bool
	// PodSecurity is "baseline", or "restricted" to satisfy that Pod Security
	// Standard: the image must then run as a user other than root.
	PodSecurity string
	// ProgressDeadline is how long a replica may take to become ready before
	// its instance counts as failed or degraded. Whole seconds.
	ProgressDeadline time.Duration

	// PreStopDelay is how long a replica of an instance with ports goes on
	// serving once it is to end, so that callers who do not know yet still
	// get answers. It is cut to whole seconds and to half of the replica's
	// termination grace period; zero means none.
	PreStopDelay time.Duration

	Resources hosting.ResourceConfig
	Scaling   hosting.ScaleConfig

	// ServiceType is "ClusterIP", "NodePort" or "LoadBalancer".
	ServiceType string
	// IngressEnabled gives instances with ports an ingress when there is a
	// host for it: their own, or one under IngressDomain.
	IngressEnabled bool
	// IngressDomain is the domain for hosts <name>.<IngressDomain>.
	IngressDomain string
	// IngressClass is the class of the ingresses; the cluster's default if
	// empty.
	IngressClass string
}

// DefaultConfig returns the defaults of the protocol (section 3.4): the
// current kubeconfig, namespace "default", requests of 250m and 256Mi, limits
// of 500m and 512Mi, 1 to 10 replicas. What the protocol does not name:
// replicas with ports end 5 s late.
func DefaultConfig() Config {
	return Config{
		Name:      "kubernetes",
		Namespace: "default",
		Owner:     "default",
		Defaults: Defaults{
			ImagePullPolicy: string(corev1.PullIfNotPresent),
			RestartPolicy:   string(corev1.RestartPolicyAlways),
			ServiceAccount:  "default",
			PodSecurity:     podSecurityBaseline,

			ProgressDeadline: defaultProgressDeadline,
			PreStopDelay:     5 * time.Second,
			Resources: hosting.ResourceConfig{
				CPURequest: 0.25, CPULimit: 0.5,
				MemoryRequest: 256 << 20, MemoryLimit: 512 << 20,
			},
			Scaling:        hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 10, TargetCPUUtilization: 70},
			ServiceType:    hosting.ServiceClusterIP,
			IngressEnabled: true,
		},
	}
}

const (
	podSecurityBaseline   = "baseline"
	podSecurityRestricted = "restricted"
)

// withDefaults fills in what must not be empty and checks the rest. The error
// has reason InvalidArgument and names the field.
func (c Config) withDefaults() (Config, error) {
	c.Name = cmp.Or(c.Name, "kubernetes")
	c.Namespace = cmp.Or(c.Namespace, "default")
	c.Owner = cmp.Or(c.Owner, "default")
	if len(c.Regions) == 0 {
		c.Regions = []Region{{Name: "default", Namespace: c.Namespace}}
		for _, name := range protocolRegions {
			// No namespace is two regions: its instances would have two ids.
			if name != c.Namespace {
				c.Regions = append(c.Regions, Region{Name: name, Namespace: name})
			}
		}
	}
	c.Regions = slices.Clone(c.Regions)
	c.RegionTimeout = cmp.Or(c.RegionTimeout, defaultRegionTimeout)
	c.Defaults.ImagePullPolicy = cmp.Or(c.Defaults.ImagePullPolicy, string(corev1.PullIfNotPresent))
	c.Defaults.RestartPolicy = cmp.Or(c.Defaults.RestartPolicy, string(corev1.RestartPolicyAlways))
	c.Defaults.ServiceAccount = cmp.Or(c.Defaults.ServiceAccount, "default")
	c.Defaults.PodSecurity = cmp.Or(c.Defaults.PodSecurity, podSecurityBaseline)
	c.Defaults.ProgressDeadline = cmp.Or(c.Defaults.ProgressDeadline, defaultProgressDeadline)
	c.Defaults.ServiceType = cmp.Or(c.Defaults.ServiceType, hosting.ServiceClusterIP)
	c.Defaults.Scaling.MinReplicas = cmp.Or(c.Defaults.Scaling.MinReplicas, 1)
	c.Defaults.Scaling.MaxReplicas = cmp.Or(c.Defaults.Scaling.MaxReplicas, max(10, c.Defaults.Scaling.MinReplicas))

	c.LogStreams = cmp.Or(c.LogStreams, 128)
	c.StorageClasses = maps.Clone(c.StorageClasses)

	var errs hosting.FieldErrors
	check := func(ok bool, field string, value any, allowed string) {
		if !ok {
			errs = append(errs, hosting.FieldError{Field: field, Value: value, Allowed: allowed})
		}
	}
	oneOf := func(field, value string, allowed ...string) {
		check(slices.Contains(allowed, value), field, value, strings.Join(allowed, ", "))
	}
	isLabel := func(s string) bool { return len(validation.IsDNS1123Label(s)) == 0 }
	check(isLabel(c.Name), "name", c.Name, "a DNS label")
	check(len(validation.IsValidLabelValue(c.Owner)) == 0, "owner", c.Owner, "a label value")
	check(c.RegionTimeout > 0, "regionTimeout", c.RegionTimeout, "more than 0")
	check(c.QPS <= 0 || c.Burst > 0, "burst", c.Burst, "more than 0 with qps")
	seen, places := map[string]bool{}, map[Region]bool{}
	for i := range c.Regions {
		region := &c.Regions[i]
		region.Namespace = cmp.Or(region.Namespace, region.Name)
		field := regionField(i)
		check(isLabel(region.Name), field+".name", region.Name, "a DNS label")
		check(!seen[region.Name], field+".name", region.Name, "each name once")
		seen[region.Name] = true
		place := Region{Namespace: region.Namespace, Kubeconfig: region.Kubeconfig, Context: region.Context}
		check(!places[place], field+".namespace", region.Namespace, "each namespace of a cluster once: its instances would have two ids")
		places[place] = true
		check(isLabel(region.Namespace) || region.Namespace == region.Name, field+".namespace", region.Namespace, "a DNS label")
		check(!strings.HasPrefix(region.Namespace, "kube-"), field+".namespace", region.Namespace, "no namespace of the cluster itself (kube-*)")
	}
	for _, name := range slices.Sorted(maps.Keys(c.StorageClasses)) {
		field, class := fmt.Sprintf("storageClasses[%s]", name), c.StorageClasses[name]
		oneOf(field, name, hosting.VolumeStandard, hosting.VolumeSSD, hosting.VolumeShared)
		check(class == "" || len(validation.IsDNS1123Subdomain(class)) == 0, field, class, "the name of a storage class")
	}
	check(c.LogStreams > 0, "logStreams", c.LogStreams, "a positive number")
	if c.KubeletMetrics != nil {
		k := *c.KubeletMetrics
		k.Port, k.CAData = cmp.Or(k.Port, defaultKubeletPort), slices.Clone(k.CAData)
		c.KubeletMetrics = &k
		authorities := 0
		for _, given := range []bool{k.CAFile != "", len(k.CAData) > 0, k.InsecureSkipVerify} {
			if given {
				authorities++
			}
		}
		check(authorities <= 1, "kubeletMetrics", "two kinds of trust", "one of caFile, caData and insecureSkipVerify, or none")
		check(k.Port > 0 && k.Port <= 65535, "kubeletMetrics.port", k.Port, "1 to 65535")
	}
	oneOf("defaults.imagePullPolicy", c.Defaults.ImagePullPolicy, string(corev1.PullIfNotPresent), string(corev1.PullAlways), string(corev1.PullNever))
	oneOf("defaults.restartPolicy", c.Defaults.RestartPolicy, string(corev1.RestartPolicyAlways), string(corev1.RestartPolicyOnFailure), string(corev1.RestartPolicyNever))
	oneOf("defaults.podSecurity", c.Defaults.PodSecurity, podSecurityBaseline, podSecurityRestricted)
	oneOf("defaults.serviceType", c.Defaults.ServiceType, hosting.ServiceClusterIP, hosting.ServiceNodePort, hosting.ServiceLoadBalancer)
	check(len(validation.IsDNS1123Subdomain(c.Defaults.ServiceAccount)) == 0, "defaults.serviceAccount", c.Defaults.ServiceAccount, "the name of a service account")
	check(c.Defaults.ProgressDeadline >= time.Second && c.Defaults.ProgressDeadline%time.Second == 0,
		"defaults.progressDeadline", c.Defaults.ProgressDeadline, "whole seconds, at least 1")
	check(c.Defaults.PreStopDelay >= 0, "defaults.preStopDelay", c.Defaults.PreStopDelay, "0 or more")
	if c.Defaults.IngressDomain != "" {
		check(len(validation.IsDNS1123Subdomain(c.Defaults.IngressDomain)) == 0, "defaults.ingressDomain", c.Defaults.IngressDomain, "a DNS name")
	}
	errs = append(errs, c.Defaults.validate()...)
	if len(errs) > 0 {
		return Config{}, hosting.Errorf(c.Name, hosting.InvalidConfig, hosting.InvalidArgument, "configuration: %w", errs)
	}
	return c, nil
}

func regionField(i int) string { return fmt.Sprintf("regions[%d]", i) }

// validate checks the defaults that an instance may say too as if it did.
func (d Defaults) validate() hosting.FieldErrors {
	var errs hosting.FieldErrors
	errors.As(hosting.CloudHostingConfig{
		InstanceName: "x", InstanceType: hosting.TypeDeployment, Container: &hosting.ContainerConfig{Image: "x"},
		Resources: &d.Resources, Scaling: &d.Scaling,
	}.Validate(), &errs)
	for i := range errs {
		errs[i].Field = "defaults." + errs[i].Field
	}
	return errs
}

// defaultRegionTimeout is longer than any healthy cluster takes, and short
// enough for a person to wait.
const defaultRegionTimeout = 15 * time.Second

// protocolRegions are the regions of the protocol (section 3.3) beside
// "default". Each is a namespace of its own name.
var protocolRegions = []string{"us-west-1", "us-east-1", "eu-west-1", "asia-east-1"}
