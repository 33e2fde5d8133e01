package hosting_test

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func FuzzParseID(f *testing.F) {
	for _, seed := range []string{
		"", "default.deployment.web", "kubernetes:default.deployment.web", "a:b:c.job.d", ":a.job.b", "a.job.1b", "a..b", "a.b.c.d",
		"us-west-1.volume." + strings.Repeat("a", 50), "a.job.b\x00", "ä.job.b", "0.t2.x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := hosting.ParseID(text)
		if err != nil {
			assert.Zero(t, id)
			return
		}
		assert.Equal(t, text, id.String())
		again, err := hosting.ParseID(id.String())
		require.NoError(t, err)
		assert.Equal(t, id, again)
		assert.LessOrEqual(t, len(id.Name), hosting.MaxNameLength)
	})
}

func FuzzTimeJSON(f *testing.F) {
	for _, seed := range []string{"0", "null", "-1", "1767322445678", "9223372036854775807", "9223372036854775808", "1.5", "1e3", `"0"`, " 7 ", "", "-0"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var at hosting.Time
		if json.Unmarshal(data, &at) != nil {
			assert.Zero(t, at)
			return
		}
		encoded, err := json.Marshal(at)
		require.NoError(t, err)
		assert.Equal(t, strconv.FormatInt(at.Millis(), 10), string(encoded))
		var back hosting.Time
		require.NoError(t, json.Unmarshal(encoded, &back))
		assert.Equal(t, at, back)
		if at.String() != "" && at.Std().Year() > 0 && at.Std().Year() < 10_000 {
			parsed, err := time.Parse(time.RFC3339, at.String())
			require.NoError(t, err)
			assert.Equal(t, at, hosting.NewTime(parsed))
		}
	})
}

func FuzzDurationJSON(f *testing.F) {
	for _, seed := range []string{"0", "null", "-1", "90000", "9223372036854", "9223372036855", "-9223372036855", "1.5", "1e3", `"10s"`, ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var length hosting.Duration
		if json.Unmarshal(data, &length) != nil {
			assert.Zero(t, length)
			return
		}
		assert.Zero(t, length.Std()%time.Millisecond)
		encoded, err := json.Marshal(length)
		require.NoError(t, err)
		var back hosting.Duration
		require.NoError(t, json.Unmarshal(encoded, &back))
		assert.Equal(t, length, back)
	})
}

func FuzzConfigJSON(f *testing.F) {
	for _, config := range []hosting.CloudHostingConfig{validConfig(), fullConfig(), {}} {
		data, err := json.Marshal(config)
		require.NoError(f, err)
		f.Add(data)
	}
	for _, seed := range []string{
		`{}`, `null`, `{"container":{}}`, `{"secretEnv":{"A":"\u0000"}}`, `{"resources":{"cpuLimit":-0,"memoryLimit":1e3}}`,
		`{"instanceName":"a","instanceType":"job","container":{"image":"a","ports":[],"env":{},"healthCheck":{"command":["x"]},"terminationGracePeriod":0},"labels":{},"scaling":{}}`,
		`{"container":{"healthCheck":{"http":{},"tcp":{}},"volumeMounts":[{}]},"network":{"ingressPath":"//"},"labels":{"/":"\n"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var config hosting.CloudHostingConfig
		if json.Unmarshal(data, &config) != nil {
			return
		}
		err := config.Validate()
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		encoded, err := json.Marshal(config)
		require.NoError(t, err)
		var back hosting.CloudHostingConfig
		require.NoError(t, json.Unmarshal(encoded, &back))
		emptyToNil(reflect.ValueOf(&config).Elem())
		emptyToNil(reflect.ValueOf(&back).Elem())
		assert.Equal(t, config, back)
		assert.NoError(t, back.Validate())
	})
}

// emptyToNil makes empty lists and maps nil: they mean the same.
func emptyToNil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			emptyToNil(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			emptyToNil(v.Field(i))
		}
	case reflect.Map, reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
		}
		for i := 0; v.Kind() == reflect.Slice && i < v.Len(); i++ {
			emptyToNil(v.Index(i))
		}
	}
}

func FuzzImage(f *testing.F) {
	for _, seed := range []string{
		"", "nginx", "nginx:1.29", "registry.example.com:5000/team/skill:v1@sha256:" + strings.Repeat("0a", 32), "a___b", "a//b", "[::1]:5000/a", "Nginx",
		"a:b:c", "a@sha256:0", "localhost/a", "0:0..",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, image string) {
		config := validConfig()
		config.Container.Image = image
		if config.Validate() != nil {
			return
		}
		// Whatever is accepted can stand in a URL path, a command and a log line.
		for _, c := range image {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@[]", c) {
				t.Errorf("%q is accepted with %q", image, c)
			}
		}
		for _, part := range []string{"//", "/..", "../", ":/", "/:", "@@"} {
			assert.NotContains(t, image, part)
		}
		assert.LessOrEqual(t, len(image), 255+1+128+1+len("sha512:")+128)
	})
}
