package provider_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

func openers() map[string]driver.Opener {
	return map[string]driver.Opener{"fake": fake.Open, "kubernetes": kubernetes.Open}
}

// problemsOf opens what may be wrong, and returns what is told.
func problemsOf(t *testing.T, text string, variables ...string) string {
	t.Helper()
	config, loading := provider.ParseConfig("h.yaml", []byte(text), environment(variables...))
	host, err := provider.Open(t.Context(), config, openers())
	if err == nil {
		require.NoError(t, loading, "what is wrong with a file is wrong with its host")
		require.NoError(t, host.Close())
		return ""
	}
	require.ErrorIs(t, err, hosting.InvalidArgument)
	require.Equal(t, hosting.InvalidConfig, hosting.CodeOf(err))
	var problems provider.Problems
	require.True(t, errors.As(err, &problems), "%v", err)
	return problems.Error()
}

func TestEveryMistakeIsToldWithFileLineKeyAndWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for _, mistake := range mistakes() {
		t.Run(mistake.name, func(t *testing.T) {
			t.Parallel()
			told := problemsOf(t, mistake.text, "SET", "a-secret-value")
			assert.Equal(t, mistake.want, told)
			assert.NotContains(t, told, "a-secret-value")
		})
	}
}

func TestAllMistakesOfAFileAreToldAtOnceInItsOrder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "all.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`hosting:
  enabled: true
  defaultProvider: kuberntes
  kubernetes:
    namspace: skills
    scaling: {minReplicas: 3, maxReplicas: 2}
  fake: {nodes: 0}
  tencent: {enabled: true}
  defaults:
    resources: {cpuLimit: 1, cpuRequest: 2}
  monitoring: {metricsInterval: soon}
  cost: {currency: yuan}
  store: {type: file}
  extra: 1
`), 0o600))
	_, err := provider.OpenFile(t.Context(), path, openers())
	var problems provider.Problems
	require.True(t, errors.As(err, &problems), "%v", err)
	var got []string
	for _, p := range problems {
		assert.Equal(t, path, p.File)
		got = append(got, fmt.Sprint(p.Line, " ", p.Key))
	}
	assert.Equal(t, []string{
		"3 hosting.defaultProvider",
		"5 hosting.kubernetes.namspace",
		"6 hosting.kubernetes.scaling.minReplicas",
		"7 hosting.fake.nodes",
		"8 hosting.tencent",
		"10 hosting.defaults.resources.cpuRequest",
		"11 hosting.monitoring.metricsInterval",
		"12 hosting.cost.currency",
		"13 hosting.store.path",
		"14 hosting.extra",
	}, got)
	assert.ErrorContains(t, err, fmt.Sprintf("InvalidConfig (InvalidArgument): 10 problems:\n%s:3: hosting.defaultProvider: \"kuberntes\" (did you mean \"kubernetes\"?)", path))
}

func TestADisabledSectionIsNotLookedAt(t *testing.T) {
	t.Parallel()
	assert.Empty(t, problemsOf(t, `
hosting:
  fake:
  tencent:
    enabled: false
    secretKey: ${NOT_SET}
    unknown: {key: 1}
  kubernetes:
    enabled: false
    kubeconfig: /no/such/file
    unknown: 1
