package client_test

import (
	"net/http"

	"skillcenter.io/hosting/internal/pipehttp"
)

func httpClient(server *pipehttp.Server) *http.Client {
	return &http.Client{Transport: server.Transport()}
}
