package autoscale_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
)

// FuzzDecideOnAnythingStored reads a policy and a state from any JSON, as a store
// may have it, and lets it see any values.
func FuzzDecideOnAnythingStored(f *testing.F) {
	policy, err := json.Marshal(cpuPolicy())
	require.NoError(f, err)
	f.Add(policy, []byte(`{"lastChange":1700000000000,"replicas":2}`), int64(1_700_000_000_000), 2, 95.0)
	f.Add(policy, []byte(`{}`), int64(-1), 0, 0.0)
	f.Add([]byte(`{"minReplicas":1,"maxReplicas":100000,"scaleDownRules":[{"comparison":"<=","stepSize":100000}]}`), []byte(`{"lastChange":9223372036854775807}`), int64(1), 1<<40, -1e300)
	f.Fuzz(func(t *testing.T, policyJSON, stateJSON []byte, now int64, replicas int, value float64) {
		var policy hosting.AutoScalePolicy
		var state autoscale.State
		if json.Unmarshal(policyJSON, &policy) != nil || json.Unmarshal(stateJSON, &state) != nil {
			return
		}
		policy.InstanceID, policy.Name = webID, "any"
		valid := policy.Validate() == nil
		for n := range 5 {
			seen := autoscale.Observation{Replicas: replicas, Up: []autoscale.Reading{{Value: value}}, Down: []autoscale.Reading{{Value: value}}}
			d := autoscale.Decide(policy, state, seen, hosting.TimeFromMillis(now).Add(time.Duration(n)*15*time.Second))
			require.NotEmpty(t, d.String())
			state = d.State
			if !valid {
				continue // it must only not panic
			}
			require.False(t, d.Changes() && (d.To < policy.MinReplicas || d.To > policy.MaxReplicas), "%v", d)
			require.False(t, d.Changes() && replicas <= 0, "%v", d)
		}
	})
}
