package fake_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"skillcenter.io/hosting/fake"
)

func TestOptionsThatMakeNoSensePanic(t *testing.T) {
	t.Parallel()
	for text, options := range map[string][]fake.Option{
		`name "No"`:      {fake.WithName("No")},
		`name ""`:        {fake.WithName("")},
		`name "a:b"`:     {fake.WithName("a:b")},
		`region "a.b"`:   {fake.WithRegions("default", "a.b")},
		`region ""`:      {fake.WithRegions("")},
		`type "my-type"`: {fake.WithInstanceTypes("deployment", "my-type")},
		`type "service"`: {fake.WithInstanceTypes("deployment", "service")},
		`type "volume"`:  {fake.WithInstanceTypes("deployment", "volume")},
		"WithNodes(-1)":  {fake.WithNodes(-1)},
		"WithNodes(0)":   {fake.WithNodes(0)},
	} {
		func() {
			defer func() { assert.Contains(t, recover(), text) }()
			fake.New(options...)
		}()
	}
	assert.NotPanics(t, func() {
		fake.New(fake.WithName("a-1"), fake.WithRegions(), fake.WithInstanceTypes("function"), fake.WithNodes(1), fake.WithWorkload(nil))
	})
}
