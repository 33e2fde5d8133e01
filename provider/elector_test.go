package provider_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
	"skillcenter.io/hosting/provider/store"
)

// countingElector counts how often it was asked, and lets nobody lead unless it
// is to.
type countingElector struct {
	asked int
	leads bool
}

func (e *countingElector) Lead(ctx context.Context, lead func(context.Context)) error {
	e.asked++
	if e.leads {
		lead(ctx)
	}
	<-ctx.Done()
	return nil
}

func TestWhoActsOnPoliciesIsChosenByTheElectorOfTheirStore(t *testing.T) {
	t.Parallel()
	const onProvider, inMemory = "hosting: {fake: , store: {type: provider}}", "hosting: {fake: }"
	for name, c := range map[string]struct {
		text       string
		own, given bool // which elector lets this process lead
		withOption bool
		ownAsked   int
		givenAsked int
		acts       bool
	}{
		"that of the provider, which chooses this process":    {onProvider, true, false, false, 1, 0, true},
		"that of the provider, which chooses another process": {onProvider, false, true, false, 1, 0, false},
		"that of the program, which chooses this process":     {onProvider, false, true, true, 0, 1, true},
		"that of the program, which chooses another process":  {onProvider, true, false, true, 0, 1, false},
		"that of the program with another store":              {inMemory, true, false, true, 0, 1, false},
		"none where nobody shares the store":                  {inMemory, false, false, false, 0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				own, given := &countingElector{leads: c.own}, &countingElector{leads: c.given}
				var options []provider.Option
				if c.withOption {
					options = append(options, provider.WithElector(given))
				}
				host := open(t, c.text, opens(func(_ string, b *driver.Backend) { b.Store, b.Elector = store.NewMemory(), own }), options...)
				policy := createPolicy(t, host)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				require.NoError(t, host.Run(ctx))
				assert.Equal(t, [2]int{c.ownAsked, c.givenAsked}, [2]int{own.asked, given.asked})
				web, err := host.Provider().GetInstance(t.Context(), policy.InstanceID)
				require.NoError(t, err)
				assert.Equal(t, hosting.StatusRunning, web.Status)
				assert.Equal(t, c.acts, web.Replicas > 1, "%d replicas", web.Replicas)
			})
		})
	}
}
