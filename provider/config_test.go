package provider_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// environment is a lookup in which only these variables are set.
func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func parse(t *testing.T, text string, variables ...string) provider.Config {
	t.Helper()
	config, err := provider.ParseConfig("hosting.yaml", []byte(text), environment(variables...))
	require.NoError(t, err)
	return config
}

func TestTheExampleOfTheProtocolSectionEightLoadsUnchanged(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/protocol-8.yaml")
	require.NoError(t, err)
	config := parse(t, string(data))

	assert.True(t, config.Enabled)
	assert.Equal(t, "kubernetes", config.DefaultProvider)
	assert.Equal(t, driver.Defaults{
		Resources: hosting.ResourceConfig{CPULimit: 0.5, MemoryLimit: 512 << 20},
		Scaling:   hosting.ScaleConfig{MinReplicas: 1, MaxReplicas: 10},
	}, config.Defaults)
	assert.Equal(t, provider.Monitoring{Enabled: true, MetricsInterval: time.Minute, LogRetention: 7 * 24 * time.Hour}, config.Monitoring)
	assert.Equal(t, provider.Cost{Currency: "CNY", BillingCycle: "hourly"}, config.Cost)
	assert.Equal(t, provider.Store{Type: provider.StoreMemory}, config.Store)
	require.Len(t, config.Providers, 2)
	assert.Equal(t, []string{"kubernetes", "kubernetes"}, []string{config.Providers[0].Name, config.Providers[0].Type})
	assert.True(t, config.Providers[0].Enabled)
	assert.Equal(t, "tencent", config.Providers[1].Name)
	assert.False(t, config.Providers[1].Enabled)
}

func TestASectionKubernetesMayStandAtTheTop(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/protocol-3.4.yaml")
	require.NoError(t, err)
	config := parse(t, string(data))
	assert.True(t, config.Enabled)
	require.Len(t, config.Providers, 1)
	assert.Equal(t, "kubernetes", config.Providers[0].Name)
	assert.True(t, config.Providers[0].Enabled)
}

func TestWhatAFileDoesNotSayHasTheProtocolsDefaults(t *testing.T) {
	t.Parallel()
	config := parse(t, "hosting:\n  fake:\n")
	assert.True(t, config.Enabled)
	assert.Empty(t, config.DefaultProvider)
	assert.Zero(t, config.Defaults)
	assert.Equal(t, provider.Monitoring{Enabled: true, MetricsInterval: time.Minute}, config.Monitoring)
	assert.Equal(t, provider.Cost{Currency: "CNY", BillingCycle: "hourly"}, config.Cost)
	assert.Equal(t, provider.Store{Type: provider.StoreMemory}, config.Store)
	require.Len(t, config.Providers, 1)
	assert.True(t, config.Providers[0].Enabled, "a section that is there is meant")
}

func TestValuesAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	config := parse(t, `
hosting:
  enabled: "true"
  defaults: &d
    resources: {cpuLimit: 1.5, cpuRequest: "250m", memoryLimit: 1Gi, memoryRequest: "268435456", storageLimit: 2G}
    scaling:
      minReplicas: "2"
      maxReplicas: 20
      targetCPUUtilization: 70
      targetMemoryUtilization:
  monitoring: {metricsInterval: 30s, logRetention: ~}
  store: {type: file, path: 123}
  custom: {type: fake, enabled: false}
`)
	assert.Equal(t, driver.Defaults{
		Resources: hosting.ResourceConfig{CPULimit: 1.5, CPURequest: 0.25, MemoryLimit: 1 << 30, MemoryRequest: 256 << 20, StorageLimit: 2e9},
		Scaling:   hosting.ScaleConfig{MinReplicas: 2, MaxReplicas: 20, TargetCPUUtilization: 70},
	}, config.Defaults)
	assert.Equal(t, 30*time.Second, config.Monitoring.MetricsInterval)
	assert.Zero(t, config.Monitoring.LogRetention)
	assert.Equal(t, provider.Store{Type: "file", Path: "123"}, config.Store)
	assert.Equal(t, "fake", config.Providers[0].Type)
	assert.False(t, config.Providers[0].Enabled)
}

func TestVariablesAreReplacedInValuesAfterParsing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"${SET}":                  "value",
		"${SET:default}":          "value",
		"${UNSET:default}":        "default",
		"${UNSET:}x":              "x",
		"'${EMPTY:default}x'":     "x", // it is set
		"a${SET}b${SET}c":         "avaluebvaluec",
		"$${SET}":                 "${SET}",
		"$$${SET}":                "$${SET}",
		"$SET":                    "$SET",
		"100$":                    "100$",
		"${UNSET:a:b}":            "a:b",
		"${UNSET:https://h:1/#x}": "https://h:1/#x",
		// A value cannot become YAML, nor a variable.
		"${YAML}":   "x: {a: [*b]}\n- c # d",
		"${NESTED}": "${SET}",
	} {
		config := parse(t, "hosting: {fake: , store: {type: file, path: \""+text+"\"}}",
			"SET", "value", "EMPTY", "", "YAML", "x: {a: [*b]}\n- c # d", "NESTED", "${SET}")
		if strings.HasPrefix(text, "'") {
			want = "'" + want + "'"
		}
		assert.Equal(t, want, config.Store.Path, text)
	}
	config := parse(t, "hosting:\n  fake: {enabled: '${FAKE:true}'}\n  defaults:\n    scaling:\n      minReplicas: ${MIN}\n", "FAKE", "false", "MIN", "3")
	assert.False(t, config.Providers[0].Enabled)
	assert.Equal(t, 3, config.Defaults.Scaling.MinReplicas)
}

func TestAliasesAndMergeKeysAreFollowed(t *testing.T) {
	t.Parallel()
	config := parse(t, `
hosting:
  a: &a {type: fake, enabled: false}
  b: *a
  c:
    <<: *a
    enabled: true
  d:
    <<: [{enabled: true}, *a]
`)
	var enabled []bool
	for _, p := range config.Providers {
		assert.Equal(t, "fake", p.Type)
		enabled = append(enabled, p.Enabled)
	}
	assert.Equal(t, []bool{false, false, true, true}, enabled)
}

func TestAFileIsReadWithTheVariablesOfTheEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosting.yaml")
	require.NoError(t, os.WriteFile(path, []byte("hosting: {fake: , defaultProvider: '${SKILLCENTER_TEST}'}"), 0o600))
	t.Setenv("SKILLCENTER_TEST", "fake")
	config, err := provider.LoadConfig(path)
	require.NoError(t, err)
	assert.Equal(t, "fake", config.DefaultProvider)
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	_, err := provider.LoadConfig("testdata/no-such-file.yaml")
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorIs(t, err, hosting.InvalidArgument)
	assert.ErrorContains(t, err, "testdata/no-such-file.yaml")
	_, err = provider.OpenFile(context.Background(), "testdata/no-such-file.yaml", nil)
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
