package configs_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

// version returns a canonical configuration that differs from others by n.
func version(n int) hosting.CloudHostingConfig {
	return configs.Canonical(web(func(c *hosting.CloudHostingConfig) { c.Version = fmt.Sprint(n) }), "default")
}

func history(n int) configs.Revisions {
	var r configs.Revisions
	for i := range n {
		r = r.Add(version(i+1), nil, hosting.Time{}.Add(time.Duration(i+1)*time.Second))
	}
	return r
}

func numbers(r configs.Revisions) []int {
	var list []int
	for _, revision := range r {
		list = append(list, revision.Revision)
	}
	return list
}

func TestRevisionsCountFromOneAndNeverRepeat(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []int{1}, numbers(history(1)))
	assert.Equal(t, []int{1, 2, 3}, numbers(history(3)))
	long := history(25)
	assert.Equal(t, []int{16, 17, 18, 19, 20, 21, 22, 23, 24, 25}, numbers(long))
	again := long.Add(version(17), nil, hosting.Time{})
	assert.Equal(t, []int{17, 18, 19, 20, 21, 22, 23, 24, 25, 26}, numbers(again), "a rollback is a revision of its own")
	assert.Equal(t, []int{16, 17, 18, 19, 20, 21, 22, 23, 24, 25}, numbers(long), "the history that was added to stays as it was")
}

func TestWhatEqualsTheCurrentConfigurationAddsNothing(t *testing.T) {
	t.Parallel()
	r := history(2)
	assert.Equal(t, r, r.Add(version(2), nil, hosting.Now()))
	assert.Equal(t, r, r.Add(version(2), []string{}, hosting.Now()))
	assert.Len(t, r.Add(version(1), nil, hosting.Now()), 3, "only the current one counts")
	withSecret := r.Add(version(2), []string{"B", "A"}, hosting.Now())
	require.Len(t, withSecret, 3, "another set of secrets is another configuration")
	assert.Equal(t, []string{"A", "B"}, withSecret[2].SecretKeys)
	assert.Len(t, withSecret.Add(version(2), []string{"A", "B"}, hosting.Now()), 3)
}

func TestValuesOfSecretsAreNotKept(t *testing.T) {
	t.Parallel()
	config := version(1)
	config.SecretEnv = hosting.SecretMap{"TOKEN": "hunter2"}
	data, err := json.Marshal(configs.Revisions{}.Add(config, []string{"TOKEN"}, hosting.Now()))
	require.NoError(t, err)
	assert.NotContains(t, string(data), "hunter2")
	assert.Contains(t, string(data), "TOKEN")
	assert.NotEmpty(t, config.SecretEnv, "the argument stays as it was")
}

func TestAHistoryStaysBelowItsLimit(t *testing.T) {
	t.Parallel()
	var r configs.Revisions
	for i := range 8 {
		config := version(i)
		config.Env = map[string]string{"LARGE": strings.Repeat("x", 60<<10)}
		r = r.Add(config, nil, hosting.Now())
	}
	assert.Equal(t, []int{5, 6, 7, 8}, numbers(r))
	data, err := json.Marshal(r)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(data), configs.MaxRevisionBytes)

	huge := version(9)
	huge.Env = map[string]string{"LARGE": strings.Repeat("x", configs.MaxRevisionBytes)}
	r = r.Add(huge, nil, hosting.Now())
	assert.Equal(t, []int{9}, numbers(r), "the current configuration is kept, however large it is")
	assert.Equal(t, []int{10}, numbers(r.Add(version(10), nil, hosting.Now())))
}

func TestFindKnowsWhatIsKept(t *testing.T) {
	t.Parallel()
	r := history(12)
	for number, want := range map[int]string{0: "11", 12: "12", 3: "3"} {
		found, ok := r.Find(number)
		require.True(t, ok, number)
		assert.Equal(t, want, found.Config.Version)
	}
	for _, number := range []int{-1, 1, 2, 13} {
		_, ok := r.Find(number)
		assert.False(t, ok, number)
	}
	_, ok := history(1).Find(0)
	assert.False(t, ok, "nothing came before the first")
	_, ok = configs.Revisions(nil).Find(0)
	assert.False(t, ok)
}

func TestAHistorySurvivesItsJSON(t *testing.T) {
	t.Parallel()
	r := history(3).Add(version(3), []string{"TOKEN"}, hosting.Now())
	data, err := json.Marshal(r)
	require.NoError(t, err)
	var read configs.Revisions
	require.NoError(t, json.Unmarshal(data, &read))
	assert.Equal(t, r, read)
	assert.Equal(t, read, read.Add(version(3), []string{"TOKEN"}, hosting.Now()), "what was read equals what was written")
}

func TestCallersGetTheNewestFirstAsTheirOwn(t *testing.T) {
	t.Parallel()
	r := history(3)
	list := r.NewestFirst()
	require.Len(t, list, 3)
	assert.Equal(t, 3, list[0].Revision)
	assert.Equal(t, 1, list[2].Revision)
	list[0].Config.Container.Image = "busybox"
	assert.Equal(t, "nginx:1.29", r[2].Config.Container.Image)
	assert.NotNil(t, configs.Revisions(nil).NewestFirst())
}
