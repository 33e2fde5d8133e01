package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/driver"
)

// nodes looks at whether a pod fits on a node that is empty.
func (c *check) nodes(ctx context.Context) (hosting.CompatibilityCheck, error) {
	// From the API server's cache: nodes come and go slowly.
	list, err := c.t.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	switch {
	case apierrors.IsForbidden(err):
		return unknownCheck(driver.CheckNodes, "whether a pod fits on a node", "list nodes", "compatibility-nodes.yaml"), nil
	case err != nil:
		return hosting.CompatibilityCheck{}, fmtError("listing Nodes", err)
	}
	eligible := slices.DeleteFunc(list.Items, func(node corev1.Node) bool { return !mayRun(node, c.pod) })
	c.eligible = len(eligible)
	requests, _ := podResources(c.pod)
	fits, missing := fitting(eligible, requests)
	switch {
	case len(eligible) == 0:
		return warningCheck(driver.CheckNodes, "there is no node now that its pods may run on"), nil
	case fits == 0:
		return failedCheck(driver.CheckNodes, "a pod is larger than every node: %s", missing), nil
	}
	return passedCheck(driver.CheckNodes, "a pod fits on %d of %d nodes", fits, len(eligible)), nil
}

// mayRun tells whether the scheduler may choose a node for a pod. Affinities,
// which this provider does not set, are not looked at.
func mayRun(node corev1.Node, pod *corev1.Pod) bool {
	if node.Spec.Unschedulable || !labels.SelectorFromSet(pod.Spec.NodeSelector).Matches(labels.Set(node.Labels)) {
		return false
	}
	return !slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool {
		return taint.Effect != corev1.TaintEffectPreferNoSchedule && !tolerates(pod, taint)
	})
}

func tolerates(pod *corev1.Pod, taint corev1.Taint) bool {
	return slices.ContainsFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool {
		if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
			return false
		}
		return t.Operator == corev1.TolerationOpExists || t.Key != "" && t.Value == taint.Value
	})
}

// fitting counts the nodes that have what is requested, and says what the
// largest have of what no node has enough of.
func fitting(nodes []corev1.Node, requests corev1.ResourceList) (fits int, missing string) {
	short := map[corev1.ResourceName]string{}
	for _, node := range nodes {
		enough := true
		for name, wanted := range requests {
			have := node.Status.Allocatable[name]
			enough = enough && have.Cmp(wanted) >= 0
		}
		if enough {
			fits++
		}
	}
	for name, wanted := range requests {
		largest := corev1.ResourceList{}
		for _, node := range nodes {
			atLeast(largest, name, node.Status.Allocatable[name])
		}
		if have := largest[name]; have.Cmp(wanted) < 0 {
			short[name] = fmt.Sprintf("it requests %s %s, the largest node has %s", wanted.String(), name, have.String())
		}
	}
	if len(short) == 0 {
		return fits, "no node has enough of everything"
	}
	return fits, strings.Join(slices.Sorted(maps.Values(short)), "; ")
}
