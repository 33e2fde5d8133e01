package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func TestQuickstartTellsTheWholeLifeInUnder15Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var out strings.Builder
		require.NoError(t, run(t.Context(), &out))
		assert.Less(t, time.Since(began), 15*time.Second)
		rest := out.String()
		for _, want := range []string{
			"The id is default.deployment.hello.",
			"creating     0 of 2 replicas ready",
			"running      2 of 2 replicas ready",
			"hello-1    started",
			"http://hello.default.fake.local:8080 (cluster)",
			"starting     2 of 3 replicas ready",
			"stopped      0 of 0 replicas ready",
			"running      3 of 3 replicas ready",
			"scaled to 3 replicas",
			"total",
			"terminating",
			"Done: default.deployment.hello was created, scaled, stopped, started and deleted.",
		} {
			_, after, found := strings.Cut(rest, want)
			require.True(t, found, "%q is missing, or not in its place, in:\n%s", want, out.String())
			rest = after
		}
	})
}

func TestQuickstartEndsWhenItIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var out strings.Builder
		err := run(ctx, &out)
		assert.ErrorIs(t, err, hosting.DeadlineExceeded)
	})
}
