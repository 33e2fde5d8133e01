package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store"
)

// specExtension is what one provider alone can do.
type specExtension struct {
	hosting.VolumeManager
	hosting.ServiceDiscovery
	hosting.CompatibilityChecker
	*autoscale.Controller
	available bool
}

func (x *specExtension) IsAvailable(context.Context) bool { return x.available }

// specDriver talks to a provider over HTTP, in virtual time.
type specDriver struct {
	*specChecker
	client    *http.Client
	provider  *fake.Provider
	extension *specExtension
}

// specAuthorizer knows everybody but one. Another may only read, and another
// nothing.
func specAuthorizer(r *http.Request, access httpapi.Access) (context.Context, error) {
	switch r.Header.Get("Authorization") {
	case "Bearer of-nobody":
		return nil, hosting.Unauthenticated
	case "Bearer of-a-stranger":
		return nil, hosting.PermissionDenied
	case "Bearer of-a-reader":
		if access.Changes {
			return nil, hosting.PermissionDenied
		}
	}
	return r.Context(), nil
}

// driveSpec runs a test on 1 June 2026 at eight o'clock.
func driveSpec(t *testing.T, test func(*specDriver)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)))
		p := fake.New(fake.WithWorkload(func(config hosting.CloudHostingConfig) fake.Workload {
			w := fake.Workload{RunTime: -1, LogInterval: 10 * time.Second, LogLine: func(n int) string { return fmt.Sprintf("INFO request %d served", n+1) }}
			if config.InstanceType == hosting.TypeJob {
				w.RunTime = 25 * time.Second
			}
			return w
		}))
		router, err := provider.NewRouter("fake", []provider.Named{{Name: "fake", Backend: driver.Backend{Provider: p, Checker: p}}})
		require.NoError(t, err)
		policies, err := autoscale.New(autoscale.Config{Provider: p, Backend: p, Store: store.NewMemory(), Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		d := &specDriver{specChecker: newSpecChecker(t), provider: p, extension: &specExtension{p, p,
			provider.NewExtension(provider.ExtensionConfig{Router: router, Catalog: catalog{}}), policies, true}}
		d.api, err = httpapi.New(p, d.extension, httpapi.WithAuthorizer(specAuthorizer))
		require.NoError(t, err)
		listener := &pipes{made: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: d}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		d.client = &http.Client{Transport: &http.Transport{DialContext: listener.dial}}
		test(d)
		d.client.CloseIdleConnections()
		require.NoError(t, d.api.Shutdown(t.Context()))
		require.NoError(t, server.Shutdown(t.Context()))
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
}

// pipes is a listener inside of a bubble.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.made <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.made:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// do makes a request and wants a status. A body that is the name of an
// operation, as in "scaleInstance!", is the document's example for it.
func (d *specDriver) do(status int, method, path, body string, header ...string) (http.Header, []byte) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Hour)
	defer cancel()
	answer := d.open(ctx, method, path, body, header...)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	require.NoError(d.t, err)
	require.Equal(d.t, status, answer.StatusCode, "%s %s: %s", method, path, data)
	return answer.Header, data
}

func (d *specDriver) open(ctx context.Context, method, path, body string, header ...string) *http.Response {
	d.t.Helper()
	if name, is := strings.CutSuffix(body, "!"); is {
		body = d.example(name)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://api"+specPrefix+path, strings.NewReader(body))
	require.NoError(d.t, err)
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", wire.JSON)
	}
	r.Header.Set(wire.RequestID, "b7f3a2")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := d.client.Do(r)
	require.NoError(d.t, err)
	return answer
}

// example is the document's example of the body of an operation.
func (d *specDriver) example(operationID string) string {
	d.t.Helper()
	for _, operation := range d.operations {
		if operation.OperationID == operationID {
			data, err := json.Marshal(operation.RequestBody.Value.Content[wire.JSON].Example)
			require.NoError(d.t, err)
			return string(data)
		}
	}
	require.Fail(d.t, "no such operation", operationID)
	return ""
}

// events reads as many events and then goes away; all of them if count is 0.
func (d *specDriver) events(count int, path string, header ...string) (ids []string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 5*time.Minute)
	defer cancel()
	answer := d.open(ctx, http.MethodGet, path, "", header...)
	defer answer.Body.Close()
	require.Equal(d.t, http.StatusOK, answer.StatusCode, path)
	require.Equal(d.t, wire.EventStream, answer.Header.Get("Content-Type"))
	lines := bufio.NewScanner(answer.Body)
	seen := 0
	for lines.Scan() {
		if id, is := strings.CutPrefix(lines.Text(), "id: "); is {
			ids = append(ids, id)
		}
		if strings.HasPrefix(lines.Text(), "data: ") {
			if seen++; seen == count {
				break
			}
		}
	}
	cancel()
	synctest.Wait()
	return ids
}

