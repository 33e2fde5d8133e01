package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"skillcenter.io/hosting"
)

// CapabilityTable returns what p can do in its default region as a Markdown
// table: a row for each capability and a column for each instance type, with
// the notes below. The same provider always gives the same text, so that the
// documented table can be compared with it.
func CapabilityTable(ctx context.Context, p hosting.CloudHostingProvider) (string, error) {
	types, regions := p.SupportedInstanceTypes(), p.SupportedRegions()
	if len(types) == 0 || len(regions) == 0 {
		return "", fmt.Errorf("provider %q has %d regions and %d instance types, want at least one of each", p.ProviderName(), len(regions), len(types))
	}
	sets := make([]hosting.CapabilitySet, len(types))
	for i, instanceType := range types {
		var err error
		if sets[i], err = hosting.Capabilities(ctx, p, regions[0], instanceType); err != nil {
			return "", err
		}
	}
	var table strings.Builder
	var notes []string
	fmt.Fprintf(&table, "| capability | %s |\n|---|%s\n", strings.Join(types, " | "), strings.Repeat("---|", len(types)))
	for _, c := range hosting.AllCapabilities() {
		fmt.Fprintf(&table, "| %s |", c)
		for _, set := range sets {
			cell := "no"
			if set[c].Supported {
				cell = "yes"
			}
			if note := set[c].Note; note != "" {
				if !slices.Contains(notes, note) {
					notes = append(notes, note)
				}
				cell += fmt.Sprintf(" (%d)", slices.Index(notes, note)+1)
			}
			fmt.Fprintf(&table, " %s |", cell)
		}
		table.WriteByte('\n')
	}
	if len(notes) > 0 {
		table.WriteByte('\n')
	}
	for i, note := range notes {
		fmt.Fprintf(&table, "%d. %s\n", i+1, strings.Join(strings.Fields(note), " "))
	}
	return table.String(), nil
}
