package kubernetes

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"skillcenter.io/hosting"
)

// defaultGracePeriod is Kubernetes' own.
const defaultGracePeriod = 30 * time.Second

// preStopDelay returns the seconds that a replica which says nothing itself
// goes on serving before it is told to end. Half of its grace period is left
// for what it has to do then.
func preStopDelay(container *hosting.ContainerConfig, hasPorts bool, configured time.Duration) int64 {
	if container.PreStop != nil || !hasPorts {
		return 0
	}
	grace := defaultGracePeriod
	if container.TerminationGracePeriod != nil {
		grace = container.TerminationGracePeriod.Std()
	}
	return int64(min(configured, grace/2).Seconds())
}

// lifecycle makes a container wait, or run a command, before it is told to end.
func lifecycle(s spec) *corev1.Lifecycle {
	sleep := func(seconds int64) *corev1.Lifecycle {
		return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}}
	}
	switch own := s.Container.PreStop; {
	case own != nil && len(own.Command) > 0:
		return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: literals(own.Command)}}}
	case own != nil && own.Delay > 0:
		return sleep(int64(own.Delay.Std().Seconds()))
	case s.PreStopDelay > 0:
		return sleep(s.PreStopDelay)
	}
	return nil
}

// deploymentStrategy has the old replica end before the new one starts where a
// volume is for one alone: the new one would wait for it for ever otherwise.
func deploymentStrategy(d desired) appsv1.DeploymentStrategy {
	if d.exclusiveVolume() != "" {
		return appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	}
	return rollingUpdate()
}

// rollingUpdate never has fewer ready replicas than are wanted: new ones come
// first, and one that never gets ready replaces none. Kubernetes' own default
// would take a quarter of them away, and of a few replicas that is a lot.
func rollingUpdate() appsv1.DeploymentStrategy {
	return appsv1.DeploymentStrategy{
		Type: appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{
			MaxSurge: new(intstr.FromString("25%")), MaxUnavailable: new(intstr.FromInt32(0)),
		},
	}
}

// spreadTemplate is a pod template whose replicas run on different nodes and
// zones where there is room. With one replica that says nothing, but it may be
// scaled, and that must not replace its pods. Of a Deployment the pods of each
// version are spread by themselves: the old ones are about to go.
func (p *Provider) spreadTemplate(r record, version ...string) corev1.PodTemplateSpec {
	template := p.podTemplate(r)
	for _, topology := range []string{corev1.LabelHostname, corev1.LabelTopologyZone} {
		template.Spec.TopologySpreadConstraints = append(template.Spec.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
			MaxSkew: 1, TopologyKey: topology, WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector:  &metav1.LabelSelector{MatchLabels: selectorFor(r.Config.InstanceName, r.Config.InstanceType)},
			MatchLabelKeys: version,
		})
	}
	return template
}

// disruptionBudget lets the cluster take away one replica at a time, such as
// when it empties a node. It is there with one replica too, which it does not
// hinder from being taken away: how many there are changes without us. Replicas
// that are not ready may always go, or a broken instance would keep a node.
func (p *Provider) disruptionBudget(r record) object {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: p.objectMeta(r, r.Config.InstanceName),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             new(intstr.FromInt32(1)),
			Selector:                   &metav1.LabelSelector{MatchLabels: selectorFor(r.Config.InstanceName, r.Config.InstanceType)},
			UnhealthyPodEvictionPolicy: new(policyv1.AlwaysAllow),
		},
	}
}
