//go:build linux

package kubernetes_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider/store"
)

// call is something that a user of the provider does.
type call struct {
	// on is the type of the instance that it is done to.
	on string
	// absent tells that the instance must not exist yet, running that it has a
	// pod whose container runs.
	absent, running bool
	// alone tells that it must have one replica, and no autoscaler.
	alone bool
	// stopped tells that the instance is to be stopped.
	stopped bool
	do      func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, id string) error
}

// calls are all calls that need a permission which others do not. Those to the
// kubelets and to metrics-server come only so far without a node.
func calls() map[string]call {
	type do = func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, id string) error
	var (
		create do = func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, _ string) error {
			_, err := p.CreateInstance(ctx, config)
			return err
		}
		get do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			_, err := p.GetInstance(ctx, id)
			return err
		}
		list do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, _ string) error {
			_, err := p.ListInstances(ctx)
			return err
		}
		events do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			_, err := p.GetEvents(ctx, id)
			return err
		}
		stop do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			return p.StopInstance(ctx, id)
		}
		start do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			return p.StartInstance(ctx, id)
		}
		restart do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			return p.RestartInstance(ctx, id)
		}
		scale do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			return p.ScaleInstance(ctx, id, 3)
		}
		resources do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			return p.UpdateResources(ctx, id, hosting.ResourceConfig{CPULimit: 1})
		}
		runNow do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			return p.RunNow(ctx, id)
		}
		logs do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			_, err := p.GetLogs(ctx, id, hosting.LogQueryOptions{})
			return exceptNoNode(err)
		}
		// It ends without an error when its time is up.
		follow do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
			defer cancel()
			for _, err := range p.StreamLogs(ctx, id, hosting.LogQueryOptions{Follow: true}) {
				if err != nil {
					return err
				}
			}
			return nil
		}
		watch do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, _ string) error {
			for change, err := range p.WatchInstances(ctx) {
				if err != nil || change.Type == hosting.ChangeSynced {
					return err
				}
			}
			return nil
		}
		metrics do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			_, err := p.GetMetrics(ctx, id)
			return err
		}
		apply do = func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, _ string) error {
			config.Labels = map[string]string{"team": "green"} // stands on every part
			_, err := p.ApplyInstance(ctx, config)
			return err
		}
		applyLess do = func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, _ string) error {
			config.Network, config.Container.Ports, config.Scaling, config.SecretEnv = nil, nil, nil, nil
			_, err := p.ApplyInstance(ctx, config)
			return err
		}
		plan do = func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, _ string) error {
			config.Labels = map[string]string{"team": "green"}
			_, err := p.PlanInstance(ctx, config)
			return err
		}
		rollback do = func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, id string) error {
			if err := apply(ctx, p, config, id); err != nil {
				return err
			}
			_, err := p.RollbackInstance(ctx, id, 0)
			return err
		}
		// All that a store does: no permission is for it alone.
		documents do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			documents := p.Store()
			d, err := documents.Put(ctx, store.Document{Key: "policy/" + id, Owner: id, Data: json.RawMessage(`1`)})
			if err != nil {
				return err
			}
			if d, err = documents.Put(ctx, d); err != nil {
				return err
			}
			_, err = documents.Get(ctx, d.Key)
			_, listErr := documents.List(ctx, "policy")
			return errors.Join(err, listErr, documents.Delete(ctx, d.Key, d.Version))
		}
		scaleFrom do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			return p.ScaleFrom(ctx, id, 1, 3)
		}
		takeOver do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			return p.TakeOver(ctx, id)
		}
		giveBack do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			if err := p.TakeOver(ctx, id); err != nil {
				return err
			}
			return p.GiveBack(ctx, id)
		}
		recordEvent do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			return p.RecordEvent(ctx, id, hosting.InstanceEvent{Type: hosting.EventNormal, Reason: "Test"})
		}
		// It leads until it has renewed the Lease.
		lead do = func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, _ string) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			return p.Elector(config.InstanceName).Lead(ctx, func(ctx context.Context) {
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Second):
					cancel()
				}
			})
		}
		createVolume do = func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, _ string) error {
			_, err := p.CreateVolume(ctx, hosting.Volume{Name: config.InstanceName, Size: 1, StorageClass: "none"})
			return err
		}
		getVolume do = func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, id string) error {
			if err := createVolume(ctx, p, config, id); err != nil {
				return err
			}
			_, err := p.GetVolume(ctx, "default.volume."+config.InstanceName)
			return err
		}
		listVolumes do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, _ string) error {
			_, err := p.ListVolumes(ctx)
			return err
		}
		mountVolume do = func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, id string) error {
			if err := createVolume(ctx, p, config, id); err != nil {
				return err
			}
			if err := p.MountVolume(ctx, "default.volume."+config.InstanceName, id, "/data", false); err != nil {
				return err
			}
			return p.UnmountVolume(ctx, "default.volume."+config.InstanceName, id)
		}
		deleteVolume do = func(ctx context.Context, p *kubernetes.Provider, config hosting.CloudHostingConfig, id string) error {
			if err := createVolume(ctx, p, config, id); err != nil {
				return err
			}
			return p.DeleteVolume(ctx, "default.volume."+config.InstanceName)
		}
		check do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, _ string) error {
			return p.Check(ctx)
		}
		health do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			_, err := p.HealthCheck(ctx, id)
			return err
		}
		endpoint do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			_, err := p.GetServiceEndpoint(ctx, id)
			return err
		}
		revisions do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			_, err := p.ListRevisions(ctx, id)
			return err
		}
		remove do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			return p.DeleteInstance(ctx, id)
		}
		// All calls about a service, which ends as it began.
		service do = func(ctx context.Context, p *kubernetes.Provider, _ hosting.CloudHostingConfig, id string) error {
			name := "svc-" + strings.Split(id, ".")[2]
			registered, err := p.RegisterService(ctx, id, hosting.ServiceRegistration{ServiceName: name, Port: 8080})
			if err != nil {
				return err
			}
			if _, err := p.GetService(ctx, registered.ServiceID); err != nil {
				return err
			}
			if _, err := p.GetServicesByInstance(ctx, id); err != nil {
				return err
			}
			if _, err := p.DiscoverService(ctx, name); err != nil {
				return err
			}
			if _, err := p.ListServices(ctx); err != nil {
				return err
			}
			return p.UnregisterService(ctx, registered.ServiceID)
		}
	)
	result := map[string]call{
		"service": {on: hosting.TypeDeployment, do: service},
		"check":   {on: hosting.TypeDeployment, do: check},
		"list":    {on: hosting.TypeDeployment, do: list},
		"logs":    {on: hosting.TypeDeployment, do: logs, running: true},
		"follow":  {on: hosting.TypeDeployment, do: follow, running: true},
		"watch":   {on: hosting.TypeDeployment, do: watch},
		"metrics": {on: hosting.TypeDeployment, do: metrics, running: true},
		"run now": {on: hosting.TypeCronJob, do: runNow},

		"documents": {on: hosting.TypeDeployment, do: documents},
		"lead":      {on: hosting.TypeDeployment, do: lead},

		"take over":    {on: hosting.TypeStatefulSet, do: takeOver},
		"give back":    {on: hosting.TypeDeployment, do: giveBack},
		"record event": {on: hosting.TypeJob, do: recordEvent},

		"create volume": {on: hosting.TypeDaemonSet, do: createVolume},
		"get volume":    {on: hosting.TypeDaemonSet, do: getVolume},
		"list volumes":  {on: hosting.TypeDaemonSet, do: listVolumes},
		"mount volume":  {on: hosting.TypeStatefulSet, do: mountVolume, alone: true},
		"delete volume": {on: hosting.TypeDaemonSet, do: deleteVolume},
	}
	for _, on := range instanceTypes {
		result["create "+on] = call{on: on, do: create, absent: true}
		for name, do := range map[string]do{
			"create again": create, "get": get, "health": health, "endpoint": endpoint, "revisions": revisions, "events": events, "stop": stop, "start": start, "resources": resources, "apply": apply, "apply less": applyLess, "plan": plan, "rollback": rollback, "delete": remove,
		} {
			result[name+" "+on] = call{on: on, do: do}
		}
		if on != hosting.TypeCronJob {
			result["restart "+on] = call{on: on, do: restart}
		}
	}
	// A running job refuses these.
	for _, name := range []string{"resources", "apply", "apply less", "plan", "rollback"} {
		c := result[name+" "+hosting.TypeJob]
		c.stopped = true
		result[name+" "+hosting.TypeJob] = c
	}
	for _, on := range []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeJob} {
		result["scale "+on] = call{on: on, do: scale}
		result["scale from "+on] = call{on: on, do: scaleFrom}
	}
	return result
}

