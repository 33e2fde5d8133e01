package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/hashicorp/go-multierror"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
	"skillcenter.io/hosting/provider/driver"
)

// Open is the [driver.Opener] of this package: it makes a Provider as
// docs/configuration.md says. What only a program can give, RESTConfig and
// WrapTransport, is for [New].
func Open(ctx context.Context, env driver.Env, section driver.Section) (driver.Backend, error) {
	file := sectionOf(DefaultConfig())
	failures := multierror.Append(nil, errorsOf(section.Decode(&file))...)
	config := file.config(env)
	if _, err := config.withDefaults(); err != nil {
		failures = multierror.Append(failures, file.refer(section, err)...)
	}
	if failures.Len() > 0 {
		return driver.Backend{}, failures
	}
	p, err := New(ctx, config)
	if err != nil {
		return driver.Backend{}, file.referSources(section, err)
	}
	return driver.Backend{
		Provider: p, Volumes: p, Services: p, Scaling: p, Elector: p.Elector("autoscale"), Store: p.Store(), Checker: p, Run: p.Run,
	}, nil
}

// fileSection is the section of a configuration file.
type fileSection struct {
	Kubeconfig     string             `yaml:"kubeconfig"`
	Context        string             `yaml:"context"`
	MasterURL      string             `yaml:"masterUrl"`
	Namespace      string             `yaml:"namespace"`
	Regions        []fileRegion       `yaml:"regions"`
	RegionTimeout  driver.Duration    `yaml:"regionTimeout"`
	Owner          string             `yaml:"owner"`
	Defaults       fileDefaults       `yaml:"defaults"`
	Resources      fileResources      `yaml:"resources"`
	Scaling        fileScaling        `yaml:"scaling"`
	Networking     fileNetworking     `yaml:"networking"`
	KubeletMetrics fileKubeletMetrics `yaml:"kubeletMetrics"`
	QPS            float32            `yaml:"qps"`
	Burst          int                `yaml:"burst"`
	LogStreams     int                `yaml:"logStreams"`
	Cache          bool               `yaml:"cache"`
	StorageClasses map[string]string  `yaml:"storageClasses"`
}

type fileRegion struct {
	Name       string `yaml:"name"`
	Namespace  string `yaml:"namespace"`
	Kubeconfig string `yaml:"kubeconfig"`
	Context    string `yaml:"context"`
}

type fileDefaults struct {
	ImagePullPolicy          string          `yaml:"imagePullPolicy"`
	RestartPolicy            string          `yaml:"restartPolicy"`
	ServiceAccount           string          `yaml:"serviceAccount"`
	MountServiceAccountToken bool            `yaml:"mountServiceAccountToken"`
	PodSecurity              string          `yaml:"podSecurity"`
	ProgressDeadline         driver.Duration `yaml:"progressDeadline"`
	PreStopDelay             driver.Duration `yaml:"preStopDelay"`
}

type fileResources struct {
	Requests struct {
		CPU    driver.CPU   `yaml:"cpu"`
		Memory driver.Bytes `yaml:"memory"`
	} `yaml:"requests"`
	Limits struct {
		CPU     driver.CPU   `yaml:"cpu"`
		Memory  driver.Bytes `yaml:"memory"`
		Storage driver.Bytes `yaml:"storage"`
	} `yaml:"limits"`
}

// fileScaling has pointers where 0 is not the same as nothing.
type fileScaling struct {
	MinReplicas             int  `yaml:"minReplicas"`
	MaxReplicas             int  `yaml:"maxReplicas"`
	TargetCPUUtilization    *int `yaml:"targetCPUUtilization"`
	TargetMemoryUtilization *int `yaml:"targetMemoryUtilization"`
}

type fileNetworking struct {
	ServiceType    string `yaml:"serviceType"`
	IngressEnabled bool   `yaml:"ingressEnabled"`
	IngressDomain  string `yaml:"ingressDomain"`
	IngressClass   string `yaml:"ingressClass"`
}

