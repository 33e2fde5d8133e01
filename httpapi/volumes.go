package httpapi

import (
	"cmp"
	"context"
	"net/http"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// volumeRoutes create, read and delete volumes, and mount them in instances.
func (a *API) volumeRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/volumes", action: ListVolumes, code: hosting.VolumeFailed, prepare: (*request).listVolumes},
		{method: http.MethodPost, path: "/volumes", action: CreateVolume, code: hosting.VolumeFailed, changes: true, prepare: (*request).createVolume},
		{method: http.MethodGet, path: "/volumes/{id}", action: GetVolume, code: hosting.VolumeFailed, prepare: (*request).getVolume},
		{method: http.MethodDelete, path: "/volumes/{id}", action: DeleteVolume, code: hosting.VolumeFailed, changes: true, prepare: (*request).deleteVolume},
		{method: http.MethodPost, path: "/volumes/{id}/mount", action: MountVolume, code: hosting.VolumeFailed, changes: true, prepare: (*request).mountVolume},
		{method: http.MethodPost, path: "/volumes/{id}/unmount", action: UnmountVolume, code: hosting.VolumeFailed, changes: true, prepare: (*request).unmountVolume},
	}
}

func (q *request) listVolumes() (Access, do) {
	p := q.page()
	return Access{}, func(ctx context.Context) (*reply, error) {
		volumes, err := q.api.extension.ListVolumes(ctx)
		return list(ctx, q, p, volumes, err, func(v hosting.Volume) string { return v.VolumeID }, all,
			func(v hosting.Volume) Access { return q.api.itemAccess(GetVolume, v.VolumeID, "") })
	}
}

// createVolume creates a volume on the provider that it says, or the one that it
// would be created on, so that the Authorizer knows.
func (q *request) createVolume() (Access, do) {
	var volume hosting.Volume
	q.body(&volume)
	provider, region := q.api.place(volume.Provider, volume.Region, "")
	if len(hosting.Providers(q.api.provider)) > 1 {
		volume.Provider = cmp.Or(volume.Provider, provider)
	}
	// Where it is follows from name and place, and mounts are made by mounting:
	// no extension is to take from here what the Authorizer does not see.
	volume.VolumeID, volume.InstanceID, volume.Mounts = "", "", nil
	access := Access{Provider: provider, Region: region, Type: "volume", Name: volume.Name}
	return access, func(ctx context.Context) (*reply, error) {
		existed := q.existed(access, func(id string) error {
			_, err := q.api.extension.GetVolume(ctx, id)
			return err
		})
		created, err := q.api.extension.CreateVolume(ctx, volume)
		if err != nil {
			return nil, err
		}
		return q.created("volumes", created.VolumeID, created, existed)
	}
}

func (q *request) getVolume() (Access, do) {
	id, access := q.id()
	return access, func(ctx context.Context) (*reply, error) {
		volume, err := q.api.extension.GetVolume(ctx, id)
		if err != nil {
			return nil, err
		}
		return q.tagged(volume)
	}
}

func (q *request) deleteVolume() (Access, do) {
	id, access := q.id()
	return access, q.onVolume(id, q.ifMatch(), func(ctx context.Context) error { return q.api.extension.DeleteVolume(ctx, id) })
}

func (q *request) mountVolume() (Access, do) {
	id, access := q.id()
	ifMatch := q.ifMatch()
	var body wire.Mount
	q.body(&body)
	access.Instance = q.instance("instanceId", body.InstanceID)
	return access, q.onVolume(id, ifMatch, func(ctx context.Context) error {
		return q.api.extension.MountVolume(ctx, id, body.InstanceID, body.MountPath, body.ReadOnly)
	})
}

func (q *request) unmountVolume() (Access, do) {
	id, access := q.id()
	ifMatch := q.ifMatch()
	var body wire.Unmount
	q.body(&body)
	access.Instance = q.instance("instanceId", body.InstanceID)
	return access, q.onVolume(id, ifMatch, func(ctx context.Context) error {
		return q.api.extension.UnmountVolume(ctx, id, body.InstanceID)
	})
}

// onVolume makes a change, if the volume is what the client has seen, and answers
// with the volume if it is still there.
func (q *request) onVolume(id string, ifMatch []string, change func(context.Context) error) do {
	read := func(ctx context.Context) (hosting.Volume, error) { return q.api.extension.GetVolume(ctx, id) }
	seen := current{key: "volumes/" + q.api.wholeID(id), read: func(ctx context.Context) (any, error) { return read(ctx) }}
	return func(ctx context.Context) (*reply, error) {
		return guarded(ctx, q, ifMatch, seen, func() (*reply, error) {
			if err := change(ctx); err != nil {
				return nil, err
			}
			return shown(ctx, q, read)
		})
	}
}
