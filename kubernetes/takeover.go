package kubernetes

import (
	"context"
	"encoding/json"
	"math"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
)

// A policy takes an instance over from its HorizontalPodAutoscaler, which stays
// and does not act. The anchor says so first. From then on whoever makes or
// changes the autoscaler, an apply or a repair, makes it one that does not act,
// and an autoscaler that a later configuration adds is born like that: there is
// no moment with two owners. The autoscaler itself keeps what it gets back of
// its behavior, in an annotation that is written together with the change; its
// bounds come from the anchor.
//
// Whoever has written the autoscaler then looks at the anchor again, and at
// another answer does the same once more. So what holds in the end is what the
// anchor says. If a process dies in between, the next call of TakeOver, GiveBack,
// ApplyInstance or an unfinished create does it.

var _ autoscale.Backend = (*Provider)(nil)

// TakeOver implements [autoscale.Backend]. While it is in force ScaleInstance is
// allowed, too. An instance without an autoscaler is marked, so that one which a
// later configuration adds does not act; jobs and others that never have one are
// left as they are. One with a volume for one replica only is a Conflict, and it
// gets no such volume while it is taken over.
func (p *Provider) TakeOver(ctx context.Context, instanceID string) error {
	return p.setTakenOver(ctx, instanceID, true)
}

// GiveBack implements [autoscale.Backend]. An autoscaler that is gone by now has
// nothing to get back.
func (p *Provider) GiveBack(ctx context.Context, instanceID string) error {
	return p.setTakenOver(ctx, instanceID, false)
}

func (p *Provider) setTakenOver(ctx context.Context, instanceID string, takenOver bool) error {
	t, a, err := p.begin(ctx, hosting.ScaleFailed, instanceID)
	if err != nil || !t.kind.autoscaled() {
		return err
	}
	a, err = p.change(ctx, hosting.ScaleFailed, t, a, func(d *desired) error {
		if id := d.exclusiveVolume(); takenOver && id != "" {
			return p.conflict(hosting.ScaleFailed, t.id, "volume %s can be used by one replica only: no policy can scale the instance", id)
		}
		d.TakenOver = takenOver
		return nil
	})
	if err != nil {
		return err
	}
	err = retryOnConflict(ctx, func() error {
		live, err := autoscalers.get(ctx, t.region, t.name)
		if err != nil {
			return ignoreNotFound(err) // who makes it looks into the anchor
		}
		if live.GetDeletionTimestamp() != nil {
			return nil
		}
		if !a.owns(live) {
			if !a.record.Desired.TakenOver {
				return nil
			}
			return p.conflict(hosting.ScaleFailed, t.id, "%s exists and does not belong to this instance", describe(autoscalers, live))
		}
		settled, err := p.settle(ctx, t, a, live)
		if err != nil || settled == live {
			return ignoreNotFound(err)
		}
		carriedOut := a.record.Desired.TakenOver
		if a, err = p.anchorAgain(ctx, hosting.ScaleFailed, t, a.UID); err != nil {
			return err
		}
		if a.record.Desired.TakenOver != carriedOut {
			return apierrors.NewConflict(groupResource(autoscalers), t.name, errSuperseded)
		}
		return nil
	})
	if err != nil {
		return p.fail(ctx, hosting.ScaleFailed, t.id, "changing "+autoscalers.kind+" "+t.name, err)
	}
	return nil
}

// acting is the autoscaler that decides how many replicas there are: nil if there
// is none, or a policy has taken over.
func (d desired) acting() *hosting.ScaleConfig {
	if d.TakenOver {
		return nil
	}
	return d.Spec.Autoscaler
}

// settle makes an autoscaler one that acts or does not, as the anchor says. It
// returns the same object if that is so already. It is a conflict if somebody
// else has changed it since it was read.
func (p *Provider) settle(ctx context.Context, t target, a *anchor, live object) (object, error) {
	hpa := live.(*autoscalingv2.HorizontalPodAutoscaler)
	wanted, before := hpa.Spec, any(nil)
	kept, isKept := hpa.Annotations[annotationBehavior]
	limits := a.record.Desired.Spec.Autoscaler
	switch {
	case a.record.Desired.TakenOver && isKept && isIdle(hpa.Spec), !a.record.Desired.TakenOver && !isKept, limits == nil:
		return live, nil
	case a.record.Desired.TakenOver:
		wanted, before = idle(hpa.Spec), kept
		if !isKept {
			text, err := json.Marshal(hpa.Spec.Behavior)
			if err != nil {
				return nil, err
			}
			before = string(text)
		}
	default:
		wanted.MinReplicas, wanted.MaxReplicas = new(int32(limits.MinReplicas)), int32(limits.MaxReplicas)
		wanted.Behavior = nil
		if err := json.Unmarshal([]byte(kept), &wanted.Behavior); err != nil {
			wanted.Behavior = nil // somebody has spoilt it: it acts as it would without one
		}
	}
	patch := mergePatch(map[string]any{
		"metadata": map[string]any{
			"resourceVersion": hpa.ResourceVersion,
			"annotations":     map[string]any{annotationBehavior: before},
		},
		"spec": map[string]any{"minReplicas": wanted.MinReplicas, "maxReplicas": wanted.MaxReplicas, "behavior": wanted.Behavior},
	})
	return autoscalers.patchWith(ctx, t.region, t.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: takeOverManager})
}

// idle is the spec of an autoscaler that does not act. To turn both directions
// off is not enough: one whose target has a number of replicas outside its
// bounds brings it back, whatever its behavior says.
func idle(spec autoscalingv2.HorizontalPodAutoscalerSpec) autoscalingv2.HorizontalPodAutoscalerSpec {
	spec.MinReplicas, spec.MaxReplicas = new(int32(1)), math.MaxInt32
	behavior := spec.Behavior.DeepCopy()
	if behavior == nil {
		behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
	}
	for _, rules := range []**autoscalingv2.HPAScalingRules{&behavior.ScaleUp, &behavior.ScaleDown} {
		if *rules == nil {
			*rules = &autoscalingv2.HPAScalingRules{}
		}
		(*rules).SelectPolicy = new(autoscalingv2.DisabledPolicySelect)
	}
	spec.Behavior = behavior
	return spec
}

func isIdle(spec autoscalingv2.HorizontalPodAutoscalerSpec) bool {
	off := func(rules *autoscalingv2.HPAScalingRules) bool {
		return rules != nil && rules.SelectPolicy != nil && *rules.SelectPolicy == autoscalingv2.DisabledPolicySelect
	}
	return spec.Behavior != nil && off(spec.Behavior.ScaleUp) && off(spec.Behavior.ScaleDown) &&
		spec.MinReplicas != nil && *spec.MinReplicas == 1 && spec.MaxReplicas == math.MaxInt32
}

// followTakeOver leaves an autoscaler alone in what a take-over has written into
// one that had a behavior before: what an apply says would be its own, and a later
// one remove it.
func followTakeOver(o, live object) object {
	if kept, ok := live.GetAnnotations()[annotationBehavior]; ok && kept != "null" {
		o.(*autoscalingv2.HorizontalPodAutoscaler).Spec.Behavior = nil
		annotations := o.GetAnnotations()
		delete(annotations, annotationBehavior)
		o.SetAnnotations(annotations)
	}
	return o
}
