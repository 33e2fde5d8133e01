package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"skillcenter.io/hosting"
)

func TestWhatAnInstanceWouldCostAndDidCostIsTold(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	var estimate, twice hosting.CostEstimate
	e.do("POST", "/cost/estimate", webConfig()).is(http.StatusOK).into(&estimate)
	assert.Positive(t, estimate.HourlyCost)
	config := webConfig()
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 2}
	e.do("POST", "/cost/estimate", config).is(http.StatusOK).into(&twice)
	assert.Greater(t, twice.HourlyCost, estimate.HourlyCost)
	assert.Equal(t, []string{"a:default.deployment.web", "b:default.deployment.web"}, e.do("GET", "/instances", nil).ids("id"), "nothing is created")

	var actual hosting.CostActual
	now := hosting.Now()
	start := hosting.NewTime(now.Std().Add(-time.Hour))
	e.do("GET", fmt.Sprintf("/instances/default.deployment.web/cost?startTime=%d&endTime=%d", start.Millis(), now.Millis()), nil).is(http.StatusOK).into(&actual)
	assert.Equal(t, webID, actual.InstanceID)
	assert.Equal(t, start, actual.StartTime)
	assert.Equal(t, now, actual.EndTime)
}

func TestACostOfWhatIsNotThereIsRefused(t *testing.T) {
	t.Parallel()
	e := newExtended(t)
	nowhere, unknown, invalid := webConfig(), webConfig(), webConfig()
	nowhere.Region, unknown.Provider, invalid.InstanceName = "moon", "c", ""
	for says, config := range map[string]hosting.CloudHostingConfig{"region": nowhere, "provider": unknown, "instanceName": invalid} {
		e.do("POST", "/cost/estimate", config).problem(http.StatusBadRequest, hosting.CostFailed, hosting.InvalidArgument, says)
	}
	for query, says := range map[string]string{
		"":                           "end",
		"?startTime=now":             `startTime: "now"`,
		"?startTime=2&endTime=1":     "end",
		"?startTime=1&endTime=1e3":   "endTime",
		"?startTime=1&startTime=2":   "startTime: it is given 2 times",
		"?startTime=1&endTime=2&x=1": `"x"`,
	} {
		e.do("GET", "/instances/"+webID+"/cost"+query, nil).problem(http.StatusBadRequest, hosting.CostFailed, hosting.InvalidArgument, says)
	}
	e.do("GET", "/instances/default.deployment.none/cost?endTime=1", nil).problem(http.StatusNotFound, hosting.InstanceNotFound, hosting.NotFound)
}