type fileKubeletMetrics struct {
	Enabled            bool   `yaml:"enabled"`
	CAFile             string `yaml:"caFile"`
	CAData             string `yaml:"caData"`
	InsecureSkipVerify bool   `yaml:"insecureSkipVerify"`
	Port               int    `yaml:"port"`
}

// sectionOf returns the section before it is read. Resources and scaling are
// left out: the defaults for all providers come between.
func sectionOf(c Config) fileSection {
	d := c.Defaults
	return fileSection{
		Namespace: c.Namespace,
		Owner:     c.Owner,
		Defaults: fileDefaults{
			ImagePullPolicy: d.ImagePullPolicy, RestartPolicy: d.RestartPolicy,
			ServiceAccount: d.ServiceAccount, MountServiceAccountToken: d.MountServiceAccountToken, PodSecurity: d.PodSecurity,
			ProgressDeadline: driver.Duration(d.ProgressDeadline), PreStopDelay: driver.Duration(d.PreStopDelay),
		},
		Networking: fileNetworking{ServiceType: d.ServiceType, IngressEnabled: d.IngressEnabled},
	}
}

// config returns what the section says, over the defaults for all providers,
// over those of the protocol.
func (f fileSection) config(env driver.Env) Config {
	c := Config{
		Name:       env.Name,
		Kubeconfig: f.Kubeconfig, Context: f.Context, MasterURL: f.MasterURL,
		Namespace: f.Namespace, RegionTimeout: f.RegionTimeout.Std(),
		Owner: f.Owner,
		Defaults: Defaults{
			ImagePullPolicy: f.Defaults.ImagePullPolicy, RestartPolicy: f.Defaults.RestartPolicy,
			ServiceAccount: f.Defaults.ServiceAccount, MountServiceAccountToken: f.Defaults.MountServiceAccountToken,
			PodSecurity:      f.Defaults.PodSecurity,
			ProgressDeadline: f.Defaults.ProgressDeadline.Std(), PreStopDelay: f.Defaults.PreStopDelay.Std(),
			ServiceType: f.Networking.ServiceType, IngressEnabled: f.Networking.IngressEnabled,
			IngressDomain: f.Networking.IngressDomain, IngressClass: f.Networking.IngressClass,
		},
		QPS: f.QPS, Burst: f.Burst, LogStreams: f.LogStreams, Cache: f.Cache, StorageClasses: f.StorageClasses,
	}
	for _, r := range f.Regions {
		c.Regions = append(c.Regions, Region(r))
	}
	if k := f.KubeletMetrics; k.Enabled {
		c.KubeletMetrics = &KubeletMetrics{CAFile: k.CAFile, InsecureSkipVerify: k.InsecureSkipVerify, Port: k.Port}
		if k.CAData != "" {
			c.KubeletMetrics.CAData = []byte(k.CAData)
		}
	}
	builtIn := DefaultConfig().Defaults
	r := f.Resources
	own := configs.FillResources(&hosting.ResourceConfig{
		CPURequest: float64(r.Requests.CPU), MemoryRequest: int64(r.Requests.Memory),
		CPULimit: float64(r.Limits.CPU), MemoryLimit: int64(r.Limits.Memory), StorageLimit: int64(r.Limits.Storage),
	}, env.Defaults.Resources)
	c.Defaults.Resources = configs.FillResources(&own, builtIn.Resources)
	c.Defaults.Scaling = f.Scaling.over(fromDefaults(env.Defaults.Scaling).over(builtIn.Scaling))
	return c
}

func fromDefaults(s hosting.ScaleConfig) fileScaling {
	f := fileScaling{MinReplicas: s.MinReplicas, MaxReplicas: s.MaxReplicas}
	if s.TargetCPUUtilization != 0 {
		f.TargetCPUUtilization = &s.TargetCPUUtilization
	}
	if s.TargetMemoryUtilization != 0 {
		f.TargetMemoryUtilization = &s.TargetMemoryUtilization
	}
	return f
}

