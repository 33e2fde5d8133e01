package kubernetes_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// openHost opens a host from a file with this text.
func openHost(t *testing.T, text string) *provider.Host {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosting.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	host, err := provider.OpenFile(t.Context(), path, map[string]driver.Opener{"kubernetes": kubernetes.Open, "fake": fake.Open})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, host.Close()) })
	return host
}

func TestAHostFromAFileCreatesWhatItsSectionSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := openHost(t, fmt.Sprintf(`
hosting:
  defaultProvider: skills
  skills:
    type: kubernetes
    kubeconfig: %s
    regions: [{name: main, namespace: %s}]
    defaults: {imagePullPolicy: Never}
    resources: {limits: {cpu: 300m}}
    networking: {serviceType: NodePort}
    cache: true
  test: {type: fake}
  defaults:
    resources: {cpuLimit: 900m, memoryLimit: 64Mi}
    scaling: {minReplicas: 2}
`, w.cluster.KubeconfigFile(t, w.cluster.Config()), w.namespace))
	running, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- host.Run(running) }()

	p := host.Provider()
	web, err := p.CreateInstance(t.Context(), hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "registry.example.com/web:1", Ports: []int{80}}})
	require.NoError(t, err)
	assert.Equal(t, "skills:main.deployment.web", web.ID)
	assert.Equal(t, "skills", web.Provider)
	assert.Equal(t, "kubernetes", web.ProviderType)

	workload, err := w.client.AppsV1().Deployments(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	container := workload.Spec.Template.Spec.Containers[0]
	assert.EqualValues(t, 2, *workload.Spec.Replicas, "of the defaults for all")
	assert.EqualValues(t, "Never", container.ImagePullPolicy)
	assert.Equal(t, "300m", container.Resources.Limits.Cpu().String(), "the section goes before the defaults for all")
	assert.Equal(t, "250m", container.Resources.Requests.Cpu().String(), "what the protocol has")
	assert.Equal(t, "64Mi", container.Resources.Limits.Memory().String(), "of the defaults for all")
	assert.Equal(t, "64Mi", container.Resources.Requests.Memory().String(), "what the protocol has gives way")
	service, err := w.client.CoreV1().Services(w.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.EqualValues(t, "NodePort", service.Spec.Type)

	require.NoError(t, p.ScaleInstance(t.Context(), "main.deployment.web", 3), "a bare id means the default provider")
	other, err := p.CreateInstance(t.Context(), hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment, Provider: "test",
		Container: &hosting.ContainerConfig{Image: "registry.example.com/web:1"}})
	require.NoError(t, err)
	all, err := p.ListInstances(t.Context())
	require.NoError(t, err)
	ids := []string{}
	for _, in := range all {
		ids = append(ids, in.ID)
	}
	assert.Equal(t, []string{web.ID, other.ID}, ids)
	require.NoError(t, p.DeleteInstance(t.Context(), web.ID))
	deleted, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	require.NoError(t, hosting.WaitForDeletion(deleted, p, web.ID, hosting.WaitOptions{Interval: 50 * time.Millisecond}))
	stop()
	require.NoError(t, <-ran)
}

func TestAHostOpensWhileItsClusterIsAway(t *testing.T) {
	t.Parallel()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, []byte(`
apiVersion: v1
kind: Config
current-context: away
contexts: [{name: away, context: {cluster: away}}]
clusters: [{name: away, cluster: {server: 'http://127.0.0.1:1'}}]
`), 0o600))
	host := openHost(t, fmt.Sprintf(`
hosting:
  defaultProvider: kubernetes
  kubernetes: {kubeconfig: %s, regionTimeout: 5s}
  fake:
`, kubeconfig))
	p := host.Provider()
	config := hosting.CloudHostingConfig{InstanceName: "web", InstanceType: hosting.TypeDeployment, Container: &hosting.ContainerConfig{Image: "x"}}
	_, err := p.CreateInstance(t.Context(), config)
	assert.ErrorIs(t, err, hosting.Unavailable)
	config.Provider = "fake"
	_, err = p.CreateInstance(t.Context(), config)
	require.NoError(t, err)
	all, err := p.ListInstances(t.Context())
	assert.ErrorContains(t, err, "kubernetes")
	require.Len(t, all, 1, "the other's instances are listed with an error about this one")
	assert.Equal(t, "fake:default.deployment.web", all[0].ID)
}
