package provider_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/store/boltstore"
)

func TestNoErrorShowsWhatAVariableHolds(t *testing.T) {
	t.Parallel()
	const label = `allowed: a DNS label`
	for text, want := range map[string]string{
		`hosting: {defaultProvider: "${SET}", fake: }`:           `hosting.defaultProvider: "${SET}": allowed: one of the enabled providers: fake`,
		`hosting: {fake: , store: {path: "${SET}"}}`:             `hosting.store.path: "${SET}": allowed: only with type: file`,
		`hosting: {fake: , store: {type: "${SET}"}}`:             `hosting.store.type: "${SET}": allowed: memory, file, provider`,
		`hosting: {test: {type: "${SET}"}}`:                      `hosting.test.type: this program has no provider of type "${SET}": allowed: fake, kubernetes, or enabled: false`,
		`hosting: {fake: {regions: [a, "${SET}"]}}`:              `hosting.fake.regions[1]: "${SET}": ` + label,
		`hosting: {fake: {regions: ["x${SET}y"]}}`:               `hosting.fake.regions[0]: "x${SET}y": ` + label,
		`hosting: {fake: {regions: ["${SET:unused}"]}}`:          `hosting.fake.regions[0]: "${SET:unused}": ` + label,
		`hosting: {fake: {regions: ["${NOT_SET:a fallback!}"]}}`: `hosting.fake.regions[0]: "${NOT_SET:a fallback!}": ` + label,
		`hosting: {fake: {regions: ["${LONG}"]}}`:                `hosting.fake.regions[0]: "${LONG}": ` + label,
		`hosting: {fake: {regions: ["${LINES}"]}}`:               `hosting.fake.regions[0]: "${LINES}": ` + label,
		`hosting: {fake: {nodes: "${ZERO}"}}`:                    `hosting.fake.nodes: ${ZERO}: allowed: 1 or more`,
		`hosting: {fake: , defaults: {scaling: {minReplicas: "${MANY}"}}}`: `hosting.defaults.scaling.minReplicas: ${MANY}: ` +
			`allowed: 0 to 100000`,
		`kubernetes: {owner: "${SET}"}`:                         `kubernetes.owner: "${SET}": allowed: a label value`,
		`kubernetes: {namespace: "${SET}"}`:                     `kubernetes.namespace: "${SET}": ` + label,
		`kubernetes: {kubeconfig: "${SET}"}`:                    `kubernetes.kubeconfig: kubeconfig: stat ${SET}: no such file or directory: allowed: a kubeconfig that can be read, or in a pod none`,
		`kubernetes: {kubeconfig: "/no/${SET}"}`:                `kubernetes.kubeconfig: kubeconfig: stat /no/${SET}: no such file or directory: allowed: a kubeconfig that can be read, or in a pod none`,
		`kubernetes: {regions: [{name: "${SET}"}]}`:             `kubernetes.regions[0].name: "${SET}": ` + label,
		`kubernetes: {networking: {serviceType: "${SET}"}}`:     `kubernetes.networking.serviceType: "${SET}": allowed: ClusterIP, NodePort, LoadBalancer`,
		`kubernetes: {networking: {ingressDomain: "${SET}"}}`:   `kubernetes.networking.ingressDomain: "${SET}": allowed: a DNS name`,
		`kubernetes: {defaults: {progressDeadline: "${TIME}"}}`: `kubernetes.defaults.progressDeadline: "${TIME}": allowed: whole seconds, at least 1`,
		`kubernetes: {resources: {requests: {cpu: "${CORES}"}, limits: {cpu: 1}}}`: `kubernetes.resources.requests.cpu: "${CORES}": ` +
			`allowed: at most cpuLimit, 1`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			told := problemsOf(t, text, "SET", "a secret!", "ZERO", "0", "MANY", "100001", "TIME", "1500", "CORES", "2500m",
				"LINES", "a secret!\nof two lines", "LONG", "a secret! which is so long that the message of an error would cut it before its end")
			assert.Contains(t, told, "h.yaml:1: "+want)
			assert.NotContains(t, told, "secret")
		})
	}
}

func TestAnErrorOfTheStoreDoesNotShowWhatAVariableHolds(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "a secret!", "no such directory")
	config := parse(t, `hosting: {fake: , store: {type: file, path: "${SET}"}}`, "SET", secret)
	_, err := provider.Open(t.Context(), config, openers(), provider.WithFileStore(boltstore.Open))
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "hosting.store.path: store file ${SET}: its directory: no such file or directory")
	assert.NotContains(t, err.Error(), "secret")
}

func TestAnErrorLeavesWordsAloneThatOnlyLookLikeAVariable(t *testing.T) {
	t.Parallel()
	// The value is a part of other words, and in what is allowed.
	assert.Equal(t, `h.yaml:1: kubernetes.kubeconfig: kubeconfig: stat ${SET}: no such file or directory: allowed: a kubeconfig that can be read, or in a pod none`,
		problemsOf(t, `kubernetes: {kubeconfig: "${SET}"}`, "SET", "a"))
	// A program may change what the file says.
	config := parse(t, `hosting: {defaultProvider: "${SET}", fake: }`, "SET", "fake")
	config.DefaultProvider = "other"
	_, err := provider.Open(t.Context(), config, openers())
	var problem provider.Problem
	require.True(t, errors.As(err, &problem))
	assert.ErrorIs(t, err, hosting.InvalidArgument)
	assert.Equal(t, `"other": allowed: one of the enabled providers: fake`, problem.Err.Error())
}
