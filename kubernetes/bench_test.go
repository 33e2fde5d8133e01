//go:build linux

package kubernetes_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
)

const (
	benchInstances = 200
	benchWorkers   = 32
	benchRounds    = 7 // one more than a multiple of the three ways
)

// BenchmarkCreate compares creating 200 instances of a Deployment, a Service,
// an Ingress and a PodDisruptionBudget through the provider with creating the same objects through
// client-go alone: with the anchor, which gives "ratio", and without it, which
// gives "ratio-without-anchor". They take turns on one API server and the first
// round is not counted; the ratios are the medians of the others.
func BenchmarkCreate(b *testing.B) {
	w := newWorld(b)
	raw := w.rawCreator(b)
	provided := func(ctx context.Context, name string) error {
		_, err := w.CreateInstance(ctx, benchConfig(name))
		return err
	}
	ways := []struct {
		name   string
		create func(context.Context, string) error
	}{
		{"provider", provided},
		{"client-go", func(ctx context.Context, name string) error { return raw(ctx, name, true) }},
		{"without-anchor", func(ctx context.Context, name string) error { return raw(ctx, name, false) }},
	}
	for b.Loop() {
		ratios := map[string][]float64{}
		for round := range benchRounds {
			took := map[string]float64{}
			for i := range ways {
				// Who comes later meets the controllers at work on what the
				// others have made, so they take turns.
				way := ways[(i+round)%len(ways)]
				took[way.name] = w.timeCreates(b, fmt.Sprintf("%s-%d", way.name, round), way.create).Seconds()
			}
			b.Logf("round %d: seconds %v", round, took)
			if round > 0 {
				for name, seconds := range took {
					ratios[name] = append(ratios[name], took["provider"]/seconds)
				}
				ratios["seconds"] = append(ratios["seconds"], took["provider"])
			}
		}
		ratio := median(ratios["client-go"])
		b.ReportMetric(ratio, "ratio")
		if ratio > 1.1 {
			b.Errorf("creating takes %.2f times what client-go takes for the same objects, at most 1.1 is wanted", ratio)
		}
		b.ReportMetric(median(ratios["without-anchor"]), "ratio-without-anchor")
		b.ReportMetric(benchInstances/median(ratios["seconds"]), "instances/s")
	}
}

func benchConfig(name string) hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{
		InstanceName: name, InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: testcluster.SkillImage, Ports: []int{8080}},
		Network:   &hosting.NetworkConfig{IngressHost: name + ".example.com"},
	}
}

// timeCreates returns how long the workers take for all instances.
func (w *world) timeCreates(b *testing.B, prefix string, create func(context.Context, string) error) time.Duration {
	b.Helper()
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(benchWorkers)
	start := time.Now()
	for i := range benchInstances {
		group.Go(func() error { return create(ctx, fmt.Sprintf("%s-%d", prefix, i)) })
	}
	require.NoError(b, group.Wait())
	return time.Since(start)
}

// rawCreator returns a function that creates the objects of an instance with
// client-go and nothing else. They are copies of what the provider makes.
func (w *world) rawCreator(b *testing.B) func(ctx context.Context, name string, withAnchor bool) error {
	b.Helper()
	const sample = "sample"
	_, err := w.CreateInstance(b.Context(), benchConfig(sample))
	require.NoError(b, err)
	config := w.cluster.Config()
	config.ContentType = "application/vnd.kubernetes.protobuf" // as the provider
	config.AcceptContentTypes = config.ContentType
	client, err := clientset.NewForConfig(config)
	require.NoError(b, err)
	budgets := client.PolicyV1().PodDisruptionBudgets(w.namespace)
	core, apps, network := client.CoreV1(), client.AppsV1().Deployments(w.namespace), client.NetworkingV1().Ingresses(w.namespace)
	anchor, err := core.ConfigMaps(w.namespace).Get(b.Context(), "skill-"+sample, metav1.GetOptions{})
	require.NoError(b, err)
	service, err := core.Services(w.namespace).Get(b.Context(), sample, metav1.GetOptions{})
	require.NoError(b, err)
	ingress, err := network.Get(b.Context(), sample, metav1.GetOptions{})
	require.NoError(b, err)
	budget, err := budgets.Get(b.Context(), sample, metav1.GetOptions{})
	require.NoError(b, err)
	deployment, err := apps.Get(b.Context(), sample, metav1.GetOptions{})
	require.NoError(b, err)

	meta := func(from metav1.ObjectMeta, name string, owner *corev1.ConfigMap) metav1.ObjectMeta {
		result := metav1.ObjectMeta{Name: name, Labels: from.Labels, Annotations: from.Annotations}
		if owner != nil {
			result.OwnerReferences = slices.Clone(from.OwnerReferences)
			result.OwnerReferences[0].Name, result.OwnerReferences[0].UID = owner.Name, owner.UID
		}
		return result
	}
	return func(ctx context.Context, name string, withAnchor bool) error {
		var owner *corev1.ConfigMap
		if withAnchor {
			var err error
			owner, err = core.ConfigMaps(w.namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: meta(anchor.ObjectMeta, "skill-"+name, nil), Data: anchor.Data}, metav1.CreateOptions{})
			if err != nil {
				return err
			}
		}
		if _, err := core.Services(w.namespace).Create(ctx, &corev1.Service{
			ObjectMeta: meta(service.ObjectMeta, name, owner),
			Spec:       corev1.ServiceSpec{Type: service.Spec.Type, Ports: service.Spec.Ports, Selector: map[string]string{"app": name}},
		}, metav1.CreateOptions{}); err != nil {
			return err
		}
		if _, err := network.Create(ctx, &networkingv1.Ingress{ObjectMeta: meta(ingress.ObjectMeta, name, owner), Spec: ingress.Spec}, metav1.CreateOptions{}); err != nil {
			return err
		}
		budgetSpec := budget.Spec.DeepCopy()
		budgetSpec.Selector.MatchLabels["skillcenter.io/name"] = name
		if _, err := budgets.Create(ctx, &policyv1.PodDisruptionBudget{ObjectMeta: meta(budget.ObjectMeta, name, owner), Spec: *budgetSpec}, metav1.CreateOptions{}); err != nil {
			return err
		}
		copied := deployment.Spec.DeepCopy()
		copied.Selector.MatchLabels["skillcenter.io/name"], copied.Template.Labels["skillcenter.io/name"] = name, name
		_, err := apps.Create(ctx, &appsv1.Deployment{ObjectMeta: meta(deployment.ObjectMeta, name, owner), Spec: *copied}, metav1.CreateOptions{})
		return err
	}
}

// median sorts the values.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
