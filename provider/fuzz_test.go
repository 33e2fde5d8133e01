package provider_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider"
	"skillcenter.io/hosting/provider/driver"
)

// everyKind is a section with all kinds of values.
type everyKind struct {
	Text    string            `yaml:"text"`
	Bool    bool              `yaml:"bool"`
	Int     int               `yaml:"int"`
	Float   float32           `yaml:"float"`
	CPU     driver.CPU        `yaml:"cpu"`
	Bytes   driver.Bytes      `yaml:"bytes"`
	Time    driver.Duration   `yaml:"time"`
	Pointer *int              `yaml:"pointer"`
	List    []everyKind       `yaml:"list"`
	Table   map[string]string `yaml:"table"`
	Tables  map[string][]int  `yaml:"tables"`
}

func FuzzLoadConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	for _, m := range mistakes() {
		if len(m.text) < 1000 {
			f.Add([]byte(m.text))
		}
	}
	f.Add([]byte("hosting: {any: {text: x, bool: true, int: 1, float: 1.5, cpu: 500m, bytes: 1Gi, time: 7d, pointer: 0, list: [{list: [{}]}], table: {a: b}, tables: {a: [1]}}}"))
	openers := map[string]driver.Opener{
		"fake": fake.Open,
		"any": func(_ context.Context, env driver.Env, section driver.Section) (driver.Backend, error) {
			var read everyKind
			if err := section.Decode(&read); err != nil {
				return driver.Backend{}, err
			}
			return driver.Backend{Provider: fake.New(fake.WithName(env.Name))}, nil
		},
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		config, loading := provider.ParseConfig("fuzz.yaml", data, environment("SET", "value"))
		requireProblems(t, loading)
		host, err := provider.Open(t.Context(), config, openers)
		if err == nil {
			require.NoError(t, loading)
			require.NoError(t, host.Close())
			return
		}
		requireProblems(t, err)
	})
}

// requireProblems fails if an error is anything but what is wrong with a file.
func requireProblems(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	require.ErrorIs(t, err, hosting.InvalidArgument)
	var problems provider.Problems
	require.True(t, errors.As(err, &problems), "%v", err)
	require.NotEmpty(t, problems)
	for _, p := range problems {
		require.Equal(t, "fuzz.yaml", p.File)
		require.NotEmpty(t, p.Err.Error())
	}
}
