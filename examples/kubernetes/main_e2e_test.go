//go:build linux && e2e

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/internal/testcluster"
)

func TestTheExampleHostsFetchesAndDeletesASkill(t *testing.T) {
	cluster := testcluster.StartWithNode(t)
	t.Setenv("KUBECONFIG", cluster.Kubeconfig)
	var out strings.Builder
	err := run(t.Context(), &out, settings{
		image: testcluster.SkillImage, args: "-lines 3 -every 1s", port: 8080, namespace: cluster.Namespace(t, "example"),
	})
	require.NoError(t, err, out.String())
	rest := out.String()
	for _, want := range []string{
		"The id is default.deployment.hello.", "running      1 of 1", "It answers: hello from hello-",
		"line 3", "1 of 1 ready", "SuccessfulCreate", "not known", "running      2 of 2", "stopped      0 of 0", "default.deployment.hello is gone.",
	} {
		_, after, found := strings.Cut(rest, want)
		assert.True(t, found, "%q is missing, or not in its place, in:\n%s", want, out.String())
		rest = after
	}
}
