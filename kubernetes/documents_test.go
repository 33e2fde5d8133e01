//go:build linux

package kubernetes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/storetest"
)

func TestTheStorePassesTheSuite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.Run(t, func(*testing.T) store.Store { return w.Store() })
}

// inTurn asks several stores of the same place, one after the other.
type inTurn struct {
	stores []store.Store
	calls  atomic.Int32
}

func (s *inTurn) next() store.Store { return s.stores[int(s.calls.Add(1))%len(s.stores)] }

func (s *inTurn) Get(ctx context.Context, key string) (store.Document, error) {
	return s.next().Get(ctx, key)
}
func (s *inTurn) List(ctx context.Context, kind string) ([]store.Document, error) {
	return s.next().List(ctx, kind)
}
func (s *inTurn) Put(ctx context.Context, document store.Document) (store.Document, error) {
	return s.next().Put(ctx, document)
}
func (s *inTurn) Delete(ctx context.Context, key, version string) error {
	return s.next().Delete(ctx, key, version)
}
func (s *inTurn) Durable() bool { return s.next().Durable() }

func TestStoresOfSeveralProvidersAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.Run(t, func(*testing.T) store.Store {
		return &inTurn{stores: []store.Store{w.Store(), w.provider(t, w.cluster.Config()).Store(), w.provider(t, w.cluster.Config()).Store()}}
	})
}

// mustPut writes a document about an instance.
func mustPut(t *testing.T, p *kubernetes.Provider, key, owner string) store.Document {
	t.Helper()
	d, err := p.Store().Put(t.Context(), store.Document{Key: key, Owner: owner, Data: json.RawMessage("{ \"a\": 1 }\n")})
	require.NoError(t, err)
	return d
}

// documents returns the ConfigMaps of the documents in a namespace.
func (w *world) documents(t *testing.T, namespace string) []corev1.ConfigMap {
	t.Helper()
	list, err := w.client.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "skillcenter.io/document"})
	require.NoError(t, err)
	return list.Items
}

func TestADocumentGoesWithItsInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const id = "default.deployment.web"
	early := mustPut(t, w.Provider, "policy/default.policy.early", id)
	created := w.mustCreate(t, everything("web", hosting.TypeDeployment))
	require.Equal(t, id, created.ID)
	mustPut(t, w.Provider, "policy/default.policy.web", id)
	mustPut(t, w.Provider, "policy/kubernetes:default.policy.web", "kubernetes:"+id)
	kept := []string{}
	for i, owner := range []string{"", "default.statefulset.web", "default.deployment.other", "elsewhere.deployment.web", "other:" + id} {
		kept = append(kept, mustPut(t, w.Provider, fmt.Sprintf("policy/default.policy.kept%d", i), owner).Key)
	}
	updated, err := w.Store().Put(t.Context(), early)
	require.NoError(t, err, "from this write on it is owned")
	require.Equal(t, id, updated.Owner)

	w.delete(t, id) // which waits for what it owns
	list, err := w.Store().List(t.Context(), "policy")
	require.NoError(t, err)
	left := []string{}
	for _, d := range list {
		left = append(left, d.Key)
	}
	assert.Equal(t, kept, left)

	w.mustCreate(t, everything("web", hosting.TypeDeployment))
	mustPut(t, w.Provider, "policy/default.policy.web", id)
}

// A document that is written while its instance is being deleted goes with it,
// or was written after it and is nobody's.
func TestNoDocumentWrittenDuringADeletionKeepsAnOwnerThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.mustCreate(t, everything("web", hosting.TypeDeployment))
	mustPut(t, w.Provider, "policy/default.policy.first", created.ID)
	require.NotEmpty(t, w.documents(t, w.namespace)[0].OwnerReferences)
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for writer := range 3 {
		wait.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				key := fmt.Sprintf("policy/default.policy.w%d-%d", writer, n)
				_, err := w.Store().Put(ctx, store.Document{Key: key, Owner: created.ID, Data: json.RawMessage(`1`)})
				if ctx.Err() == nil {
					assert.NoError(t, err)
				}
			}
		})
	}
	w.delete(t, created.ID)
	stop()
	wait.Wait()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for _, o := range w.documents(t, w.namespace) {
			assert.Empty(c, o.OwnerReferences, o.Annotations["skillcenter.io/key"])
		}
	}, waitTime, 200*time.Millisecond)
}

func TestADocumentIsAConfigMapThatSaysWhatItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.mustCreate(t, everything("web", hosting.TypeDeployment))
	d := mustPut(t, w.Provider, "policy/default.policy.web", created.ID)
	found := w.documents(t, w.namespace)
	require.Len(t, found, 1)
	o := found[0]
	assert.Regexp(t, `^document-policy-web-[a-z2-7]{52}$`, o.Name)
	assert.Equal(t, map[string]string{"managed-by": "skillcenter", "skillcenter.io/owner": "default", "skillcenter.io/document": "policy"}, o.Labels)
	assert.Equal(t, d.Key, o.Annotations["skillcenter.io/key"])
	assert.Equal(t, created.ID, o.Annotations["skillcenter.io/instance"])
	assert.Equal(t, map[string]string{"document": "{ \"a\": 1 }\n"}, o.Data)
	anchor, err := w.client.CoreV1().ConfigMaps(w.namespace).Get(t.Context(), "skill-web", metav1.GetOptions{})
	require.NoError(t, err)
	require.Len(t, o.OwnerReferences, 1)
	assert.Equal(t, anchor.UID, o.OwnerReferences[0].UID)
	assert.True(t, *o.OwnerReferences[0].BlockOwnerDeletion, "the instance is gone after its documents")
}

