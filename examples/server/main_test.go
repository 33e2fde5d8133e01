package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

const (
	testToken = "0123456789abcdef0123456789abcdef"
	waitTime  = 30 * time.Second
)

// running is a server that run has started.
type running struct {
	t     *testing.T
	url   string
	token string
	log   *logLines
	stop  context.CancelFunc
	ended chan error
}

// start runs the server on a port of its own, with a token unless it is "".
func start(t *testing.T, token string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &running{t: t, token: token, log: &logLines{}, stop: cancel, ended: make(chan error, 1)}
	getenv := func(name string) string {
		assert.Equal(t, "HOSTING_TOKEN", name)
		return token
	}
	go func() { s.ended <- run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), getenv, s.log) }()
	t.Cleanup(func() {
		cancel()
		if s.ended != nil {
			assert.NoError(t, <-s.ended)
		}
	})
	s.url = "http://" + s.log.await(t, "the server listens")["address"].(string)
	return s
}

// end ends the server as a signal does, and returns what run did.
func (s *running) end() error {
	s.t.Helper()
	s.stop()
	select {
	case err := <-s.ended:
		s.ended = nil
		return err
	case <-time.After(waitTime):
		require.Fail(s.t, "the server does not end", s.log.String())
		return nil
	}
}

// send makes a request; body, if not nil, is sent as JSON.
func (s *running) send(method, path string, body any, change ...func(*http.Request)) (*http.Response, string) {
	s.t.Helper()
	response := s.open(method, path, body, change...)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return response, string(text)
}

func (s *running) open(method, path string, body any, change ...func(*http.Request)) *http.Response {
	s.t.Helper()
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		require.NoError(s.t, err)
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, content)
	require.NoError(s.t, err)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	for _, c := range change {
		c(r)
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	return response
}

// logLines is what a server logs.
type logLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logLines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// find returns the first line with a message and, if given, what fits; nil if
// there is none.
func (l *logLines) find(message string, fits ...func(map[string]any) bool) map[string]any {
next:
	for text := range strings.Lines(l.String()) {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) != nil || line["msg"] != message {
			continue
		}
		for _, fit := range fits {
			if !fit(line) {
				continue next
			}
		}
		return line
	}
	return nil
}

func (l *logLines) await(t *testing.T, message string, fits ...func(map[string]any) bool) map[string]any {
	t.Helper()
	var line map[string]any
	require.Eventually(t, func() bool {
		line = l.find(message, fits...)
		return line != nil
	}, waitTime, 5*time.Millisecond, "%s", l)
	return line
}

func has(name string, value any) func(map[string]any) bool {
	return func(line map[string]any) bool { return line[name] == value }
}

const instances = "/api/hosting/instances"

func skill() hosting.CloudHostingConfig {
	return hosting.CloudHostingConfig{
		InstanceName: "hello", InstanceType: hosting.TypeDeployment,
		Container: &hosting.ContainerConfig{Image: "registry.example.com/skills/hello:1.0", Ports: []int{8080}},
		SecretEnv: hosting.SecretMap{"KEY": "top s3cret"},
	}
}

func (s *running) get(id string) (instance hosting.CloudInstance, status int) {
	s.t.Helper()
	response, body := s.send(http.MethodGet, instances+"/"+id, nil)
	if response.StatusCode == http.StatusOK {
		require.NoError(s.t, json.Unmarshal([]byte(body), &instance))
	}
	return instance, response.StatusCode
}

// create creates the skill and waits until it runs.
func (s *running) create() hosting.CloudInstance {
	s.t.Helper()
	response, body := s.send(http.MethodPost, instances, skill())
	require.Equal(s.t, http.StatusCreated, response.StatusCode, body)
	var instance hosting.CloudInstance
	require.NoError(s.t, json.Unmarshal([]byte(body), &instance))
	require.Eventually(s.t, func() bool {
		instance, _ = s.get(instance.ID)
		return instance.Status == hosting.StatusRunning
	}, waitTime, 20*time.Millisecond)
	return instance
}

func TestAnInstanceLivesOverHTTP(t *testing.T) {
	t.Parallel()
	s := start(t, testToken)
	instance := s.create()
	assert.Equal(t, "fake:default.deployment.hello", instance.ID)

	response, body := s.send(http.MethodPost, instances+"/"+instance.ID+"/scale", map[string]int{"replicas": 3})
	require.Equal(t, http.StatusAccepted, response.StatusCode, body)
	require.Eventually(t, func() bool {
		now, _ := s.get(instance.ID)
		return now.Status == hosting.StatusRunning && now.Replicas == 3
	}, waitTime, 20*time.Millisecond)

	response, body = s.send(http.MethodGet, instances+"?status=running", nil)
	require.Equal(t, http.StatusOK, response.StatusCode, body)
	assert.Contains(t, body, instance.ID)

	response, body = s.send(http.MethodDelete, instances+"/"+instance.ID, nil)
	require.Less(t, response.StatusCode, 300, body)
	require.Eventually(t, func() bool {
		_, status := s.get(instance.ID)
		return status == http.StatusNotFound
	}, waitTime, 20*time.Millisecond)
	assert.NoError(t, s.end())
}

func TestTheFileDescribesWhatIsServed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hosting.yaml")
	require.NoError(t, os.WriteFile(file, []byte("hosting:\n  lab:\n    type: fake\n    regions: [here]\n"), 0o600))
	s := start(t, testToken, "-config", file)
	_, body := s.send(http.MethodPost, instances, skill())
	assert.Contains(t, body, `"lab:here.deployment.hello"`)
}

