package kubernetes

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

// spec is a configuration with everything decided: what the objects of an
// instance are made from. It is stored, so that a later change of the defaults
// changes no instance that exists.
type spec struct {
	Container      hosting.ContainerConfig `json:"container"`
	Resources      hosting.ResourceConfig  `json:"resources"`
	Ports          []int                   `json:"ports,omitempty"`
	ServiceType    string                  `json:"serviceType,omitempty"`
	Ingress        *ingressSpec            `json:"ingress,omitempty"`
	Autoscaler     *hosting.ScaleConfig    `json:"autoscaler,omitempty"`
	Env            map[string]string       `json:"env,omitempty"`
	PullPolicy     string                  `json:"pullPolicy"`
	RestartPolicy  string                  `json:"restartPolicy"`
	PreStopDelay   int64                   `json:"preStopDelay,omitempty"` // seconds
	ServiceAccount string                  `json:"serviceAccount"`
	MountToken     bool                    `json:"mountToken,omitempty"`
	PodSecurity    string                  `json:"podSecurity"`
	// ProgressDeadline is how long a replica may take to become ready; Kubernetes'
	// own default if zero.
	ProgressDeadline hosting.Duration `json:"progressDeadline,omitempty"`
}

type ingressSpec struct {
	Class string `json:"class,omitempty"`
	Host  string `json:"host"`
	Path  string `json:"path"`
}

// resolve checks a configuration for this provider and fills in the defaults.
// The error has reason InvalidArgument or Unsupported and names the field.
func (p *Provider) resolve(config hosting.CloudHostingConfig) (record, error) {
	if err := p.check(config); err != nil {
		return record{}, err
	}
	region := cmp.Or(config.Region, p.config.Regions[0].Name)
	d := p.config.Defaults
	// The canonical form shares nothing with the caller's.
	own := configs.Canonical(config, region)
	var mounts []mount
	for i := range own.Container.VolumeMounts {
		m := &own.Container.VolumeMounts[i]
		m.VolumeID = strings.TrimPrefix(m.VolumeID, p.config.Name+":")
		mounts = append(mounts, mount{VolumeMount: *m})
	}
	s := spec{
		Container:      *own.Container,
		Resources:      configs.FillResources(own.Resources, d.Resources),
		Env:            own.Env,
		PullPolicy:     d.ImagePullPolicy,
		RestartPolicy:  restartPolicy(own.InstanceType, d.RestartPolicy),
		ServiceAccount: d.ServiceAccount,
		MountToken:     d.MountServiceAccountToken,
		PodSecurity:    d.PodSecurity,

		ProgressDeadline: hosting.Duration(d.ProgressDeadline),
	}
	s.Container.VolumeMounts = nil // what is mounted changes without the configuration
	network := own.Network
	if network == nil {
		network = &hosting.NetworkConfig{}
	}
	s.Ports = own.Container.Ports
	if len(network.Ports) > 0 {
		s.Ports = network.Ports
	}
	if len(s.Ports) > 0 {
		s.ServiceType = cmp.Or(network.ServiceType, d.ServiceType)
	}
	s.PreStopDelay = preStopDelay(own.Container, len(s.Ports) > 0, d.PreStopDelay)
	var err error
	if s.Ingress, err = p.resolveIngress(own.InstanceName, network, len(s.Ports) > 0); err != nil {
		return record{}, err
	}
	replicas := d.Scaling.MinReplicas
	if scaling := own.Scaling; scaling != nil {
		replicas = cmp.Or(scaling.MinReplicas, min(replicas, cmp.Or(scaling.MaxReplicas, replicas)))
		s.Autoscaler = resolveAutoscaler(*scaling, d.Scaling, replicas)
	}
	return record{Config: own, Desired: desired{Spec: s, Replicas: replicas, Mounts: mounts}}, nil
}