// The ids of documents may be those of instances, and there may be many.
func TestDocumentsAreNeitherInstancesNorInTheCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.mustCreate(t, everything("web", hosting.TypeDeployment))
	var mu sync.Mutex
	var selectors []string // of all requests for several ConfigMaps
	p, tap := w.cachedProvider(t, func(c *kubernetes.Config) {})
	observed := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.Cache = true
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/configmaps") {
					mu.Lock()
					selectors = append(selectors, r.URL.Query().Get("labelSelector"))
					mu.Unlock()
				}
				return next.RoundTrip(r)
			})
		}
	})
	_, err := observed.ListInstances(t.Context()) // live
	require.NoError(t, err)
	require.NoError(t, w.MountVolume(t.Context(), w.newVolume(t, "mounted", hosting.ReadWriteMany), created.ID, "/mounted", false))
	volumes, err := observed.ListVolumes(t.Context())
	require.NoError(t, err)
	require.Len(t, volumes, 1)
	require.Len(t, volumes[0].Mounts, 1)
	run(t, observed)
	watched, observedWatch := watchAll(t, p), watchAll(t, observed)
	watched.requireSynced(t)
	observedWatch.requireSynced(t)
	requireInSync(t, p, tap)
	before := tap.requests.Load()
	told := len(watched.told())
	const count = 20
	for i := range count {
		mustPut(t, p, fmt.Sprintf("policy/default.deployment.web%d", i), created.ID)
	}
	mustPut(t, p, "policy/default.deployment.web", created.ID)
	list, err := p.ListInstances(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, created.ID, list[0].ID)
	// For each document its anchor was read and it was written: the list itself
	// neither waited for documents nor was live.
	assert.Equal(t, before+2*(count+1), tap.requests.Load(), "requests")
	live, err := w.ListInstances(t.Context())
	require.NoError(t, err)
	assert.Len(t, live, 1)
	for _, change := range watched.told()[told:] {
		assert.Equal(t, created.ID, change.Instance.ID)
	}
	mu.Lock()
	defer mu.Unlock()
	require.GreaterOrEqual(t, len(selectors), 3, "instances live, volumes, and a watch")
	for _, text := range selectors {
		selector, err := labels.Parse(text)
		require.NoError(t, err)
		for _, o := range w.documents(t, w.namespace) {
			assert.False(t, selector.Matches(labels.Set(o.Labels)), "%q selects documents", text)
		}
	}
}

func TestDocumentsAreInTheRegionOfTheirID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	north := w.cluster.Namespace(t, "north")
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.Regions = append(c.Regions, kubernetes.Region{Name: "north", Namespace: north})
	})
	inNorth := []string{"policy/kubernetes:north.policy.web", "policy/north.policy.web"}
	inDefault := []string{"policy/default.policy.web", "policy/other:north.policy.web", "policy/south.policy.web"}
	for _, key := range append(inNorth, inDefault...) {
		d := mustPut(t, p, key, "")
		got, err := p.Store().Get(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, d, got)
	}
	assert.Len(t, w.documents(t, north), len(inNorth))
	assert.Len(t, w.documents(t, w.namespace), len(inDefault))
	list, err := p.Store().List(t.Context(), "policy")
	require.NoError(t, err)
	keys := []string{}
	for _, d := range list {
		keys = append(keys, d.Key)
	}
	assert.Equal(t, []string{inDefault[0], inNorth[0], inNorth[1], inDefault[1], inDefault[2]}, keys)

	// One that was copied into another region is an error beside the others.
	o := w.documents(t, north)[0]
	o.ResourceVersion, o.UID, o.Namespace = "", "", w.namespace
	_, err = w.client.CoreV1().ConfigMaps(w.namespace).Create(t.Context(), &o, metav1.CreateOptions{})
	require.NoError(t, err)
	list, err = p.Store().List(t.Context(), "policy")
	require.ErrorIs(t, err, hosting.Internal)
	assert.ErrorContains(t, err, "belongs to region north")
	assert.Len(t, list, len(keys))
}

