//go:build linux

package kubernetes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// envProcess turns the test binary into one of several processes that operate
// on the same instances. Its value is the number of the process.
const envProcess = "HOSTING_TEST_PROCESS"

// The processes are at work for processTime, and on a busy machine for longer,
// until each has been through processRounds.
const (
	processTime   = 20 * time.Second
	processRounds = 10
)

// acknowledged is what a process has been told to be done, last.
type acknowledged struct {
	CPU      map[string]float64 // by the name of the instance
	Memory   map[string]int64
	Replicas map[string]int
	Stopped  map[string]bool
	Applied  map[string]string
	// Operations counts the calls, Unexpected are errors that no
	// documentation tells of.
	Operations int
	Unexpected []string
}

// The instances that are never deleted, those that are configured anew all the
// time, and those that come and go.
var (
	steadyTypes   = []string{hosting.TypeDeployment, hosting.TypeStatefulSet}
	volatileTypes = []string{hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet, hosting.TypeJob, hosting.TypeCronJob}
)

func steady(instanceType string) hosting.CloudHostingConfig {
	config := everything("steady-"+instanceType, instanceType)
	config.Scaling = nil // no autoscaler: the processes scale
	return config
}

func applied(instanceType, mark string) hosting.CloudHostingConfig {
	config := everything("applied-"+instanceType, instanceType)
	config.Env, config.Labels = map[string]string{"MARK": mark}, map[string]string{"mark": mark}
	config.SecretEnv = hosting.SecretMap{"TOKEN": "token-" + mark}
	return config
}

func instanceID(config hosting.CloudHostingConfig) string {
	return hosting.ID{Region: "default", Type: config.InstanceType, Name: config.InstanceName}.String()
}

// operate is one of the processes.
func operate(number string) int {
	c := kubernetes.DefaultConfig()
	c.Kubeconfig = os.Getenv(envKubeconfig)
	c.Regions = []kubernetes.Region{{Name: "default", Namespace: os.Getenv(envNamespace)}}
	p, err := kubernetes.New(context.Background(), c)
	if err != nil {
		panic(err)
	}
	o := &operator{p: p, number: number, done: acknowledged{CPU: map[string]float64{}, Memory: map[string]int64{},
		Replicas: map[string]int{}, Stopped: map[string]bool{}, Applied: map[string]string{}}}
	ctx, cancel := context.WithTimeout(context.Background(), 2*waitTime)
	defer cancel()
	for _, instanceType := range steadyTypes {
		_, err := p.CreateInstance(ctx, steady(instanceType))
		o.check("create", err)
	}
	for end, n := time.Now().Add(processTime), 1; n <= processRounds || time.Now().Before(end); n++ {
		for _, instanceType := range steadyTypes {
			o.changeSteady(ctx, instanceID(steady(instanceType)), n)
			o.apply(ctx, instanceType, n)
		}
		o.changeVolatile(ctx, volatileTypes[rand.N(len(volatileTypes))])
	}
	if err := json.NewEncoder(os.Stdout).Encode(o.done); err != nil {
		panic(err)
	}
	return 0
}

type operator struct {
	p      *kubernetes.Provider
	number string
	done   acknowledged
}

// check notes an error that is not allowed, and tells whether there was none.
func (o *operator) check(what string, err error, allowed ...hosting.Reason) bool {
	o.done.Operations++
	if err != nil && !slices.Contains(allowed, hosting.ReasonOf(err)) {
		o.done.Unexpected = append(o.done.Unexpected, what+": "+err.Error())
	}
	return err == nil
}

// changeSteady changes what is this process' own: the first one the CPU and the
// number of replicas, the second one the memory and whether it is stopped.
func (o *operator) changeSteady(ctx context.Context, id string, n int) {
	if o.number == "0" {
		cpu := 1 + float64(n)/1000
		if o.check("CPU", o.p.UpdateResources(ctx, id, hosting.ResourceConfig{CPULimit: cpu})) {
			o.done.CPU[id] = cpu
		}
		if replicas := 1 + n%7; o.check("scale", o.p.ScaleInstance(ctx, id, replicas)) {
			o.done.Replicas[id] = replicas
		}
	} else {
		memory := int64(512+n) << 20
		if o.check("memory", o.p.UpdateResources(ctx, id, hosting.ResourceConfig{MemoryLimit: memory})) {
			o.done.Memory[id] = memory
		}
		if n%2 == 0 && o.check("stop", o.p.StopInstance(ctx, id)) {
			o.done.Stopped[id] = true
		}
		if n%2 == 1 && o.check("start", o.p.StartInstance(ctx, id)) {
			o.done.Stopped[id] = false
		}
	}
	o.check("restart", o.p.RestartInstance(ctx, id), hosting.Conflict) // it may be stopped
}