// check finds what this provider does not accept.
func (p *Provider) check(config hosting.CloudHostingConfig) error {
	refuse := func(reason hosting.Reason, field string, value any, allowed string) error {
		return hosting.Errorf(p.config.Name, hosting.CreateFailed, reason, "%w", hosting.FieldErrors{{Field: field, Value: value, Allowed: allowed}})
	}
	if err := config.Validate(); err != nil {
		return hosting.Errorf(p.config.Name, hosting.CreateFailed, hosting.InvalidArgument, "%w", err)
	}
	if config.Provider != "" && config.Provider != p.config.Name {
		return refuse(hosting.InvalidArgument, "provider", config.Provider, p.config.Name)
	}
	if config.Region != "" && p.regions[config.Region] == nil {
		return refuse(hosting.InvalidArgument, "region", config.Region, strings.Join(p.SupportedRegions(), ", "))
	}
	kind := kinds[config.InstanceType]
	if kind == nil {
		return refuse(hosting.InvalidArgument, "instanceType", config.InstanceType, strings.Join(instanceTypes, ", "))
	}
	if s := config.Scaling; s != nil && s.MinReplicas != 0 && config.InstanceType == hosting.TypeDaemonSet {
		return refuse(hosting.Unsupported, "scaling.minReplicas", s.MinReplicas, "none: "+kind.unsupported[hosting.CanScale])
	}
	if s := config.Scaling; s != nil && s.TargetCPUUtilization+s.TargetMemoryUtilization > 0 && !kind.autoscaled() {
		return refuse(hosting.Unsupported, "scaling", "with a target", "no target for a "+config.InstanceType+": "+kind.unsupported[hosting.CanAutoscale])
	}
	return nil
}

func (p *Provider) resolveIngress(name string, network *hosting.NetworkConfig, hasPorts bool) (*ingressSpec, error) {
	d := p.config.Defaults
	host := network.IngressHost
	if host == "" && d.IngressDomain != "" {
		host = name + "." + d.IngressDomain
	}
	// Asked for is not the same as merely on by default.
	asked := network.IngressEnabled != nil && *network.IngressEnabled || network.IngressEnabled == nil && network.IngressHost != ""
	if !asked && (network.IngressEnabled != nil || !d.IngressEnabled || host == "" || !hasPorts) {
		return nil, nil
	}
	refuse := func(field, value, allowed string) error {
		return hosting.Errorf(p.config.Name, hosting.CreateFailed, hosting.InvalidArgument, "%w", hosting.FieldErrors{{Field: field, Value: value, Allowed: allowed}})
	}
	if host == "" {
		return nil, refuse("network.ingressHost", "", "a DNS name: an ingress is asked for, and no ingress domain is configured")
	}
	if !hasPorts {
		return nil, refuse("network.ports", "empty", "at least one port: an ingress is asked for")
	}
	return &ingressSpec{Class: d.IngressClass, Host: host, Path: cmp.Or(network.IngressPath, "/")}, nil
}

// resolveAutoscaler returns the limits and targets of the autoscaler, or nil
// if the instance itself sets no target: the defaults fill in what is missing,
// but never make an autoscaler.
func resolveAutoscaler(own, defaults hosting.ScaleConfig, minReplicas int) *hosting.ScaleConfig {
	if own.TargetCPUUtilization == 0 && own.TargetMemoryUtilization == 0 {
		return nil
	}
	return &hosting.ScaleConfig{
		MinReplicas:             minReplicas,
		MaxReplicas:             cmp.Or(own.MaxReplicas, max(defaults.MaxReplicas, minReplicas)),
		TargetCPUUtilization:    cmp.Or(own.TargetCPUUtilization, defaults.TargetCPUUtilization),
		TargetMemoryUtilization: cmp.Or(own.TargetMemoryUtilization, defaults.TargetMemoryUtilization),
	}
}

// restartPolicy is what Kubernetes allows for the type: jobs never restart
// always, everything else does nothing but.
func restartPolicy(instanceType, configured string) string {
	if !slices.Contains([]string{hosting.TypeJob, hosting.TypeCronJob}, instanceType) {
		return string(corev1.RestartPolicyAlways)
	}
	if configured == string(corev1.RestartPolicyAlways) {
		return string(corev1.RestartPolicyNever)
	}
	return configured
}