// over fills in what is not set. A default that would not fit gives way.
func (f fileScaling) over(defaults hosting.ScaleConfig) hosting.ScaleConfig {
	result := hosting.ScaleConfig{
		MinReplicas:             cmp.Or(f.MinReplicas, defaults.MinReplicas),
		MaxReplicas:             cmp.Or(f.MaxReplicas, defaults.MaxReplicas),
		TargetCPUUtilization:    defaults.TargetCPUUtilization,
		TargetMemoryUtilization: defaults.TargetMemoryUtilization,
	}
	if f.MaxReplicas == 0 {
		result.MaxReplicas = max(result.MaxReplicas, result.MinReplicas)
	}
	if f.MinReplicas == 0 {
		result.MinReplicas = min(result.MinReplicas, result.MaxReplicas)
	}
	if f.TargetCPUUtilization != nil {
		result.TargetCPUUtilization = *f.TargetCPUUtilization
	}
	if f.TargetMemoryUtilization != nil {
		result.TargetMemoryUtilization = *f.TargetMemoryUtilization
	}
	return result
}

// keys are the keys of the section for fields of Config that are called
// otherwise there.
var keys = map[string]string{
	"defaults.serviceType":    "networking.serviceType",
	"defaults.ingressEnabled": "networking.ingressEnabled",
	"defaults.ingressDomain":  "networking.ingressDomain",
	"defaults.ingressClass":   "networking.ingressClass",

	"defaults.resources.cpuRequest":    "resources.requests.cpu",
	"defaults.resources.memoryRequest": "resources.requests.memory",
	"defaults.resources.cpuLimit":      "resources.limits.cpu",
	"defaults.resources.memoryLimit":   "resources.limits.memory",
	"defaults.resources.storageLimit":  "resources.limits.storage",

	"defaults.scaling.minReplicas":             "scaling.minReplicas",
	"defaults.scaling.maxReplicas":             "scaling.maxReplicas",
	"defaults.scaling.targetCPUUtilization":    "scaling.targetCPUUtilization",
	"defaults.scaling.targetMemoryUtilization": "scaling.targetMemoryUtilization",
}

// keyOf returns the key of the section for a field of Config.
func (f fileSection) keyOf(field string) string {
	if len(f.Regions) == 0 && strings.HasPrefix(field, "regions[") {
		return "namespace" // the regions of the protocol are made of it
	}
	// The keys of a map are keys of the file as well.
	if name, found := strings.CutPrefix(field, "storageClasses["); found {
		return "storageClasses." + strings.TrimSuffix(name, "]")
	}
	return cmp.Or(keys[field], field)
}

// refer returns what is wrong with a Config as errors about the section.
func (f fileSection) refer(section driver.Section, err error) []error {
	var fields hosting.FieldErrors
	if !errors.As(err, &fields) {
		return []error{section.Errorf("", "%w", err)}
	}
	errs := make([]error, len(fields))
	for i, field := range fields {
		value := hosting.FieldError{Value: field.Value, Allowed: field.Allowed}
		errs[i] = section.Errorf(f.keyOf(field.Field), "%s", strings.TrimPrefix(value.Error(), " "))
	}
	return errs
}

// referSources returns why regions could not be connected as errors about the
// section, each once.
func (f fileSection) referSources(section driver.Section, err error) error {
	var regions *multierror.Error
	if !errors.As(err, &regions) {
		return section.Errorf("", "%w", err)
	}
	told := map[string]bool{}
	var failures *multierror.Error
	for _, of := range regions.Errors {
		referred := section.Errorf("", "%w", of)
		var bad *badSource
		if errors.As(of, &bad) {
			referred = section.Errorf(f.keyOf(bad.field), "%w: allowed: %s", bad, bad.allowed)
		}
		if !told[referred.Error()] {
			told[referred.Error()] = true
			failures = multierror.Append(failures, referred)
		}
	}
	return failures
}

// errorsOf returns err as a list, which is empty for nil.
func errorsOf(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}
