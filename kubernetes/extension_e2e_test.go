//go:build linux && e2e

package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/conformance"
	"skillcenter.io/hosting/provider/driver"
)

// unfit is a catalog whose only skill can be hosted nowhere.
type unfit struct{}

func (unfit) Skill(_ context.Context, id string) (provider.Skill, error) {
	if id != "unfit" {
		return provider.Skill{}, hosting.NotFound
	}
	return provider.Skill{ID: id, Config: hosting.CloudHostingConfig{InstanceName: id, InstanceType: "spaceship"}}, nil
}

// The extension is put together as a host does it, is called over REST, and has
// the permissions that are shipped. Those do not allow to check whether a skill
// fits on the platform.
func TestTheExtensionOverKubernetesConformsOverREST(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	p := w.provider(t, w.asShipped(t), smallPods, func(c *kubernetes.Config) {
		c.Defaults.Resources.CPULimit = 0.1
		// More than others get: a pod that is to be busy needs its share of a busy node.
		c.Defaults.Resources.CPURequest = 0.03
	})
	router, err := provider.NewRouter("cluster", []provider.Named{{Name: "cluster", Backend: driver.Backend{
		Provider: p, Volumes: p, Services: p, Scaling: p}}})
	require.NoError(t, err)
	const interval = 5 * time.Second
	controller, err := autoscale.New(autoscale.Config{Provider: router, Backend: router, Store: p.Store(),
		Elector: p.Elector("autoscaler"), Interval: interval})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- controller.Run(ctx) }()
	t.Cleanup(func() { // after all cases, which run in parallel
		cancel()
		require.NoError(t, <-done)
	})
	load := &burners{w: w, of: map[string]context.CancelFunc{}}
	t.Cleanup(load.end)
	remote := overREST(t, router, provider.NewExtension(provider.ExtensionConfig{Router: router, AutoScaler: controller, Catalog: unfit{}}))
	extension := conformance.Extension{
		Adapter:  remote,
		Interval: interval,
		Load:     load.set, UnfitSkill: "unfit",
	}
	conformance.RunExtension(t, conformance.ExtensionHarness{
		Harness: conformance.Harness{
			Provider:   func(*testing.T) hosting.CloudHostingProvider { return remote },
			Container:  skill,
			Types:      []string{hosting.TypeDeployment, hosting.TypeJob},
			Timeout:    5 * time.Minute,
			VolumeSize: 64 << 20,
			Parallel:   true,
		},
		Open: func(*testing.T, hosting.CloudHostingProvider) conformance.Extension { return extension },
	})
}

// burners keep the pods of instances busy.
type burners struct {
	w    *world
	wait sync.WaitGroup
	mu   sync.Mutex
	of   map[string]context.CancelFunc
}

// set lets the pods of an instance do all they can if they are to do more than
// half of it, and else nothing.
func (b *burners) set(id string, percent float64) error {
	parsed, err := hosting.ParseID(id)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	cancel, burns := b.of[id]
	switch {
	case burns && percent <= 50:
		cancel()
		delete(b.of, id)
	case !burns && percent > 50:
		ctx, cancel := context.WithCancel(context.Background())
		b.of[id] = cancel
		b.wait.Go(func() {
			for ctx.Err() == nil {
				if err := b.burn(ctx, parsed.Name); err != nil {
					time.Sleep(200 * time.Millisecond) // a pod that has just started, or ended
				}
			}
		})
	}
	return nil
}

// burn keeps all pods of an instance busy for about a second.
func (b *burners) burn(ctx context.Context, name string) error {
	pods, err := b.w.client.CoreV1().Pods(b.w.namespace).List(ctx, metav1.ListOptions{LabelSelector: "skillcenter.io/name=" + name})
	if err != nil {
		return err
	}
	failures := make([]error, len(pods.Items))
	var wait sync.WaitGroup
	for i, pod := range pods.Items {
		wait.Go(func() {
			// An address may have been another pod's before.
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:8080/burn?ms=1000", pod.Status.PodIP), nil)
			if err != nil {
				failures[i] = err
				return
			}
			request.Close = true
			response, err := http.DefaultClient.Do(request)
			if err == nil {
				err = response.Body.Close()
			}
			failures[i] = err
		})
	}
	wait.Wait()
	return errors.Join(failures...)
}

func (b *burners) end() {
	b.mu.Lock()
	for _, cancel := range b.of {
		cancel()
	}
	b.mu.Unlock()
	b.wait.Wait()
}
