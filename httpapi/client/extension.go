package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// availableWithin is how long the server may take to answer.
const availableWithin = 10 * time.Second

// IsAvailable tells whether the server answers within 10 seconds that its
// extension can be used now. It asks once.
func (c *Client) IsAvailable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, availableWithin)
	defer cancel()
	a, failed := c.try(ctx, request{code: hosting.GetFailed, method: http.MethodGet, path: "/status"}, nil)
	if failed != nil { // 503 is the answer of one that is not available
		return false
	}
	var status wire.Status
	return json.Unmarshal(a.data, &status) == nil && status.Available
}

// CheckCompatibility checks a skill against the platform. Ids that the path of a
// URL cannot carry are an InvalidArgument.
func (c *Client) CheckCompatibility(ctx context.Context, skillID string) (hosting.HostingCompatibility, error) {
	r := request{code: hosting.CompatibilityFailed, method: http.MethodGet, path: "/skills/" + url.PathEscape(skillID) + "/compatibility"}
	if r.invalid = unsendable(skillID); r.invalid != nil || path.Clean("/"+skillID) != "/"+skillID || skillID == "" {
		r.invalid = hosting.FieldErrors{{Field: "skillId", Value: skillID, Allowed: `UTF-8 text that is not empty, without empty, "." and ".." parts between slashes`}}
	}
	return send[hosting.HostingCompatibility](ctx, c, r)
}
