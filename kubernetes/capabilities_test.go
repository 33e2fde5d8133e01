package kubernetes

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/provider/conformance"
)

// TestTheDocumentedCapabilitiesAreTrue compares docs/capabilities.md and the
// README with what the providers say. UPDATE_DOCS=1 writes them anew.
func TestTheDocumentedCapabilitiesAreTrue(t *testing.T) {
	providers := []hosting.CloudHostingProvider{fake.New(), testProvider(t, nil)}
	for _, p := range providers {
		table, err := conformance.CapabilityTable(t.Context(), p)
		require.NoError(t, err)
		requireSection(t, "../docs/capabilities.md", p.ProviderName(), table)
	}
	requireSection(t, "../README.md", "summary", summary(t, providers))
}

// summary is a table of capabilities by provider.
func summary(t *testing.T, providers []hosting.CloudHostingProvider) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("| capability |")
	for _, p := range providers {
		fmt.Fprintf(&text, " %s |", p.ProviderName())
	}
	text.WriteString("\n|---|" + strings.Repeat("---|", len(providers)) + "\n")
	for _, c := range hosting.AllCapabilities() {
		fmt.Fprintf(&text, "| %s |", c)
		for _, p := range providers {
			var yes []string
			for _, instanceType := range p.SupportedInstanceTypes() {
				set, err := hosting.Capabilities(t.Context(), p, p.SupportedRegions()[0], instanceType)
				require.NoError(t, err)
				if set.Has(c) {
					yes = append(yes, instanceType)
				}
			}
			switch len(yes) {
			case 0:
				text.WriteString(" no |")
			case len(p.SupportedInstanceTypes()):
				text.WriteString(" yes |")
			default:
				fmt.Fprintf(&text, " %s |", strings.Join(yes, ", "))
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}

// requireSection compares the text between two marks of a document.
func requireSection(t *testing.T, path, name, want string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
	before, rest, found := strings.Cut(string(data), begin)
	require.True(t, found, "%s has no %q", path, begin)
	have, after, found := strings.Cut(rest, end)
	require.True(t, found, "%s has no %q", path, end)
	if os.Getenv("UPDATE_DOCS") != "" {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+want+end+after), 0o644))
		return
	}
	assert.Equal(t, want, have, "%s: UPDATE_DOCS=1 go test ./kubernetes -run Documented writes it", path)
}