// A request is one line, and the calls that it made are found by its id.
func TestTheLogTellsTheRouteAndNeverWhatWasSent(t *testing.T) {
	t.Parallel()
	s := start(t, testToken)
	instance := s.create()
	response, _ := s.send(http.MethodDelete, instances+"/"+instance.ID+"?curious=querytext", nil, func(r *http.Request) {
		r.Header.Set("X-Request-Id", "request-17")
		r.Header.Set("X-Curious", "headertext")
	})
	assert.Equal(t, http.StatusBadRequest, response.StatusCode)
	assert.Equal(t, "request-17", response.Header.Get("X-Request-Id"))
	line := s.log.await(t, "request", has("requestId", "request-17"))
	assert.Equal(t, "DELETE", line["method"])
	assert.Equal(t, "/api/hosting/instances/{id}", line["route"])
	assert.EqualValues(t, 400, line["status"])
	assert.Positive(t, line["duration"])

	created := s.log.await(t, "request", has("route", instances), has("method", "POST"))
	call := s.log.await(t, "hosting call", has("method", "CreateInstance"))
	assert.NotEmpty(t, call["requestId"])
	assert.Equal(t, created["requestId"], call["requestId"])

	require.NoError(t, s.end())
	for _, secret := range []string{testToken, "top s3cret", "registry.example.com", "querytext", "headertext"} {
		assert.NotContains(t, s.log.String(), secret)
	}
	for text := range strings.Lines(s.log.String()) {
		assert.True(t, json.Valid([]byte(text)), text)
	}
}

func TestProbesAreLoggedOnlyIfTheyFail(t *testing.T) {
	t.Parallel()
	s := start(t, testToken)
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		response, body := s.send(http.MethodGet, path, nil, func(r *http.Request) { r.Header.Del("Authorization") })
		assert.Equal(t, http.StatusOK, response.StatusCode, body)
	}
	s.send(http.MethodPost, "/healthz", nil)
	s.log.await(t, "request") // lines come in the order of requests
	assert.Nil(t, s.log.find("request", has("method", "GET")), s.log)
}

func TestOnlyTheTokenOpensTheAPI(t *testing.T) {
	t.Parallel()
	s := start(t, testToken)
	for name, header := range map[string]string{
		"none": "", "another": "Bearer 0123456789abcdef0123456789abcdeX", "a part": "Bearer 0123456789abcdef", "another scheme": "Basic " + testToken,
	} {
		response, body := s.send(http.MethodGet, instances, nil, func(r *http.Request) { r.Header.Set("Authorization", header) })
		assert.Equal(t, http.StatusUnauthorized, response.StatusCode, name)
		assert.Contains(t, body, `"Unauthenticated"`, name)
	}
	response, _ := s.send(http.MethodGet, instances, nil)
	assert.Equal(t, http.StatusOK, response.StatusCode)
}

func TestWithoutATokenOnlyThisMachineIsServed(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	assert.Equal(t, true, s.log.find("the server listens")["anonymous"])
	response, _ := s.send(http.MethodGet, instances, nil)
	assert.Equal(t, http.StatusOK, response.StatusCode)

	for name, change := range map[string]func(*http.Request){
		"a name that leads here": func(r *http.Request) { r.Host = "attacker.example:8080" },
		"another page's request": func(r *http.Request) { r.Header.Set("Origin", "http://attacker.example") },
		"what a browser says":    func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		response, _ := s.send(http.MethodPost, instances+"/default.deployment.hello/stop", nil, change)
		assert.Equal(t, http.StatusForbidden, response.StatusCode, name)
	}
	response, _ = s.send(http.MethodPost, instances+"/default.deployment.hello/stop", nil, func(r *http.Request) { r.Host = "localhost:8080" })
	assert.Equal(t, http.StatusNotFound, response.StatusCode, "it came through, and there is no such instance")
}

func TestWhatCannotBeServedIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "hosting.yaml")
	require.NoError(t, os.WriteFile(broken, []byte("hosting:\n  fake: {nodes: many}\n"), 0o600))
	for name, c := range map[string]struct {
		args  []string
		token string
		want  []string
	}{
		"all addresses without a token": {args: []string{"-addr", ":0"}, want: []string{"-addr :0", "without a token", "127.0.0.1:8080", "HOSTING_TOKEN"}},
		"0.0.0.0 without a token":       {args: []string{"-addr", "0.0.0.0:0"}, want: []string{"without a token"}},
		"a token that is too short":     {token: "short", want: []string{"HOSTING_TOKEN", "at least 16"}},
		"an unknown flag":               {args: []string{"-port", "1"}, want: []string{"-port"}},
		"an argument":                   {args: []string{"hosting.yaml"}, want: []string{"hosting.yaml", "flags only"}},
		"no time to end":                {args: []string{"-grace", "0s"}, want: []string{"-grace 0s", "more than 0"}},
		"no address":                    {args: []string{"-addr", "nowhere"}, token: testToken, want: []string{"-addr nowhere"}},
		"a file that is not there":      {args: []string{"-config", "missing.yaml"}, want: []string{"missing.yaml"}},
		"a file with a mistake":         {args: []string{"-config", broken}, want: []string{"hosting.yaml:2", "nodes", "many"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &logLines{}
			err := run(t.Context(), c.args, func(string) string { return c.token }, log)
			require.Error(t, err)
			for _, want := range c.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotContains(t, log.String(), "listens")
			if c.token != "" {
				assert.NotContains(t, err.Error()+log.String(), c.token)
			}
		})
	}
}

func TestHelpIsNoFailure(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	_, err := parse([]string{"-h"}, func(string) string { return "" }, &out)
	assert.ErrorContains(t, err, "help requested")
	for _, flag := range []string{"-addr", "-config", "-grace"} {
		assert.Contains(t, out.String(), flag)
	}
}