var instanceTypes = []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet, hosting.TypeJob, hosting.TypeCronJob}

// exceptNoNode drops the answer to a permitted request for a log where there
// is no node that could have it.
func exceptNoNode(err error) error {
	if err != nil && strings.Contains(err.Error(), "does not have a host assigned") {
		return nil
	}
	return err
}

// neededBy names, for each permission of the shipped role, a call that fails
// without it.
func neededBy() map[permission]string {
	const core, apps, batch, networking, autoscaling, metrics, discoveryGroup, coordination = "", "apps", "batch", "networking.k8s.io", "autoscaling", "metrics.k8s.io", "discovery.k8s.io", "coordination.k8s.io"
	return map[permission]string{
		{core, "configmaps", "create"}:                      "create deployment",
		{core, "configmaps", "get"}:                         "get deployment",
		{core, "configmaps", "list"}:                        "list",
		{core, "configmaps", "update"}:                      "restart deployment",
		{core, "configmaps", "patch"}:                       "create again deployment",
		{core, "configmaps", "delete"}:                      "delete deployment",
		{core, "configmaps/finalizers", "update"}:           "create daemonset",
		{batch, "cronjobs/finalizers", "update"}:            "run now",
		{core, "secrets", "create"}:                         "create job",
		{core, "secrets", "get"}:                            "create again job",
		{core, "secrets", "patch"}:                          "apply deployment",
		{core, "secrets", "delete"}:                         "apply less cronjob",
		{core, "persistentvolumeclaims", "create"}:          "create volume",
		{core, "persistentvolumeclaims", "get"}:             "get volume",
		{core, "persistentvolumeclaims", "list"}:            "list volumes",
		{core, "persistentvolumeclaims", "patch"}:           "mount volume",
		{core, "persistentvolumeclaims", "delete"}:          "delete volume",
		{"policy", "poddisruptionbudgets", "create"}:        "create deployment",
		{"policy", "poddisruptionbudgets", "get"}:           "create again deployment",
		{"policy", "poddisruptionbudgets", "patch"}:         "apply deployment",
		{core, "services", "patch"}:                         "apply daemonset",
		{core, "services", "delete"}:                        "apply less daemonset",
		{networking, "ingresses", "patch"}:                  "apply cronjob",
		{networking, "ingresses", "delete"}:                 "apply less cronjob",
		{autoscaling, "horizontalpodautoscalers", "patch"}:  "apply statefulset",
		{autoscaling, "horizontalpodautoscalers", "delete"}: "apply less statefulset",
		{discoveryGroup, "endpointslices", "list"}:          "service",
		{core, "services", "create"}:                        "create daemonset",
		{core, "services", "get"}:                           "get daemonset",
		{core, "services", "list"}:                          "list",
		{networking, "ingresses", "create"}:                 "create daemonset",
		{networking, "ingresses", "get"}:                    "get daemonset",
		{networking, "ingresses", "list"}:                   "list",
		{apps, "deployments", "create"}:                     "create deployment",
		{apps, "deployments", "get"}:                        "get deployment",
		{apps, "deployments", "list"}:                       "list",
		{apps, "deployments", "patch"}:                      "restart deployment",
		{apps, "deployments/scale", "update"}:               "scale deployment",
		{apps, "statefulsets", "create"}:                    "create statefulset",
		{apps, "statefulsets", "get"}:                       "get statefulset",
		{apps, "statefulsets", "list"}:                      "list",
		{apps, "statefulsets", "patch"}:                     "restart statefulset",
		{apps, "statefulsets/scale", "update"}:              "scale statefulset",
		{apps, "daemonsets", "create"}:                      "create daemonset",
		{apps, "daemonsets", "get"}:                         "get daemonset",
		{apps, "daemonsets", "list"}:                        "list",
		{apps, "daemonsets", "patch"}:                       "stop daemonset",
		{batch, "jobs", "create"}:                           "create job",
		{batch, "jobs", "get"}:                              "get job",
		{batch, "jobs", "list"}:                             "list",
		{batch, "jobs", "patch"}:                            "stop job",
		{batch, "jobs", "delete"}:                           "restart job",
		{batch, "cronjobs", "create"}:                       "create cronjob",
		{batch, "cronjobs", "get"}:                          "get cronjob",
		{batch, "cronjobs", "list"}:                         "list",
		{batch, "cronjobs", "patch"}:                        "stop cronjob",
		{autoscaling, "horizontalpodautoscalers", "create"}: "create statefulset",
		{autoscaling, "horizontalpodautoscalers", "get"}:    "start statefulset",
		{core, "pods", "list"}:                              "get job",
		{core, "pods", "watch"}:                             "follow",
		{core, "configmaps", "watch"}:                       "watch",
		{core, "services", "watch"}:                         "watch",
		{apps, "deployments", "watch"}:                      "watch",
		{apps, "statefulsets", "watch"}:                     "watch",
		{apps, "daemonsets", "watch"}:                       "watch",
		{batch, "jobs", "watch"}:                            "watch",
		{batch, "cronjobs", "watch"}:                        "watch",
		{networking, "ingresses", "watch"}:                  "watch",
		{core, "pods/log", "get"}:                           "logs",
		{core, "events", "list"}:                            "events daemonset",
		{apps, "replicasets", "list"}:                       "events deployment",
		{metrics, "pods", "list"}:                           "metrics",
		{core, "events", "create"}:                          "record event",
		{coordination, "leases", "create"}:                  "lead",
		{coordination, "leases", "get"}:                     "lead",
		{coordination, "leases", "update"}:                  "lead",
	}
}

