package kubernetes_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// sources writes the files that sections name into a directory.
func sources(t *testing.T) (directory string) {
	t.Helper()
	directory = t.TempDir()
	for name, text := range map[string]string{
		// The context of one file is about the cluster of the other.
		"contexts":  "{apiVersion: v1, kind: Config, current-context: here, contexts: [{name: here, context: {cluster: there}}]}",
		"clusters":  "{apiVersion: v1, kind: Config, clusters: [{name: there, cluster: {server: 'http://127.0.0.1:1'}}]}",
		"whole":     "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c}}], clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]}",
		"malformed": "{not yaml",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600))
	}
	return directory
}

// openText opens what a file with this text says; $ is a directory.
func openText(t *testing.T, directory, text string) error {
	t.Helper()
	config, err := provider.ParseConfig("h.yaml", []byte(strings.ReplaceAll(text, "$", directory)), nil)
	require.NoError(t, err)
	host, err := provider.Open(t.Context(), config, map[string]driver.Opener{"kubernetes": kubernetes.Open})
	if err == nil {
		require.NoError(t, host.Close())
	}
	return err
}

func TestAClusterThatCannotBeUsedIsToldByTheKeyThatNamesIt(t *testing.T) {
	t.Parallel()
	directory := sources(t)
	const readable = "allowed: a kubeconfig that can be read, or in a pod none"
	for name, c := range map[string]struct{ section, want string }{
		"a context": {"kubeconfig: $/whole\n  context: other",
			`h.yaml:3: kubernetes.context: kubeconfig: context "other" does not exist: allowed: a context of the kubeconfig`},
		"a region's context": {"kubeconfig: $/whole\n  regions:\n  - name: a\n  - name: b\n    context: other",
			`h.yaml:6: kubernetes.regions[1].context: kubeconfig: context "other" does not exist: allowed: a context of the kubeconfig`},
		"a malformed kubeconfig": {"owner: me\n  kubeconfig: $/malformed",
			`h.yaml:3: kubernetes.kubeconfig: kubeconfig: error loading config file "$/malformed": yaml: line 1: did not find expected ',' or '}': ` + readable},
		"a region's malformed kubeconfig": {"kubeconfig: $/whole\n  regions:\n  - name: a\n  - name: b\n    kubeconfig: $/malformed",
			`h.yaml:6: kubernetes.regions[1].kubeconfig: kubeconfig: error loading config file "$/malformed": yaml: line 1: did not find expected ',' or '}': ` + readable},
		"several regions": {"kubeconfig: $/whole\n  regions:\n  - {name: a, kubeconfig: $/none}\n  - {name: b, context: other}\n  - {name: c, context: other, namespace: c}",
			`h.yaml:4: kubernetes.regions[0].kubeconfig: kubeconfig: stat $/none: no such file or directory: ` + readable + "\n" +
				`h.yaml:5: kubernetes.regions[1].context: kubeconfig: context "other" does not exist: allowed: a context of the kubeconfig` + "\n" +
				`h.yaml:6: kubernetes.regions[2].context: kubeconfig: context "other" does not exist: allowed: a context of the kubeconfig`},
		"one namespace by two kubeconfigs": {"regions:\n  - {name: a, kubeconfig: $/whole, namespace: x}\n  - {name: b, kubeconfig: $/whole, context: c, namespace: x}",
			`h.yaml:4: kubernetes.regions[1].namespace: namespace x of the same cluster is region a already: its instances would have two ids: allowed: each namespace of a cluster once`},
		"no file of a list": {"kubeconfig: $/none" + string(filepath.ListSeparator) + "$/nor",
			`h.yaml:2: kubernetes.kubeconfig: kubeconfig: none of $/none:$/nor: file does not exist: ` + readable},
		"authorities of kubelets in a file": {"kubeconfig: $/whole\n  kubeletMetrics:\n    enabled: true\n    caFile: $/none",
			`h.yaml:5: kubernetes.kubeletMetrics.caFile: kubeletMetrics: open $/none: no such file or directory: allowed: a file of certificates that can be read`},
		"authorities of kubelets": {"kubeconfig: $/whole\n  kubeletMetrics:\n    enabled: true\n    caData: none",
			`h.yaml:5: kubernetes.kubeletMetrics.caData: kubeletMetrics: unable to load root certificates: unable to parse bytes as PEM block: allowed: certificates as PEM`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := openText(t, directory, "kubernetes:\n  "+c.section+"\n")
			require.ErrorIs(t, err, hosting.InvalidArgument)
			var problems provider.Problems
			require.ErrorAs(t, err, &problems)
			assert.Equal(t, strings.ReplaceAll(c.want, "$", directory), problems.Error())
		})
	}
}

func TestAKubeconfigMayBeAListOfFiles(t *testing.T) {
	t.Parallel()
	directory := sources(t)
	for _, files := range [][]string{{"contexts", "clusters"}, {"none", "clusters", "contexts"}} {
		list := "$/" + strings.Join(files, string(filepath.ListSeparator)+"$/")
		assert.NoError(t, openText(t, directory, "kubernetes: {kubeconfig: '"+list+"'}"))
		assert.NoError(t, openText(t, directory, "kubernetes: {regions: [{name: a, kubeconfig: '"+list+"', context: here}]}"))
	}
	assert.Error(t, openText(t, directory, "kubernetes: {kubeconfig: $/contexts}"), "one of them is not enough")
}
