package client

import (
	"context"
	"net/http"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// onVolume is a call about the volume that an id names.
func onVolume(method, volumeID, below string) request {
	return onID(hosting.VolumeFailed, method, "/volumes/", volumeID, below)
}

// CreateVolume creates a volume and returns it with its id.
func (c *Client) CreateVolume(ctx context.Context, volume hosting.Volume) (hosting.Volume, error) {
	return send[hosting.Volume](ctx, c, request{code: hosting.VolumeFailed, method: http.MethodPost, path: "/volumes", body: volume, invalid: checked(volume)})
}

// GetVolume returns one volume.
func (c *Client) GetVolume(ctx context.Context, volumeID string) (hosting.Volume, error) {
	return send[hosting.Volume](ctx, c, onVolume(http.MethodGet, volumeID, ""))
}

// DeleteVolume deletes a volume and its data.
func (c *Client) DeleteVolume(ctx context.Context, volumeID string) error {
	return c.do(ctx, onVolume(http.MethodDelete, volumeID, "").minimal())
}

// MountVolume makes a volume visible in an instance.
func (c *Client) MountVolume(ctx context.Context, volumeID, instanceID, mountPath string, readOnly bool) error {
	body := wire.Mount{InstanceID: instanceID, MountPath: mountPath, ReadOnly: readOnly}
	r := mounting(volumeID, instanceID, "/mount", body)
	if r.invalid == nil && unsendable(body) != nil {
		r.invalid = hosting.ValidateMountPath(mountPath)
	}
	return c.do(ctx, r)
}

// UnmountVolume ends all mounts of a volume in an instance, and no other.
func (c *Client) UnmountVolume(ctx context.Context, volumeID, instanceID string) error {
	return c.do(ctx, mounting(volumeID, instanceID, "/unmount", wire.Unmount{InstanceID: instanceID}))
}

// mounting is a call about a volume and an instance.
func mounting(volumeID, instanceID, what string, body any) request {
	r := onVolume(http.MethodPost, volumeID, what).minimal()
	r.instanceID, r.body = instanceID, body
	if _, err := hosting.ParseID(instanceID); err != nil {
		r.invalid = err
	}
	return r
}

// ListVolumes returns all volumes, sorted by id.
func (c *Client) ListVolumes(ctx context.Context) ([]hosting.Volume, error) {
	return list[hosting.Volume](ctx, c, request{code: hosting.VolumeFailed, path: "/volumes"})
}
