package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
)

// amounts reads pairs of a resource and a quantity.
func amounts(pairs ...string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[corev1.ResourceName(pairs[i])] = apiresource.MustParse(pairs[i+1])
	}
	return list
}

func texts(list corev1.ResourceList) map[string]string {
	result := map[string]string{}
	for name, quantity := range list {
		result[string(name)] = quantity.String()
	}
	return result
}

func podOf(requests, limits corev1.ResourceList) *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: requests, Limits: limits}}}}}
}

func TestAPodCountsWhatItsContainersNeedTogether(t *testing.T) {
	t.Parallel()
	pod := podOf(amounts("cpu", "500m"), amounts("cpu", "1", "memory", "1Gi"))
	requests, limits := podResources(pod)
	assert.Equal(t, map[string]string{"cpu": "500m", "memory": "1Gi"}, texts(requests), "a request that is not set is the limit")
	assert.Equal(t, map[string]string{"cpu": "1", "memory": "1Gi"}, texts(limits))

	always := corev1.ContainerRestartPolicyAlways
	pod.Spec.Containers = append(pod.Spec.Containers, podOf(amounts("cpu", "250m"), nil).Spec.Containers...)
	pod.Spec.InitContainers = []corev1.Container{
		{Resources: corev1.ResourceRequirements{Requests: amounts("cpu", "2", "memory", "1Mi")}},
		{Resources: corev1.ResourceRequirements{Requests: amounts("cpu", "250m")}, RestartPolicy: &always},
	}
	requests, _ = podResources(pod)
	assert.Equal(t, map[string]string{"cpu": "2", "memory": "1Gi"}, texts(requests), "an init container may need more than the rest, which is 1 cpu")
	pod.Spec.InitContainers = pod.Spec.InitContainers[1:]
	pod.Spec.Overhead = amounts("cpu", "100m")
	requests, _ = podResources(pod)
	assert.Equal(t, "1100m", texts(requests)["cpu"])
}

func TestAQuotaIsForThePodsInItsScopes(t *testing.T) {
	t.Parallel()
	burstable, bestEffort, limited := podOf(amounts("cpu", "1"), nil), podOf(nil, nil), podOf(nil, nil)
	limited.Spec.ActiveDeadlineSeconds = new(int64(60))
	for _, c := range []struct {
		pod            *corev1.Pod
		scopes         []corev1.ResourceQuotaScope
		applies, known bool
	}{
		{burstable, nil, true, true},
		{burstable, []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeNotBestEffort, corev1.ResourceQuotaScopeNotTerminating}, true, true},
		{burstable, []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}, false, true},
		{bestEffort, []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}, true, true},
		{bestEffort, []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeTerminating}, false, true},
		{limited, []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeTerminating}, true, true},
		{burstable, []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopePriorityClass}, true, false},
		{burstable, []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopePriorityClass, corev1.ResourceQuotaScopeBestEffort}, false, true},
	} {
		applies, known := inScope(corev1.ResourceQuotaSpec{Scopes: c.scopes}, c.pod)
		assert.Equal(t, []bool{c.applies, c.known}, []bool{applies, known}, c.scopes)
		selector := &corev1.ScopeSelector{}
		for _, scope := range c.scopes {
			selector.MatchExpressions = append(selector.MatchExpressions, corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists})
		}
		applies, known = inScope(corev1.ResourceQuotaSpec{ScopeSelector: selector}, c.pod)
		assert.Equal(t, []bool{c.applies, c.known}, []bool{applies, known}, c.scopes)
	}
}

func TestAPodFitsOnANodeThatHasEnoughOfEverything(t *testing.T) {
	t.Parallel()
	node := func(allocatable corev1.ResourceList) corev1.Node {
		return corev1.Node{Status: corev1.NodeStatus{Allocatable: allocatable}}
	}
	nodes := []corev1.Node{node(amounts("cpu", "4", "memory", "4Gi")), node(amounts("cpu", "2", "memory", "16Gi"))}
	for _, c := range []struct {
		requests corev1.ResourceList
		fits     int
		missing  string
	}{
		{amounts("cpu", "1", "memory", "1Gi"), 2, ""},
		{amounts("cpu", "4"), 1, ""},
		{amounts("cpu", "5", "memory", "1Gi"), 0, "it requests 5 cpu, the largest node has 4"},
		{amounts("cpu", "5", "memory", "1Ti"), 0, "it requests 1Ti memory, the largest node has 16Gi; it requests 5 cpu, the largest node has 4"},
		{amounts("cpu", "3", "memory", "8Gi"), 0, "no node has enough of everything"},
		{amounts("example.com/gpu", "1"), 0, "it requests 1 example.com/gpu, the largest node has 0"},
	} {
		fits, missing := fitting(nodes, c.requests)
		assert.Equal(t, c.fits, fits, c.requests)
		if c.fits == 0 {
			assert.Equal(t, c.missing, missing)
		}
	}
}

func TestAPodRunsWhereNothingKeepsItAway(t *testing.T) {
	t.Parallel()
	taint := func(effect corev1.TaintEffect) []corev1.Taint {
		return []corev1.Taint{{Key: "dedicated", Value: "db", Effect: effect}}
	}
	tolerant := func(tolerations ...corev1.Toleration) *corev1.Pod {
		return &corev1.Pod{Spec: corev1.PodSpec{Tolerations: tolerations}}
	}
	var free, cordoned, tainted, preferred corev1.Node
	cordoned.Spec.Unschedulable = true
	tainted.Spec.Taints, preferred.Spec.Taints = taint(corev1.TaintEffectNoSchedule), taint(corev1.TaintEffectPreferNoSchedule)
	selecting := &corev1.Pod{Spec: corev1.PodSpec{NodeSelector: map[string]string{"disk": "ssd"}}}
	labelled := free
	labelled.Labels = map[string]string{"disk": "ssd"}
	for what, c := range map[string]struct {
		node corev1.Node
		pod  *corev1.Pod
		runs bool
	}{
		"free":            {free, tolerant(), true},
		"cordoned":        {cordoned, tolerant(), false},
		"tainted":         {tainted, tolerant(), false},
		"only preferred":  {preferred, tolerant(), true},
		"tolerated":       {tainted, tolerant(corev1.Toleration{Key: "dedicated", Value: "db"}), true},
		"another value":   {tainted, tolerant(corev1.Toleration{Key: "dedicated", Value: "web"}), false},
		"another effect":  {tainted, tolerant(corev1.Toleration{Key: "dedicated", Value: "db", Effect: corev1.TaintEffectNoExecute}), false},
		"whatever value":  {tainted, tolerant(corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpExists}), true},
		"whatever taint":  {tainted, tolerant(corev1.Toleration{Operator: corev1.TolerationOpExists}), true},
		"another label":   {free, selecting, false},
		"the right label": {labelled, selecting, true},
		"another key":     {tainted, tolerant(corev1.Toleration{Key: "other", Operator: corev1.TolerationOpExists}), false},
	} {
		assert.Equal(t, c.runs, mayRun(c.node, c.pod), what)
	}
}
