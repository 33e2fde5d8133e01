package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/volume"
)

// CreateVolume implements [hosting.VolumeManager]. The volume is a
// PersistentVolumeClaim "skill-<name>"; one of that name that is somebody else's
// is AlreadyExists. It returns on acceptance. A larger size makes a volume that
// exists grow, if it has been provisioned and its class allows that, and is
// Unsupported otherwise.
func (p *Provider) CreateVolume(ctx context.Context, wanted hosting.Volume) (hosting.Volume, error) {
	at, v, err := p.resolveVolume(ctx, wanted)
	if err != nil {
		return hosting.Volume{}, err
	}
	v.CreatedAt = hosting.NewTime(time.Now())
	o := p.newClaim(v)
	// The claim that is in the way may be gone when it is looked at, or have
	// changed when it is to grow.
	err = retryOnConflict(ctx, func() error {
		created, err := claims.create(ctx, at, o)
		if apierrors.IsAlreadyExists(err) {
			var c *claim
			if c, err = p.existingClaim(ctx, at, v); err == nil {
				o = c.PersistentVolumeClaim
			}
			return err
		}
		if err == nil {
			o = created.(*corev1.PersistentVolumeClaim)
		}
		return err
	})
	if err != nil {
		return hosting.Volume{}, p.failVolume(ctx, at, "creating volume "+v.VolumeID, err)
	}
	c, err := p.decodeClaim(at, o)
	if err != nil {
		return hosting.Volume{}, p.failVolume(ctx, at, "reading volume "+v.VolumeID, err)
	}
	return p.viewVolume(ctx, at, c)
}

// resolveVolume checks a volume by itself and fills in the defaults.
func (p *Provider) resolveVolume(ctx context.Context, wanted hosting.Volume) (*region, hosting.Volume, error) {
	if err := ctx.Err(); err != nil {
		return nil, hosting.Volume{}, p.fail(ctx, hosting.VolumeFailed, "", "creating a volume", err)
	}
	if err := wanted.Validate(); err != nil {
		return nil, hosting.Volume{}, hosting.Errorf(p.config.Name, hosting.VolumeFailed, hosting.InvalidArgument, "%w", err)
	}
	refuse := func(field, value, allowed string) error {
		return hosting.Errorf(p.config.Name, hosting.VolumeFailed, hosting.InvalidArgument, "%w",
			hosting.FieldErrors{{Field: field, Value: value, Allowed: allowed}})
	}
	if wanted.Provider != "" && wanted.Provider != p.config.Name {
		return nil, hosting.Volume{}, refuse("provider", wanted.Provider, p.config.Name)
	}
	name := cmp.Or(wanted.Region, p.config.Regions[0].Name)
	at := p.regions[name]
	if at == nil {
		return nil, hosting.Volume{}, refuse("region", name, strings.Join(p.SupportedRegions(), ", "))
	}
	return at, volume.New(wanted, p.config.Name, name), nil
}

// existingClaim takes the claim that has the name of a volume, if it is that
// volume, and makes it as large.
func (p *Provider) existingClaim(ctx context.Context, at *region, wanted hosting.Volume) (*claim, error) {
	o, err := claims.get(ctx, at, claimName(wanted.Name))
	if err != nil {
		return nil, lookAgain(claims, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: claimName(wanted.Name)}}, err)
	}
	found := o.(*corev1.PersistentVolumeClaim)
	refuse := func(reason hosting.Reason, format string, args ...any) error {
		return hosting.Errorf(p.config.Name, hosting.VolumeFailed, reason, format, args...)
	}
	if !p.isVolume(found) {
		return nil, refuse(hosting.AlreadyExists, "%s exists and is not managed by this provider with owner %q", describe(claims, found), p.config.Owner)
	}
	if found.DeletionTimestamp != nil {
		return nil, refuse(hosting.Conflict, "volume %s is being deleted", wanted.VolumeID)
	}
	c, err := p.decodeClaim(at, found)
	if err != nil {
		return nil, refuse(hosting.Internal, "reading volume %s: %w", wanted.VolumeID, err)
	}
	have := c.volume
	if class := found.Spec.StorageClassName; class != nil && wanted.StorageClass == *class {
		have.StorageClass = *class // a type stands for it, and it was read from there
	}
	size, err := volume.Again(have, wanted)
	if err != nil {
		return nil, p.completeRefusal(hosting.VolumeFailed, "", err)
	}
	if size == have.Size {
		return c, nil
	}
	return c, p.resize(ctx, at, c, size)
}

// resize makes a claim ask for more.
func (p *Provider) resize(ctx context.Context, at *region, c *claim, size int64) error {
	refuse := func(allowed string) error {
		return hosting.Errorf(p.config.Name, hosting.VolumeFailed, hosting.Unsupported, "volume %s: %w", c.volume.VolumeID,
			hosting.FieldErrors{{Field: "size", Value: size, Allowed: allowed}})
	}
	if c.Status.Phase != corev1.ClaimBound {
		return refuse("the volume's own until it has been provisioned, which some classes do at its first use")
	}
	err := c.patch(ctx, at, map[string]any{
		"metadata": map[string]any{"resourceVersion": c.ResourceVersion},
		"spec":     map[string]any{"resources": map[string]any{"requests": storage(size)}},
	})
	if isResizeRefusal(err) {
		return refuse("the volume's own: its storage class does not let it grow")
	}
	return err
}

