package volume_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/volume"
)

func data(accessMode string, mounts ...hosting.Mount) hosting.Volume {
	v := volume.New(hosting.Volume{Name: "data", Size: 10, AccessMode: accessMode}, "kubernetes", "default")
	v.Mounts = mounts
	return v
}

func user(replicas int) volume.User {
	return volume.User{Instance: hosting.ID{Region: "default", Type: "deployment", Name: "web"}, Replicas: replicas}
}

func TestANewVolumeHasDefaultsAndNothingThatIsNotTheCallers(t *testing.T) {
	t.Parallel()
	v := volume.New(hosting.Volume{Name: "data", Size: 10, VolumeID: "x", Status: "failed", MountPath: "/x",
		Mounts: []hosting.Mount{{InstanceID: "x"}}}, "kubernetes", "default")
	assert.Equal(t, hosting.Volume{VolumeID: "default.volume.data", Name: "data", Type: hosting.VolumeStandard, Size: 10,
		AccessMode: hosting.ReadWriteOnce, Provider: "kubernetes", Region: "default"}, v)
}

func TestAVolumeThatIsCreatedAgainMayOnlyGrow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*hosting.Volume)
		size   int64
		says   string
	}{
		"the same":      {func(*hosting.Volume) {}, 10, ""},
		"larger":        {func(v *hosting.Volume) { v.Size = 11 }, 11, ""},
		"smaller":       {func(v *hosting.Volume) { v.Size = 9 }, 0, "size 9: allowed: 10 bytes or more"},
		"another type":  {func(v *hosting.Volume) { v.Type = hosting.VolumeSSD }, 0, "type "},
		"another class": {func(v *hosting.Volume) { v.StorageClass = "fast" }, 0, "storageClass "},
		"another mode":  {func(v *hosting.Volume) { v.AccessMode = hosting.ReadWriteMany }, 0, "accessMode "},
		"larger and another type": {func(v *hosting.Volume) {
			v.Size, v.Type = 11, hosting.VolumeShared
		}, 0, "type "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wanted := data("")
			test.change(&wanted)
			size, err := volume.Again(data(""), wanted)
			assert.Equal(t, test.size, size)
			if test.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, hosting.AlreadyExists)
			assert.Contains(t, err.Error(), test.says)
			assert.Contains(t, err.Error(), "default.volume.data")
		})
	}
}

func TestWhoMayHaveAVolume(t *testing.T) {
	t.Parallel()
	other, own := hosting.Mount{InstanceID: "default.job.other"}, hosting.Mount{InstanceID: "default.deployment.web", MountPath: "/own"}
	far, autoscaled := user(1), user(1)
	far.Instance.Region, autoscaled.Autoscaled = "moon", true
	for name, test := range map[string]struct {
		volume   hosting.Volume
		readOnly bool
		user     volume.User
		want     hosting.Reason
	}{
		"one replica":                       {data(hosting.ReadWriteOnce), false, user(1), ""},
		"none":                              {data(hosting.ReadWriteOnce), false, user(0), ""},
		"one that has it already":           {data(hosting.ReadWriteOncePod, own), false, user(1), ""},
		"two replicas":                      {data(hosting.ReadWriteOnce), false, user(2), hosting.Conflict},
		"two replicas that read":            {data(hosting.ReadWriteOncePod), true, user(2), hosting.Conflict},
		"one on each node":                  {data(hosting.ReadWriteOnce), false, user(volume.Unlimited), hosting.Conflict},
		"an autoscaler":                     {data(hosting.ReadWriteOnce), false, autoscaled, hosting.Conflict},
		"one beside another":                {data(hosting.ReadWriteOnce, own, other), false, user(1), hosting.Conflict},
		"many":                              {data(hosting.ReadWriteMany, other), false, user(5), ""},
		"many on each node":                 {data(hosting.ReadWriteMany, other), false, user(volume.Unlimited), ""},
		"readers":                           {data(hosting.ReadOnlyMany, other), true, user(5), ""},
		"a writer to what is read":          {data(hosting.ReadOnlyMany), false, user(1), hosting.InvalidArgument},
		"another region":                    {data(hosting.ReadWriteMany), false, far, hosting.InvalidArgument},
		"an autoscaler of a volume of many": {data(hosting.ReadWriteMany), false, volume.User{Instance: user(1).Instance, Replicas: 9, Autoscaled: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := volume.Check(test.volume, hosting.VolumeMount{VolumeID: "default.volume.data", MountPath: "/x", ReadOnly: test.readOnly}, test.user)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.want)
			assert.Contains(t, err.Error(), "default.volume.data")
		})
	}
}

func mounts(texts ...string) []hosting.VolumeMount {
	var result []hosting.VolumeMount
	for _, text := range texts { // a volume and a path, such as "a/x"
		result = append(result, hosting.VolumeMount{VolumeID: "default.volume." + text[:1], MountPath: text[1:]})
	}
	return result
}

