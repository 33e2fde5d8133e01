package hosting_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

// replacer is an adapter that can replace policies.
type replacer struct {
	hosting.UnimplementedAdapter
	id           string
	seen, policy hosting.AutoScalePolicy
}

func (r *replacer) ReplaceAutoScalePolicy(_ context.Context, policyID string, seen, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	r.id, r.seen, r.policy = policyID, seen, policy
	return policy, hosting.Conflict
}

func TestAPolicyIsReplacedByWhoeverCan(t *testing.T) {
	t.Parallel()
	seen, policy := hosting.AutoScalePolicy{Name: "seen"}, hosting.AutoScalePolicy{Name: "new", InstanceID: "id"}
	r := &replacer{}
	replaced, err := hosting.ReplaceAutoScalePolicy(t.Context(), r, "policy", seen, policy)
	assert.ErrorIs(t, err, hosting.Conflict)
	assert.Equal(t, policy, replaced)
	assert.Equal(t, &replacer{id: "policy", seen: seen, policy: policy}, r)

	for ctx, reason := range map[context.Context]hosting.Reason{t.Context(): hosting.Unsupported, cancelled(t): hosting.Canceled} {
		replaced, err := hosting.ReplaceAutoScalePolicy(ctx, hosting.UnimplementedAdapter{}, "policy", seen, policy)
		require.ErrorIs(t, err, reason)
		assert.Equal(t, hosting.PolicyFailed, hosting.CodeOf(err))
		assert.ErrorContains(t, err, "replacing a policy that was seen")
		var e *hosting.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "id", e.InstanceID)
		assert.Zero(t, replaced)
	}
}

func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
