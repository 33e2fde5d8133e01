//go:build linux

package kubernetes_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// killVolume is the volume that a process dies over.
const killVolume = "default.volume.data"

// countWrites returns how many writes something takes.
func (w *world) countWrites(t *testing.T, do func(p *kubernetes.Provider) error) int {
	t.Helper()
	counter := &writes{after: func(int) {}}
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper { counter.RoundTripper = next; return counter }
	})
	require.NoError(t, do(p))
	return int(counter.count.Load())
}

// requireBothSidesAgree requires that a volume shows what its pods are made
// from, and is protected by it. It tells whether the volume is mounted.
func (w *world) requireBothSidesAgree(t *testing.T, instanceType, id string) bool {
	t.Helper()
	v := w.volume(t, killVolume)
	paths := w.paths(t, instanceType, "web")
	if len(v.Mounts) == 0 {
		assert.Empty(t, v.InstanceID)
		assert.Empty(t, paths)
		return false
	}
	assert.Equal(t, []hosting.Mount{{InstanceID: id, MountPath: "/data"}}, v.Mounts)
	assert.Equal(t, []string{"/data"}, paths)
	requireFailed(t, w.DeleteVolume(t.Context(), killVolume), hosting.VolumeFailed, hosting.Conflict, id)
	return true
}

// afterDeath is what is done after a process has died.
var afterDeath = map[string][]string{
	hosting.TypeDeployment: {"repeat", "start", "delete the volume", "use it elsewhere", "do the opposite"},
	hosting.TypeJob:        {"repeat", "delete the volume"}, // it is made anew rather than changed
}

func TestAMountOrUnmountKilledAfterAnyWriteIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	for _, instanceType := range []string{hosting.TypeDeployment, hosting.TypeJob} {
		for _, what := range []string{"mount", "unmount"} {
			t.Run(what+" "+instanceType, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				config := single("web", instanceType)
				other := w.mustCreate(t, single("other", hosting.TypeDeployment))
				id := instanceID(config)
				mount := func(p *kubernetes.Provider) error { return p.MountVolume(t.Context(), killVolume, id, "/data", false) }
				unmount := func(p *kubernetes.Provider) error { return p.UnmountVolume(t.Context(), killVolume, id) }
				w.newVolume(t, "data", "")
				w.mustCreate(t, config)
				if instanceType == hosting.TypeJob {
					require.NoError(t, w.StopInstance(t.Context(), id))
				}
				fresh := func() {
					if _, err := w.GetVolume(t.Context(), killVolume); err != nil {
						require.ErrorIs(t, err, hosting.NotFound)
						w.newVolume(t, "data", "")
					}
					before := map[string]func(*kubernetes.Provider) error{"mount": unmount, "unmount": mount}[what]
					require.NoError(t, before(w.Provider))
					require.Equal(t, what == "unmount", w.requireBothSidesAgree(t, instanceType, id))
				}
				do := map[string]func(*kubernetes.Provider) error{"mount": mount, "unmount": unmount}[what]
				fresh()
				require.NoError(t, do(w.Provider)) // the first time there is more to write: who manages which field
				fresh()
				total := w.countWrites(t, do)
				require.GreaterOrEqual(t, total, 4, "the claim, the anchor twice, and the workload")

				for killed := 1; killed < total; killed++ {
					for _, next := range afterDeath[instanceType] {
						fresh()
						w.createInProcessThatDies(t, config, killed, envMount+"="+what)
						t.Logf("killed after write %d of %d; then %s", killed, total, next)
						mounted := len(w.volume(t, killVolume).Mounts) > 0 // what others see from now on
						switch next {
						case "repeat":
							require.NoError(t, do(w.Provider))
							require.Equal(t, what == "mount", w.requireBothSidesAgree(t, instanceType, id))
						case "start":
							if instanceType == hosting.TypeDeployment {
								require.NoError(t, w.StartInstance(t.Context(), id))
							} else { // a job that is started cannot be unmounted
								_, err := w.CreateInstance(t.Context(), config)
								require.NoError(t, err)
							}
							require.Equal(t, mounted, w.requireBothSidesAgree(t, instanceType, id))
						case "delete the volume":
							err := w.DeleteVolume(t.Context(), killVolume)
							if err == nil {
								require.False(t, mounted)
								w.requireNoVolume(t)
								_, err := w.CreateInstance(t.Context(), config) // a job may have to be made again
								require.NoError(t, err)
								require.Empty(t, w.paths(t, instanceType, "web"))
								continue
							}
							requireFailed(t, err, hosting.VolumeFailed, hosting.Conflict, id)
						case "use it elsewhere":
							err := w.MountVolume(t.Context(), killVolume, other.ID, "/data", false)
							if err == nil {
								require.False(t, mounted)
								require.Empty(t, w.paths(t, instanceType, "web"))
								require.Equal(t, other.ID, w.volume(t, killVolume).InstanceID)
								require.NoError(t, w.UnmountVolume(t.Context(), killVolume, other.ID))
							} else {
								requireFailed(t, err, hosting.VolumeFailed, hosting.Conflict, id)
							}
						case "do the opposite":
							opposite := map[string]func(*kubernetes.Provider) error{"mount": unmount, "unmount": mount}[what]
							require.NoError(t, opposite(w.Provider))
							require.Equal(t, what == "unmount", w.requireBothSidesAgree(t, instanceType, id))
						}
					}
				}
			})
		}
	}
}

// requireNoVolume waits until the volume is gone.
func (w *world) requireNoVolume(t *testing.T) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := w.GetVolume(t.Context(), killVolume)
		assert.ErrorIs(c, err, hosting.NotFound)
	}, waitTime, 50*time.Millisecond)
}

func TestACreateWithVolumesKilledAfterAnyWriteIsCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.newVolume(t, "data", "")
	config := single("web", hosting.TypeDeployment)
	config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: killVolume, MountPath: "/data"}}
	config.SecretEnv = nil // only its creator knows the values
	id := instanceID(config)
	total := w.countWrites(t, func(p *kubernetes.Provider) error { _, err := p.CreateInstance(t.Context(), config); return err })
	require.True(t, w.requireBothSidesAgree(t, hosting.TypeDeployment, id))
	w.delete(t, id)
	for killed := 1; killed < total; killed++ {
		w.createInProcessThatDies(t, config, killed)
		t.Logf("killed after write %d of %d", killed, total)
		if killed%2 == 0 {
			require.NoError(t, w.StartInstance(t.Context(), id))
		} else {
			_, err := w.ApplyInstance(t.Context(), config)
			require.NoError(t, err)
		}
		require.True(t, w.requireBothSidesAgree(t, hosting.TypeDeployment, id))
		w.delete(t, id)
		require.Empty(t, w.volume(t, killVolume).Mounts)
	}
	// A half-made one can be deleted, and has nothing then.
	w.createInProcessThatDies(t, config, 2)
	w.delete(t, id)
	require.NoError(t, w.DeleteVolume(t.Context(), killVolume))
}
