package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheFileOpensTwoProvidersAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		require.NoError(t, run(t.Context(), &out, "hosting.yaml"))
		for _, want := range []string{
			"main:default.deployment.hello is running with 2 replicas",
			"edge:store-1.deployment.hello is running with 2 replicas",
			"edge:store-2.deployment.hello is running with 2 replicas",
			"All 3 instances",
		} {
			assert.Contains(t, out.String(), want)
		}
	})
}
