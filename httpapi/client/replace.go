package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"skillcenter.io/hosting"
)

var _ hosting.PolicyReplacer = (*Client)(nil)

// ReplaceAutoScalePolicy replaces a policy that still is what was seen, see
// [hosting.PolicyReplacer]. It is not sent again once the server may have got it:
// it would find its own change then.
//
// It takes two requests: one for the policy as it is, and a PUT with its ETag.
// The server compares that with what it has in one step with the change if its
// extension can; else it keeps out only others who send ETags to it.
func (c *Client) ReplaceAutoScalePolicy(ctx context.Context, policyID string, seen, policy hosting.AutoScalePolicy) (hosting.AutoScalePolicy, error) {
	none := hosting.AutoScalePolicy{}
	put := updatePolicy(policyID, policy)
	get := onPolicy(http.MethodGet, policyID, "")
	get.instanceID, get.invalid = put.instanceID, put.invalid
	get.header = map[string]string{"Accept-Encoding": "identity"} // who compresses an answer weakens its ETag
	a, err := c.send(ctx, get)
	if err != nil {
		return none, err
	}
	var now hosting.AutoScalePolicy
	if err := json.Unmarshal(a.data, &now); err != nil || a.etag == "" {
		return none, c.errorf(get, hosting.Internal, "the answer of the server is no policy with an ETag")
	}
	if !c.samePolicy(now, seen) {
		return none, c.errorf(put, hosting.Conflict, "policy %s is no longer what was seen", policyID)
	}
	put.header = map[string]string{"If-Match": a.etag}
	return send[hosting.AutoScalePolicy](ctx, c, put.unrepeatable())
}

// samePolicy compares two policies as JSON documents.
func (c *Client) samePolicy(a, b hosting.AutoScalePolicy) bool {
	document := func(policy hosting.AutoScalePolicy) []byte {
		policy.PolicyID, policy.InstanceID = c.whole(policy.PolicyID), c.whole(policy.InstanceID)
		data, err := json.Marshal(policy)
		if err != nil { // a number that is none is in no policy that was seen
			return nil
		}
		return data
	}
	return bytes.Equal(document(a), document(b))
}

// whole returns an id with the default provider if it has none.
func (c *Client) whole(text string) string {
	id, err := hosting.ParseID(text)
	if err != nil {
		return text
	}
	id.Provider = cmp.Or(id.Provider, c.ProviderName())
	return id.String()
}
