package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/internal/wire"
)

// FuzzAPI sends requests to a furnished world: nothing panics, nothing is the
// server's fault, and every answer is what its type says.
func FuzzAPI(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.method(), prefix+s.target, wire.JSON, "", "", "", "an-id", []byte(s.body))
	}
	const web = prefix + "/instances/default.deployment.web"
	const config = `{"instanceName":"x","instanceType":"deployment","container":{"image":"nginx:1.29"}}`
	for _, odd := range [][8]string{
		{"HEAD", web}, {"OPTIONS", "*"}, {"CONNECT", web}, {"PATCH", web, wire.JSON, "", "", "", "", "{}"}, {"TRACE", prefix + "//x/../y"}, {"GET", prefix + "/instances/a%2Fb"},
		{"GET", prefix + "/instances?pageSize=1&pageToken=MTpuZWFy&label=a=b&label=c=d"}, {"GET", prefix + "/instances?x=%zz;&pageSize=9999999999999999999"},
		{"POST", prefix + "/instances?dryRun=true", wire.JSON, "", "", "", "", config},
		{"POST", prefix + "/instances", "text/plain", "", "", "", "", config}, {"POST", prefix + "/instances", "application/json;charset=x", "", "", "", "", `{"scaling":{"minReplicas":-1}}`},
		{"PUT", web + "?dryRun=true", wire.JSON, `"x"`, "", "", "", `{"container":{"image":"nginx:2"},"secretEnv":{"A":"\ud800"}}`},
		{"PUT", prefix + "/instances/far:other.job.new", wire.JSON, "*", "", "", "", config}, {"DELETE", web, "", `W/"x", "y"`, "", "return=minimal", "", ""},
		{"POST", web + "/scale", wire.JSON, "*", "", "respond-async, return=minimal", "", `{"replicas":1e9}`}, {"POST", web + "/scale", wire.JSON, "", "", "", "", `{"replicas":null}`},
		{"POST", web + "/rollback", "", "", "", "", "", ""}, {"PUT", web + "/resources", wire.JSON, "", "", "", "", `{"cpuLimit":1e308,"memoryLimit":-1}`},
		{"GET", web + "/logs?follow=true&limit=1", "", "", "MTIz", "", "", ""}, {"GET", web + "/logs?pattern=(&after=x&startTime=9223372036854775807&endTime=-9223372036854775808"},
		{"GET", web + "/cost?startTime=-9223372036854775808&endTime=9223372036854775807"}, {"GET", prefix + "/services?instanceId=default.deployment.web"},
		{"GET", prefix + "/autoscale?instanceId=x"}, {"GET", prefix + "/services/discover?name=%00"}, {"GET", prefix + "/capabilities?region=x&type=y"},
		{"GET", prefix + "/skills/%2e%2e%2f/compatibility"}, {"POST", prefix + "/volumes", wire.JSON, "", "", "", "", `{"name":"v","size":9223372036854775807,"mounts":[{}]}`},
		{"PUT", prefix + "/autoscale/default.policy.web", wire.JSON, `"x"`, "", "", "", `{"scaleUpRules":[{"threshold":1e999}]}`},
		{"POST", web + "/events", wire.JSON, "", "", "", "", `{"timestamp":-1,"metadata":{"":"\u0000"}}`},
	} {
		f.Add(odd[0], odd[1], odd[2], odd[3], odd[4], odd[5], odd[6], []byte(odd[7]))
	}
	f.Fuzz(func(t *testing.T, method, target, contentType, ifMatch, lastEventID, prefer, requestID string, body []byte) {
		// What net/http itself refuses never reaches a handler.
		at, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, method, "http://host/", bytes.NewReader(body))
		if err != nil {
			return
		}
		r.URL, r.RequestURI, r.Host = at, target, "host"
		for name, value := range map[string]string{"Content-Type": contentType, "If-Match": ifMatch, wire.LastEventID: lastEventID, wire.Prefer: prefer, wire.RequestID: requestID} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := newWorld(t).furnish(t)
		api := newAPI(t, w.provider, w.extension)
		answer := &watched{ResponseRecorder: httptest.NewRecorder(), stop: cancel}
		api.ServeHTTP(answer, r)
		require.NotErrorIs(t, ctx.Err(), context.DeadlineExceeded, "it hangs")
		require.NoError(t, api.Shutdown(t.Context()), "nobody is left inside")
		checkAnswer(t, r, answer.ResponseRecorder)
	})
}

// watched ends the request once its answer is a stream that has begun.
type watched struct {
	*httptest.ResponseRecorder
	stop func()
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.ResponseRecorder.Write(p)
	if w.Header().Get("Content-Type") == wire.EventStream {
		w.stop()
	}
	return n, err
}

func checkAnswer(t *testing.T, r *http.Request, answer *httptest.ResponseRecorder) {
	t.Helper()
	require.NotEmpty(t, answer.Header().Get(wire.RequestID))
	pattern := r.Pattern
	isStatus := strings.HasSuffix(pattern, prefix+"/status")
	require.True(t, answer.Code < 500 || answer.Code == http.StatusNotImplemented || isStatus && answer.Code == http.StatusServiceUnavailable,
		"%s %s: %d %s", r.Method, r.URL, answer.Code, answer.Body)
	data := answer.Body.Bytes()
	switch {
	case answer.Code == http.StatusNoContent, answer.Code == http.StatusNotModified:
		require.Empty(t, data)
	case answer.Code >= 300 && !isStatus:
		problemIn(t, answer)
	default:
		require.NoError(t, checkContent(answer.Header().Get("Content-Type"), data), "%s %s: %s", r.Method, r.URL, data)
	}
}

// checkContent tells whether data is what its type says.
func checkContent(mediaType string, data []byte) error {
	switch mediaType {
	case wire.JSON:
		if !json.Valid(data) {
			return errors.New("it is no JSON")
		}
	case wire.YAML:
		if len(data) == 0 {
			return errors.New("it is empty")
		}
	case wire.EventStream:
		for event := range strings.SplitSeq(string(data), "\n\n") {
			for line := range strings.SplitSeq(event, "\n") {
				name, value, _ := strings.Cut(line, ": ")
				if name == "data" && !json.Valid([]byte(value)) {
					return errors.New("the data of an event is no JSON: " + value)
				}
				if line != "" && line[0] != ':' && name != "data" && name != "event" && name != "id" {
					return errors.New("there is no such field: " + line)
				}
			}
		}
	default:
		return errors.New("no content type that we have: " + mediaType)
	}
	return nil
}