func TestMountsAfterAChangeOfTheConfiguration(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ mounted, before, after, want []hosting.VolumeMount }{
		"nothing":                      {},
		"a new one":                    {nil, nil, mounts("a/x"), mounts("a/x")},
		"one that goes":                {mounts("a/x"), mounts("a/x"), nil, nil},
		"one by a call stays":          {mounts("a/x", "b/y"), mounts("a/x"), nil, mounts("b/y")},
		"the order stays":              {mounts("b/y", "a/x"), mounts("a/x"), mounts("a/x", "c/z"), mounts("b/y", "a/x", "c/z")},
		"one that was unmounted":       {nil, mounts("a/x"), mounts("a/x"), mounts("a/x")},
		"one that moves":               {mounts("a/x"), mounts("a/x"), mounts("a/z"), mounts("a/z")},
		"one by a call is configured":  {mounts("a/x"), nil, mounts("a/x"), mounts("a/x")},
		"and stays when it is no more": {mounts("a/x"), nil, nil, mounts("a/x")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := fmt.Sprint(test.mounted, test.before, test.after)
			assert.Equal(t, test.want, volume.Merge(test.mounted, test.before, test.after))
			assert.Equal(t, before, fmt.Sprint(test.mounted, test.before, test.after), "what is given stays")
		})
	}
}

func TestAddingAndRemovingMounts(t *testing.T) {
	t.Parallel()
	have := mounts("a/x", "b/y")
	same, err := volume.Add(have, have[0])
	require.NoError(t, err)
	assert.Equal(t, have, same)
	more, err := volume.Add(have, mounts("a/z")[0])
	require.NoError(t, err)
	assert.Equal(t, mounts("a/x", "b/y", "a/z"), more)
	_, err = volume.Add(have, mounts("c/x")[0])
	require.ErrorIs(t, err, hosting.Conflict)
	assert.Contains(t, err.Error(), "default.volume.a is mounted at /x")
	assert.Equal(t, mounts("b/y"), volume.Remove(more, "default.volume.a"))
	assert.Equal(t, mounts("a/x", "b/y"), have)

	assert.False(t, volume.Detaches(have, more))
	assert.False(t, volume.Detaches(mounts("a/x", "a/z"), mounts("a/z")))
	assert.True(t, volume.Detaches(more, mounts("a/z")))
	assert.Equal(t, []string{"volume default.volume.b is no longer mounted at /y", "volume default.volume.c is mounted at /y"},
		volume.Changes(have, mounts("a/x", "c/y")))
}

func TestCheckingAllNamesWhereAMountComesFrom(t *testing.T) {
	t.Parallel()
	broken := errors.New("no answer")
	find := func(id string) (hosting.Volume, error) {
		switch id {
		case "default.volume.n":
			return hosting.Volume{}, hosting.Errorf("p", hosting.VolumeNotFound, hosting.NotFound, "volume %s does not exist", id)
		case "default.volume.e":
			return hosting.Volume{}, broken
		}
		return data(hosting.ReadWriteMany), nil
	}
	configured := mounts("a/x", "n/y", "b/x")
	errs := volume.CheckAll(append(mounts("n/z", "e/e"), configured...), configured, user(1), find)
	require.Len(t, errs, 4)
	assert.ErrorContains(t, errs[0], "a volume that MountVolume mounted: volume default.volume.n does not exist")
	assert.ErrorIs(t, errs[1], broken)
	assert.ErrorContains(t, errs[2], "container.volumeMounts[1]: volume default.volume.n does not exist")
	assert.ErrorIs(t, errs[2], hosting.NotFound)
	assert.Empty(t, hosting.CodeOf(errs[2]), "the code is the call's")
	assert.ErrorContains(t, errs[3], "container.volumeMounts[2]: volume default.volume.a is mounted at /x already")
}

func TestOnlyAVolumeThatNobodyHasCanBeDeleted(t *testing.T) {
	t.Parallel()
	require.NoError(t, volume.Deletable(data("")))
	err := volume.Deletable(data("", hosting.Mount{InstanceID: "default.job.other"}))
	require.ErrorIs(t, err, hosting.Conflict)
	var failed *hosting.Error
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "default.job.other", failed.InstanceID)
}

func TestAVolumeThatIsMountedIsInUseUnlessItIsWorse(t *testing.T) {
	t.Parallel()
	list := []hosting.Mount{{InstanceID: "default.job.one", MountPath: "/x", ReadOnly: true}, {InstanceID: "default.job.two", MountPath: "/y"}}
	for before, after := range map[string]string{
		hosting.VolumeStatusAvailable: hosting.VolumeStatusInUse, hosting.VolumeStatusCreating: hosting.VolumeStatusInUse,
		hosting.VolumeStatusDeleting: hosting.VolumeStatusDeleting, hosting.VolumeStatusFailed: hosting.VolumeStatusFailed,
	} {
		v := data("")
		v.Status = before
		mounted := volume.Mounted(v, list)
		assert.Equal(t, after, mounted.Status)
		assert.Equal(t, []any{"default.job.one", "/x", true}, []any{mounted.InstanceID, mounted.MountPath, mounted.ReadOnly})
		free := volume.Mounted(mounted, nil)
		assert.Equal(t, []any{"", "", false}, []any{free.InstanceID, free.MountPath, free.ReadOnly})
	}
}