// neededElsewhere are the permissions that have a test of their own: without
// them something is missing, or only containers which really run need them.
func neededElsewhere() map[permission]string {
	return map[permission]string{
		{"", "pods", "get"}:     "TestFollowingRestartsNeedsToGetPods", // end to end
		{"", "events", "watch"}: "TestAWatchThatMayNotWatchEventsLearnsOfTheirReasonsLate",
	}
}

// prepare makes what a call is done to, as an administrator.
func (w *world) prepare(t *testing.T, instance string, c call) (hosting.CloudHostingConfig, string) {
	t.Helper()
	config := everything(instance, c.on)
	if c.on == hosting.TypeCronJob {
		config.Schedule = "0 0 1 1 *" // no run but those that the test starts
	}
	if c.alone || config.Scaling != nil && strings.HasPrefix(instance, "scale") {
		config.Scaling = nil
	}
	id := "default." + c.on + "." + instance
	if c.absent {
		return config, id
	}
	_, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	if c.stopped {
		require.NoError(t, w.StopInstance(t.Context(), id))
	}
	if c.running {
		require.EventuallyWithT(t, func(collect *assert.CollectT) {
			w.showRunning(t.Context(), collect, instance)
		}, waitTime, 100*time.Millisecond)
	}
	return config, id
}
