package kubernetes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

// The anchor and the workload come by watches of their own, so the memory may
// know that a change has been carried out before it has seen the workload.
func TestAChangeWhoseWorkloadTheMemoryHasNotSeenIsNotRunning(t *testing.T) {
	m := fillMirror(t, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.all()[0]
	require.Equal(t, hosting.StatusRunning, before.instance.Status)
	a := m.anchors.objects["skill-web-0"].(*cachedAnchor)
	a.anchor.record.Desired.Generation, a.anchor.record.Desired.Applied = 1, 1
	a.anchor.record.Desired.UpdatedAt = hosting.NewTime(time.Now())
	see := func() hosting.Status {
		for key := range m.views {
			m.look(key, time.Now())
		}
		return m.all()[0].instance.Status
	}
	assert.Equal(t, hosting.StatusUpdating, see())
	m.workloads[hosting.TypeDeployment].objects["web-0"].SetAnnotations(map[string]string{annotationGeneration: "1"})
	assert.Equal(t, hosting.StatusRunning, see())
}
