//go:build linux

package kubernetes_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// hpa is the autoscaler of instance web as it is.
func (w *world) hpa(t *testing.T) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	o, err := w.client.AutoscalingV2().HorizontalPodAutoscalers(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	return o
}

func (w *world) patchHPA(t *testing.T, patch string) {
	t.Helper()
	_, err := w.client.AutoscalingV2().HorizontalPodAutoscalers(w.namespace).
		Patch(t.Context(), "web", types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "somebody"})
	require.NoError(t, err)
}

// awaitSeen waits until the real autoscaler has looked at this many replicas.
func (w *world) awaitSeen(t *testing.T, replicas int) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.EqualValues(c, replicas, w.hpa(t).Status.CurrentReplicas)
	}, waitTime, 200*time.Millisecond)
}

func (w *world) requireIdle(t *testing.T, what ...any) {
	t.Helper()
	o := w.hpa(t)
	require.NotNil(t, o.Spec.Behavior, what...)
	require.Equal(t, autoscalingv2.DisabledPolicySelect, *o.Spec.Behavior.ScaleUp.SelectPolicy, what...)
	require.Equal(t, autoscalingv2.DisabledPolicySelect, *o.Spec.Behavior.ScaleDown.SelectPolicy, what...)
	require.EqualValues(t, 1, *o.Spec.MinReplicas, what...)
	require.EqualValues(t, math.MaxInt32, o.Spec.MaxReplicas, what...)
}

func (w *world) requireTellsTakeOver(t *testing.T, id string, takenOver bool) {
	t.Helper()
	instance, err := w.GetInstance(t.Context(), id)
	require.NoError(t, err)
	_, tells := instance.Metadata[hosting.MetadataTakenOver]
	require.Equal(t, takenOver, tells)
}

const turnedOff = `{"spec":{"behavior":{"scaleUp":{"selectPolicy":"Disabled"},"scaleDown":{"selectPolicy":"Disabled"}}}}`

// Why a take-over widens the bounds, too.
func TestARealAutoscalerThatIsOnlyTurnedOffBringsACountBackIntoItsBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment)) // 2 to 4 replicas
	require.NoError(t, err)
	w.patchHPA(t, turnedOff)
	s := newScaler(w, hosting.TypeDeployment)
	for outside, want := range map[int32]int{7: 4, 1: 2} {
		require.NoError(t, s.patch(t.Context(), outside))
		require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, want, s.replicas(t)) }, waitTime, 200*time.Millisecond)
	}
}

func TestAPolicyThatHasTakenOverScalesBeyondTheBoundsOfTheAutoscaler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	require.NoError(t, w.TakeOver(t.Context(), instance.ID))
	s := newScaler(w, hosting.TypeDeployment)
	for _, step := range [][2]int{{2, 7}, {7, 1}} {
		require.NoError(t, w.ScaleFrom(t.Context(), instance.ID, step[0], step[1]))
		w.awaitSeen(t, step[1])
		require.Equal(t, step[1], s.replicas(t))
	}
	require.NoError(t, w.ScaleInstance(t.Context(), instance.ID, 6), "nothing else decides")
	w.awaitSeen(t, 6)
	require.Equal(t, 6, s.replicas(t))
	require.NoError(t, w.GiveBack(t.Context(), instance.ID))
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, 4, s.replicas(t)) }, waitTime, 200*time.Millisecond)
	require.ErrorIs(t, w.ScaleInstance(t.Context(), instance.ID, 3), hosting.Conflict)
}

