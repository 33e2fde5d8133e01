package client

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// list returns all pages of a list, which is never nil if there is no error. A
// part that the server could not read is told by an error beside the items.
func list[T any](ctx context.Context, c *Client, r request) ([]T, error) {
	r.method = http.MethodGet
	r = r.with("pageSize", strconv.Itoa(wire.MaxPageSize))
	items, token := []T{}, ""
	var missing []wire.Problem
	for {
		page, err := send[wire.List[T]](ctx, c, r.with("pageToken", token))
		if err != nil {
			return nil, err
		}
		if page.Items == nil {
			return nil, c.notTheAPI(r)
		}
		items = append(items, page.Items...)
		missing = append(missing, page.Errors...)
		switch page.NextPageToken {
		case "":
			return items, c.partial(r, missing)
		case token:
			return nil, c.errorf(r, hosting.Internal, "the server answers with the same page of the list again and again")
		}
		token = page.NextPageToken
	}
}

// plain returns a list without pages, which is never nil if there is no error.
func plain[T any](ctx context.Context, c *Client, r request) ([]T, error) {
	page, err := send[wire.List[T]](ctx, c, r)
	switch {
	case err != nil:
		return nil, err
	case page.Items == nil:
		return nil, c.notTheAPI(r)
	}
	return page.Items, nil
}

// partial is the error of a list that is not whole. Each page tells what is
// missing of the whole list, mostly the same.
func (c *Client) partial(r request, missing []wire.Problem) error {
	var distinct []*hosting.Error
	for _, p := range missing {
		failed := c.problem(r, p)
		if !slices.ContainsFunc(distinct, func(other *hosting.Error) bool { return other.Error() == failed.Error() }) {
			distinct = append(distinct, failed)
		}
	}
	if len(distinct) == 0 {
		return nil
	}
	first := distinct[0]
	texts := make([]string, len(distinct))
	for i, failed := range distinct {
		texts[i] = failed.Message
	}
	first.Message = strings.Join(texts, "; ")
	return first
}
