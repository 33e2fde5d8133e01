package httpapi

import (
	"context"
	_ "embed"
	"net/http"

	"skillcenter.io/hosting/internal/wire"
)

// openAPI is the document that describes the routes. Its server is the path that
// it is served under itself, whatever the prefix is.
//
//go:embed openapi.yaml
var openAPI []byte

// document is a body that is written as it is.
type document struct {
	mediaType string
	data      []byte
}

func (q *request) getDocument() (Access, do) {
	return Access{}, func(context.Context) (*reply, error) {
		tag := tagOf(openAPI)
		answer := ok(document{wire.YAML, openAPI})
		if q.has(tag) {
			answer = &reply{status: http.StatusNotModified}
		}
		return answer.with("ETag", tag).with("Cache-Control", "no-cache"), nil
	}
}
