package hosting_test

import (
	"go/ast"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

// Each table of the page holds what the protocol has: no more and no less.
func TestTheTablesOfThePageAreTheProtocols(t *testing.T) {
	t.Parallel()
	p := readProtocol(t)
	assert.Len(t, p.Routes, 33)
	want := map[string][][]string{}
	for _, iface := range p.Interfaces {
		for _, method := range iface.Methods {
			want[iface.Name] = append(want[iface.Name], []string{method.Name, goMethod(method.Name)})
		}
	}
	for _, name := range modelNames(p) {
		want["Data models"] = append(want["Data models"], []string{name, goType(name)})
	}
	for _, code := range p.ErrorCodes {
		want["The protocol's error codes"] = append(want["The protocol's error codes"], []string{code})
	}
	for _, route := range p.Routes {
		want["REST routes"] = append(want["REST routes"], []string{route.Method, route.Path})
	}
	for _, section := range p.Configuration {
		for _, key := range section {
			want["Configuration keys"] = append(want["Configuration keys"], []string{key.Key, key.Value})
		}
	}
	for _, name := range slices.Concat(p.Labels, p.Annotations) {
		want["Labels and annotations"] = append(want["Labels and annotations"], []string{name})
	}
	for heading, rows := range want {
		assert.ElementsMatch(t, rows, tableRows(t, heading), heading)
	}
	assert.ElementsMatch(t, slices.Concat(p.InstanceTypes, p.Regions), inCodeOf(section(t, "Instance types and regions")))
}

// modelNames are the models that the protocol defines, or only names.
func modelNames(p protocol) []string {
	var names []string
	mention := func(javaType string) {
		javaType = strings.TrimSuffix(strings.TrimPrefix(javaType, "List<"), ">")
		known := []string{"String", "Integer", "int", "long", "double", "boolean", "void"}
		if !slices.Contains(known, javaType) && !strings.HasPrefix(javaType, "Map<") {
			names = append(names, javaType)
		}
	}
	for _, model := range p.Models {
		mention(model.Name)
		for _, field := range model.Fields {
			mention(field.Type)
		}
	}
	for _, iface := range p.Interfaces {
		for _, method := range iface.Methods {
			mention(method.Returns)
			for _, param := range method.Params {
				mention(param.Type)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Each model of the protocol has a table of its fields, with the protocol's
// names and types and those of Go.
func TestTheTablesOfTheModelsAreTheProtocolsAndGos(t *testing.T) {
	t.Parallel()
	types := reachableTypes()
	var models []string
	for _, model := range readProtocol(t).Models {
		models = append(models, model.Name)
		fields := map[string]reflect.StructField{}
		for field := range types[goType(model.Name)].Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			fields[name] = field
		}
		var want [][]string
		for _, theirs := range model.Fields {
			ours, ok := fields[theirs.Name]
			if assert.Truef(t, ok, "%s has no JSON field %s", goType(model.Name), theirs.Name) {
				want = append(want, []string{theirs.Name, theirs.Type, ours.Name, typeName(ours.Type)})
			}
		}
		assert.ElementsMatch(t, want, tableColumns(t, model.Name, 4), model.Name)
	}
	data, err := os.ReadFile("docs/protocol.md")
	require.NoError(t, err)
	_, below, found := strings.Cut(string(data), "\n## Data models\n")
	require.True(t, found)
	below, _, _ = strings.Cut(below, "\n## ")
	var headings []string
	for _, match := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(below, -1) {
		headings = append(headings, match[1])
	}
	assert.ElementsMatch(t, models, headings, "the sections of the data models")
}

func TestEveryOptionalAbilityIsDocumented(t *testing.T) {
	t.Parallel()
	want := [][]string{{"io.Closer"}}
	for _, decl := range declarations(t, token.TYPE) {
		spec := decl.(*ast.TypeSpec)
		ability, ok := spec.Type.(*ast.InterfaceType)
		if !ok || !spec.Name.IsExported() || spec.Name.Name == "CloudHostingProvider" || isPartOfAdapter(ability) {
			continue
		}
		row := []string{spec.Name.Name}
		for _, method := range ability.Methods.List {
			row = append(row, method.Names[0].Name)
		}
		want = append(want, row)
	}
	assert.ElementsMatch(t, want, tableCodes(t, "Optional abilities"))
}

// isPartOfAdapter tells whether the adapter has the methods of an interface.
func isPartOfAdapter(iface *ast.InterfaceType) bool {
	for _, method := range iface.Methods.List {
		if len(method.Names) == 0 { // what embeds others
			return true
		}
		if _, ok := reflect.TypeFor[hosting.HostingExtensionSdkAdapter]().MethodByName(method.Names[0].Name); ok {
			return true
		}
	}
	return false
}

// section returns the part of docs/protocol.md under a heading, without the
// parts below it.
func section(t *testing.T, heading string) string {
	t.Helper()
	data, err := os.ReadFile("docs/protocol.md")
	require.NoError(t, err)
	match := regexp.MustCompile(`(?m)^#+ ` + regexp.QuoteMeta(heading) + `$`).FindIndex(data)
	require.NotNilf(t, match, "docs/protocol.md has no section %q", heading)
	text := string(data[match[1]:])
	if end := regexp.MustCompile(`(?m)^#+ `).FindStringIndex(text); end != nil {
		text = text[:end[0]]
	}
	return text
}

var inCode = regexp.MustCompile("`([^`]*)`")

// inCodeOf returns what stands in code marks in a text.
func inCodeOf(text string) []string {
	var codes []string
	for _, match := range inCode.FindAllStringSubmatch(text, -1) {
		codes = append(codes, match[1])
	}
	return codes
}

// tableRows returns what stands in code marks in the first two columns of the
// table of a section. Cells without are left out.
func tableRows(t *testing.T, heading string) [][]string {
	t.Helper()
	return tableColumns(t, heading, 2)
}

// tableColumns is tableRows for more columns.
func tableColumns(t *testing.T, heading string, columns int) [][]string {
	t.Helper()
	var rows [][]string
	for _, cells := range tableCells(t, heading) {
		require.GreaterOrEqualf(t, len(cells), columns, "docs/protocol.md: section %q: %v", heading, cells)
		var row []string
		for _, cell := range cells[:columns] {
			if codes := inCodeOf(cell); len(codes) > 0 {
				row = append(row, codes[0])
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// tableCodes returns all that stands in code marks in the first two columns.
func tableCodes(t *testing.T, heading string) [][]string {
	t.Helper()
	var rows [][]string
	for _, cells := range tableCells(t, heading) {
		rows = append(rows, inCodeOf(strings.Join(cells[:2], " ")))
	}
	return rows
}

// tableCells returns the cells of the one table of a section, without its head.
func tableCells(t *testing.T, heading string) [][]string {
	t.Helper()
	var rows [][]string
	for line := range strings.Lines(section(t, heading)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "|") {
			rows = append(rows, strings.Split(strings.Trim(line, "|"), "|"))
		}
	}
	require.Greaterf(t, len(rows), 2, "docs/protocol.md: section %q has no table", heading)
	require.Containsf(t, rows[1][0], "---", "docs/protocol.md: section %q: the head of its table", heading)
	for _, row := range rows[2:] {
		require.NotEmptyf(t, inCodeOf(row[0]), "docs/protocol.md: section %q: a row without a name: %v", heading, row)
		require.NotContainsf(t, row[0], "---", "docs/protocol.md: section %q has a second table", heading)
	}
	return rows[2:]
}
