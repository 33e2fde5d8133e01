package httpapi_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
)

// sample is a valid request of a route in a furnished world, and what it asks
// for.
type sample struct {
	route  string // method and path below the prefix
	target string // path and query below the prefix
	body   string
	access httpapi.Access
	stream bool // it is answered until the request's context ends
}

func (s sample) method() string { return strings.Fields(s.route)[0] }

// samples has one for each route, in their order. TestEveryRouteHasASample
// holds the two together.
func samples() []sample {
	const (
		web  = "default.deployment.web"
		job  = "default.cronjob.nightly"
		size = `"size":1073741824`
	)
	var (
		onWeb     = httpapi.Access{Provider: "near", Region: "default", Type: "deployment", Name: "web", ID: web}
		onJob     = httpapi.Access{Provider: "near", Region: "default", Type: "cronjob", Name: "nightly", ID: job}
		onPolicy  = httpapi.Access{Provider: "near", Region: "default", Type: "policy", Name: "web", ID: "default.policy.web"}
		onService = httpapi.Access{Provider: "near", Region: "default", Type: "service", Name: "shop", ID: "default.service.shop"}
		onVolume  = httpapi.Access{Provider: "near", Region: "default", Type: "volume", Name: "data", ID: "default.volume.data"}
		webID     = hosting.ID{Provider: "near", Region: "default", Type: "deployment", Name: "web"}
		plainID   = hosting.ID{Provider: "near", Region: "default", Type: "deployment", Name: "plain"}
	)
	doing := func(access httpapi.Access, action httpapi.Action) httpapi.Access {
		access.Action = action
		return access
	}
	changing := func(access httpapi.Access, action httpapi.Action) httpapi.Access {
		access.Action, access.Changes = action, true
		return access
	}
	about := func(access httpapi.Access, instance hosting.ID) httpapi.Access {
		access.Instance = instance
		return access
	}
	created := func(instanceType, name string) httpapi.Access {
		return httpapi.Access{Provider: "near", Region: "default", Type: instanceType, Name: name}
	}
	const config = `{"instanceName":"new","instanceType":"deployment","container":{"image":"nginx:1.29","ports":[80]},"env":{"A":"b"},"secretEnv":{"KEY":"value"},"labels":{"team":"a"}}`
	const rule = `"minReplicas":1,"maxReplicas":5,"scaleUpRules":[{"metricType":"resource","metricName":"cpu_usage","threshold":80,"comparison":">","stepSize":1}]`
	return []sample{
		{route: "GET /instances", target: "/instances?pageSize=2&provider=near&region=default&type=deployment&status=running", access: doing(httpapi.Access{}, httpapi.ListInstances)},
		{route: "POST /instances", target: "/instances?dryRun=false", body: config, access: changing(created("deployment", "new"), httpapi.CreateInstance)},
		{route: "GET /instances/watch", target: "/instances/watch", stream: true, access: doing(httpapi.Access{}, httpapi.WatchInstances)},
		{route: "GET /instances/{id}", target: "/instances/" + web, access: doing(onWeb, httpapi.GetInstance)},
		{route: "PUT /instances/{id}", target: "/instances/" + web, body: `{"container":{"image":"nginx:1.30"}}`, access: changing(onWeb, httpapi.ApplyInstance)},
		{route: "DELETE /instances/{id}", target: "/instances/" + web, access: changing(onWeb, httpapi.DeleteInstance)},
		{route: "GET /instances/{id}/revisions", target: "/instances/" + web + "/revisions", access: doing(onWeb, httpapi.ListRevisions)},

		{route: "POST /instances/{id}/start", target: "/instances/" + web + "/start", access: changing(onWeb, httpapi.StartInstance)},
		{route: "POST /instances/{id}/stop", target: "/instances/" + web + "/stop", access: changing(onWeb, httpapi.StopInstance)},
		{route: "POST /instances/{id}/restart", target: "/instances/" + web + "/restart", access: changing(onWeb, httpapi.RestartInstance)},
		{route: "POST /instances/{id}/scale", target: "/instances/" + web + "/scale", body: `{"replicas":2}`, access: changing(onWeb, httpapi.ScaleInstance)},
		{route: "PUT /instances/{id}/resources", target: "/instances/" + web + "/resources", body: `{"cpuLimit":1}`, access: changing(onWeb, httpapi.UpdateResources)},
		{route: "POST /instances/{id}/rollback", target: "/instances/" + web + "/rollback", body: `{"revision":1}`, access: changing(onWeb, httpapi.RollbackInstance)},
		{route: "POST /instances/{id}/run", target: "/instances/" + job + "/run", access: changing(onJob, httpapi.RunNow)},

		{route: "GET /instances/{id}/metrics", target: "/instances/" + web + "/metrics", access: doing(onWeb, httpapi.GetMetrics)},
		{route: "GET /instances/{id}/logs", target: "/instances/" + web + "/logs?limit=5&level=info&pattern=s", access: doing(onWeb, httpapi.GetLogs)},
		{route: "GET /instances/{id}/events", target: "/instances/" + web + "/events", access: doing(onWeb, httpapi.GetEvents)},
		{route: "POST /instances/{id}/events", target: "/instances/" + web + "/events", body: `{"type":"Normal","reason":"Deployed","message":"by hand"}`, access: changing(onWeb, httpapi.RecordEvent)},
		{route: "GET /instances/{id}/health", target: "/instances/" + web + "/health", access: doing(onWeb, httpapi.HealthCheck)},
		{route: "GET /instances/{id}/endpoint", target: "/instances/" + web + "/endpoint", access: doing(onWeb, httpapi.GetServiceEndpoint)},
		{route: "GET /instances/{id}/capabilities", target: "/instances/" + web + "/capabilities", access: doing(onWeb, httpapi.GetInstanceCapabilities)},
		{route: "GET /instances/{id}/autoscale", target: "/instances/" + web + "/autoscale", access: doing(onWeb, httpapi.GetInstancePolicy)},
		{route: "GET /instances/{id}/cost", target: "/instances/" + web + "/cost?startTime=1700000000000&endTime=1700003600000", access: doing(onWeb, httpapi.GetActualCost)},

		{route: "GET /autoscale", target: "/autoscale?pageSize=1", access: doing(httpapi.Access{}, httpapi.ListPolicies)},
		{route: "POST /autoscale", target: "/autoscale", body: `{"instanceId":"default.deployment.plain","name":"plain",` + rule + `}`, access: changing(about(created("policy", "plain"), plainID), httpapi.CreatePolicy)},
		{route: "GET /autoscale/{id}", target: "/autoscale/default.policy.web", access: doing(onPolicy, httpapi.GetPolicy)},
		{route: "PUT /autoscale/{id}", target: "/autoscale/default.policy.web", body: `{"instanceId":"` + web + `","name":"web",` + rule + `}`, access: changing(about(onPolicy, webID), httpapi.UpdatePolicy)},
		{route: "DELETE /autoscale/{id}", target: "/autoscale/default.policy.web", access: changing(onPolicy, httpapi.DeletePolicy)},
		{route: "POST /autoscale/{id}/enable", target: "/autoscale/default.policy.web/enable", access: changing(onPolicy, httpapi.EnablePolicy)},
		{route: "POST /autoscale/{id}/disable", target: "/autoscale/default.policy.web/disable", access: changing(onPolicy, httpapi.DisablePolicy)},

		{route: "GET /services", target: "/services?pageSize=1", access: doing(httpapi.Access{}, httpapi.ListServices)},
		{route: "POST /services", target: "/services", body: `{"instanceId":"` + web + `","serviceName":"front","port":80}`, access: changing(about(created("service", "front"), webID), httpapi.RegisterService)},
		{route: "GET /services/discover", target: "/services/discover?name=store", access: doing(httpapi.Access{}, httpapi.DiscoverService)},
		{route: "GET /services/{id}", target: "/services/default.service.shop", access: doing(onService, httpapi.GetService)},
		{route: "DELETE /services/{id}", target: "/services/default.service.shop", access: changing(onService, httpapi.UnregisterService)},

		{route: "GET /volumes", target: "/volumes?pageSize=1", access: doing(httpapi.Access{}, httpapi.ListVolumes)},
		{route: "POST /volumes", target: "/volumes", body: `{"name":"more",` + size + `}`, access: changing(created("volume", "more"), httpapi.CreateVolume)},
		{route: "GET /volumes/{id}", target: "/volumes/default.volume.data", access: doing(onVolume, httpapi.GetVolume)},
		{route: "DELETE /volumes/{id}", target: "/volumes/default.volume.data", access: changing(onVolume, httpapi.DeleteVolume)},
		{route: "POST /volumes/{id}/mount", target: "/volumes/default.volume.data/mount", body: `{"instanceId":"` + web + `","mountPath":"/data"}`, access: changing(about(onVolume, webID), httpapi.MountVolume)},
		{route: "POST /volumes/{id}/unmount", target: "/volumes/default.volume.data/unmount", body: `{"instanceId":"` + web + `"}`, access: changing(about(onVolume, webID), httpapi.UnmountVolume)},

		{route: "POST /cost/estimate", target: "/cost/estimate", body: config, access: doing(created("deployment", "new"), httpapi.EstimateCost)},

		{route: "GET /skills/{id}/compatibility", target: "/skills/translate/compatibility", access: doing(httpapi.Access{ID: "translate"}, httpapi.CheckCompatibility)},
		{route: "GET /capabilities", target: "/capabilities?region=default&type=deployment", access: doing(httpapi.Access{Provider: "near", Region: "default", Type: "deployment"}, httpapi.GetCapabilities)},
		{route: "GET /providers", target: "/providers", access: doing(httpapi.Access{}, httpapi.GetProviders)},
		{route: "GET /status", target: "/status", access: doing(httpapi.Access{}, httpapi.GetStatus)},
		{route: "GET /openapi.yaml", target: "/openapi.yaml", access: doing(httpapi.Access{}, httpapi.GetDocument)},
	}
}

// public are the routes that answer everybody, as documented.
var public = []string{"GET " + prefix + "/status", "GET " + prefix + "/openapi.yaml"}

func TestEveryRouteHasASample(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var sampled []string
	for _, s := range samples() {
		method, path, _ := strings.Cut(s.route, " ")
		sampled = append(sampled, method+" "+prefix+path)
	}
	assert.ElementsMatch(t, newAPI(t, w.provider, w.extension).Routes(), sampled)
}

func TestEverySampleSucceeds(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		if s.stream {
			continue
		}
		w := newWorld(t).furnish(t)
		answer := ask(newAPI(t, w.provider, w.extension), s.method(), prefix+s.target, s.body)
		assert.Less(t, answer.Code, 300, "%s: %s", s.route, answer.Body)
	}
}
