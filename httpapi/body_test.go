package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/wire"
)

// withBody are the routes that read one.
func withBody() (list []sample) {
	for _, s := range samples() {
		if s.body != "" {
			list = append(list, s)
		}
	}
	return list
}

func TestBodiesAreJSONOfTheRightShapeAndSize(t *testing.T) {
	t.Parallel()
	p, x := untouched(t)
	const limit = 4000
	api := newAPI(t, p, x, httpapi.AllowAnonymous(), httpapi.WithMaxBodyBytes(limit))
	require.GreaterOrEqual(t, len(withBody()), 11)
	for _, s := range withBody() {
		for _, c := range []struct {
			what, body, contentType, says string
			status                        int
		}{
			{"malformed", s.body[:len(s.body)-1], wire.JSON, "it is no JSON", 400},
			{"not JSON", "hello", wire.JSON, "it is no JSON", 400},
			{"two values", s.body + "{}", wire.JSON, "one value", 400},
			{"rubbish behind it", s.body + "}", wire.JSON, "one value", 400},
			{"an unknown field", `{"unknown":1,` + s.body[1:], wire.JSON, `unknown field "unknown"`, 400},
			{"a long unknown field", `{"` + strings.Repeat("u", 3000) + `":1}`, wire.JSON, `unknown field`, 400},
			{"an array", `[]`, wire.JSON, "a JSON array: allowed: an object", 400},
			{"a text", `"x"`, wire.JSON, "a JSON string: allowed: an object", 400},
			{"white space", "  ", wire.JSON, "it is empty", 400},
			{"deep", strings.Repeat("[", limit), wire.JSON, "", 400},
			{"no UTF-8", `{"` + "\xff" + `":1}`, wire.JSON, "UTF-8", 400},
			{"another type", s.body, "text/plain", `Content-Type "text/plain": allowed: application/json`, 415},
			{"no type", s.body, "", "Content-Type", 415},
			{"a form", "a=b", "application/x-www-form-urlencoded", "Content-Type", 415},
			{"a bad type", s.body, "application/json; =", "Content-Type", 415},
			{"too large", s.body + strings.Repeat(" ", limit), wire.JSON, "allowed: at most 4000 bytes", 413},
		} {
			r := newRequest(s.method(), prefix+s.target, c.body)
			r.Header.Set("Content-Type", c.contentType)
			answer := serve(api, r)
			if assert.Equal(t, c.status, answer.Code, "%s, %s: %s", s.route, c.what, answer.Body) {
				assert.Contains(t, problemIn(t, answer).Detail, c.says, "%s, %s", s.route, c.what)
				assert.Less(t, answer.Body.Len(), 2000, "%s, %s", s.route, c.what)
			}
		}
	}
}

func TestABodyMayHaveExactlyTheLimitAndAnyFormOfTheType(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{wire.JSON, "application/json; charset=utf-8", "Application/JSON"} {
		w := newWorld(t).furnish(t)
		for _, s := range withBody() {
			api := newAPI(t, w.provider, w.extension, httpapi.AllowAnonymous(), httpapi.WithMaxBodyBytes(int64(len(s.body)+10)))
			r := newRequest(s.method(), prefix+s.target, s.body+strings.Repeat(" ", 10))
			r.Header.Set("Content-Type", contentType)
			assert.NotContains(t, []int{400, 413, 415}, serve(api, r).Code, s.route)
		}
	}
}

func TestABodyThatIsNeverSentWholeTakesNoPlace(t *testing.T) {
	t.Parallel()
	p, x := untouched(t)
	asked := make(chan struct{})
	authorize := func(r *http.Request, access httpapi.Access) (context.Context, error) {
		if access.Action == httpapi.CreateInstance {
			close(asked)
		}
		return r.Context(), nil
	}
	api := newAPI(t, p, x, httpapi.WithAuthorizer(authorize), httpapi.WithMaxRequests(1))
	server := httptest.NewUnstartedServer(api)
	server.Config.ReadTimeout = time.Hour // longer than what a server without one allows
	server.Start()
	defer server.Close()
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	_, err = fmt.Fprintf(connection, "POST %s/instances HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n", prefix)
	require.NoError(t, err)
	// The server asks for the body once it reads it.
	line, err := bufio.NewReader(connection).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue")
	for range 10 {
		assert.Equal(t, 200, statusOf(t, server, "/providers"))
	}
	require.NoError(t, connection.Close())
	<-asked // and is told of the body that never came
}

func TestTextThatIsHalfACharacterIsRefused(t *testing.T) {
	t.Parallel()
	for escaped, taken := range map[string]bool{
		`\ud83d\ude00`: true, `\\ud83d`: true, `\u00e9`: true, `\ud83d`: false, `\ude00`: false, `\ud83dx`: false, `\ud83d\ud83d`: false, `\ud83d\n`: false,
	} {
		w := newWorld(t)
		api := newAPI(t, w.provider, w.extension, httpapi.AllowAnonymous())
		body := `{"instanceName":"a","instanceType":"deployment","container":{"image":"nginx"},"env":{"A":"` + escaped + `"}}`
		r := newRequest(http.MethodPost, prefix+"/instances?dryRun=true", body)
		r.Header.Set("Content-Type", wire.JSON)
		answer := serve(api, r)
		if taken {
			assert.Equal(t, 200, answer.Code, "%s: %s", escaped, answer.Body)
			continue
		}
		assert.Equal(t, 400, answer.Code, "%s: %s", escaped, answer.Body)
		assert.Contains(t, problemIn(t, answer).Detail, "surrogate", escaped)
	}
}

func statusOf(t *testing.T, server *httptest.Server, target string) int {
	t.Helper()
	answer, err := http.Get(server.URL + prefix + target)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}

func TestABodyWhereThereIsNoneIsNotPassedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	api := newAPI(t, w.provider, w.extension)
	target := prefix + "/instances/default.deployment.web/"
	for body, status := range map[string]int{"": 202, "{}": 202, `{"replicas":3}`: 400, "3": 400, "hello": 400} {
		assert.Equal(t, status, ask(api, http.MethodPost, target+"restart", body).Code, "restart with %s", body)
	}
	form := newRequest(http.MethodPost, target+"stop", "a=b")
	form.Header.Set("Content-Type", "text/plain")
	assert.Equal(t, 415, serve(api, form).Code)
	assert.Equal(t, 400, ask(api, http.MethodDelete, prefix+"/instances/default.deployment.web", `{"force":true}`).Code)
}
