package configs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

func changesOf(change func(*hosting.CloudHostingConfig)) []string {
	before := func(c *hosting.CloudHostingConfig) {
		c.Labels = map[string]string{"team": "blue", "old": "1"}
		c.Env = map[string]string{"A": "hush1"}
		c.Container.Ports = []int{80}
	}
	after := func(c *hosting.CloudHostingConfig) {
		before(c)
		change(c)
	}
	var lines []string
	for _, c := range configs.Changes(configs.Canonical(web(before), "default"), configs.Canonical(web(after), "default")) {
		lines = append(lines, c.String())
	}
	return lines
}

func TestChangesNameTheFieldAndTellBeforeAndAfter(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*hosting.CloudHostingConfig)
		want   []string
	}{
		"nothing":     {func(*hosting.CloudHostingConfig) {}, nil},
		"an image":    {func(c *hosting.CloudHostingConfig) { c.Container.Image = "nginx:1.30" }, []string{"container.image: nginx:1.29 becomes nginx:1.30"}},
		"a list":      {func(c *hosting.CloudHostingConfig) { c.Container.Ports = []int{80, 81} }, []string{"container.ports: [80] becomes [80,81]"}},
		"a new part":  {func(c *hosting.CloudHostingConfig) { c.Scaling = &hosting.ScaleConfig{MinReplicas: 2} }, []string{"scaling.minReplicas: 2 is new"}},
		"line breaks": {func(c *hosting.CloudHostingConfig) { c.Version = "1\n2" }, []string{`version: "1\n2" is new`}},
		"labels": {func(c *hosting.CloudHostingConfig) { c.Labels = map[string]string{"team": "red", "new": "2"} },
			[]string{"labels[new]: 2 is new", "labels[old]: is removed", "labels[team]: blue becomes red"}},
		"variables": {func(c *hosting.CloudHostingConfig) {
			c.Env, c.Container.Env = map[string]string{"A": "hush2"}, map[string]string{"B": "hush3"}
		}, []string{"container.env[B]: is new", "env[A]: has another value"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, changesOf(test.change))
		})
	}
	long := changesOf(func(c *hosting.CloudHostingConfig) { c.Version = strings.Repeat("x", 1000) })
	assert.Less(t, len(long[0]), 200)
}

func TestSecretChangesShowNoValue(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []configs.Change{{Field: "secretEnv[A]", What: "has another value"}, {Field: "secretEnv[B]", What: "is removed"}, {Field: "secretEnv[C]", What: "is new"}},
		configs.SecretChanges(hosting.SecretMap{"A": "hush", "B": "hush", "D": "hush"}, hosting.SecretMap{"A": "hush2", "C": "hush", "D": "hush"}))
	assert.Empty(t, configs.SecretChanges(nil, hosting.SecretMap{}))
}
