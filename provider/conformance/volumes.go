package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

// volumeCases are those of hosting.VolumeManager that need no instance.
func volumeCases() []testCase {
	return storage.cases(
		once("a volume that is created is completed by the platform", volumeCompleted),
		once("the same volume again is returned as it is", volumeAgain),
		once("another volume of a taken name already exists", volumeTaken),
		once("a larger size makes a volume larger, or is not supported", volumeGrows),
		once("volumes are listed sorted, and as a get shows them", volumeListed),
		once("a deleted volume is gone, and its name is free", volumeDeleted),
		once("a volume that does not exist is not found", volumeUnknown),
		once("a bad volume is invalid, and is not created", volumeBad),
		once("volumes have odd and long names", volumeNames),
		once("calls about volumes end with their context", volumeCancelled, hosting.CanMountVolumes),
	)
}

// volume is one to create, with a name of its own.
func (e *env) volume(accessMode string) hosting.Volume {
	return hosting.Volume{Name: e.name(), Region: e.Region, Size: e.VolumeSize, AccessMode: accessMode}
}

// tryVolume creates a volume that is deleted when the case ends.
func (e *env) tryVolume(t *testing.T, wanted hosting.Volume) (hosting.Volume, error) {
	t.Helper()
	created, err := e.volumes.CreateVolume(e.ctx, wanted)
	if err == nil {
		e.deleteVolumeLater(created.VolumeID)
	}
	return created, err
}

func (e *env) createVolume(t *testing.T, wanted hosting.Volume) hosting.Volume {
	t.Helper()
	created, err := e.tryVolume(t, wanted)
	must(t, "CreateVolume", wanted.Name, err)
	return created
}

// made is what a case has created besides instances.
type made struct {
	mu      sync.Mutex
	volumes []string
}

// deleteVolumeLater deletes a volume when the case ends, after its instances.
func (e *env) deleteVolumeLater(id string) {
	e.made.mu.Lock()
	defer e.made.mu.Unlock()
	if !slices.Contains(e.made.volumes, id) {
		e.made.volumes = append(e.made.volumes, id)
	}
}

// deleteVolumes deletes the volumes of the case as soon as no instance has them
// any more. What goes wrong then is not the subject of the case.
func (e *env) deleteVolumes(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timeout)
	defer cancel()
	for _, id := range e.made.volumes {
		for {
			err := e.volumes.DeleteVolume(ctx, id)
			reason := hosting.ReasonOf(err)
			if err == nil || reason == hosting.NotFound {
				break
			}
			if reason != hosting.Conflict && !isAway(err) {
				t.Logf("cleaning up: DeleteVolume(%s): %v", id, err)
				break
			}
			time.Sleep(e.pause(err))
		}
	}
}

func (e *env) getVolume(t *testing.T, id string) hosting.Volume {
	t.Helper()
	return read(t, e, "GetVolume", id, func() (hosting.Volume, error) { return e.volumes.GetVolume(e.ctx, id) })
}

func (e *env) listVolumes(t *testing.T) []hosting.Volume {
	t.Helper()
	return read(t, e, "ListVolumes", "", func() ([]hosting.Volume, error) { return e.volumes.ListVolumes(e.ctx) })
}

func volumeIDs(list []hosting.Volume) []string {
	ids := make([]string, len(list))
	for i, v := range list {
		ids[i] = v.VolumeID
	}
	return ids
}

// wantSameVolume compares what does not change by itself.
func wantSameVolume(t *testing.T, what string, got, want hosting.Volume) {
	t.Helper()
	got.Status, want.Status = "", ""
	if toJSON(got) != toJSON(want) {
		t.Errorf("%s: got volume %s\nwant %s", what, toJSON(got), toJSON(want))
	}
}

