package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/driver"
)

// quota looks at what the quotas of the namespace leave for all replicas. What
// the instance itself uses already, if it exists, is taken for available.
func (c *check) quota(ctx context.Context) (hosting.CompatibilityCheck, error) {
	quotas, err := c.t.client.CoreV1().ResourceQuotas(c.t.namespace).List(ctx, metav1.ListOptions{})
	switch {
	case apierrors.IsForbidden(err) && c.overQuota != "":
		return failedCheck(driver.CheckQuota, "not one replica is within the quota: %s", c.overQuota), nil
	case apierrors.IsForbidden(err):
		return unknownCheck(driver.CheckQuota, "whether the quotas of the namespace have enough left", "list resourcequotas", "compatibility.yaml"), nil
	case err != nil:
		return hosting.CompatibilityCheck{}, fmtError("listing ResourceQuotas", err)
	}
	used, err := c.usedAlready(ctx)
	if err != nil {
		return hosting.CompatibilityCheck{}, err
	}
	begin, most := c.replicas()
	short, unknown := shortages(quotas.Items, c.pod, begin, used)
	later, _ := shortages(quotas.Items, c.pod, most, used)
	switch {
	case len(short) > 0:
		return failedCheck(driver.CheckQuota, "%s", strings.Join(short, "; ")), nil
	case c.overQuota != "" && begin > 0 && len(used) == 0: // a quota that cannot be computed here
		return failedCheck(driver.CheckQuota, "not one replica is within the quota: %s", c.overQuota), nil
	case len(unknown) > 0:
		return warningCheck(driver.CheckQuota, "it is not known whether these apply: %s", strings.Join(unknown, "; ")), nil
	case len(later) > 0:
		return warningCheck(driver.CheckQuota, "%s", strings.Join(later, "; ")), nil
	case len(quotas.Items) == 0:
		return passedCheck(driver.CheckQuota, "the namespace has no quota"), nil
	}
	return passedCheck(driver.CheckQuota, "the quotas of the namespace have enough left for %d replicas", most), nil
}

// replicas is how many replicas the instance begins with, and how many an
// autoscaler may make of them.
func (c *check) replicas() (begin, most int) {
	begin = c.r.Desired.Replicas
	if c.r.Config.InstanceType == hosting.TypeDaemonSet {
		begin = max(c.eligible, 1)
	}
	if s := c.r.Desired.Spec.Autoscaler; s != nil {
		return begin, max(begin, s.MaxReplicas)
	}
	return begin, begin
}

// usedAlready is what the pods of the instance use, if it exists.
func (c *check) usedAlready(ctx context.Context) (corev1.ResourceList, error) {
	instance, err := c.p.GetInstance(ctx, c.t.id)
	if hosting.ReasonOf(err) == hosting.NotFound || err == nil && (instance.Resources == nil || instance.Replicas == 0) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: resourceRequirements(*instance.Resources)}}}}
	return times(quotaUsage(pod), instance.Replicas), nil
}

// shortages names what n pods need beyond what quotas leave, and the quotas of
// which it is not known whether they are for such pods.
func shortages(quotas []corev1.ResourceQuota, pod *corev1.Pod, n int, used corev1.ResourceList) (short, unknown []string) {
	need := times(quotaUsage(pod), n)
	for _, quota := range quotas {
		applies, known := inScope(quota.Spec, pod)
		if !known {
			unknown = append(unknown, "quota "+quota.Name+" with scopes of its own")
			continue
		}
		if !applies {
			continue
		}
		for name, hard := range quota.Status.Hard {
			wanted, counts := need[name]
			if !counts {
				continue
			}
			left := hard.DeepCopy()
			left.Sub(quota.Status.Used[name])
			left.Add(used[name])
			if wanted.Cmp(left) > 0 {
				short = append(short, fmt.Sprintf("quota %s: %d replicas need %s %s, %s of %s are left",
					quota.Name, n, wanted.String(), name, left.String(), hard.String()))
			}
		}
	}
	slices.Sort(short)
	slices.Sort(unknown)
	return short, unknown
}

// inScope tells whether a quota is for a pod. Scopes of priorities and the like
// are not evaluated.
func inScope(spec corev1.ResourceQuotaSpec, pod *corev1.Pod) (applies, known bool) {
	scopes := slices.Clone(spec.Scopes)
	if spec.ScopeSelector != nil {
		for _, expression := range spec.ScopeSelector.MatchExpressions {
			scopes = append(scopes, expression.ScopeName)
		}
	}
	requests, limits := podResources(pod)
	bestEffort := len(requests) == 0 && len(limits) == 0
	deadline := pod.Spec.ActiveDeadlineSeconds != nil
	applies, known = true, true
	for _, scope := range scopes {
		switch scope {
		case corev1.ResourceQuotaScopeBestEffort:
			applies = applies && bestEffort
		case corev1.ResourceQuotaScopeNotBestEffort:
			applies = applies && !bestEffort
		case corev1.ResourceQuotaScopeTerminating:
			applies = applies && deadline
		case corev1.ResourceQuotaScopeNotTerminating:
			applies = applies && !deadline
		default:
			known = false
		}
	}
	return applies, known || !applies
}

// quotaUsage is what a pod counts against a quota, under the names that quotas
// have for it.
func quotaUsage(pod *corev1.Pod) corev1.ResourceList {
	one := *apiresource.NewQuantity(1, apiresource.DecimalSI)
	usage := corev1.ResourceList{corev1.ResourcePods: one, "count/pods": one}
	requests, limits := podResources(pod)
	for name, quantity := range requests {
		usage["requests."+name] = quantity
		switch name {
		case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
			usage[name] = quantity
		}
	}
	for name, quantity := range limits {
		usage["limits."+name] = quantity
	}
	return usage
}

// times returns n times as much.
func times(list corev1.ResourceList, n int) corev1.ResourceList {
	result := corev1.ResourceList{}
	for name, quantity := range list {
		product := quantity.DeepCopy()
		product.Mul(int64(n))
		result[name] = product
	}
	return result
}

// podResources is what a pod requests and is limited to: what its containers do
// together, or an init container alone if that is more. A request that is not
// set is the limit, as the API server has it.
func podResources(pod *corev1.Pod) (requests, limits corev1.ResourceList) {
	requests, limits = corev1.ResourceList{}, corev1.ResourceList{}
	add := func(c corev1.Container, combine func(corev1.ResourceList, corev1.ResourceName, apiresource.Quantity)) {
		for name, quantity := range c.Resources.Limits {
			combine(limits, name, quantity)
			if _, set := c.Resources.Requests[name]; !set {
				combine(requests, name, quantity)
			}
		}
		for name, quantity := range c.Resources.Requests {
			combine(requests, name, quantity)
		}
	}
	for _, c := range pod.Spec.Containers {
		add(c, plus)
	}
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways { // a sidecar
			add(c, plus)
		}
	}
	for _, c := range pod.Spec.InitContainers {
		add(c, atLeast)
	}
	for name, quantity := range pod.Spec.Overhead {
		plus(requests, name, quantity)
	}
	return requests, limits
}

func plus(list corev1.ResourceList, name corev1.ResourceName, quantity apiresource.Quantity) {
	sum := list[name].DeepCopy()
	sum.Add(quantity)
	list[name] = sum
}

func atLeast(list corev1.ResourceList, name corev1.ResourceName, quantity apiresource.Quantity) {
	if have := list[name]; have.Cmp(quantity) < 0 {
		list[name] = quantity.DeepCopy()
	}
}