`))
}

func TestADisabledHostSaysSo(t *testing.T) {
	t.Parallel()
	config := parse(t, "hosting: {enabled: false, fake: }")
	_, err := provider.Open(t.Context(), config, openers())
	assert.ErrorIs(t, err, provider.ErrDisabled)
}

type mistake struct{ name, text, want string }

// at is a file with some lines in a section of "hosting", which is on line 3.
func at(section, lines string) string {
	var text strings.Builder
	text.WriteString("hosting:\n  fake:\n")
	fmt.Fprintf(&text, "  %s:\n", section)
	for line := range strings.Lines(lines) {
		text.WriteString("    " + line)
	}
	return text.String() + "\n"
}

func mistakes() []mistake {
	return []mistake{
		// The form of the file.
		{"an empty file", "",
			`h.yaml: the file is empty: allowed: a mapping with the keys hosting, kubernetes`},
		{"a file of comments", "# hosting:\n",
			`h.yaml: the file is empty: allowed: a mapping with the keys hosting, kubernetes`},
		{"a list", "- hosting\n",
			`h.yaml:1: is a list: allowed: a mapping with the keys hosting, kubernetes`},
		{"no YAML", "hosting:\n  enabled: true\n    fake:\n",
			`h.yaml:3: not YAML: mapping values are not allowed in this context`},
		{"a tab", "hosting:\n\tfake:\n",
			`h.yaml:2: not YAML: found character that cannot start any token`},
		{"two documents", "hosting:\n  fake:\n---\nhosting:\n",
			`h.yaml:3: a second document: allowed: one in each file`},
		{"a character that is no text", "hosting:\n  fake: \x00\n",
			`h.yaml:2: a character that YAML does not allow: allowed: UTF-8 text`},
		{"an unknown anchor", "hosting:\n  fake: *fake\n",
			`h.yaml:2: not YAML: unknown anchor 'fake' referenced`},
		{"an alias in itself", "hosting:\n  fake: &fake\n    regions: [*fake]\n",
			`h.yaml:3: hosting.fake.regions[0]: the alias *fake is inside of what it stands for: allowed: an alias of something else`},
		{"a tag", "hosting:\n  fake:\n    nodes: !!binary aGVsbG8=\n",
			`h.yaml:3: hosting.fake.nodes: tag "!!binary": allowed: none`},
		{"a merge of a scalar", "hosting:\n  fake:\n    <<: 1\n",
			`h.yaml:3: hosting.fake.<<: is a single value: allowed: an alias of a mapping, or a list of them`},
		{"a key that is a list", "hosting:\n  fake:\n    [a]: 1\n",
			`h.yaml:3: hosting.fake: a key that is not text: allowed: text`},
		{"nested too deeply", "hosting:\n  fake:\n    regions: " + strings.Repeat("[", 30) + strings.Repeat("]", 30) + "\n",
			`h.yaml:3: hosting.fake.regions[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: nested too deeply: allowed: at most 32 levels` + "\n" +
				`h.yaml:3: hosting.fake.regions[0]: is a list: allowed: text`},
		{"a laugh", laughs(),
			`h.yaml:1: a0: unknown key: allowed: hosting, kubernetes` + "\n" +
				`h.yaml:2: a1: unknown key: allowed: hosting, kubernetes` + "\n" +
				`h.yaml:3: a4[3][3][9]: too many values: allowed: at most 10000, those behind aliases counted each time` + "\n" +
				`h.yaml:3: a2: unknown key: allowed: hosting, kubernetes` + "\n" +
				`h.yaml:4: a3: unknown key: allowed: hosting, kubernetes` + "\n" +
				`h.yaml:5: a4: unknown key: allowed: hosting, kubernetes`},
		{"a large file", "hosting:\n  fake: #" + strings.Repeat("x", 1<<20),
			`h.yaml: the file has 1048594 bytes: allowed: at most 1048576`},

		// The top.
		{"an unknown key at the top", "hosting:\n  fake:\nserver:\n  port: 80\n",
			`h.yaml:3: server: unknown key: allowed: hosting, kubernetes`},
		{"a key that is nearly one at the top", "hostng:\n  fake:\n",
			`h.yaml:1: hostng: unknown key (did you mean "hosting"?): allowed: hosting, kubernetes`},
		{"hosting twice", "hosting:\n  fake:\nhosting:\n  fake:\n",
			`h.yaml:3: hosting: given twice, first on line 1: allowed: each key once`},
		{"hosting as a list", "hosting:\n- fake\n",
			`h.yaml:1: hosting: is a list: allowed: a mapping`},
		{"kubernetes in both places", "hosting:\n  kubernetes: {enabled: false}\n  fake:\nkubernetes: {enabled: true}\n",
			`h.yaml:4: kubernetes: stands under hosting too: allowed: one of the two`},
		{"kubernetes at the top as text", "kubernetes: yes\n",
			`h.yaml:1: kubernetes: is a single value: allowed: a mapping`},

		// hosting
		{"hosting.enabled of a wrong kind", "hosting:\n  enabled: [true]\n  fake:\n",
			`h.yaml:2: hosting.enabled: is a list: allowed: true or false`},
		{"hosting.enabled with another word", "hosting:\n  enabled: on\n  fake:\n",
			`h.yaml:2: hosting.enabled: "on": allowed: true or false`},
		{"hosting.enabled: false", "hosting:\n  enabled: false\n  fake:\n",
			`h.yaml:2: hosting.enabled: hosting is disabled: allowed: true, to open a host`},
		{"an unknown key", "hosting:\n  fake:\n  replicas: 3\n",
			`h.yaml:3: hosting.replicas: unknown key: allowed: enabled, defaultProvider, defaults, monitoring, cost, store, or a provider: a mapping under its name, which is lower-case letters, digits and '-' inside, at most 63 characters`},
		{"a key that is nearly one", "hosting:\n  fake:\n  enabeld: true\n",
			`h.yaml:3: hosting.enabeld: unknown key (did you mean "enabled"?): allowed: enabled, defaultProvider, defaults, monitoring, cost, store, or a provider: a mapping under its name, which is lower-case letters, digits and '-' inside, at most 63 characters`},
		{"a section that is nearly one", "hosting:\n  fake:\n  montoring:\n    enabled: true\n",
			`h.yaml:3: hosting.montoring: unknown key (did you mean "monitoring"?): allowed: enabled, defaultProvider, defaults, monitoring, cost, store, or a provider: a mapping under its name, which is lower-case letters, digits and '-' inside, at most 63 characters; a provider of this name needs type`},
		{"no provider", "hosting:\n  enabled: true\n",
			`h.yaml:1: hosting: no provider is enabled: allowed: at least one, such as kubernetes: {enabled: true}`},
		{"no enabled provider", "hosting:\n  fake: {enabled: false}\n",
			`h.yaml:1: hosting: no provider is enabled: allowed: at least one, such as kubernetes: {enabled: true}`},
		{"a provider that the program does not have", "hosting:\n  tencent: {enabled: true}\n",
			`h.yaml:2: hosting.tencent: this program has no provider of type "tencent": allowed: fake, kubernetes, or enabled: false`},
		{"a provider that is nearly one", "hosting:\n  kubernets: {enabled: true}\n",
			`h.yaml:2: hosting.kubernets: this program has no provider of type "kubernets" (did you mean "kubernetes"?): allowed: fake, kubernetes, or enabled: false`},
		{"a type that the program does not have", "hosting:\n  test:\n    type: fak\n",
			`h.yaml:3: hosting.test.type: this program has no provider of type "fak" (did you mean "fake"?): allowed: fake, kubernetes, or enabled: false`},
		{"a type of a wrong kind", "hosting:\n  test:\n    type: {fake: true}\n",
			`h.yaml:3: hosting.test.type: is a mapping: allowed: text`},
		{"a provider that is enabled with another word", "hosting:\n  fake:\n    enabled: yes\n",
			`h.yaml:3: hosting.fake.enabled: "yes": allowed: true or false`},
		{"the name of a provider", "hosting:\n  my.fake: {type: fake}\n",
			`h.yaml:2: hosting.my.fake: unknown key: allowed: enabled, defaultProvider, defaults, monitoring, cost, store, or a provider: a mapping under its name, which is lower-case letters, digits and '-' inside, at most 63 characters`},
		{"a provider twice", "hosting:\n  fake:\n  fake:\n",
			`h.yaml:3: hosting.fake: given twice, first on line 2: allowed: each key once`},
		{"a defaultProvider that is not there", "hosting:\n  defaultProvider: kubernetes\n  fake:\n",
			`h.yaml:2: hosting.defaultProvider: "kubernetes": allowed: one of the enabled providers: fake`},
		{"a defaultProvider that is not enabled", "hosting:\n  defaultProvider: b\n  fake:\n  b: {type: fake, enabled: false}\n",
			`h.yaml:2: hosting.defaultProvider: "b": allowed: one of the enabled providers: fake`},
		{"no defaultProvider of several", "hosting:\n  a: {type: fake}\n  b: {type: fake}\n",
			`h.yaml:1: hosting.defaultProvider: missing: allowed: one of the enabled providers: a, b`},
		{"defaultProvider of a wrong kind", "hosting:\n  defaultProvider: [fake]\n  fake:\n",
			`h.yaml:2: hosting.defaultProvider: is a list: allowed: text`},

		// hosting.defaults
		{"defaults of a wrong kind", "hosting:\n  fake:\n  defaults: 1\n",
			`h.yaml:3: hosting.defaults: is a single value: allowed: a mapping with the keys resources, scaling`},
		{"an unknown key of defaults", at("defaults", "resource: {cpuLimit: 1}"),
			`h.yaml:4: hosting.defaults.resource: unknown key (did you mean "resources"?): allowed: resources, scaling`},
		{"an unknown resource", at("defaults", "resources:\n  cpu: 1"),
			`h.yaml:5: hosting.defaults.resources.cpu: unknown key: allowed: cpuLimit, cpuRequest, memoryLimit, memoryRequest, storageLimit`},
		{"a resource twice", at("defaults", "resources:\n  cpuLimit: 1\n  memoryLimit: 1Gi\n  cpuLimit: 2"),
			`h.yaml:7: hosting.defaults.resources.cpuLimit: given twice, first on line 5: allowed: each key once`},
		{"cores that are none", at("defaults", "resources:\n  cpuLimit: 500mb"),
			`h.yaml:5: hosting.defaults.resources.cpuLimit: "500mb": allowed: cores, such as 0.5, 2, or 500m (thousandths)`},
		{"too few cores", at("defaults", "resources:\n  cpuLimit: 0.1m"),
			`h.yaml:5: hosting.defaults.resources.cpuLimit: 0.0001: allowed: cores, 0.001 to 1000000, or 0 for the default`},
		{"cores of a wrong kind", at("defaults", "resources:\n  cpuLimit: {value: 1}"),
			`h.yaml:5: hosting.defaults.resources.cpuLimit: is a mapping: allowed: cores, such as 0.5, 2, or 500m (thousandths)`},
		{"bytes that are none", at("defaults", "resources:\n  memoryLimit: 512MB"),
			`h.yaml:5: hosting.defaults.resources.memoryLimit: "512MB": allowed: bytes, such as 1048576, 512Mi, 1.5Gi (powers of 1024: Ki, Mi, Gi, Ti, Pi) or 500M (powers of 1000: k, M, G, T, P)`},
		{"a request above its limit", at("defaults", "resources:\n  cpuLimit: 1\n  cpuRequest: 2"),
			`h.yaml:6: hosting.defaults.resources.cpuRequest: 2: allowed: at most cpuLimit, 1`},
		{"an unknown key of scaling", at("defaults", "scaling:\n  min: 1"),
			`h.yaml:5: hosting.defaults.scaling.min: unknown key: allowed: minReplicas, maxReplicas, targetCPUUtilization, targetMemoryUtilization`},
		{"replicas that are no number", at("defaults", "scaling:\n  minReplicas: two"),
			`h.yaml:5: hosting.defaults.scaling.minReplicas: "two": allowed: a whole number`},
		{"replicas that are no whole number", at("defaults", "scaling:\n  maxReplicas: 1.5"),
			`h.yaml:5: hosting.defaults.scaling.maxReplicas: "1.5": allowed: a whole number`},
		{"replicas in octal", at("defaults", "scaling:\n  maxReplicas: 010"),
			`h.yaml:5: hosting.defaults.scaling.maxReplicas: "010": allowed: a whole number`},
		{"replicas that no int holds", at("defaults", "scaling:\n  maxReplicas: 99999999999999999999"),
			`h.yaml:5: hosting.defaults.scaling.maxReplicas: "99999999999999999999": allowed: a whole number`},
		{"too many replicas", at("defaults", "scaling:\n  maxReplicas: 100001"),
			`h.yaml:5: hosting.defaults.scaling.maxReplicas: 100001: allowed: 0 to 100000`},
		{"minReplicas above maxReplicas", at("defaults", "scaling:\n  minReplicas: 3\n  maxReplicas: 2"),
			`h.yaml:5: hosting.defaults.scaling.minReplicas: 3: allowed: at most maxReplicas, 2`},
		{"a target that is none", at("defaults", "scaling:\n  targetCPUUtilization: 70%"),
			`h.yaml:5: hosting.defaults.scaling.targetCPUUtilization: "70%": allowed: a whole number`},

		// hosting.monitoring
		{"monitoring of a wrong kind", "hosting:\n  fake:\n  monitoring: true\n",
			`h.yaml:3: hosting.monitoring: is a single value: allowed: a mapping with the keys enabled, metricsInterval, logRetention`},
		{"an unknown key of monitoring", at("monitoring", "interval: 60s"),
			`h.yaml:4: hosting.monitoring.interval: unknown key: allowed: enabled, metricsInterval, logRetention`},
		{"monitoring.enabled that is none", at("monitoring", "enabled: maybe"),
			`h.yaml:4: hosting.monitoring.enabled: "maybe": allowed: true or false`},
		{"an interval that is none", at("monitoring", "metricsInterval: 1 minute"),
			`h.yaml:4: hosting.monitoring.metricsInterval: "1 minute": allowed: milliseconds, such as 60000, or with units, such as 7d, 12h, 1h30m, 60s or 250ms`},
		{"an interval that is too short", at("monitoring", "metricsInterval: 60"),
			`h.yaml:4: hosting.monitoring.metricsInterval: 60ms: allowed: 1s or more`},
		{"a retention that is none", at("monitoring", "logRetention: 1w"),
			`h.yaml:4: hosting.monitoring.logRetention: "1w": allowed: milliseconds, such as 60000, or with units, such as 7d, 12h, 1h30m, 60s or 250ms`},
		{"a negative retention", at("monitoring", "logRetention: -7d"),
			`h.yaml:4: hosting.monitoring.logRetention: "-7d": allowed: milliseconds, such as 60000, or with units, such as 7d, 12h, 1h30m, 60s or 250ms`},

		// hosting.cost
		{"an unknown key of cost", at("cost", "curency: CNY"),
			`h.yaml:4: hosting.cost.curency: unknown key (did you mean "currency"?): allowed: currency, billingCycle`},
		{"a currency that is none", at("cost", "currency: yuan"),
			`h.yaml:4: hosting.cost.currency: "yuan": allowed: a code of ISO 4217: three capital letters, such as CNY`},
		{"a billingCycle that is none", at("cost", "billingCycle: weekly"),
			`h.yaml:4: hosting.cost.billingCycle: "weekly": allowed: second, hourly, daily, monthly`},

		// hosting.store
		{"an unknown key of store", at("store", "file: x"),
			`h.yaml:4: hosting.store.file: unknown key: allowed: type, path`},
		{"a store that is none", at("store", "type: bolt"),
			`h.yaml:4: hosting.store.type: "bolt": allowed: memory, file, provider`},
		{"a file without a path", at("store", "type: file"),
			`h.yaml:3: hosting.store.path: missing: allowed: the path of a file, which type: file needs`},
		{"a path without a file", at("store", "path: /var/lib/x"),
			`h.yaml:4: hosting.store.path: "/var/lib/x": allowed: only with type: file`},
		{"a file that the program does not open", at("store", "type: file\npath: x"),
			`h.yaml:4: hosting.store.type: "file": this program opens no files (WithFileStore): allowed: memory, provider`},
		{"a provider that keeps nothing", at("store", "type: provider"),
			`h.yaml:4: hosting.store.type: "provider": the default provider fake keeps no documents: allowed: memory, file`},

		// Variables.
		{"a variable that is not set", at("store", "type: file\npath: ${NOT_SET}"),
			`h.yaml:5: hosting.store.path: variable NOT_SET is not set: allowed: to set it, or ${NOT_SET:default}`},
		{"a variable without a name", at("store", "type: file\npath: ${}"),
			`h.yaml:5: hosting.store.path: "${}": allowed: ${NAME} or ${NAME:default}, of letters, digits and _, without another variable in it; $${ for the text itself`},
		{"a variable without an end", at("store", "type: file\npath: ${SET"),
			`h.yaml:5: hosting.store.path: "${SET": allowed: ${NAME} or ${NAME:default}, of letters, digits and _, without another variable in it; $${ for the text itself`},
		{"a variable in a variable", at("store", "type: file\npath: ${A:${SET}}"),
			`h.yaml:5: hosting.store.path: "${A:${SET}}": allowed: ${NAME} or ${NAME:default}, of letters, digits and _, without another variable in it; $${ for the text itself`},
		{"a value from outside, which may be a secret", at("monitoring", "metricsInterval: ${SET}"),
			`h.yaml:4: hosting.monitoring.metricsInterval: "${SET}": allowed: milliseconds, such as 60000, or with units, such as 7d, 12h, 1h30m, 60s or 250ms`},

		// fake
		{"an unknown key of fake", "hosting:\n  fake:\n    node: 3\n",
			`h.yaml:3: hosting.fake.node: unknown key (did you mean "nodes"?): allowed: enabled, type, regions, instanceTypes, nodes`},
		{"nodes that are none", "hosting:\n  fake:\n    nodes: 0\n",
			`h.yaml:3: hosting.fake.nodes: 0: allowed: 1 or more`},
		{"a region that is none", "hosting:\n  fake:\n    regions: [a, B]\n",
			`h.yaml:3: hosting.fake.regions[1]: "B": allowed: a DNS label`},
		{"regions of a wrong kind", "hosting:\n  fake:\n    regions: a\n",
			`h.yaml:3: hosting.fake.regions: is a single value: allowed: a list`},
		{"an instance type that is none", "hosting:\n  fake:\n    instanceTypes: [deployment, volume]\n",
			`h.yaml:3: hosting.fake.instanceTypes[1]: "volume": allowed: lower-case letters and digits, beginning with a letter, and none of ["volume" "service" "policy"]`},

		// kubernetes
		{"an unknown key of kubernetes", "kubernetes:\n  masterURL: x\n",
			`h.yaml:2: kubernetes.masterURL: unknown key (did you mean "masterUrl"?): allowed: enabled, type, kubeconfig, context, masterUrl, namespace, regions, regionTimeout, owner, defaults, resources, scaling, networking, kubeletMetrics, qps, burst, logStreams, cache, storageClasses`},
		{"kubernetes of a wrong kind", "hosting:\n  kubernetes: true\n",
			`h.yaml:2: hosting.kubernetes: unknown key: allowed: enabled, defaultProvider, defaults, monitoring, cost, store, or a provider: a mapping under its name, which is lower-case letters, digits and '-' inside, at most 63 characters`},
		{"a kubeconfig that is not there", "kubernetes:\n  kubeconfig: /no/such/file\n",
			`h.yaml:2: kubernetes.kubeconfig: kubeconfig: stat /no/such/file: no such file or directory: allowed: a kubeconfig that can be read, or in a pod none`},
		{"a namespace that is none", "kubernetes:\n  namespace: My_Skills\n",
			`h.yaml:2: kubernetes.namespace: "My_Skills": allowed: a DNS label`},
		{"a namespace of the cluster", "kubernetes:\n  namespace: kube-system\n",
			`h.yaml:2: kubernetes.namespace: "kube-system": allowed: no namespace of the cluster itself (kube-*)`},
		{"regions", "kubernetes:\n  regions:\n  - name: a\n    namespace: x\n  - name: A\n    namespce: x\n  - name: a\n",
			`h.yaml:5: kubernetes.regions[1].name: "A": allowed: a DNS label` + "\n" +
				`h.yaml:6: kubernetes.regions[1].namespce: unknown key (did you mean "namespace"?): allowed: name, namespace, kubeconfig, context` + "\n" +
				`h.yaml:7: kubernetes.regions[2].name: "a": allowed: each name once`},
		{"a region's kubeconfig that is not there", "kubernetes:\n  regions:\n  - {name: a, kubeconfig: /no/such/file}\n",
			`h.yaml:3: kubernetes.regions[0].kubeconfig: kubeconfig: stat /no/such/file: no such file or directory: allowed: a kubeconfig that can be read, or in a pod none`},
		{"a regionTimeout that is none", "kubernetes:\n  regionTimeout: soon\n",
			`h.yaml:2: kubernetes.regionTimeout: "soon": allowed: milliseconds, such as 60000, or with units, such as 7d, 12h, 1h30m, 60s or 250ms`},
		{"an owner that is none", "kubernetes:\n  owner: not a label\n",
			`h.yaml:2: kubernetes.owner: "not a label": allowed: a label value`},
		{"an imagePullPolicy that is none", "kubernetes:\n  defaults:\n    imagePullPolicy: Sometimes\n",
			`h.yaml:3: kubernetes.defaults.imagePullPolicy: "Sometimes": allowed: IfNotPresent, Always, Never`},
		{"an unknown key of kubernetes.defaults", "kubernetes:\n  defaults:\n    restart: Always\n",
			`h.yaml:3: kubernetes.defaults.restart: unknown key: allowed: imagePullPolicy, restartPolicy, serviceAccount, mountServiceAccountToken, podSecurity, progressDeadline, preStopDelay`},
		{"a restartPolicy that is none", "kubernetes:\n  defaults:\n    restartPolicy: Sometimes\n",
			`h.yaml:3: kubernetes.defaults.restartPolicy: "Sometimes": allowed: Always, OnFailure, Never`},
		{"a serviceAccount that is none", "kubernetes:\n  defaults:\n    serviceAccount: My Account\n",
			`h.yaml:3: kubernetes.defaults.serviceAccount: "My Account": allowed: the name of a service account`},
		{"a podSecurity that is none", "kubernetes:\n  defaults:\n    podSecurity: privileged\n",
			`h.yaml:3: kubernetes.defaults.podSecurity: "privileged": allowed: baseline, restricted`},
		{"a progressDeadline that is none", "kubernetes:\n  defaults:\n    progressDeadline: 1500\n",
			`h.yaml:3: kubernetes.defaults.progressDeadline: 1.5s: allowed: whole seconds, at least 1`},
		{"requests above limits", "kubernetes:\n  resources:\n    requests:\n      cpu: 2\n    limits:\n      cpu: 1\n",
			`h.yaml:4: kubernetes.resources.requests.cpu: 2: allowed: at most cpuLimit, 1`},
		{"requests of a wrong kind", "kubernetes:\n  resources:\n    requests: 250m\n",
			`h.yaml:3: kubernetes.resources.requests: is a single value: allowed: a mapping with the keys cpu, memory`},
		{"a quantity that is none", "kubernetes:\n  resources:\n    limits:\n      memory: 512mi\n",
			`h.yaml:4: kubernetes.resources.limits.memory: "512mi": allowed: bytes, such as 1048576, 512Mi, 1.5Gi (powers of 1024: Ki, Mi, Gi, Ti, Pi) or 500M (powers of 1000: k, M, G, T, P)`},
		{"kubernetes.scaling", "kubernetes:\n  scaling:\n    minReplicas: 3\n    maxReplicas: 2\n    targetCPUUtilization: -1\n",
			`h.yaml:3: kubernetes.scaling.minReplicas: 3: allowed: at most maxReplicas, 2` + "\n" +
				`h.yaml:5: kubernetes.scaling.targetCPUUtilization: -1: allowed: percent of the request, 1 to 1000, or 0 for none`},
		{"a serviceType that is none", "kubernetes:\n  networking:\n    serviceType: ExternalName\n",
			`h.yaml:3: kubernetes.networking.serviceType: "ExternalName": allowed: ClusterIP, NodePort, LoadBalancer`},
		{"an ingressDomain that is none", "kubernetes:\n  networking:\n    ingressDomain: '*'\n",
			`h.yaml:3: kubernetes.networking.ingressDomain: "*": allowed: a DNS name`},
		{"two kinds of trust", "kubernetes:\n  kubeletMetrics:\n    enabled: true\n    caFile: x\n    insecureSkipVerify: true\n",
			`h.yaml:2: kubernetes.kubeletMetrics: "two kinds of trust": allowed: one of caFile, caData and insecureSkipVerify, or none`},
		{"a port that is none", "kubernetes:\n  kubeletMetrics:\n    enabled: true\n    port: 65536\n",
			`h.yaml:4: kubernetes.kubeletMetrics.port: 65536: allowed: 1 to 65535`},
		{"a qps without burst", "kubernetes:\n  qps: 10\n",
			`h.yaml:1: kubernetes.burst: 0: allowed: more than 0 with qps`},
		{"a qps that is no number", "kubernetes:\n  qps: .inf\n",
			`h.yaml:2: kubernetes.qps: ".inf": allowed: a number`},
		{"a storage class for a type that is none", "kubernetes:\n  storageClasses:\n    ssd: fast\n    gold: fast\n",
			`h.yaml:4: kubernetes.storageClasses.gold: "gold": allowed: standard, ssd, shared`},
		{"a storage class that is none", "kubernetes:\n  storageClasses:\n    standard: fast\n    ssd: Fast Disk\n",
			`h.yaml:4: kubernetes.storageClasses.ssd: "Fast Disk": allowed: the name of a storage class`},
		{"logStreams that are none", "kubernetes:\n  logStreams: -1\n",
			`h.yaml:2: kubernetes.logStreams: -1: allowed: a positive number`},
	}
}

// laughs is a small file with a billion values.
func laughs() string {
	var text strings.Builder
	text.WriteString("a0: &a0 x\n")
	for i := range 9 {
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i+1, i+1, strings.Join(slices.Repeat([]string{fmt.Sprintf("*a%d", i)}, 10), ", "))
	}
	return text.String() + "hosting:\n  fake: *a9\n"
}
