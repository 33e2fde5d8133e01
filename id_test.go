package hosting_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func TestParseIDReadsWhatStringWrites(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]hosting.ID{
		"default.deployment.web":           {Region: "default", Type: "deployment", Name: "web"},
		"tencent:ap-guangzhou.eks.a-1":     {Provider: "tencent", Region: "ap-guangzhou", Type: "eks", Name: "a-1"},
		"us-west-1.volume.data":            {Region: "us-west-1", Type: "volume", Name: "data"},
		"0.t2.x":                           {Region: "0", Type: "t2", Name: "x"},
		"r.job." + strings.Repeat("a", 50): {Region: "r", Type: "job", Name: strings.Repeat("a", 50)},
	} {
		got, err := hosting.ParseID(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
		assert.Equal(t, text, got.String())
	}
}

func TestParseIDSaysWhichPartIsWrong(t *testing.T) {
	t.Parallel()
	const form = "want [<provider>:]<region>.<type>.<name>"
	for text, want := range map[string]string{
		"":                                 form,
		"web":                              form,
		"default.web":                      form,
		"a.b.c.d":                          form,
		"fake:web":                         form,
		":a.job.b":                         "provider",
		"Fake:a.job.b":                     "provider",
		"a:b:c.job.d":                      "region",
		".job.b":                           "region",
		"-a.job.b":                         "region",
		"a_b.job.b":                        "region",
		strings.Repeat("a", 64) + ".job.b": "region",
		"a..b":                             "type",
		"a.cron-job.b":                     "type",
		"a.1job.b":                         "type",
		"a.Job.b":                          "type",
		"a.job.":                           "name",
		"a.job.1b":                         "name",
		"a.job.b-":                         "name",
		"a.job.b c":                        "name",
		"a.job.b\n":                        "name",
		"a.job.é":                          "name",
		"a.job." + strings.Repeat("a", 51): "at most 50 characters",
	} {
		got, err := hosting.ParseID(text)
		require.ErrorContains(t, err, want, "%q", text)
		assert.Zero(t, got)
	}
}