// apply gives an instance that both processes write a configuration that says
// whose it is.
func (o *operator) apply(ctx context.Context, instanceType string, n int) {
	mark := fmt.Sprintf("%s-%d", o.number, n)
	config := applied(instanceType, mark)
	if _, err := hosting.ApplyInstance(ctx, o.p, config); o.check("apply", err) {
		o.done.Applied[instanceID(config)] = mark
	}
}

// changeVolatile does anything to an instance that may be there or not.
func (o *operator) changeVolatile(ctx context.Context, instanceType string) {
	config := everything("volatile-"+instanceType, instanceType)
	config.Scaling = nil
	id := instanceID(config)
	gone := []hosting.Reason{hosting.NotFound, hosting.Conflict}
	switch rand.N(8) {
	case 0, 1, 2:
		_, err := o.p.CreateInstance(ctx, config)
		o.check("create", err, hosting.Conflict)
	case 3:
		o.check("delete", o.p.DeleteInstance(ctx, id), gone...)
	case 4:
		o.check("scale", o.p.ScaleInstance(ctx, id, 1+rand.N(3)), append(gone, hosting.Unsupported)...)
	case 5:
		o.check("stop", o.p.StopInstance(ctx, id), gone...)
	case 6:
		o.check("start", o.p.StartInstance(ctx, id), gone...)
	case 7:
		o.check("restart", o.p.RestartInstance(ctx, id), append(gone, hosting.Unsupported)...)
	}
}

func TestTwoProcessesLoseNoUpdateAndDuplicateNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	empty := w.objects(t)
	done := make([]acknowledged, 2)
	var wait sync.WaitGroup
	for i := range done {
		wait.Go(func() { done[i] = w.operateInProcess(t, i) })
	}
	wait.Wait()
	require.False(t, t.Failed())
	for i := range done {
		t.Logf("process %d: %d operations", i, done[i].Operations)
		assert.Empty(t, done[i].Unexpected, "process %d", i)
		require.Greater(t, done[i].Operations, 8*processRounds)
	}
	for _, instanceType := range steadyTypes {
		w.requireAcknowledged(t, steady(instanceType), done)
		w.requireApplied(t, instanceType, done)
	}
	w.forgetOldSecrets(t)
	var list []hosting.CloudInstance
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		list, err = w.ListInstances(t.Context())
		assert.NoError(c, err)
		for _, instance := range list {
			assert.NotEqual(c, hosting.StatusTerminating, instance.Status, instance.ID)
		}
	}, waitTime, 300*time.Millisecond, "what was deleted goes")
	w.requireNothingTwice(t, empty, list)
	for _, instance := range list {
		w.delete(t, instance.ID)
	}
	w.requireSameObjects(t, empty)
}

func (w *world) operateInProcess(t *testing.T, number int) (result acknowledged) {
	self, err := os.Executable()
	if !assert.NoError(t, err) {
		return
	}
	command := exec.CommandContext(t.Context(), self)
	command.Env = append(os.Environ(), envProcess+"="+strconv.Itoa(number), envKubeconfig+"="+w.cluster.Kubeconfig, envNamespace+"="+w.namespace)
	var output, errors bytes.Buffer
	command.Stdout, command.Stderr = &output, &errors
	if assert.NoError(t, command.Run(), "process %d: %s", number, &errors) {
		assert.NoError(t, json.Unmarshal(output.Bytes(), &result), "process %d: %s", number, &output)
	}
	return result
}

// requireAcknowledged requires that an instance is as each process was told
// last, and that it still is when its workload was lost and made again.
func (w *world) requireAcknowledged(t *testing.T, config hosting.CloudHostingConfig, done []acknowledged) {
	t.Helper()
	id := instanceID(config)
	require.Contains(t, done[0].CPU, id)
	require.Contains(t, done[1].Memory, id)
	look := func(when string) {
		now, err := w.GetInstance(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, done[0].CPU[id], now.Resources.CPULimit, "CPU of %s, %s", id, when)
		assert.Equal(t, done[1].Memory[id], now.Resources.MemoryLimit, "memory of %s, %s", id, when)
		stopped := now.Status == hosting.StatusStopped || now.Status == hosting.StatusStopping
		assert.Equal(t, done[1].Stopped[id], stopped, "%s is %s, %s", id, now.Status, when)
		replicas := now.Replicas
		if stopped {
			replicas = w.stoppedReplicas(t, id)
		}
		assert.Equal(t, done[0].Replicas[id], replicas, "replicas of %s, %s", id, when)
	}
	look("as it is")
	w.loseWorkload(t, config)
	_, err := w.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	look("made again")
}