// awaitNoVolume waits until a volume is gone.
func (e *env) awaitNoVolume(t *testing.T, id string) {
	t.Helper()
	e.eventually(t, "volume "+id+" is gone", func() error {
		v, err := e.volumes.GetVolume(e.ctx, id)
		if hosting.CodeOf(err) == hosting.VolumeNotFound {
			e.wantError(t, "GetVolume after DeleteVolume", err, hosting.VolumeNotFound, hosting.NotFound, id)
			return nil
		}
		if err == nil && v.Status != hosting.VolumeStatusDeleting {
			t.Errorf("GetVolume(%s) after DeleteVolume: status %q, want %q or not found", id, v.Status, hosting.VolumeStatusDeleting)
		}
		return fmt.Errorf("it is %s: %w", v.Status, err)
	})
}

// settledVolume waits until a volume is no longer being made.
func (e *env) settledVolume(t *testing.T, wanted hosting.Volume) hosting.Volume {
	t.Helper()
	v := e.createVolume(t, wanted)
	e.eventually(t, "volume "+v.VolumeID+" is there", func() error {
		v = e.getVolume(t, v.VolumeID)
		if v.Status != hosting.VolumeStatusAvailable {
			return fmt.Errorf("it is %s", v.Status)
		}
		return nil
	})
	return v
}

func volumeCompleted(t *testing.T, e *env) {
	wanted := e.volume("")
	said := wanted
	said.Status, said.InstanceID, said.MountPath = hosting.VolumeStatusFailed, e.Region+"."+e.typ+".somebody", "/else"
	said.Mounts = []hosting.Mount{{InstanceID: said.InstanceID, MountPath: said.MountPath}}
	created := e.createVolume(t, said)
	for what, v := range map[string]hosting.Volume{"CreateVolume": created, "GetVolume": e.getVolume(t, created.VolumeID)} {
		id, err := hosting.ParseID(v.VolumeID)
		if err != nil || id.Region != e.Region || id.Type != "volume" || id.Name != wanted.Name {
			t.Errorf("%s: got id %q, want %s.volume.%s", what, v.VolumeID, e.Region, wanted.Name)
		}
		if v.Name != wanted.Name || v.Region != e.Region || v.Size != wanted.Size {
			t.Errorf("%s(%s): got name %q, region %q, size %d; want %q, %q, %d", what, v.VolumeID, v.Name, v.Region, v.Size, wanted.Name, e.Region, wanted.Size)
		}
		if v.Type != hosting.VolumeStandard || v.AccessMode != hosting.ReadWriteOnce {
			t.Errorf("%s(%s): got type %q and access mode %q, want the defaults %s and %s", what, v.VolumeID, v.Type, v.AccessMode, hosting.VolumeStandard, hosting.ReadWriteOnce)
		}
		if !slices.Contains(e.ProviderNames, v.Provider) {
			t.Errorf("%s(%s): got provider %q, want one of %q", what, v.VolumeID, v.Provider, e.ProviderNames)
		}
		if v.Status != hosting.VolumeStatusCreating && v.Status != hosting.VolumeStatusAvailable {
			t.Errorf("%s(%s): got status %q, want creating or available", what, v.VolumeID, v.Status)
		}
		if len(v.Mounts) > 0 || v.InstanceID != "" || v.MountPath != "" {
			t.Errorf("%s(%s): a new volume is mounted: %s", what, v.VolumeID, toJSON(v))
		}
		if age := time.Since(v.CreatedAt.Std()); age < -5*time.Minute || age > 5*time.Minute {
			t.Errorf("%s(%s): createdAt is %s, which is not about now", what, v.VolumeID, v.CreatedAt)
		}
	}
}

func volumeAgain(t *testing.T, e *env) {
	wanted := e.volume(hosting.ReadWriteMany)
	first := e.createVolume(t, wanted)
	wantSameVolume(t, "CreateVolume again", e.createVolume(t, wanted), first)
	wantSameVolume(t, "CreateVolume of what it returned", e.createVolume(t, first), first)
	wanted.Type = hosting.VolumeStandard
	wantSameVolume(t, "CreateVolume with the default type written out", e.createVolume(t, wanted), first)
}

