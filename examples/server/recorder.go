package main

import (
	"net/http"
	"strings"
	"sync/atomic"
)

// recorder notes how a request was answered.
type recorder struct {
	http.ResponseWriter
	status  int  // 0 until it is written
	stream  bool // server-sent events
	streams *atomic.Int64
}

// Unwrap lets http.ResponseController reach the connection: without it there
// would be no streams.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
		if strings.HasPrefix(r.Header().Get("Content-Type"), "text/event-stream") {
			r.stream = true
			r.streams.Add(1)
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(data []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	return r.ResponseWriter.Write(data)
}

// close is called when the request has been served.
func (r *recorder) close() {
	if r.stream {
		r.streams.Add(-1)
	}
}
