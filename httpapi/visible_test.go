package httpapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/golang/mock/gomock"
	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/httpapi"
	"skillcenter.io/hosting/internal/mocks"
	"skillcenter.io/hosting/internal/wire"
)

// crowd has six of each thing, every other of which is hidden: the first, and
// so that something hidden stands behind each that is not.
func crowd(t *testing.T) world {
	t.Helper()
	w, ctx := newWorld(t), t.Context()
	for _, name := range []string{"a-hidden", "b", "c-hidden", "d", "e", "f-hidden"} {
		instance, err := w.provider.CreateInstance(ctx, configOf(name, hosting.TypeDeployment))
		require.NoError(t, err)
		_, err = w.extension.CreateAutoScalePolicy(ctx, policyFor(instance.ID))
		require.NoError(t, err)
		_, err = w.extension.RegisterService(ctx, instance.ID, hosting.ServiceRegistration{ServiceName: "s-" + name, Port: 80, Aliases: []string{"all"}})
		require.NoError(t, err)
		_, err = w.extension.CreateVolume(ctx, hosting.Volume{Name: name, Size: 1000})
		require.NoError(t, err)
	}
	return w
}

// hide refuses what has "hidden" in its name.
func hide(r *http.Request, access httpapi.Access) (context.Context, error) {
	if strings.Contains(access.Name, "hidden") {
		return nil, hosting.PermissionDenied
	}
	return r.Context(), nil
}

var pagedLists = map[string]string{
	"/instances": "near:default.deployment.%s", "/autoscale": "near:default.policy.%s", "/services": "near:default.service.s-%s",
	"/services/discover?name=all": "near:default.service.s-%s", "/volumes": "near:default.volume.%s",
}

func TestListsHideWhatTheAuthorizerRefuses(t *testing.T) {
	t.Parallel()
	w := crowd(t)
	api := newAPI(t, w.provider, w.extension, httpapi.WithAuthorizer(hide))
	for path, id := range pagedLists {
		for _, size := range []int{1, 2, 3, 4, 100} {
			var got []string
			pages, token := 0, ""
			for ; pages == 0 || token != ""; pages++ {
				require.Less(t, pages, 10, path)
				page := getPage(t, api, withQuery(path, fmt.Sprintf("pageSize=%d&pageToken=%s", size, token)))
				if page.NextPageToken != "" {
					assert.Len(t, page.Items, size, "%s: only the last page may be short", path)
				}
				for _, item := range page.Items {
					got = append(got, cmpID(item))
				}
				token = page.NextPageToken
			}
			assert.Equal(t, []string{fmt.Sprintf(id, "b"), fmt.Sprintf(id, "d"), fmt.Sprintf(id, "e")}, got, path)
			assert.Equal(t, (3+size-1)/size, pages, "%s by %d: what is hidden makes no page", path, size)
		}
	}
}

type anyPage struct {
	Items         []map[string]any `json:"items"`
	NextPageToken string           `json:"nextPageToken"`
	Errors        []wire.Problem   `json:"errors"`
}

// getPage reads a page in which nothing hidden may be, the token included.
func getPage(t *testing.T, api *httpapi.API, path string) anyPage {
	t.Helper()
	answer := ask(api, "GET", prefix+path, "")
	require.Equal(t, 200, answer.Code, "%s: %s", path, answer.Body)
	var page anyPage
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &page))
	plain, err := base64.RawURLEncoding.DecodeString(page.NextPageToken)
	require.NoError(t, err)
	assert.NotContains(t, answer.Body.String()+string(plain), "hidden", path)
	return page
}

func withQuery(path, query string) string {
	if strings.Contains(path, "?") {
		return path + "&" + query
	}
	return path + "?" + query
}

// cmpID is the id of an item, of whichever kind.
func cmpID(item map[string]any) string {
	for _, name := range []string{"id", "policyId", "serviceId", "volumeId"} {
		if id, ok := item[name].(string); ok {
			return id
		}
	}
	return ""
}

func TestAListOfNothingVisibleIsEmptyAndHasNoMore(t *testing.T) {
	t.Parallel()
	w := crowd(t)
	api := newAPI(t, w.provider, w.extension, httpapi.WithAuthorizer(func(r *http.Request, access httpapi.Access) (context.Context, error) {
		if access.Name != "" {
			return nil, hosting.PermissionDenied
		}
		return r.Context(), nil
	}))
	for path := range pagedLists {
		assert.JSONEq(t, `{"items":[]}`, ask(api, "GET", prefix+path, "").Body.String(), path)
	}
}

