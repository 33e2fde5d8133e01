package kubernetes

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

// syncedMirror is a region in sync that holds an anchor and nothing else.
func syncedMirror(t *testing.T) (*regionMirror, *corev1.ConfigMap) {
	t.Helper()
	p := testProvider(t, nil)
	r := newRegionMirror(p, p.regions["default"])
	created, err := p.resolve(testConfig(nil))
	require.NoError(t, err)
	created.Desired.Operation = hosting.StatusCreating
	created.Desired.CreatedAt = hosting.NewTime(time.Now())
	created.Desired.UpdatedAt = created.Desired.CreatedAt
	o, err := p.newAnchor(created)
	require.NoError(t, err)
	o.UID = "anchor"
	require.NoError(t, r.anchors.Update(o.DeepCopy()))
	for _, s := range append([]*store{r.anchors}, r.stores...) {
		s.sync.listed, s.sync.watching = true, true
	}
	return r, o
}

// joinUntil has the watcher join each time that it is woken, and returns what
// it was told.
func joinUntil(t *testing.T, r *regionMirror, w *watcher) (told []hosting.InstanceChange) {
	t.Helper()
	for {
		joined, err := r.join(w)
		require.NoError(t, err)
		for change, ok := w.next(); ok; change, ok = w.next() {
			told = append(told, change)
		}
		if joined {
			return told
		}
		select {
		case <-w.signal:
		case <-time.After(time.Minute):
			t.Fatal("the watcher never joins")
		}
	}
}

func TestAWatcherHasNotJoinedBeforeItWasToldOfAll(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(*testing.T, *regionMirror, *corev1.ConfigMap)
		told      []hosting.Status
	}{
		"its workload is lost": {nil, []hosting.Status{hosting.StatusFailed}},
		"its workload is seen later": {func(t *testing.T, r *regionMirror, o *corev1.ConfigMap) {
			workload := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: o.Labels, Generation: 1,
				OwnerReferences: []metav1.OwnerReference{{UID: o.UID}}}}
			workload.Spec.Replicas = new(int32(1))
			require.NoError(t, r.workloads[hosting.TypeDeployment].Update(workload))
			r.workloads[hosting.TypeDeployment].UpdateResourceVersion("2")
		}, []hosting.Status{hosting.StatusCreating}},
		"it is deleted": {func(t *testing.T, r *regionMirror, o *corev1.ConfigMap) {
			require.NoError(t, r.anchors.Delete(o))
			r.anchors.UpdateResourceVersion("2")
		}, nil},
		"it is spoilt": {func(t *testing.T, r *regionMirror, o *corev1.ConfigMap) {
			spoilt := o.DeepCopy()
			spoilt.Data[keyConfig] = "{"
			require.NoError(t, r.anchors.Update(spoilt))
			r.anchors.UpdateResourceVersion("2")
		}, []hosting.Status{hosting.StatusUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, o := syncedMirror(t)
				time.Sleep(5 * time.Minute) // its creation is long over
				ctx, cancel := context.WithCancel(t.Context())
				go r.publish(ctx)
				w := newWatcher()
				r.meet(w)
				joined, err := r.join(w)
				require.NoError(t, err)
				require.False(t, joined)
				if test.meanwhile != nil {
					test.meanwhile(t, r, o)
				}
				var told []hosting.Status
				for _, change := range joinUntil(t, r, w) {
					told = append(told, change.Instance.Status)
				}
				assert.Equal(t, test.told, told)
				cancel()
			})
		})
	}
}

func TestAWatcherIsToldThatAnAnchorCanNoLongerBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, o := syncedMirror(t)
		w := newWatcher()
		told := joinUntil(t, r, w)
		require.Len(t, told, 1)
		assert.Equal(t, hosting.StatusCreating, told[0].Instance.Status)
		refresh := func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.refresh(time.Now(), viewValidity)
		}
		look := func() hosting.InstanceChange {
			t.Helper()
			refresh()
			change, ok := w.next()
			require.True(t, ok, "nothing is told")
			return change
		}
		spoilt := o.DeepCopy()
		spoilt.Data[keyDesired] = "{"
		require.NoError(t, r.anchors.Update(spoilt))
		change := look()
		assert.Equal(t, hosting.ChangeState, change.Type)
		assert.Equal(t, hosting.StatusUnknown, change.Instance.Status)
		assert.Equal(t, "Unreadable", change.Instance.Metadata[hosting.MetadataReason])
		assert.Contains(t, change.Instance.Metadata[hosting.MetadataMessage], "key desired")
		assert.Equal(t, told[0].Instance.CreatedAt, change.Instance.CreatedAt)

		require.NoError(t, r.anchors.Update(o.DeepCopy()))
		refresh()
		time.Sleep(missingGrace) // that its workload is missing is believed after that
		assert.Equal(t, hosting.StatusCreating, look().Instance.Status)
		require.NoError(t, r.anchors.Delete(o))
		assert.Equal(t, hosting.ChangeDeleted, look().Type)
	})
}
