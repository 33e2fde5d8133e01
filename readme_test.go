package hosting_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
)

// The body of this example stands in the README.
func Example() {
	ctx := context.Background()
	provider := fake.New() // or kubernetes.New(ctx, kubernetes.DefaultConfig())
	instance, err := provider.CreateInstance(ctx, hosting.CloudHostingConfig{
		InstanceName: "hello",
		InstanceType: hosting.TypeDeployment,
		Container:    &hosting.ContainerConfig{Image: "nginx:1.29", Ports: []int{80}},
	})
	if err != nil {
		log.Fatal(err)
	}
	instance, err = hosting.WaitForStatus(ctx, provider, instance.ID, hosting.WaitOptions{}, hosting.StatusRunning)
	if err != nil {
		log.Fatal(err) // says why: image pull, crash loop, quota, ...
	}
	fmt.Println(instance.ID, "is", instance.Status, "at", instance.Endpoint.URL)
	// Output: default.deployment.hello is running at http://hello.default.fake.local:80
}

func TestTheSampleOfTheReadmeIsTheExample(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	_, body, found := strings.Cut(string(source), "func Example() {\n")
	require.True(t, found)
	body, _, found = strings.Cut(body, "\t// Output:")
	require.True(t, found)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, sample, found := strings.Cut(string(readme), "```go\n")
	require.True(t, found)
	sample, _, found = strings.Cut(sample, "```")
	require.True(t, found)
	lines := strings.Split(body, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "\t")
	}
	assert.Equal(t, strings.Join(lines, "\n"), sample)
}
