//go:build linux && e2e

package kubernetes_test

import (
	"testing"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider/conformance"
)

// The suite runs with the permissions that are shipped, and no others. With a
// cache it runs over REST: see conformance_rest_e2e_test.go.
func TestKubernetesConforms(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	requireConforms(t, w.provider(t, w.asShipped(t), smallPods))
}

func requireConforms(t *testing.T, p hosting.CloudHostingProvider) {
	t.Helper()
	conformance.Run(t, conformance.Harness{
		Provider:  func(*testing.T) hosting.CloudHostingProvider { return p },
		Container: skill,
		Timeout:   5 * time.Minute,
		Parallel:  true,
	})
}

// smallPods asks for little, so that one node has room for all cases.
func smallPods(c *kubernetes.Config) {
	c.Defaults.Resources = hosting.ResourceConfig{CPURequest: 0.01, CPULimit: 0.5, MemoryRequest: 16 << 20, MemoryLimit: 64 << 20}
}

// skill is the container that does what the suite asks for.
func skill(workload conformance.Workload) hosting.ContainerConfig {
	grace := hosting.Duration(2 * time.Second)
	config := hosting.ContainerConfig{Image: testcluster.SkillImage, TerminationGracePeriod: &grace}
	lines := []string{"-level-lines", "-lines", "10"}
	switch workload {
	case conformance.Serve:
		config.Args = append(lines, "-every", "500ms")
	case conformance.Complete:
		config.Args = append(lines, "-every", "100ms", "-no-server", "-exit-after", "3s")
	case conformance.Fail:
		config.Args = []string{"-no-server", "-exit-after", "1ms", "-exit-code", "1"}
	case conformance.MissingImage:
		config.Image = "skillcenter.io/test/missing:v1"
	}
	return config
}