// Every operation succeeds, with the requests of the examples, and is answered
// as the document says and as the examples show: word for word.
func TestEveryOperationAnswersAsTheDocumentAndItsExamplesSay(t *testing.T) {
	t.Parallel()
	driveSpec(t, func(d *specDriver) {
		driveInstances(d)
		driveMonitoring(d)
		driveVolumes(d)
		driveServices(d)
		drivePolicies(d)
		driveServer(d)
		driveActions(d)
		driveMistakes(d)
		d.wantEveryOperation()
		d.wantEveryExample()
		d.wantEveryProblem()
	})
}

const specWeb = "/instances/default.deployment.web"

func driveInstances(d *specDriver) {
	d.do(200, "POST", "/instances?dryRun=true", "createInstance!")
	header, _ := d.do(201, "POST", "/instances", "createInstance!")
	require.Equal(d.t, specPrefix+specWeb, header.Get("Location"))
	d.do(200, "POST", "/instances", "createInstance!")
	time.Sleep(45 * time.Second)
	header, _ = d.do(200, "GET", specWeb, "")
	d.do(304, "GET", specWeb, "", "If-None-Match", header.Get("ETag"))
	d.do(201, "PUT", "/instances/default.deployment.api", `{"container":{"image":"nginx:1.29"}}`)
	time.Sleep(15 * time.Second)
	_, page := d.do(200, "GET", "/instances?pageSize=1", "")
	var list wire.List[hosting.CloudInstance]
	require.NoError(d.t, json.Unmarshal(page, &list))
	d.do(200, "GET", "/instances?provider=fake&region=default&type=deployment&status=running&label=team%3Dshop&pageToken="+list.NextPageToken, "")
	d.do(200, "PUT", specWeb+"?dryRun=true", "applyInstance!")
	d.do(200, "PUT", specWeb, "applyInstance!", "If-Match", header.Get("ETag"))
	d.do(412, "PUT", specWeb, "applyInstance!", "If-Match", header.Get("ETag"))
	time.Sleep(time.Minute)
	d.do(200, "GET", specWeb+"/revisions", "")
	d.events(3, "/instances/watch")
}

func driveMonitoring(d *specDriver) {
	d.do(200, "GET", specWeb+"/metrics", "")
	d.do(200, "GET", specWeb+"/logs?limit=2", "")
	now := time.Now().UnixMilli()
	d.do(200, "GET", specWeb+fmt.Sprintf("/logs?limit=1&level=info&pattern=served&startTime=%d&endTime=%d", now-60_000, now), "")
	d.do(201, "POST", "/instances", `{"instanceName":"report","instanceType":"job","container":{"image":"registry.example.com/report:1"}}`)
	ids := d.events(0, "/instances/default.job.report/logs?follow=true")
	require.NotEmpty(d.t, ids)
	d.events(0, "/instances/default.job.report/logs?follow=true", wire.LastEventID, ids[0])
	d.events(0, "/instances/default.job.report/logs?limit=1", "Accept", wire.EventStream)
	d.do(204, "POST", specWeb+"/events", "recordEvent!")
	d.do(200, "GET", specWeb+"/events", "")
	d.do(200, "GET", specWeb+"/health", "")
	d.do(200, "GET", specWeb+"/endpoint", "")
	d.do(200, "GET", specWeb+"/capabilities", "")
	d.do(200, "GET", specWeb+fmt.Sprintf("/cost?startTime=%d&endTime=%d", time.Now().Add(-time.Hour).UnixMilli(), time.Now().UnixMilli()), "")
	d.do(200, "POST", "/cost/estimate", "estimateCost!")
}

func driveVolumes(d *specDriver) {
	d.do(201, "POST", "/volumes", "createVolume!")
	d.do(200, "POST", "/volumes", "createVolume!")
	time.Sleep(time.Minute)
	d.do(202, "POST", "/volumes/default.volume.data/mount", "mountVolume!")
	time.Sleep(time.Minute)
	header, _ := d.do(200, "GET", "/volumes/default.volume.data", "")
	d.do(304, "GET", "/volumes/default.volume.data", "", "If-None-Match", header.Get("ETag"))
	d.do(200, "GET", "/volumes?pageSize=10", "")
	d.do(409, "DELETE", "/volumes/default.volume.data", "")
	d.do(202, "POST", "/volumes/default.volume.data/unmount", "unmountVolume!")
	time.Sleep(time.Minute)
	d.do(204, "POST", "/volumes/default.volume.data/unmount", "unmountVolume!", wire.Prefer, wire.ReturnMinimal)
	volumes := d.extension.VolumeManager
	d.extension.VolumeManager = specDeleting{volumes}
	d.do(202, "DELETE", "/volumes/default.volume.data", "")
	d.extension.VolumeManager = volumes
	d.do(204, "DELETE", "/volumes/default.volume.data", "")
}

