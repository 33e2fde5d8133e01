package kubernetes

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/kubernetes/deploy"
)

// namesInCode are the constants of names.go that begin with one of the
// prefixes.
func namesInCode(t *testing.T, prefixes ...string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "names.go", nil, 0)
	require.NoError(t, err)
	var names []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			for _, prefix := range prefixes {
				if literal, ok := spec.Values[i].(*ast.BasicLit); ok && strings.HasPrefix(name.Name, prefix) {
					value, err := strconv.Unquote(literal.Value)
					require.NoError(t, err)
					names = append(names, value)
				}
			}
		}
		return true
	})
	return names
}

// namesInPage are the first cells of the table of a section.
func namesInPage(t *testing.T, section string) []string {
	t.Helper()
	data, err := os.ReadFile("../docs/kubernetes.md")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(data), "\n## "+section+"\n")
	require.True(t, found, section)
	text, _, _ = strings.Cut(text, "\n## ")
	var names []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(text, -1) {
		names = append(names, row[1])
	}
	return names
}

func TestThePageHasEveryLabelAnnotationAndManifest(t *testing.T) {
	t.Parallel()
	assert.ElementsMatch(t, namesInCode(t, "label", "nodeSelector"), namesInPage(t, "Labels"))
	assert.ElementsMatch(t, namesInCode(t, "annotation"), namesInPage(t, "Annotations"))
	manifests, err := fs.Glob(deploy.Files, "*.yaml")
	require.NoError(t, err)
	assert.ElementsMatch(t, manifests, namesInPage(t, "Permissions"))
}
