package kubernetes

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// configOf returns what Open makes of the section of a file.
func configOf(t *testing.T, text string) Config {
	t.Helper()
	config, err := provider.ParseConfig("hosting.yaml", []byte(text), func(string) (string, bool) { return "", false })
	require.NoError(t, err)
	require.NotEmpty(t, config.Providers)
	file := sectionOf(DefaultConfig())
	require.NoError(t, config.Providers[0].Section.Decode(&file))
	return file.config(driver.Env{Name: config.Providers[0].Name, Defaults: config.Defaults})
}

func TestTheExamplesOfTheProtocolMeanItsDefaults(t *testing.T) {
	t.Parallel()
	for _, section := range []string{"3.4", "8"} {
		data, err := os.ReadFile("../provider/testdata/protocol-" + section + ".yaml")
		require.NoError(t, err)
		assert.Equal(t, DefaultConfig(), configOf(t, string(data)), "section %s: %s", section, data)
	}
}

func TestAnEmptySectionMeansTheDefaults(t *testing.T) {
	t.Parallel()
	assert.Equal(t, DefaultConfig(), configOf(t, "kubernetes:\n"))
}

func TestWhatTheSectionSaysGoesBeforeTheDefaultsForAllProviders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		section, defaults string
		resources         hosting.ResourceConfig
		scaling           hosting.ScaleConfig
	}{
		"the section alone": {
			"{resources: {limits: {cpu: 1, memory: 1Gi, storage: 2Gi}, requests: {cpu: 100m, memory: 1Mi}}, scaling: {minReplicas: 2, maxReplicas: 3, targetCPUUtilization: 50, targetMemoryUtilization: 60}}", "",
			hosting.ResourceConfig{CPULimit: 1, CPURequest: 0.1, MemoryLimit: 1 << 30, MemoryRequest: 1 << 20, StorageLimit: 2 << 30},
			hosting.ScaleConfig{MinReplicas: 2, MaxReplicas: 3, TargetCPUUtilization: 50, TargetMemoryUtilization: 60},
		},
		"the defaults alone": {
			"", "{resources: {cpuLimit: 1, cpuRequest: 100m, memoryLimit: 1Gi, memoryRequest: 1Mi, storageLimit: 2Gi}, scaling: {minReplicas: 2, maxReplicas: 3, targetCPUUtilization: 50, targetMemoryUtilization: 60}}",
			hosting.ResourceConfig{CPULimit: 1, CPURequest: 0.1, MemoryLimit: 1 << 30, MemoryRequest: 1 << 20, StorageLimit: 2 << 30},
			hosting.ScaleConfig{MinReplicas: 2, MaxReplicas: 3, TargetCPUUtilization: 50, TargetMemoryUtilization: 60},
		},
		"both, key by key": {
			"{resources: {limits: {cpu: 2}}, scaling: {maxReplicas: 7, targetCPUUtilization: 80}}",
			"{resources: {cpuLimit: 1, cpuRequest: 300m}, scaling: {minReplicas: 2, maxReplicas: 3, targetMemoryUtilization: 60}}",
			hosting.ResourceConfig{CPULimit: 2, CPURequest: 0.3, MemoryLimit: 512 << 20, MemoryRequest: 256 << 20},
			hosting.ScaleConfig{MinReplicas: 2, MaxReplicas: 7, TargetCPUUtilization: 80, TargetMemoryUtilization: 60},
		},
		"the protocol's give way": {
			"{resources: {limits: {cpu: 100m}}, scaling: {minReplicas: 20}}", "{resources: {memoryRequest: 1Gi}}",
			hosting.ResourceConfig{CPULimit: 0.1, CPURequest: 0.1, MemoryLimit: 1 << 30, MemoryRequest: 1 << 30},
			hosting.ScaleConfig{MinReplicas: 20, MaxReplicas: 20, TargetCPUUtilization: 70},
		},
		"those for all give way": {
			"{resources: {limits: {cpu: 100m}}, scaling: {maxReplicas: 2, targetCPUUtilization: 0}}", "{resources: {cpuRequest: 1}, scaling: {minReplicas: 5}}",
			hosting.ResourceConfig{CPULimit: 0.1, CPURequest: 0.1, MemoryLimit: 512 << 20, MemoryRequest: 256 << 20},
			hosting.ScaleConfig{MinReplicas: 2, MaxReplicas: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := configOf(t, "hosting:\n  kubernetes: "+c.section+"\n  defaults: "+c.defaults+"\n")
			assert.Equal(t, c.resources, config.Defaults.Resources)
			assert.Equal(t, c.scaling, config.Defaults.Scaling)
			_, err := config.withDefaults()
			assert.NoError(t, err)
		})
	}
}

// onlyInPrograms are the fields of Config that no file can give.
var onlyInPrograms = []string{"RESTConfig", "WrapTransport"}

func TestEveryFieldOfConfigHasAKey(t *testing.T) {
	t.Parallel()
	config := configOf(t, `
kubernetes:
  kubeconfig: a
  context: b
  masterUrl: c
  namespace: d
  regions: [{name: e, namespace: f, kubeconfig: g, context: h}]
  regionTimeout: 1s
  owner: i
  defaults:
    imagePullPolicy: Never
    restartPolicy: Never
    serviceAccount: j
    mountServiceAccountToken: true
    podSecurity: restricted
    progressDeadline: 1m
    preStopDelay: 1s
  resources:
    requests: {cpu: 1m, memory: 1Ki}
    limits: {cpu: 2m, memory: 2Ki, storage: 3Ki}
  scaling: {minReplicas: 2, maxReplicas: 3, targetCPUUtilization: 4, targetMemoryUtilization: 5}
  networking: {serviceType: NodePort, ingressEnabled: false, ingressDomain: k, ingressClass: l}
  kubeletMetrics: {enabled: true, caFile: m, caData: n, insecureSkipVerify: true, port: 6}
  qps: 7.5
  burst: 8
  logStreams: 9
  cache: true
  storageClasses: {ssd: fast}
`)
	var check func(path string, value, usual reflect.Value)
	check = func(path string, value, usual reflect.Value) {
		switch value.Kind() {
		case reflect.Pointer:
			require.False(t, value.IsNil(), path)
			check(path, value.Elem(), reflect.Zero(value.Type().Elem()))
		case reflect.Struct:
			for i := range value.NumField() {
				name := strings.TrimPrefix(path+"."+value.Type().Field(i).Name, ".")
				if !assert.True(t, value.Type().Field(i).IsExported(), name) {
					continue
				}
				check(name, value.Field(i), usual.Field(i))
			}
		case reflect.Slice:
			if value.Type().Elem().Kind() == reflect.Struct && assert.NotZero(t, value.Len(), path) {
				check(path, value.Index(0), reflect.Zero(value.Type().Elem()))
				return
			}
			fallthrough
		default:
			assert.NotEqual(t, usual.Interface(), value.Interface(), "%s has no key", path)
		}
	}
	value, usual := reflect.ValueOf(config), reflect.ValueOf(DefaultConfig())
	for i := range value.NumField() {
		switch name := value.Type().Field(i).Name; {
		case name == "Name": // the key of the section
		case slices.Contains(onlyInPrograms, name):
			assert.Zero(t, value.Field(i).Interface(), name)
		default:
			check(name, value.Field(i), usual.Field(i))
		}
	}
	assert.Equal(t, time.Minute, config.Defaults.ProgressDeadline)
}