func volumeTaken(t *testing.T, e *env) {
	wanted := e.volume("")
	wanted.Size *= 2
	first := e.createVolume(t, wanted)
	for what, change := range map[string]func(*hosting.Volume){
		"another access mode": func(v *hosting.Volume) { v.AccessMode = hosting.ReadWriteMany },
		"another type":        func(v *hosting.Volume) { v.Type = hosting.VolumeSSD },
		"a smaller size":      func(v *hosting.Volume) { v.Size /= 2 },
	} {
		changed := wanted
		change(&changed)
		_, err := e.tryVolume(t, changed)
		e.wantError(t, "CreateVolume with "+what, err, hosting.VolumeFailed, hosting.AlreadyExists, wanted.Name)
	}
	wantSameVolume(t, "GetVolume after all that", e.getVolume(t, first.VolumeID), first)
}

func volumeGrows(t *testing.T, e *env) {
	wanted := e.volume("")
	first := e.settledVolume(t, wanted)
	wanted.Size *= 2
	grown, err := e.tryVolume(t, wanted)
	if err != nil {
		e.wantError(t, "CreateVolume with a larger size", err, hosting.VolumeFailed, hosting.Unsupported, "size")
		wantSameVolume(t, "GetVolume after that", e.getVolume(t, first.VolumeID), first)
		return
	}
	first.Size = wanted.Size
	wantSameVolume(t, "CreateVolume with a larger size", grown, first)
	wantSameVolume(t, "GetVolume after that", e.getVolume(t, first.VolumeID), first)
}

func volumeListed(t *testing.T, e *env) {
	var want []string
	for range 3 {
		want = append(want, e.createVolume(t, e.volume("")).VolumeID)
	}
	list := e.listVolumes(t)
	if !slices.IsSorted(volumeIDs(list)) {
		t.Errorf("ListVolumes: %q is not sorted", volumeIDs(list))
	}
	for _, id := range want {
		i := slices.Index(volumeIDs(list), id)
		if i < 0 {
			t.Errorf("ListVolumes: %s is missing in %q", id, volumeIDs(list))
			continue
		}
		wantSameVolume(t, "ListVolumes beside GetVolume", list[i], e.getVolume(t, id))
	}
}

func volumeDeleted(t *testing.T, e *env) {
	wanted := e.volume("")
	first, stays := e.createVolume(t, wanted), e.createVolume(t, e.volume(""))
	must(t, "DeleteVolume", first.VolumeID, e.volumes.DeleteVolume(e.ctx, first.VolumeID))
	e.awaitNoVolume(t, first.VolumeID)
	e.wantError(t, "DeleteVolume again", e.volumes.DeleteVolume(e.ctx, first.VolumeID), hosting.VolumeNotFound, hosting.NotFound, first.VolumeID)
	ids := volumeIDs(e.listVolumes(t))
	if slices.Contains(ids, first.VolumeID) || !slices.Contains(ids, stays.VolumeID) {
		t.Errorf("ListVolumes after DeleteVolume(%s): got %q, want it gone and %s there", first.VolumeID, ids, stays.VolumeID)
	}
	wanted.AccessMode = hosting.ReadWriteMany
	if again := e.createVolume(t, wanted); again.AccessMode != wanted.AccessMode {
		t.Errorf("CreateVolume under a name that is free again: got access mode %s, want %s", again.AccessMode, wanted.AccessMode)
	}
}

func volumeUnknown(t *testing.T, e *env) {
	instance := e.create(t, e.config(Serve))
	for what, id := range map[string]string{
		"an unknown id":         e.Region + ".volume." + e.name(),
		"the id of an instance": instance.ID,
		"another region":        "no-such-region.volume." + e.name(),
		"another provider's id": "no-such-provider:" + e.Region + ".volume." + e.name(),
	} {
		for call, do := range e.volumeCalls(e.ctx, id, instance.ID) {
			err := do()
			if strings.Contains(id, "no-such-provider") { // it may be nobody's
				if hosting.CodeOf(err) != hosting.VolumeNotFound {
					t.Errorf("%s of %s: got %v, want code %s", call, what, err, hosting.VolumeNotFound)
				}
				continue
			}
			e.wantError(t, call+" of "+what, err, hosting.VolumeNotFound, hosting.NotFound)
		}
	}
	for call, do := range e.volumeCalls(e.ctx, "nonsense", instance.ID) {
		e.wantError(t, call+" of what is no id", do(), hosting.VolumeFailed, hosting.InvalidArgument, "nonsense")
	}
	wantUnchanged(t, "calls about volumes that do not exist", e.get(t, instance.ID), instance)
}

