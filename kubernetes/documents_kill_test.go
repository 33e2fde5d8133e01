//go:build linux

package kubernetes_test

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/storetest"
)

// envDocuments turns the test binary into a process that writes documents until
// it is killed. Its value is where it goes on.
const envDocuments = "HOSTING_TEST_DOCUMENTS"

func writeDocuments(progress string) error {
	from, err := storetest.ParseProgress(progress)
	if err != nil {
		return err
	}
	c := kubernetes.DefaultConfig()
	c.Kubeconfig = os.Getenv(envKubeconfig)
	c.Regions = []kubernetes.Region{{Name: "default", Namespace: os.Getenv(envNamespace)}}
	p, err := kubernetes.New(context.Background(), c)
	if err != nil {
		return err
	}
	return storetest.Work(context.Background(), p.Store(), os.Stdout, from)
}

func TestNoAcknowledgedDocumentIsLostWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	self, err := os.Executable()
	require.NoError(t, err)
	storetest.RunKilled(t, 25, func(from storetest.Progress) *exec.Cmd {
		command := exec.CommandContext(t.Context(), self)
		command.Env = append(os.Environ(), envDocuments+"="+from.String(), envKubeconfig+"="+w.cluster.Kubeconfig, envNamespace+"="+w.namespace)
		return command
	}, func(t *testing.T) store.Store { return w.provider(t, w.cluster.Config()).Store() })
}