// loseWorkload deletes the workload of an instance behind the provider's back.
func (w *world) loseWorkload(t *testing.T, config hosting.CloudHostingConfig) {
	t.Helper()
	options := metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}
	var err error
	if config.InstanceType == hosting.TypeStatefulSet {
		err = w.client.AppsV1().StatefulSets(w.namespace).Delete(t.Context(), config.InstanceName, options)
	} else {
		err = w.client.AppsV1().Deployments(w.namespace).Delete(t.Context(), config.InstanceName, options)
	}
	require.NoError(t, err)
}

// requireApplied requires that of two configurations one has won as a whole:
// one that its process was told last.
func (w *world) requireApplied(t *testing.T, instanceType string, done []acknowledged) {
	t.Helper()
	id := instanceID(applied(instanceType, ""))
	marks := []string{done[0].Applied[id], done[1].Applied[id]}
	now, err := w.GetInstance(t.Context(), id)
	require.NoError(t, err)
	mark := now.Labels["mark"]
	require.Contains(t, marks, mark)
	container := w.podTemplate(t, instanceType, "applied-"+instanceType).Spec.Containers[0]
	assert.Equal(t, mark, variable(container, "MARK"), "the workload has the configuration of the anchor")
	var from *corev1.SecretKeySelector
	for _, v := range container.Env {
		if v.Name == "TOKEN" {
			from = v.ValueFrom.SecretKeyRef
		}
	}
	require.NotNil(t, from)
	secret, err := w.client.CoreV1().Secrets(w.namespace).Get(t.Context(), from.Name, metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, "token-"+mark, string(secret.Data[from.Key]), "and its Secret")
	for _, other := range marks {
		_, err := w.CreateInstance(t.Context(), applied(instanceType, other))
		if other == mark {
			assert.NoError(t, err, "that is the configuration")
		} else {
			assert.ErrorIs(t, err, hosting.AlreadyExists)
		}
	}
}

// variable returns the value of a variable of a container.
func variable(container corev1.Container, name string) string {
	for _, v := range container.Env {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// forgetOldSecrets has the Secrets removed that earlier configurations needed.
// That takes a rollout to end, which no pod can hold up while it is stopped.
func (w *world) forgetOldSecrets(t *testing.T) {
	t.Helper()
	for _, instanceType := range steadyTypes {
		id := instanceID(applied(instanceType, ""))
		require.NoError(t, w.StopInstance(t.Context(), id))
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			assert.NoError(c, w.StopInstance(t.Context(), id))
			secrets, err := w.client.CoreV1().Secrets(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "skillcenter.io/name=applied-" + instanceType})
			assert.NoError(c, err)
			assert.Len(c, secrets.Items, 1)
		}, waitTime, 300*time.Millisecond)
	}
}

// requireNothingTwice waits until the namespace holds what its instances call
// for, each object once, and no more.
func (w *world) requireNothingTwice(t *testing.T, empty []string, instances []hosting.CloudInstance) {
	t.Helper()
	want := slices.Clone(empty)
	for _, instance := range instances {
		id, err := hosting.ParseID(instance.ID)
		require.NoError(t, err)
		name := id.Name
		want = append(want, "configmaps/skill-"+name, "services/"+name, "ingresses.networking.k8s.io/"+name, "secrets/"+name)
		switch id.Type {
		case hosting.TypeDeployment:
			want = append(want, "deployments.apps/"+name, "poddisruptionbudgets.policy/"+name)
		case hosting.TypeStatefulSet:
			want = append(want, "statefulsets.apps/"+name, "poddisruptionbudgets.policy/"+name, "services/"+name+"-hl")
		case hosting.TypeDaemonSet:
			want = append(want, "daemonsets.apps/"+name)
		case hosting.TypeJob:
			want = append(want, "jobs.batch/"+name)
		case hosting.TypeCronJob:
			want = append(want, "cronjobs.batch/"+name)
		}
		if strings.HasPrefix(name, "applied-") {
			want = append(want, "horizontalpodautoscalers.autoscaling/"+name)
		}
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.ElementsMatch(c, want, w.ourObjects(t))
	}, waitTime, 300*time.Millisecond)
}

// ourObjects names everything in the namespace that no controller of the
// cluster makes, with Secrets by the name of their instance.
func (w *world) ourObjects(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, object := range w.objects(t) {
		kind, name, _ := strings.Cut(object, "/")
		switch {
		case slices.Contains([]string{"pods", "replicasets.apps", "endpoints", "endpointslices.discovery.k8s.io", "controllerrevisions.apps"}, kind):
		case kind == "jobs.batch" && strings.HasPrefix(name, "volatile-cronjob-"): // a run
		case kind == "secrets" && strings.Contains(name, "-"):
			names = append(names, kind+"/"+name[:strings.LastIndex(name, "-")])
		default:
			names = append(names, object)
		}
	}
	return names
}