// specDeleting takes its time to delete a volume.
type specDeleting struct{ hosting.VolumeManager }

func (specDeleting) DeleteVolume(context.Context, string) error { return nil }

func (s specDeleting) GetVolume(ctx context.Context, id string) (hosting.Volume, error) {
	volume, err := s.VolumeManager.GetVolume(ctx, id)
	volume.Status = hosting.VolumeStatusDeleting
	return volume, err
}

func driveServices(d *specDriver) {
	d.do(201, "POST", "/services", "registerService!")
	d.do(200, "POST", "/services", "registerService!")
	time.Sleep(10 * time.Second)
	header, _ := d.do(200, "GET", "/services/default.service.orders", "")
	d.do(304, "GET", "/services/default.service.orders", "", "If-None-Match", header.Get("ETag"))
	d.do(200, "GET", "/services?instanceId=default.deployment.web", "")
	d.do(200, "GET", "/services/discover?name=orders", "")
	d.do(204, "DELETE", "/services/default.service.orders", "")
}

func drivePolicies(d *specDriver) {
	d.do(201, "POST", "/autoscale", "createAutoScalePolicy!")
	header, _ := d.do(200, "GET", "/autoscale/default.policy.web", "")
	d.do(304, "GET", "/autoscale/default.policy.web", "", "If-None-Match", header.Get("ETag"))
	d.do(200, "GET", "/autoscale", "")
	d.do(200, "GET", "/autoscale?instanceId=default.deployment.api", "")
	d.do(200, "GET", specWeb+"/autoscale", "")
	d.do(304, "GET", specWeb+"/autoscale", "", "If-None-Match", header.Get("ETag"))
	d.do(200, "PUT", "/autoscale/default.policy.web", "updateAutoScalePolicy!", "If-Match", header.Get("ETag"))
	d.do(202, "POST", "/autoscale/default.policy.web/enable", "")
	d.do(202, "POST", "/autoscale/default.policy.web/disable", "")
	d.do(204, "POST", "/autoscale/default.policy.web/disable", "", wire.Prefer, wire.ReturnMinimal)
	d.do(204, "DELETE", "/autoscale/default.policy.web", "")
}

func driveServer(d *specDriver) {
	d.do(200, "GET", "/skills/translate/compatibility", "")
	d.do(200, "GET", "/capabilities?region=default&type=deployment", "")
	d.do(200, "GET", "/status", "")
	d.extension.available = false
	time.Sleep(time.Minute)
	d.do(503, "GET", "/status", "")
	d.do(200, "GET", "/providers", "")
	header, _ := d.do(200, "GET", "/openapi.yaml", "")
	d.do(304, "GET", "/openapi.yaml", "", "If-None-Match", header.Get("ETag"))
}

func driveActions(d *specDriver) {
	for _, action := range []string{"stop", "start", "restart"} {
		d.do(202, "POST", specWeb+"/"+action, "")
		time.Sleep(time.Minute)
	}
	d.do(202, "POST", specWeb+"/scale", "scaleInstance!")
	d.do(204, "POST", specWeb+"/scale", "scaleInstance!", wire.Prefer, wire.ReturnMinimal)
	time.Sleep(time.Minute)
	d.do(202, "PUT", specWeb+"/resources", "updateResources!")
	time.Sleep(time.Minute)
	d.do(202, "POST", specWeb+"/rollback", "rollbackInstance!")
	time.Sleep(time.Minute)
	d.do(202, "POST", specWeb+"/rollback", "")
	time.Sleep(time.Minute)
	d.do(201, "POST", "/instances", `{"instanceName":"nightly","instanceType":"cronjob","container":{"image":"registry.example.com/report:1"},"schedule":"0 3 * * *"}`)
	d.do(202, "POST", "/instances/default.cronjob.nightly/run", "")
	d.do(202, "DELETE", specWeb, "")
}

