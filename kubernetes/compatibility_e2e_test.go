//go:build linux && e2e

package kubernetes_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/provider/driver"
)

func TestACheckFindsThatAPodIsLargerThanEveryNode(t *testing.T) {
	t.Parallel()
	w := newNodeWorld(t)
	before := w.objects(t)
	small := sized("web", 1)
	small.Container.Image = testcluster.SkillImage
	small.Resources = &hosting.ResourceConfig{CPURequest: 0.01, CPULimit: 0.1, MemoryRequest: 16 << 20, MemoryLimit: 64 << 20}
	check := verdicts(t, w.Provider, small)[driver.CheckNodes]
	assert.Equal(t, hosting.CheckPass, check.Status, check.Message)
	assert.Contains(t, check.Message, "a pod fits on 1 of 1 nodes")

	large := small
	large.Resources = &hosting.ResourceConfig{CPURequest: 1000, CPULimit: 1000, MemoryRequest: 64 << 20, MemoryLimit: 64 << 20}
	found := verdicts(t, w.Provider, large)
	assert.Equal(t, hosting.CheckFail, found[driver.CheckNodes].Status)
	assert.Contains(t, found[driver.CheckNodes].Message, "a pod is larger than every node: it requests 1k cpu, the largest node has ")
	assert.Equal(t, hosting.CheckPass, found[driver.CheckAdmission].Status, "the API server takes it all the same")
	assert.Equal(t, before, w.objects(t))
}
