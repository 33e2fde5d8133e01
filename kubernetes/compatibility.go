package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/driver"
)

var _ driver.Checker = (*Provider)(nil)

// CheckConfig tells whether the cluster would take an instance. It creates
// nothing: the API server is asked by dry runs. The checks are
//
//   - accepted: it would take every object, as PlanInstance tells;
//   - admission: it would take one pod. That it takes a Deployment says nothing
//     about its pods, which Pod Security and other policies judge one by one;
//   - nodes: a pod fits on some node, as far as its requests go. What else runs
//     there is not looked at;
//   - quota: the quotas of the namespace have enough left for all replicas that
//     the instance would begin with; a warning if not for all that its
//     autoscaler may add.
//
// The last three need permissions that the shipped Role does not grant:
// compatibility.yaml and compatibility-nodes.yaml do. Without them these checks
// are warnings that say so.
func (p *Provider) CheckConfig(ctx context.Context, config hosting.CloudHostingConfig) ([]hosting.CompatibilityCheck, error) {
	plan, err := p.PlanInstance(ctx, config)
	switch hosting.ReasonOf(err) {
	case "":
	case hosting.InvalidArgument, hosting.Unsupported:
		return []hosting.CompatibilityCheck{failedCheck(driver.CheckAccepted, "%s", messageOf(err))}, nil
	default:
		return nil, recode(err, hosting.CompatibilityFailed)
	}
	c, err := p.newCheck(config)
	if err != nil {
		return nil, recode(err, hosting.CompatibilityFailed)
	}
	accepted := passedCheck(driver.CheckAccepted, "the API server would take all objects of instance %s", c.t.id)
	if len(plan.Objections) > 0 {
		accepted = failedCheck(driver.CheckAccepted, "%s", strings.Join(plan.Objections, "; "))
	}
	checks := []hosting.CompatibilityCheck{accepted}
	for _, look := range []func(context.Context) (hosting.CompatibilityCheck, error){c.admission, c.nodes, c.quota} {
		check, err := look(ctx)
		if err != nil {
			return nil, p.fail(ctx, hosting.CompatibilityFailed, c.t.id, "checking the configuration", err)
		}
		checks = append(checks, check)
	}
	return checks, nil
}

// check is one call of CheckConfig.
type check struct {
	p *Provider
	t target
	r record
	// pod is one replica; once the API server has judged it, as it would be
	// with what admission adds.
	pod *corev1.Pod
	// overQuota is why not even one pod can be created, "" if one can.
	overQuota string
	// eligible is how many nodes a pod may run on; -1 if that is not known.
	eligible int
}

func (p *Provider) newCheck(config hosting.CloudHostingConfig) (*check, error) {
	r, err := p.resolve(config)
	if err != nil {
		return nil, err
	}
	id := hosting.ID{Region: r.Config.Region, Type: r.Config.InstanceType, Name: r.Config.InstanceName}
	t, err := p.find(hosting.CompatibilityFailed, id.String())
	if err != nil {
		return nil, err
	}
	r.begin(maps.Clone(config.SecretEnv), hosting.Now(), rand.String(10))
	template := t.kind.template(t.kind.build(p, r))
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.GenerateName = t.name + "-check-"
	return &check{p: p, t: t, r: r, pod: pod, eligible: -1}, nil
}

// admission asks whether one pod would be taken.
func (c *check) admission(ctx context.Context) (hosting.CompatibilityCheck, error) {
	pods := c.t.client.CoreV1().Pods(c.t.namespace)
	judged, err := pods.Create(ctx, c.pod, metav1.CreateOptions{FieldManager: fieldManager, DryRun: []string{metav1.DryRunAll}})
	switch {
	case err == nil:
		c.pod = judged // with what admission has added, such as defaults of a LimitRange
		return passedCheck(driver.CheckAdmission, "the namespace allows its pods"), nil
	case isNoDryRun(err):
		return warningCheck(driver.CheckAdmission, "it is not known whether the namespace allows its pods: %s", err), nil
	case isQuota(err): // which is the last to be asked
		c.overQuota = err.Error()
		return passedCheck(driver.CheckAdmission, "the namespace allows its pods, apart from its quota"), nil
	case !isDefiniteRefusal(err) || apierrors.IsUnauthorized(err):
		return hosting.CompatibilityCheck{}, fmtError("trying to create a Pod", err)
	}
	if apierrors.IsForbidden(err) {
		allowed, reviewErr := c.mayCreatePods(ctx)
		if reviewErr != nil {
			return hosting.CompatibilityCheck{}, fmtError("asking for the permission to create pods", reviewErr)
		}
		if !allowed {
			return unknownCheck(driver.CheckAdmission, "whether the namespace allows its pods", "create pods (a dry run needs that)", "compatibility.yaml"), nil
		}
	}
	return failedCheck(driver.CheckAdmission, "the API server would not take its pods: %s", err), nil
}

// mayCreatePods tells a pod that is refused from a caller that is: both are
// Forbidden.
func (c *check) mayCreatePods(ctx context.Context) (bool, error) {
	review, err := c.t.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: c.t.namespace, Verb: "create", Resource: "pods"},
		},
	}, metav1.CreateOptions{})
	return err == nil && review.Status.Allowed, err
}

func passedCheck(name, format string, args ...any) hosting.CompatibilityCheck {
	return hosting.CompatibilityCheck{Name: name, Status: hosting.CheckPass, Message: fmt.Sprintf(format, args...), Required: true}
}

func warningCheck(name, format string, args ...any) hosting.CompatibilityCheck {
	c := passedCheck(name, format, args...)
	c.Status = hosting.CheckWarning
	return c
}

func failedCheck(name, format string, args ...any) hosting.CompatibilityCheck {
	c := passedCheck(name, format, args...)
	c.Status = hosting.CheckFail
	return c
}

// unknownCheck is the answer where a permission is missing.
func unknownCheck(name, what, permission, file string) hosting.CompatibilityCheck {
	return warningCheck(name, "it is not known %s: the credentials may not %s; kubernetes/deploy/%s grants it", what, permission, file)
}