// driveMistakes makes those that the examples of errors show.
func driveMistakes(d *specDriver) {
	d.do(400, "POST", "/instances", `{"instanceName":"shop","instanceType":"deployment","container":{"image":"nginx:1.29","ports":[70000]}}`)
	d.do(404, "GET", "/instances/default.deployment.shop", "")
	d.do(404, "GET", "/nothing", "")
	d.do(405, "PATCH", "/instances", "")
	d.do(409, "POST", "/instances", `{"instanceName":"api","instanceType":"deployment","container":{"image":"nginx:1.30"}}`)
	d.do(413, "POST", "/instances", strings.Repeat(" ", 1<<20+1))
	d.do(415, "POST", "/instances", "instanceName=shop", "Content-Type", "application/x-www-form-urlencoded")
	d.do(501, "POST", "/instances/default.cronjob.nightly/scale", `{"replicas":2}`)
	d.do(401, "GET", "/instances", "", "Authorization", "Bearer of-nobody")
	d.do(403, "DELETE", "/instances/default.deployment.api", "", "Authorization", "Bearer of-a-reader")
	for _, fault := range []fake.CallFault{
		{Reason: hosting.QuotaExceeded, Message: "the quota of the namespace allows no more than 20 cores"},
		{Reason: hosting.RateLimited, Message: "the API server takes no more requests now", RetryAfter: 3 * time.Second},
		{Reason: hosting.Internal, Message: "the platform answered with what nobody understands"},
		{Reason: hosting.PermissionDenied, Message: `the service account may not scale deployments in namespace "default"`},
		{Reason: hosting.Unavailable, Message: "the API server cannot be reached"},
		{Reason: hosting.DeadlineExceeded, Message: "the API server did not answer in time"},
	} {
		fault.Method, fault.Calls = "ScaleInstance", 1
		d.provider.InjectCall(fault)
		d.do(statuses[fault.Reason], "POST", "/instances/default.deployment.api/scale", `{"replicas":2}`)
	}
	d.stall()
}

// stall begins to send the body of each operation that has one and does not go
// on.
func (d *specDriver) stall() {
	for pattern, operation := range d.operations {
		if operation.RequestBody == nil {
			continue
		}
		body, sender := io.Pipe()
		method, path, _ := strings.Cut(pattern, " ")
		r, err := http.NewRequestWithContext(d.t.Context(), method, "http://api"+specPrefix+strings.Replace(path, "{id}", "default.deployment.api", 1), body)
		require.NoError(d.t, err)
		r.Header.Set("Content-Type", wire.JSON)
		r.Header.Set(wire.RequestID, "b7f3a2")
		answer, err := d.client.Do(r)
		require.NoError(d.t, err)
		require.NoError(d.t, sender.Close())
		require.Equal(d.t, http.StatusRequestTimeout, answer.StatusCode, pattern)
		require.NoError(d.t, answer.Body.Close())
	}
}

func (d *specDriver) wantEveryOperation() {
	for pattern := range d.operations {
		succeeded := false
		for answer := range d.answers {
			succeeded = succeeded || answer.pattern == pattern && answer.status < 300
		}
		assert.True(d.t, succeeded, pattern)
	}
}

// wantEveryExample holds the examples of what is answered to the answers.
func (d *specDriver) wantEveryExample() {
	for pattern, operation := range d.operations {
		for status, response := range operation.Responses.Map() {
			if response.Ref != "" && strings.HasPrefix(response.Ref, "#/components/responses/") {
				continue // an error, see below
			}
			for mediaType, media := range response.Value.Content {
				var code int
				_, err := fmt.Sscan(status, &code)
				require.NoError(d.t, err)
				if media.Example != nil && mediaType != wire.YAML {
					d.wantAnswered(media.Example, d.answers[specAnswer{pattern, code, mediaType}], pattern+" "+status)
				}
			}
		}
	}
}

// wantEveryProblem holds the examples of errors to the errors that there were.
func (d *specDriver) wantEveryProblem() {
	byStatus := map[string][]string{}
	for answer, bodies := range d.answers {
		title := http.StatusText(answer.status)
		byStatus[title] = append(byStatus[title], bodies...)
	}
	for name, response := range d.spec.Components.Responses {
		if media := response.Value.Content[wire.ProblemJSON]; media != nil {
			title, _ := media.Example.(map[string]any)["title"].(string)
			d.wantAnswered(media.Example, byStatus[title], name)
		}
	}
}

func (d *specDriver) wantAnswered(example any, answers []string, what string) {
	if text, is := example.(string); is {
		assert.Contains(d.t, answers, text, what)
		return
	}
	want, err := json.MarshalIndent(example, "", "  ")
	require.NoError(d.t, err)
	var got []string
	for _, answer := range answers {
		var value any
		require.NoError(d.t, json.Unmarshal([]byte(answer), &value))
		indented, err := json.MarshalIndent(value, "", "  ")
		require.NoError(d.t, err)
		if bytes.Equal(want, indented) {
			return
		}
		got = append(got, string(indented))
	}
	assert.Fail(d.t, "an example that was not answered", "%s:\n%s\nbut:\n%s", what, want, strings.Join(got, "\n"))
}