// Whatever happens to the instance while a policy scales it: its autoscaler does
// not act, and gets back exactly what it had.
func TestAnAutoscalerStaysIdleUntilItIsGivenBackAsItWas(t *testing.T) {
	t.Parallel()
	const custom = `{"spec":{"behavior":{"scaleUp":{"selectPolicy":"Min","stabilizationWindowSeconds":7},"scaleDown":{"selectPolicy":"Disabled"}}}}`
	meanwhile := map[string]func(t *testing.T, w *world, id string){
		"nothing":     func(*testing.T, *world, string) {},
		"taken again": func(t *testing.T, w *world, id string) { require.NoError(t, w.TakeOver(t.Context(), id)) },
		"apply":       func(t *testing.T, w *world, _ string) { w.applyMark(t, hosting.TypeDeployment, 1) },
		"apply twice": func(t *testing.T, w *world, _ string) {
			w.applyMark(t, hosting.TypeDeployment, 1)
			w.applyMark(t, hosting.TypeDeployment, 2)
		},
		"apply as is":  func(t *testing.T, w *world, _ string) { w.applyAsIs(t) },
		"create again": func(t *testing.T, w *world, _ string) { w.applyAsIs(t); w.createAgain(t) },
		"rollback": func(t *testing.T, w *world, id string) {
			w.applyMark(t, hosting.TypeDeployment, 1)
			_, err := w.RollbackInstance(t.Context(), id, 0)
			require.NoError(t, err)
		},
		"stop and start": func(t *testing.T, w *world, id string) {
			require.NoError(t, w.ScaleInstance(t.Context(), id, 6))
			require.NoError(t, w.StopInstance(t.Context(), id))
			require.ErrorIs(t, w.ScaleFrom(t.Context(), id, 0, 2), hosting.Conflict)
			w.applyMark(t, hosting.TypeDeployment, 1)
			require.NoError(t, w.StartInstance(t.Context(), id))
			require.Equal(t, 6, newScaler(w, hosting.TypeDeployment).replicas(t), "its bounds do not matter")
		},
		"restart": func(t *testing.T, w *world, id string) { require.NoError(t, w.RestartInstance(t.Context(), id)) },
		"resources": func(t *testing.T, w *world, id string) {
			require.NoError(t, w.UpdateResources(t.Context(), id, hosting.ResourceConfig{CPULimit: 1}))
		},
		"an administrator turns it on": func(t *testing.T, w *world, id string) {
			w.patchHPA(t, `{"spec":{"maxReplicas":3,"behavior":{"scaleUp":{"selectPolicy":"Max"}}}}`)
			require.NoError(t, w.TakeOver(t.Context(), id))
		},
	}
	for behavior, patch := range map[string]string{"no behavior": "", "a behavior of its own": custom} {
		t.Run(behavior, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
			require.NoError(t, err)
			if patch != "" {
				w.patchHPA(t, patch)
			}
			before := w.hpa(t)
			for what, do := range meanwhile {
				require.NoError(t, w.TakeOver(t.Context(), instance.ID), what)
				w.requireIdle(t, what)
				w.requireTellsTakeOver(t, instance.ID, true)
				do(t, w, instance.ID)
				w.requireIdle(t, what)
				require.NoError(t, w.GiveBack(t.Context(), instance.ID), what)
				w.requireTellsTakeOver(t, instance.ID, false)
				require.Equal(t, before.Spec, w.hpa(t).Spec, what)
				require.NotContains(t, w.hpa(t).Annotations, "skillcenter.io/behavior", what)
				w.applyMark(t, hosting.TypeDeployment, 9)
				w.applyMark(t, hosting.TypeDeployment, 10)
				require.Equal(t, before.Spec, w.hpa(t).Spec, "%s: what others have said is still theirs", what)
			}
		})
	}
}

func TestTakingOverAndGivingBackAgainWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	counter := &writes{after: func(int) {}}
	p := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper { counter.RoundTripper = next; return counter }
	})
	for _, step := range []struct {
		call   func(context.Context, string) error
		writes int32
	}{{p.GiveBack, 0}, {p.TakeOver, 2}, {p.TakeOver, 2}, {p.GiveBack, 4}, {p.GiveBack, 4}} {
		require.NoError(t, step.call(t.Context(), instance.ID))
		require.Equal(t, step.writes, counter.count.Load(), "the anchor and the autoscaler")
	}
}

func (w *world) applyAsIs(t *testing.T) {
	t.Helper()
	_, err := w.ApplyInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
}

func (w *world) createAgain(t *testing.T) {
	t.Helper()
	_, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
}

func (w *world) loseHPA(t *testing.T) {
	t.Helper()
	require.NoError(t, w.client.AutoscalingV2().HorizontalPodAutoscalers(w.namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}))
}

func TestAnAutoscalerThatIsMadeAgainDoesNotActUntilItIsGivenBack(t *testing.T) {
	t.Parallel()
	for what, repair := range map[string]func(*world, context.Context, string) error{
		"start": func(w *world, ctx context.Context, id string) error { return w.StartInstance(ctx, id) },
		"create": func(w *world, ctx context.Context, _ string) error {
			_, err := w.CreateInstance(ctx, everything("web", hosting.TypeDeployment))
			return err
		},
		"apply": func(w *world, ctx context.Context, _ string) error {
			_, err := w.ApplyInstance(ctx, everything("web", hosting.TypeDeployment))
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
			require.NoError(t, err)
			before := w.hpa(t).Spec
			require.NoError(t, w.TakeOver(t.Context(), instance.ID))
			w.loseHPA(t)
			require.NoError(t, w.TakeOver(t.Context(), instance.ID), "there is nothing to take over")
			require.NoError(t, repair(w, t.Context(), instance.ID))
			w.requireIdle(t)
			w.applyMark(t, hosting.TypeDeployment, 1)
			w.requireIdle(t)
			require.NoError(t, w.GiveBack(t.Context(), instance.ID))
			require.Equal(t, before, w.hpa(t).Spec)
		})
	}
}

func TestAnAutoscalerThatIsAddedUnderAPolicyDoesNotAct(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := everything("web", hosting.TypeDeployment)
	target := config.Scaling
	config.Scaling = nil
	instance, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, w.TakeOver(t.Context(), instance.ID))

	config.Scaling = target
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	w.requireIdle(t)
	require.NoError(t, w.ScaleFrom(t.Context(), instance.ID, 2, 7))
	w.awaitSeen(t, 7)

	// It goes, and there is nothing to give back.
	config.Scaling = nil
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, w.GiveBack(t.Context(), instance.ID))
	config.Scaling = target
	_, err = w.ApplyInstance(t.Context(), config)
	require.NoError(t, err)
	require.Nil(t, w.hpa(t).Spec.Behavior)
	require.EqualValues(t, 4, w.hpa(t).Spec.MaxReplicas)
}