// volumeCalls are those that take the id of a volume.
func (e *env) volumeCalls(ctx context.Context, id, instanceID string) map[string]func() error {
	calls := map[string]func() error{
		"GetVolume":    func() error { _, err := e.volumes.GetVolume(ctx, id); return err },
		"DeleteVolume": func() error { return e.volumes.DeleteVolume(ctx, id) },
	}
	if e.set.Has(hosting.CanMountVolumes) {
		calls["MountVolume"] = func() error { return e.volumes.MountVolume(ctx, id, instanceID, "/data", false) }
		calls["UnmountVolume"] = func() error { return e.volumes.UnmountVolume(ctx, id, instanceID) }
	}
	return calls
}

func volumeBad(t *testing.T, e *env) {
	for field, spoil := range map[string]func(*hosting.Volume){
		"name":         func(v *hosting.Volume) { v.Name = strings.ToUpper(v.Name) },
		"size":         func(v *hosting.Volume) { v.Size = 0 },
		"type":         func(v *hosting.Volume) { v.Type = "floppy" },
		"accessMode":   func(v *hosting.Volume) { v.AccessMode = "ReadNever" },
		"storageClass": func(v *hosting.Volume) { v.StorageClass = "Not A Class" },
		"region":       func(v *hosting.Volume) { v.Region = "no-such-region" },
		"provider":     func(v *hosting.Volume) { v.Provider = "no-such-provider" },
	} {
		bad := e.volume("")
		name := bad.Name
		spoil(&bad)
		_, err := e.tryVolume(t, bad)
		e.wantError(t, "CreateVolume with a bad "+field, err, hosting.VolumeFailed, hosting.InvalidArgument, field)
		for _, v := range e.listVolumes(t) {
			if v.Name == name {
				t.Errorf("CreateVolume with a bad %s has created %s", field, v.VolumeID)
			}
		}
	}
}

func volumeNames(t *testing.T, e *env) {
	long := e.name()
	long += "-" + strings.Repeat("x", hosting.MaxNameLength-len(long)-1)
	for _, name := range []string{long, "c--" + random(10), "c0-1-" + random(5) + "-9z-2"} {
		wanted := e.volume("")
		wanted.Name = name
		created := e.createVolume(t, wanted)
		if created.Name != name {
			t.Errorf("CreateVolume(%s) returned name %q", name, created.Name)
		}
		wantSameVolume(t, "GetVolume of an odd name", e.getVolume(t, created.VolumeID), created)
		if !slices.Contains(volumeIDs(e.listVolumes(t)), created.VolumeID) {
			t.Errorf("ListVolumes does not have %s", created.VolumeID)
		}
	}
}

func volumeCancelled(t *testing.T, e *env) {
	config, _ := e.replicated(t, Serve, 1)
	instance := e.create(t, config)
	v := e.createVolume(t, e.volume(""))
	wanted := e.volume("")
	ended, cancel := context.WithCancel(e.ctx)
	cancel()
	calls := e.volumeCalls(ended, v.VolumeID, instance.ID)
	calls["CreateVolume"] = func() error { _, err := e.volumes.CreateVolume(ended, wanted); return err }
	calls["ListVolumes"] = func() error { _, err := e.volumes.ListVolumes(ended); return err }
	for call, do := range calls {
		e.wantError(t, call+" with a cancelled context", do(), hosting.VolumeFailed, hosting.Canceled)
	}
	wantSameVolume(t, "calls with a cancelled context", e.getVolume(t, v.VolumeID), v)
	for _, made := range e.listVolumes(t) {
		if made.Name == wanted.Name {
			e.deleteVolumeLater(made.VolumeID)
			t.Errorf("CreateVolume with a cancelled context has created %s", made.VolumeID)
		}
	}
}
