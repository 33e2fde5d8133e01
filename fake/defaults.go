package fake

import (
	"cmp"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

// defaults are for what a configuration does not say.
type defaults struct {
	resources hosting.ResourceConfig
	scaling   hosting.ScaleConfig
}

// protocolDefaults are those of protocol section 3.4. Its target is none here:
// a load that nobody has scripted is no reason to scale.
func protocolDefaults() defaults {
	return defaults{
		resources: hosting.ResourceConfig{CPURequest: 0.25, CPULimit: 0.5, MemoryRequest: 256 << 20, MemoryLimit: 512 << 20},
		scaling:   hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 10},
	}
}

// WithDefaults sets the resources and the scaling of instances that do not say;
// what is zero keeps what is there. As on Kubernetes, a target makes no
// autoscaler by itself: it is for instances that set the other one.
func WithDefaults(resources hosting.ResourceConfig, scaling hosting.ScaleConfig) Option {
	return func(p *Provider) {
		d := &p.defaults
		d.resources = configs.FillResources(&resources, d.resources)
		minimum := cmp.Or(scaling.MinReplicas, min(d.scaling.MinReplicas, cmp.Or(scaling.MaxReplicas, d.scaling.MinReplicas)))
		d.scaling = hosting.ScaleConfig{
			MinReplicas:             minimum,
			MaxReplicas:             cmp.Or(scaling.MaxReplicas, max(d.scaling.MaxReplicas, minimum)),
			TargetCPUUtilization:    cmp.Or(scaling.TargetCPUUtilization, d.scaling.TargetCPUUtilization),
			TargetMemoryUtilization: cmp.Or(scaling.TargetMemoryUtilization, d.scaling.TargetMemoryUtilization),
		}
	}
}

// fillResources returns what is in force when the caller gave resources.
func (d defaults) fillResources(resources *hosting.ResourceConfig) hosting.ResourceConfig {
	return configs.FillResources(resources, d.resources)
}

// minReplicas is how many replicas a configuration asks for; of a cronjob, for
// each run.
func (d defaults) minReplicas(config hosting.CloudHostingConfig) int {
	if config.Scaling == nil {
		return d.scaling.MinReplicas
	}
	own := *config.Scaling
	return cmp.Or(own.MinReplicas, min(d.scaling.MinReplicas, cmp.Or(own.MaxReplicas, d.scaling.MinReplicas)))
}

// atOnce is how many replicas may run at once while there should be so many.
func (d defaults) atOnce(config hosting.CloudHostingConfig, replicas int) int {
	if config.InstanceType == hosting.TypeCronJob {
		return d.minReplicas(config)
	}
	return max(replicas, 1)
}

// autoscaling returns the limits and targets of an autoscaler.
func (d defaults) autoscaling(config hosting.CloudHostingConfig) hosting.ScaleConfig {
	own, minimum := *config.Scaling, d.minReplicas(config)
	return hosting.ScaleConfig{
		MinReplicas:             minimum,
		MaxReplicas:             cmp.Or(own.MaxReplicas, max(d.scaling.MaxReplicas, minimum)),
		TargetCPUUtilization:    cmp.Or(own.TargetCPUUtilization, d.scaling.TargetCPUUtilization),
		TargetMemoryUtilization: cmp.Or(own.TargetMemoryUtilization, d.scaling.TargetMemoryUtilization),
	}
}
