package provider

import (
	"slices"

	"skillcenter.io/hosting"
)

// What a backend returns has its own ids in it. These methods return it with
// the name of the backend before them. They share with what they are given only
// what they do not change.

// qualified returns an id with the name of the backend before it. What is no
// id is returned as it is.
func (n Named) qualified(text string) string {
	id, err := hosting.ParseID(text)
	if err != nil {
		return text
	}
	id.Provider = n.Name
	return id.String()
}

func (n Named) qualifyInstance(instance hosting.CloudInstance) hosting.CloudInstance {
	if instance.ID == "" {
		return instance // there is none, as beside an error
	}
	instance.ID = n.qualified(instance.ID)
	instance.Provider = n.Name
	if instance.Endpoint != nil {
		instance.Endpoint = new(n.qualifyEndpoint(*instance.Endpoint))
	}
	return instance
}

func (n Named) qualifyEndpoint(endpoint hosting.ServiceEndpoint) hosting.ServiceEndpoint {
	endpoint.InstanceID = n.qualified(endpoint.InstanceID)
	return endpoint
}

func (n Named) qualifyMetrics(metrics hosting.InstanceMetrics) hosting.InstanceMetrics {
	metrics.InstanceID = n.qualified(metrics.InstanceID)
	return metrics
}

func (n Named) qualifyCost(cost hosting.CostActual) hosting.CostActual {
	cost.InstanceID = n.qualified(cost.InstanceID)
	return cost
}

func (n Named) qualifyChange(change hosting.InstanceChange) hosting.InstanceChange {
	change.Instance = n.qualifyInstance(change.Instance)
	return change
}

// qualifyRevision also names the provider in the configuration, so that
// applying it reaches the same one.
func (n Named) qualifyRevision(revision hosting.InstanceRevision) hosting.InstanceRevision {
	revision.Config = withVolumeIDs(revision.Config, n.qualified)
	revision.Config.Provider = n.Name
	return revision
}

func (n Named) qualifyVolume(volume hosting.Volume) hosting.Volume {
	if volume.VolumeID == "" {
		return volume
	}
	volume.VolumeID = n.qualified(volume.VolumeID)
	volume.Provider = n.Name
	volume.InstanceID = n.qualified(volume.InstanceID)
	volume.Mounts = slices.Clone(volume.Mounts)
	for i := range volume.Mounts {
		volume.Mounts[i].InstanceID = n.qualified(volume.Mounts[i].InstanceID)
	}
	return volume
}

func (n Named) qualifyService(service hosting.ServiceRegistration) hosting.ServiceRegistration {
	service.ServiceID = n.qualified(service.ServiceID)
	service.InstanceID = n.qualified(service.InstanceID)
	return service
}

// withVolumeIDs returns a configuration with changed ids of volumes.
func withVolumeIDs(config hosting.CloudHostingConfig, change func(string) string) hosting.CloudHostingConfig {
	if config.Container == nil || len(config.Container.VolumeMounts) == 0 {
		return config
	}
	container := *config.Container
	container.VolumeMounts = slices.Clone(container.VolumeMounts)
	for i := range container.VolumeMounts {
		container.VolumeMounts[i].VolumeID = change(container.VolumeMounts[i].VolumeID)
	}
	config.Container = &container
	return config
}

// each applies a change to all of a list.
func each[T any](list []T, change func(T) T) []T {
	for i := range list {
		list[i] = change(list[i])
	}
	return list
}
