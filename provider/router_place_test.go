package provider_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

func TestAnInstanceIsCreatedWhereItsConfigurationSays(t *testing.T) {
	t.Parallel()
	r := newRouter(t,
		backend("main", fake.New(fake.WithRegions("default", "north"), fake.WithInstanceTypes("deployment", "job"))),
		backend("cloud", fake.New(fake.WithRegions("south", "default", "west"), fake.WithInstanceTypes("deployment", "lambda"))),
		backend("edge", fake.New(fake.WithRegions("east", "west"), fake.WithInstanceTypes("deployment", "lambda"))),
	)
	for _, c := range []struct {
		name, provider, region, instanceType string
		id, message                          string
	}{
		{"w1", "", "", "deployment", "main:default.deployment.w1", ""},
		{"w2", "", "default", "deployment", "main:default.deployment.w2", ""}, // others have it too
		{"w3", "", "north", "job", "main:north.job.w3", ""},
		{"w4", "", "south", "deployment", "cloud:south.deployment.w4", ""},
		{"w5", "", "east", "lambda", "edge:east.lambda.w5", ""},
		{"w6", "", "default", "lambda", "cloud:default.lambda.w6", ""},
		{"w7", "edge", "", "deployment", "edge:east.deployment.w7", ""},
		{"w8", "cloud", "default", "deployment", "cloud:default.deployment.w8", ""},

		{"w9", "nowhere", "", "deployment", "", `provider "nowhere": allowed: main, cloud, edge`},
		{"w10", "", "west", "deployment", "", "set provider to one of: cloud, edge"},
		{"w11", "", "", "lambda", "", "set provider to one of: cloud, edge"},
		{"w12", "", "north", "lambda", "", `no provider has both: region "north" is on main, instanceType "lambda" on cloud, edge`},
		{"w13", "", "moon", "deployment", "", `region "moon": allowed: default, north, south, west, east`},
		{"w14", "", "default", "vm", "", `instanceType "vm": allowed: deployment, job, lambda`},
		{"w15", "", "moon", "vm", "", `region "moon": allowed: default, north, south, west, east; instanceType "vm": allowed: deployment, job, lambda`},
		{"w16", "edge", "north", "deployment", "", "north"},
	} {
		config := deployment(c.name)
		config.Provider, config.Region, config.InstanceType = c.provider, c.region, c.instanceType
		created, err := r.CreateInstance(t.Context(), config)
		if c.message == "" {
			require.NoError(t, err, "%+v", c)
			assert.Equal(t, c.id, created.ID, "%+v", c)
			continue
		}
		e := failed(t, err)
		assert.Equal(t, hosting.CreateFailed, e.Code, "%+v", c)
		assert.Equal(t, hosting.InvalidArgument, e.Reason, "%+v", c)
		assert.Contains(t, e.Message, c.message, "%+v", c)
	}
	// What else is wrong stands beside it, and nothing twice.
	config := deployment("Web")
	config.Region = "Not A Region"
	_, err := r.CreateInstance(t.Context(), config)
	assert.Contains(t, failed(t, err).Message, `instanceName "Web"`)
	assert.Regexp(t, `^[^R]*region "Not A Region"[^R]*$`, failed(t, err).Message)
}

func TestCapabilitiesArePlannedAndPricedWhereTheInstanceWouldBe(t *testing.T) {
	t.Parallel()
	rates := fake.DefaultRates()
	rates.Currency = "EUR"
	r := newRouter(t,
		backend("a", fake.New(fake.WithRegions("north"), fake.WithInstanceTypes("deployment"))),
		backend("b", fake.New(fake.WithRegions("south"), fake.WithInstanceTypes("deployment", "cronjob"), fake.WithRates(rates))))
	config := deployment("web")
	config.Region = "south"
	estimate, err := r.EstimateCost(t.Context(), config)
	require.NoError(t, err)
	assert.Equal(t, "EUR", estimate.Currency)
	set, err := r.Capabilities(t.Context(), "", "cronjob")
	require.NoError(t, err)
	assert.True(t, set.Has(hosting.CanRunNow))
	_, err = r.Capabilities(t.Context(), "west", "deployment")
	assert.ErrorIs(t, err, hosting.InvalidArgument)
	plan, err := r.PlanInstance(t.Context(), config)
	require.NoError(t, err)
	assert.NotEmpty(t, plan.Changes)
	_, err = hosting.ApplyInstance(t.Context(), r, config)
	require.NoError(t, err)
	_, err = r.GetInstance(t.Context(), "b:south.deployment.web")
	assert.NoError(t, err)
}