func TestARegionThatFailsIsNamedBesideTheDocumentsOfTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.cluster.User(t, "documents", w.namespace, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	p := w.provider(t, user, func(c *kubernetes.Config) {
		c.Regions = append(c.Regions, kubernetes.Region{Name: "secret", Namespace: "default"}, kubernetes.Region{Name: "eu-west-1", Namespace: "eu-west-1"})
	})
	d := mustPut(t, p, "policy/default.policy.web", "")
	list, err := p.Store().List(t.Context(), "policy")
	require.ErrorIs(t, err, hosting.PermissionDenied)
	assert.Equal(t, hosting.ListFailed, hosting.CodeOf(err))
	assert.ErrorContains(t, err, "region secret")
	assert.NotContains(t, err.Error(), "eu-west-1", "nobody set it up")
	assert.Equal(t, []store.Document{d}, list)
	for _, region := range []string{"secret", "eu-west-1"} {
		_, err = p.Store().Put(t.Context(), store.Document{Key: "policy/" + region + ".policy.web", Data: json.RawMessage(`1`)})
		require.ErrorIs(t, err, hosting.PermissionDenied)
		assert.ErrorContains(t, err, "region "+region)
	}
	admin := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.Regions = append(c.Regions, kubernetes.Region{Name: "missing", Namespace: "no-such-namespace"})
	})
	const key = "policy/missing.policy.web"
	_, err = admin.Store().Put(t.Context(), store.Document{Key: key, Data: json.RawMessage(`1`)})
	require.ErrorIs(t, err, hosting.Unavailable, "NotFound would be about the document")
	assert.ErrorContains(t, err, "region missing")
	_, err = admin.Store().Get(t.Context(), key)
	require.ErrorIs(t, err, hosting.NotFound)
	list, err = admin.Store().List(t.Context(), "policy")
	require.Error(t, err)
	assert.ErrorContains(t, err, "region missing")
	assert.Equal(t, []store.Document{d}, list)
}

func TestADocumentThatWasTamperedWithDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := mustPut(t, w.Provider, "policy/default.policy.good", "")
	for name, c := range map[string]struct {
		patch  string
		listed bool // whether a list can still know that it is one
	}{
		"no key":          {`{"metadata":{"annotations":{"skillcenter.io/key":null}}}`, true},
		"a bad key":       {`{"metadata":{"annotations":{"skillcenter.io/key":"policy/x"}}}`, true},
		"another key":     {`{"metadata":{"annotations":{"skillcenter.io/key":"policy/default.policy.good"}}}`, true},
		"a bad owner":     {`{"metadata":{"annotations":{"skillcenter.io/instance":"x"}}}`, true},
		"no data":         {`{"data":null}`, true},
		"data of no JSON": {`{"data":{"document":"{"}}`, true},
		"another kind":    {`{"metadata":{"labels":{"skillcenter.io/document":"other"}}}`, false},
		"no owner label":  {`{"metadata":{"labels":{"skillcenter.io/owner":null}}}`, false},
	} {
		bad := mustPut(t, w.Provider, "policy/default.policy.bad", "")
		configMap := ""
		for _, o := range w.documents(t, w.namespace) {
			if o.Annotations["skillcenter.io/key"] == bad.Key {
				configMap = o.Name
			}
		}
		_, err := w.client.CoreV1().ConfigMaps(w.namespace).Patch(t.Context(), configMap, types.MergePatchType, []byte(c.patch), metav1.PatchOptions{})
		require.NoError(t, err, name)
		_, err = w.Store().Get(t.Context(), bad.Key)
		require.ErrorIs(t, err, hosting.Internal, name)
		assert.ErrorContains(t, err, bad.Key)
		list, err := w.Store().List(t.Context(), "policy")
		if c.listed {
			require.ErrorIs(t, err, hosting.Internal, name)
			assert.ErrorContains(t, err, configMap, name)
		} else {
			require.NoError(t, err, name)
		}
		assert.Equal(t, []store.Document{good}, list, name)
		require.ErrorIs(t, w.Store().Delete(t.Context(), bad.Key, bad.Version), hosting.Conflict, name)
		require.NoError(t, w.Store().Delete(t.Context(), bad.Key, ""), name)
	}
	_, err := w.ListInstances(t.Context())
	require.NoError(t, err)
}

func TestProgramsThatShareANamespaceHaveDocumentsOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) { c.Owner = "other" })
	const key = "policy/default.policy.web"
	mine, theirs := mustPut(t, w.Provider, key, ""), mustPut(t, other, key, "")
	for p, want := range map[*kubernetes.Provider]store.Document{w.Provider: mine, other: theirs} {
		list, err := p.Store().List(t.Context(), "policy")
		require.NoError(t, err)
		assert.Equal(t, []store.Document{want}, list)
	}
	require.ErrorIs(t, other.Store().Delete(t.Context(), key, mine.Version), hosting.Conflict)
	require.NoError(t, other.Store().Delete(t.Context(), key, ""))
	_, err := w.Store().Get(t.Context(), key)
	require.NoError(t, err)
}

// An anchor of another program is no owner: the document would go with it.
func TestADocumentIsNotOwnedByInstancesOfOtherPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.mustCreate(t, everything("web", hosting.TypeDeployment))
	mustPut(t, w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) { c.Owner = "other" }), "policy/default.policy.web", created.ID)
	found := w.documents(t, w.namespace)
	require.Len(t, found, 1)
	assert.Empty(t, found[0].OwnerReferences)
}