// GetVolume implements [hosting.VolumeManager].
func (p *Provider) GetVolume(ctx context.Context, volumeID string) (hosting.Volume, error) {
	at, id, err := p.findVolume(volumeID)
	if err != nil {
		return hosting.Volume{}, err
	}
	c, err := p.getClaim(ctx, at, id)
	if err != nil {
		return hosting.Volume{}, err
	}
	return p.viewVolume(ctx, at, c)
}

// viewVolume reads what a claim does not say itself: which of its reservations
// hold, and what is wrong.
func (p *Provider) viewVolume(ctx context.Context, at *region, c *claim) (hosting.Volume, error) {
	find := p.anchorsByName(ctx, at)
	var err error
	if len(c.reservations) > maxLiveReads {
		if find, err = p.listedAnchors(ctx, at); err != nil {
			return hosting.Volume{}, p.failVolume(ctx, at, "reading volume "+c.volume.VolumeID, err)
		}
	}
	mounts, err := c.confirmed(find)
	if err != nil {
		return hosting.Volume{}, p.failVolume(ctx, at, "reading volume "+c.volume.VolumeID, err)
	}
	var warnings []corev1.Event
	if c.isPending() {
		if warnings, err = p.warnings(ctx, at, c.Name); err != nil && !apierrors.IsForbidden(err) {
			return hosting.Volume{}, p.failVolume(ctx, at, "listing events", err)
		}
	}
	return c.view(mounts, warnings, time.Now()), nil
}

// ListVolumes implements [hosting.VolumeManager]. It takes at most three
// requests for each region. If some regions do not answer, it returns the
// volumes of the others with an error that names each that failed.
func (p *Provider) ListVolumes(ctx context.Context) ([]hosting.Volume, error) {
	if err := ctx.Err(); err != nil {
		return nil, p.fail(ctx, hosting.VolumeFailed, "", "listing volumes", err)
	}
	var (
		mu       sync.Mutex
		volumes  = []hosting.Volume{}
		failures *multierror.Error
		wait     sync.WaitGroup
	)
	for _, at := range p.regions {
		wait.Go(func() {
			var found []hosting.Volume
			err := p.within(ctx, at, func(ctx context.Context) (err error) {
				found, err = p.listVolumesIn(ctx, at)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			volumes = append(volumes, found...)
			if err != nil {
				failures = multierror.Append(failures, err)
			}
		})
	}
	wait.Wait()
	slices.SortFunc(volumes, func(a, b hosting.Volume) int { return cmp.Compare(a.VolumeID, b.VolumeID) })
	return volumes, p.partial(ctx, failures, hosting.VolumeFailed, "could not be listed")
}

func (p *Provider) listVolumesIn(ctx context.Context, at *region) ([]hosting.Volume, error) {
	var list corev1.PersistentVolumeClaimList
	err := claims.list(ctx, at, p.ours().String(), &list)
	if err != nil && !at.configured && isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmtError("listing "+claims.plural, err)
	}
	if len(list.Items) == 0 {
		return nil, at.checkNamespace(ctx)
	}
	var found []*claim
	var failures error
	pending, mounted := false, false
	for i := range list.Items {
		o := &list.Items[i]
		if !p.isVolume(o) {
			continue
		}
		c, err := p.decodeClaim(at, o)
		if err != nil {
			failures = errors.Join(failures, err)
			continue
		}
		found = append(found, c)
		pending, mounted = pending || c.isPending(), mounted || len(c.reservations) > 0
	}
	var warnings []corev1.Event
	if pending {
		if warnings, err = p.warnings(ctx, at, ""); err != nil && !apierrors.IsForbidden(err) {
			return nil, fmtError("listing events", err)
		}
	}
	var find func(string) (*anchor, error) // not called without reservations
	if mounted {
		if find, err = p.listedAnchors(ctx, at); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	var volumes []hosting.Volume
	for _, c := range found {
		mounts, err := c.confirmed(find)
		if err != nil {
			failures = errors.Join(failures, fmtError("volume "+c.volume.VolumeID, err))
			continue
		}
		volumes = append(volumes, c.view(mounts, warnings, now))
	}
	return volumes, failures
}

// DeleteVolume implements [hosting.VolumeManager]. It returns on acceptance: the
// volume is "deleting" until no pod uses it. While it is mounted, also by an
// instance that is stopped or being deleted, that is a Conflict; so it is while
// pods may still be made that use it, such as those of a cronjob's run that is
// stopped. What becomes of the data is the storage class' to say.
func (p *Provider) DeleteVolume(ctx context.Context, volumeID string) error {
	at, id, err := p.findVolume(volumeID)
	if err != nil {
		return err
	}
	err = retryOnConflict(ctx, func() error {
		c, err := p.getClaim(ctx, at, id)
		if err != nil || c.DeletionTimestamp != nil {
			return err
		}
		holding, doubts, err := p.holders(ctx, at, c, "")
		if err != nil {
			return err
		}
		v := c.volume
		for _, r := range holding {
			v.Mounts = append(v.Mounts, r.Mount)
		}
		if err := volume.Deletable(v); err != nil {
			return p.completeRefusal(hosting.VolumeFailed, "", err)
		}
		if err := p.fenceAll(ctx, at, doubts); err != nil {
			return err
		}
		err = claims.delete(ctx, at, c.Name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: new(c.UID), ResourceVersion: new(c.ResourceVersion)},
		})
		return ignoreNotFound(err) // somebody else was faster
	})
	if err != nil {
		return p.failVolume(ctx, at, "deleting volume "+id.String(), err)
	}
	return nil
}