func TestATakeOverAtAnyMomentOfAnotherCallHolds(t *testing.T) {
	t.Parallel()
	const hpas = "/horizontalpodautoscalers"
	for what, m := range map[string]moment{
		"before a create makes the autoscaler":     {nth: 1, method: "POST", path: hpas},
		"before an apply writes the workload":      {nth: 1, method: "PATCH", path: "/deployments/web"},
		"before an apply writes the autoscaler":    {nth: 1, method: "PATCH", path: hpas + "/web"},
		"before an apply has written it":           {nth: 2, method: "PATCH", path: hpas + "/web"},
		"when an apply has written the autoscaler": {nth: 3, method: "PUT", path: "/configmaps/skill-web"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			config := everything("web", hosting.TypeDeployment)
			if m.method != "POST" {
				_, err := w.CreateInstance(t.Context(), config)
				require.NoError(t, err)
				config.SecretEnv = nil // changes more than the autoscaler
			}
			m.do = func() { assert.NoError(t, w.TakeOver(t.Context(), instanceID(config))) }
			if m.method == "PUT" {
				m.nth = 2 // accepting is the first one
			}
			_, err := w.interrupted(t, m).ApplyInstance(t.Context(), config)
			require.NoError(t, err)
			w.requireIdle(t)
			require.NoError(t, w.GiveBack(t.Context(), instanceID(config)))
			require.Nil(t, w.hpa(t).Spec.Behavior)
		})
	}
}

func TestOfATakeOverAndAGiveBackAtOnceTheLastOneHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
	require.NoError(t, err)
	before := w.hpa(t).Spec
	slow := w.interrupted(t, moment{nth: 1, method: "PATCH", path: "/horizontalpodautoscalers/web", do: func() {
		assert.NoError(t, w.GiveBack(t.Context(), instance.ID))
	}})
	require.NoError(t, slow.TakeOver(t.Context(), instance.ID))
	require.Equal(t, before, w.hpa(t).Spec)
	require.ErrorIs(t, w.ScaleFrom(t.Context(), instance.ID, 2, 3), hosting.Conflict)
}

func TestATakeOverThatDiesHalfwayIsCarriedOutByTheNextCall(t *testing.T) {
	t.Parallel()
	const custom = `{"spec":{"behavior":{"scaleUp":{"stabilizationWindowSeconds":7},"scaleDown":{"selectPolicy":"Min"}}}}`
	for what, next := range map[string]func(w *world, ctx context.Context, id string, takenOver bool) error{
		"the same again": func(w *world, ctx context.Context, id string, takenOver bool) error {
			if takenOver {
				return w.TakeOver(ctx, id)
			}
			return w.GiveBack(ctx, id)
		},
		"an apply": func(w *world, ctx context.Context, _ string, _ bool) error {
			_, err := w.ApplyInstance(ctx, everything("web", hosting.TypeDeployment))
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			instance, err := w.CreateInstance(t.Context(), everything("web", hosting.TypeDeployment))
			require.NoError(t, err)
			w.patchHPA(t, custom)
			before := w.hpa(t).Spec
			dying := w.provider(t, w.cluster.Config(), func(c *kubernetes.Config) {
				c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
					return roundTrip(func(r *http.Request) (*http.Response, error) {
						if r.Method == http.MethodPatch {
							return nil, errors.New("the process is gone")
						}
						return next.RoundTrip(r)
					})
				}
			})
			require.ErrorContains(t, dying.TakeOver(t.Context(), instance.ID), "the process is gone")
			require.Equal(t, before, w.hpa(t).Spec)
			require.NoError(t, next(w, t.Context(), instance.ID, true))
			w.requireIdle(t)
			require.ErrorContains(t, dying.GiveBack(t.Context(), instance.ID), "the process is gone")
			w.requireIdle(t)
			require.NoError(t, next(w, t.Context(), instance.ID, false))
			require.Equal(t, before, w.hpa(t).Spec)
		})
	}
}

func TestAPlanLeavesAnIdleAutoscalerAsItIs(t *testing.T) {
	t.Parallel()
	for what, patch := range map[string]string{"no behavior": "", "a behavior of its own": turnedOff} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			config := everything("web", hosting.TypeDeployment)
			instance, err := w.CreateInstance(t.Context(), config)
			require.NoError(t, err)
			if patch != "" {
				w.patchHPA(t, patch)
			}
			require.NoError(t, w.TakeOver(t.Context(), instance.ID))
			plan, err := w.PlanInstance(t.Context(), config)
			require.NoError(t, err)
			for _, o := range plan.Objects {
				if o.Kind == "HorizontalPodAutoscaler" {
					assert.Equal(t, hosting.PlanKeep, o.Action, "%s", o.Manifest)
				}
			}
			assert.Empty(t, plan.Changes)
		})
	}
}