func TestAListFailsIfTheAuthorizerCannotDecideOnAnItem(t *testing.T) {
	t.Parallel()
	w := crowd(t)
	for reason, status := range map[hosting.Reason]int{hosting.Unavailable: 503, hosting.Unauthenticated: 401} {
		api := newAPI(t, w.provider, w.extension, httpapi.WithAuthorizer(func(r *http.Request, access httpapi.Access) (context.Context, error) {
			if strings.HasSuffix(access.Name, "d") {
				return nil, reason
			}
			return r.Context(), nil
		}))
		for path := range pagedLists {
			answer := ask(api, "GET", prefix+path, "")
			assert.Equal(t, status, answer.Code, "%s: %s", path, answer.Body)
			assert.NotContains(t, answer.Body.String(), "default.")
		}
	}
}

// The Authorizer is asked of an item by what its id says, not by its text.
func TestAnItemIsToldToTheAuthorizerAsIfItWereRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	var n noted
	api := newAPI(t, w.provider, w.extension, httpapi.WithAuthorizer(n.authorize))
	for path, want := range map[string]httpapi.Access{
		"/instances?type=cronjob":       {Action: httpapi.GetInstance, Provider: "near", Region: "default", Type: "cronjob", Name: "nightly", ID: "near:default.cronjob.nightly"},
		"/autoscale":                    {Action: httpapi.GetPolicy, Provider: "near", Region: "default", Type: "policy", Name: "web", ID: "near:default.policy.web"},
		"/services":                     {Action: httpapi.GetService, Provider: "near", Region: "default", Type: "service", Name: "shop", ID: "near:default.service.shop"},
		"/services/discover?name=store": {Action: httpapi.GetService, Provider: "near", Region: "default", Type: "service", Name: "shop", ID: "near:default.service.shop"},
		"/volumes":                      {Action: httpapi.GetVolume, Provider: "near", Region: "default", Type: "volume", Name: "data", ID: "near:default.volume.data"},
	} {
		n.asks = nil
		require.Equal(t, 200, ask(api, "GET", prefix+path, "").Code)
		require.Len(t, n.asks, 2, path)
		got := n.asks[1]
		got.Instance = hosting.ID{}
		assert.Equal(t, want, got, path)
	}
}

func TestPagesHoldStillWhileThingsComeAndGo(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	create := func(name string) {
		_, err := w.provider.CreateInstance(ctx, configOf(name, hosting.TypeDeployment))
		require.NoError(t, err)
	}
	for _, name := range []string{"b", "d", "f", "h"} {
		create(name)
	}
	api := newAPI(t, w.provider, w.extension)
	first := getPage(t, api, "/instances?pageSize=2")
	create("a")                                                                     // before the page
	create("e")                                                                     // behind it
	require.NoError(t, w.provider.DeleteInstance(ctx, "near:default.deployment.d")) // what the token names
	second := getPage(t, api, "/instances?pageSize=2&pageToken="+first.NextPageToken)
	third := getPage(t, api, "/instances?pageSize=2&pageToken="+second.NextPageToken)
	var names []string
	for _, item := range slices.Concat(first.Items, second.Items, third.Items) {
		names = append(names, item["name"].(string))
	}
	assert.Equal(t, []string{"b", "d", "e", "f", "h"}, names)
	assert.Empty(t, third.NextPageToken)
}

func TestAPartOfAListIsToldBesideWhatIsMissing(t *testing.T) {
	t.Parallel()
	p := mocks.NewMockCloudHostingProvider(gomock.NewController(t))
	p.EXPECT().ProviderName().Return("p").AnyTimes()
	missing := hosting.Errorf("p", hosting.ListFailed, hosting.Unavailable, "region other: it is away")
	some := []hosting.CloudInstance{{ID: "default.deployment.a", Name: "a"}}
	api := newAPI(t, p, nil)

	p.EXPECT().ListInstances(gomock.Any()).Return(some, missing)
	page := getPage(t, api, "/instances")
	assert.Len(t, page.Items, 1)
	require.Len(t, page.Errors, 1)
	assert.Equal(t, "region other: it is away", page.Errors[0].Detail)
	assert.Equal(t, 503, page.Errors[0].Status)

	p.EXPECT().ListInstances(gomock.Any()).Return(some, missing)
	page = getPage(t, api, "/instances?type=job")
	assert.Empty(t, page.Items, "which is not all that there is")
	assert.Len(t, page.Errors, 1)

	p.EXPECT().ListInstances(gomock.Any()).Return(nil, missing)
	assert.Equal(t, 503, ask(api, "GET", prefix+"/instances", "").Code, "of nothing there is no part")

	listsOnly := func(r *http.Request, access httpapi.Access) (context.Context, error) {
		if access.ID != "" {
			return nil, hosting.PermissionDenied
		}
		return r.Context(), nil
	}
	api, err := httpapi.New(p, nil, httpapi.WithAuthorizer(listsOnly))
	require.NoError(t, err)
	p.EXPECT().ListInstances(gomock.Any()).Return(some, missing)
	assert.Equal(t, 503, ask(api, "GET", prefix+"/instances", "").Code, "nor of what may not be seen")
}

func TestFiltersAndPageParametersAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish(t)
	_, err := w.provider.CreateInstance(t.Context(), func() hosting.CloudHostingConfig {
		config := configOf("labelled", hosting.TypeDeployment)
		config.Provider, config.Region, config.Labels = "far", "other", map[string]string{"team": "a", "empty": ""}
		return config
	}())
	require.NoError(t, err)
	api := newAPI(t, w.provider, w.extension)
	for query, names := range map[string][]string{
		"": {"labelled", "nightly", "plain", "web"}, "provider=far": {"labelled"}, "region=other": {"labelled"}, "region=nowhere": nil,
		"type=cronjob": {"nightly"}, "status=stopped": nil, "label=team%3Da": {"labelled"}, "label=team%3Da&label=empty%3D": {"labelled"},
		"label=team%3Da&label=team%3Da": {"labelled"}, "label=team%3Db": nil, "label=empty%3Dx": nil, "pageSize=&pageToken=": {"labelled", "nightly", "plain", "web"},
	} {
		var got []string
		for _, item := range getPage(t, api, "/instances?"+query).Items {
			got = append(got, item["name"].(string))
		}
		assert.Equal(t, names, got, query)
	}
	for query, says := range map[string]string{
		"pageSize=0": "pageSize", "pageSize=1001": "from 1 to 1000", "pageSize=-1": "pageSize", "pageSize=1.5": "whole number", "pageSize=99999999999999999999": "pageSize",
		"pageToken=x": "nextPageToken", "pageToken=%00": "nextPageToken", "pageToken=" + base64.RawURLEncoding.EncodeToString([]byte("2:a")): "nextPageToken",
		"pageToken=" + base64.RawURLEncoding.EncodeToString([]byte("1:\xff")): "nextPageToken", "status=fine": "creating, running", "label=x": "<name>=<value>",
		"label=%3Dx": "<name>=<value>", "label=a%3D1&label=a%3D2": "each name once", "pageSize=1&pageSize=1": "2 times", "pagesize=1": "label, pageSize, pageToken, provider, region, status, type",
		"a;b": "semicolon", "%zz": "query", "region=" + strings.Repeat("x", 300) + "&z=1": `parameter "z"`,
	} {
		answer := ask(api, "GET", prefix+"/instances?"+query, "")
		require.Equal(t, 400, answer.Code, query)
		assert.Contains(t, problemIn(t, answer).Detail, says, query)
	}
}

func TestOfAProviderThatMayNotBeListedAFailureTellsOnlyItsKind(t *testing.T) {
	t.Parallel()
	p := mocks.NewMockCloudHostingProvider(gomock.NewController(t))
	p.EXPECT().ProviderName().Return("near").AnyTimes()
	near := hosting.Errorf("near", hosting.ListFailed, hosting.Unavailable, "region other: it is away")
	far := hosting.Errorf("far", hosting.ListFailed, hosting.RateLimited, "10.0.0.7 refuses")
	both := hosting.Errorf("near", hosting.ListFailed, hosting.Unavailable, "near and far: %w", multierror.Append(nil, near, far))
	p.EXPECT().ListInstances(gomock.Any()).Return([]hosting.CloudInstance{{ID: "near:default.deployment.a", Provider: "near"}}, both)
	api, err := httpapi.New(p, nil, httpapi.WithAuthorizer(func(r *http.Request, access httpapi.Access) (context.Context, error) {
		if access.Provider == "far" {
			return nil, hosting.PermissionDenied
		}
		return r.Context(), nil
	}))
	require.NoError(t, err)
	answer := ask(api, http.MethodGet, prefix+"/instances", "")
	require.Equal(t, 200, answer.Code, answer.Body)
	assert.NotContains(t, answer.Body.String(), "10.0.0.7")
	assert.NotContains(t, answer.Body.String(), "far")
	var page wire.List[hosting.CloudInstance]
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &page))
	require.Len(t, page.Errors, 2)
	assert.Equal(t, "region other: it is away", page.Errors[0].Detail)
	assert.Equal(t, "a part of the list could not be read", page.Errors[1].Detail)
	assert.Equal(t, hosting.RateLimited, page.Errors[1].Reason)
}
