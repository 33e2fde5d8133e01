package httpapi_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
)

// The secret is at all places where a client could have put it, in bodies that
// are wrong in all ways.
func TestSecretsAreInNoAnswerAndNoLog(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2hunter2"
	const rest = `"instanceName":"a","instanceType":"deployment","container":{"image":"nginx:1.29"}`
	bodies := []string{
		`{` + rest + `,"secretEnv":{"A":"` + secret + `"}}`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + `"},"nothing":1}`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + `\u0000"}}`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + "\xff" + `"}}`,
		`{` + rest + `,"env":{"A":"` + secret + `\u0000"}}`,
		`{` + rest + `,"secretEnv":"` + secret + `"}`,
		`{` + rest + `,"secretEnv":["` + secret + `"]}`,
		`{` + rest + `,"secretEnv":{"A":["` + secret + `"]}}`,
		`{` + rest + `,"secretEnv":{"A":{"B":"` + secret + `"}}}`,
		`{` + rest + `,"env":"` + secret + `"}`,
		`{` + rest + `,"env":["` + secret + `"]}`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + `"`,
		`{` + rest + `,"secretEnv":{"A":"` + secret,
		`{` + rest + `,"secretEnv":{"A":"` + secret + `"}}{`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + `"}} "` + secret + `"`,
		`{` + rest + `,"secretEnv":{"A":` + secret + `}}`,
		`{` + rest + `,"secretEnv":{"":"` + secret + `"}}`,
		`{` + rest + `,"secretEnv":{"A=B":"` + secret + `"}}`,
		`{` + rest + `,"secretEnv":{"A":"` + secret + strings.Repeat("x", 1<<20) + `"}}`,
		`{"instanceName":"","secretEnv":{"A":"` + secret + `"},"container":{"env":{"B":"` + secret + `"}}}`,
		`"` + secret + `"`, secret, `["` + secret + `"]`,
	}
	numbers := []string{`{` + rest + `,"secretEnv":{"A":314159265358979}}`, `{` + rest + `,"secretEnv":314159265358979}`, `314159265358979`}
	var logs safeBuffer
	logger := httpapi.WithLogger(slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	check := func(api *httpapi.API, body string, header ...string) {
		for _, route := range []string{"POST /instances", "POST /instances?dryRun=true", "PUT /instances/default.deployment.a", "POST /cost/estimate",
			"POST /autoscale", "POST /services", "POST /volumes", "POST /volumes/default.volume.a/mount", "POST /instances/default.deployment.a/scale", "PUT /instances/default.deployment.a/resources",
			"POST /instances/default.deployment.a/rollback", "POST /instances/default.deployment.a/events"} {
			method, path, _ := strings.Cut(route, " ")
			answer := ask(api, method, prefix+path, body, header...)
			for _, text := range []string{answer.Body.String(), logs.String()} {
				assert.NotContains(t, text, "hunter2", "%s %.200s", route, body)
				assert.NotContains(t, text, "31415926", "%s %.200s", route, body)
				assert.NotContains(t, text, token, "%s %.200s", route, body)
			}
		}
	}
	p, x := newFailing(t, hosting.Errorf("p", hosting.CreateFailed, hosting.Internal, "it went wrong"))
	w := newWorld(t)
	for _, body := range append(bodies, numbers...) {
		check(newAPI(t, p, x, httpapi.AllowAnonymous(), logger), body)
		check(newAPI(t, w.provider, w.extension, bearer(t), logger), body, "Authorization", "Bearer "+token)
		check(newAPI(t, w.provider, w.extension, bearer(t), logger), body, "Authorization", "Bearer "+token+"x")
		check(newAPI(t, w.provider, w.extension, bearer(t), logger), body, "Authorization", "Bearer hunter2hunter2hunter2")
	}
	answer := ask(newAPI(t, w.provider, w.extension), "GET", prefix+"/instances?token=hunter2hunter2", "")
	assert.Equal(t, 400, answer.Code)
	assert.NotContains(t, answer.Body.String()+logs.String(), "hunter2", "of a query that is not known the name is told and not the value")
	assert.Contains(t, logs.String(), "a request failed", "that something is logged")
}
