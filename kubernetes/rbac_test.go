//go:build linux

package kubernetes_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/kubernetes/deploy"
)

func TestTheShippedRolesAllowTheSame(t *testing.T) {
	t.Parallel()
	assert.Equal(t, shippedRules(t, namespacedFile), shippedRules(t, clusterWideFile))
	for _, file := range []string{namespacedFile, clusterWideFile} {
		objects := manifest(t, file)
		binding := objects[len(objects)-1].(*rbacv1.RoleBinding)
		assert.Equal(t, "skillcenter-hosting", binding.RoleRef.Name)
		assert.Empty(t, binding.Namespace, "kubectl apply -n says where")
	}
}

func TestKubeletMetricsNeedTheFiguresOfNodesAlone(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []permission{{"", "nodes/stats", "get"}}, permissions(shippedRules(t, kubeletFile)))
}

// Wildcards, names and paths would hide what is allowed, and whoever may list
// Secrets can read them all.
func TestTheShippedRulesAreExplicitAndExplained(t *testing.T) {
	t.Parallel()
	for _, file := range []string{namespacedFile, clusterWideFile, kubeletFile, compatibilityFile, compatibilityNodesFile} {
		rules := shippedRules(t, file)
		all := permissions(rules)
		for _, p := range all {
			assert.NotContains(t, p.group+p.resource+p.verb, "*")
			if p.resource == "secrets" {
				assert.NotContains(t, []string{"list", "watch", "deletecollection"}, p.verb)
			}
			assert.NotContains(t, []string{"escalate", "bind", "impersonate"}, p.verb)
			assert.NotContains(t, []string{"pods/exec", "pods/attach", "pods/portforward", "nodes/proxy"}, p.resource)
		}
		slices.SortFunc(all, func(a, b permission) int { return strings.Compare(a.String(), b.String()) })
		assert.Equal(t, slices.Compact(slices.Clone(all)), all, "each permission stands in one rule")
		for _, rule := range rules {
			assert.Empty(t, rule.ResourceNames)
			assert.Empty(t, rule.NonResourceURLs)
		}
		assert.Empty(t, unexplained(t, file))
	}
}

// unexplained returns the rules of a file that neither a comment nor a rule
// that has one stands directly above.
func unexplained(t *testing.T, file string) []string {
	t.Helper()
	data, err := deploy.Files.ReadFile(file)
	require.NoError(t, err)
	_, rules, found := strings.Cut(string(data), "\nrules:\n")
	require.True(t, found)
	rules, _, _ = strings.Cut(rules, "\n---")
	var result []string
	above := "" // the line before
	for line := range strings.Lines(rules) {
		explained := strings.HasPrefix(strings.TrimSpace(above), "#") || strings.Contains(above, "verbs:")
		if strings.Contains(line, "- apiGroups:") && !explained {
			result = append(result, line)
		}
		above = line
	}
	return result
}

// None is missing: every call succeeds. None is in vain: each is used.
func TestEveryCallSucceedsUnderTheShippedRoleWhichAllowsNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := w.asShipped(t)
	var all recorder
	t.Run("calls", func(t *testing.T) {
		for name, c := range calls() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				own := &recorder{}
				p := w.provider(t, config, func(c *kubernetes.Config) { c.WrapTransport = own.wrap })
				settings, id := w.prepare(t, strings.ReplaceAll(name, " ", "-"), c)
				require.NoError(t, c.do(t.Context(), p, settings, id))
				for used, needing := range neededBy() {
					if needing == name && !strings.HasSuffix(used.resource, "/finalizers") {
						assert.Contains(t, own.used, used)
					}
				}
				all.mu.Lock()
				defer all.mu.Unlock()
				if all.used == nil {
					all.used = map[permission]bool{}
				}
				maps.Copy(all.used, own.used)
			})
		}
	})
	// No request names these: an admission plugin asks for them.
	all.used[permission{"", "configmaps/finalizers", "update"}] = true
	all.used[permission{"batch", "cronjobs/finalizers", "update"}] = true
	for p := range neededElsewhere() {
		all.used[p] = true
	}
	assert.ElementsMatch(t, permissions(shippedRules(t, namespacedFile)), slices.Collect(maps.Keys(all.used)))
}

func TestEachPermissionOfTheShippedRoleIsNeeded(t *testing.T) {
	t.Parallel()
	shipped := permissions(shippedRules(t, namespacedFile))
	needed := neededBy()
	require.ElementsMatch(t, shipped, slices.Concat(slices.Collect(maps.Keys(needed)), slices.Collect(maps.Keys(neededElsewhere()))),
		"every permission has a call that needs it")
	w := newWorldOn(t, testcluster.Start(t))
	all := calls()
	for i, removed := range shipped {
		name, here := needed[removed]
		if !here {
			continue // another test takes it away
		}
		t.Run("without "+removed.String()+" there is no "+name, func(t *testing.T) {
			t.Parallel()
			c, ok := all[name]
			require.True(t, ok, "there is such a call")
			settings, id := w.prepare(t, fmt.Sprintf("%s-%d", strings.ReplaceAll(name, " ", "-"), i), c)
			limited := w.provider(t, w.as(t, fmt.Sprintf("%s-%d", w.namespace, i), without(shipped, removed)))
			err := c.do(t.Context(), limited, settings, id)
			require.ErrorIs(t, err, hosting.PermissionDenied)
			_, sub, _ := strings.Cut(removed.resource, "/")
			if sub == "finalizers" {
				assert.Contains(t, err.Error(), "you can't set finalizers on")
				return
			}
			assert.Contains(t, err.Error(), fmt.Sprintf("cannot %s resource %q", removed.verb, removed.resource))
		})
	}
}

func TestAWatchThatMayNotWatchEventsLearnsOfTheirReasonsLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setQuota(t, "pods")
	_, err := w.CreateInstance(t.Context(), everything("first", hosting.TypeStatefulSet))
	require.NoError(t, err)
	full := permissions(shippedRules(t, namespacedFile))
	limited := w.as(t, w.namespace, without(full, permission{"", "events", "watch"}))
	shipped := w.asShipped(t)
	failed := func(c hosting.InstanceChange) bool {
		return c.Instance.Metadata[hosting.MetadataReason] == "FailedCreate"
	}
	for round := range 5 {
		told, notTold := watchAll(t, w.provider(t, shipped)), watchAll(t, w.provider(t, limited))
		told.requireSynced(t)
		notTold.requireSynced(t)
		began := time.Now()
		instance, err := w.CreateInstance(t.Context(), everything(fmt.Sprintf("web-%d", round), hosting.TypeStatefulSet))
		require.NoError(t, err)
		told.requireTold(t, instance.ID, "FailedCreate", failed)
		late := !slices.ContainsFunc(notTold.told(), func(c hosting.InstanceChange) bool { return c.Instance.ID == instance.ID && failed(c) })
		took := time.Since(began)
		told.stop(t)
		notTold.stop(t)
		if took < 10*time.Second { // before it lists the events again
			require.True(t, late)
			return
		}
	}
	require.Fail(t, "the cluster is too slow to tell")
}
