package hosting_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "skillcenter.io/hosting"

// floor says what the packages below a path may import.
type floor struct {
	path string
	// ours are the paths of this module; "." is the root package. A path
	// allows what is below it too, unless that has a floor of its own.
	ours []string
	// others are prefixes of other modules' packages; "" allows all. What they
	// import in turn counts as well.
	others []string
}

var (
	engines = []string{"autoscale", "cost", "discovery", "provider/store", "volume"}
	// lean is what a package that must stay small may need.
	lean     = []string{"github.com/hashicorp/", "golang.org/x/sync/"}
	anything = []string{""}
)

// floors is the table of the layers: a package imports only what stands here.
// The entry with the longest path decides.
func floors() []floor {
	shared := []string{".", "internal/configs", "internal/cron", "internal/loglines"}
	backends := slices.Concat(shared, engines, []string{"provider/driver"})
	return []floor{
		{path: ".", ours: []string{"internal/cron"}},
		{path: "internal/configs", ours: []string{"."}},
		{path: "internal/cron"},
		{path: "internal/intercept", ours: []string{"."}},
		{path: "internal/loglines", ours: []string{"."}},
		{path: "internal/mocks", ours: []string{"."}, others: []string{"github.com/golang/mock/"}},
		{path: "internal/pipehttp"},
		{path: "internal/reference", ours: slices.Concat(backends, []string{"fake", "provider/conformance"}), others: lean},
		{path: "internal/testcluster", others: anything},
		{path: "internal/wire", ours: []string{"."}},

		{path: "autoscale", ours: slices.Concat(shared, []string{"provider/store"}), others: lean},
		{path: "autoscale/prometheus", ours: []string{".", "autoscale"}, others: slices.Concat(lean, []string{
			"github.com/prometheus/", "github.com/json-iterator/", "github.com/modern-go/", "google.golang.org/protobuf/",
		})},
		{path: "cost", ours: shared, others: lean},
		{path: "discovery", ours: shared, others: lean},
		{path: "volume", ours: shared, others: lean},
		{path: "provider/store", ours: shared, others: lean},
		{path: "provider/store/boltstore", ours: slices.Concat(shared, []string{"provider/store"}), others: slices.Concat(lean, []string{"go.etcd.io/bbolt", "golang.org/x/sys/"})},

		{path: "provider/conformance", ours: []string{"."}},
		{path: "provider/driver", ours: slices.Concat([]string{"."}, engines)},
		{path: "fake", ours: backends, others: lean},
		{path: "kubernetes", ours: backends, others: anything},
		{path: "tencent", ours: slices.Concat(backends, []string{"kubernetes"}), others: anything},

		{path: "httpapi", ours: []string{".", "internal/wire"}, others: lean},
		{path: "httpapi/client", ours: []string{".", "internal/wire"}, others: lean},

		{path: "fake/faketest", ours: slices.Concat(backends, []string{"fake", "httpapi", "httpapi/client", "internal/pipehttp"}), others: lean},

		{path: "provider", ours: slices.Concat(backends, []string{"httpapi", "internal/intercept"}), others: slices.Concat(lean, []string{"go.yaml.in/yaml/", "gopkg.in/yaml.v3"})},
		{path: "provider/otel", ours: slices.Concat(backends, []string{"internal/intercept", "provider"}), others: anything},
		{path: "examples", others: anything, ours: slices.Concat(backends, []string{
			"autoscale/prometheus", "fake", "httpapi", "httpapi/client", "kubernetes", "provider", "provider/conformance", "provider/otel", "provider/store/boltstore", "tencent",
		})},
	}
}

// never lists what no program gets by importing a package of ours, whatever
// its floor allows.
var never = []string{"github.com/golang/mock/", "github.com/stretchr/testify/", module + "/internal/mocks", module + "/internal/reference", module + "/internal/testcluster"}

// tests are the packages that are for tests only.
var tests = []string{"internal/mocks", "internal/reference", "internal/testcluster"}

// forbidden is what a package pulls in under no circumstances. It repeats what
// follows from floors, so that a change there does not allow it by accident.
var forbidden = map[string][]string{
	"fake":    {"k8s.io/", "sigs.k8s.io/", "github.com/tencentcloud/", "gopkg.in/yaml", "go.yaml.in/", "go.opentelemetry.io/"},
	"httpapi": {"k8s.io/", "sigs.k8s.io/", "github.com/tencentcloud/", "gopkg.in/yaml", "go.yaml.in/", "go.opentelemetry.io/"},
}

type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
	Module     *struct{ Path string }
	Error      *struct{ Err string }
}

func (p goPackage) ours() bool { return p.Module != nil && p.Module.Path == module }

// path is the import path below the module.
func (p goPackage) path() string { return ourPath(p.ImportPath) }

func ourPath(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

// listPackages returns our packages and all they depend on, tests left aside.
func listPackages(t *testing.T) map[string]goPackage {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps,Module,Error", "./...")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	packages := map[string]goPackage{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Nil(t, p.Error, p.ImportPath)
		packages[p.ImportPath] = p
	}
	require.Contains(t, packages, module)
	return packages
}

// floorOf returns the entry with the longest path that holds ours.
func floorOf(path string) (best floor, ok bool) {
	for _, f := range floors() {
		if (path == f.path || strings.HasPrefix(path, f.path+"/")) && len(f.path) >= len(best.path) {
			best, ok = f, true
		}
	}
	return best, ok
}

func TestPackagesImportOnlyLowerFloors(t *testing.T) {
	t.Parallel()
	packages := listPackages(t)
	for _, p := range packages {
		if !p.ours() {
			continue
		}
		f, ok := floorOf(p.path())
		if !assert.Truef(t, ok, "%s stands on no floor: add it to the table", p.ImportPath) {
			continue
		}
		for _, imported := range p.Imports {
			if target, known := packages[imported]; known && target.ours() {
				assert.Truef(t, f.allows(target.path()), "%s must not import %s", p.ImportPath, imported)
			}
		}
		for _, dependency := range p.Deps {
			target := packages[dependency]
			if target.Standard || target.ours() || f.path == "examples" {
				continue
			}
			// What a package gets from one of ours was judged there.
			allowed := hasPrefix(dependency, f.others) || viaOurs(packages, p, dependency)
			assert.Truef(t, allowed, "%s must not depend on %s", p.ImportPath, dependency)
		}
	}
}

func (f floor) allows(path string) bool {
	target, ok := floorOf(path)
	return ok && (target.path == f.path || slices.Contains(f.ours, target.path))
}

// viaOurs tells whether a package depends on another through a package of ours
// that is on another floor.
func viaOurs(packages map[string]goPackage, p goPackage, dependency string) bool {
	from, _ := floorOf(p.path())
	return slices.ContainsFunc(p.Deps, func(dep string) bool {
		target := packages[dep]
		if !target.ours() || !slices.Contains(target.Deps, dependency) {
			return false
		}
		to, _ := floorOf(target.path())
		return to.path != from.path
	})
}

func hasPrefix(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(path+"/", prefix) })
}

func TestNoUserGetsTestDependencies(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if !p.ours() || slices.ContainsFunc(tests, func(path string) bool { return strings.HasPrefix(p.path()+"/", path+"/") }) {
			continue
		}
		for _, dependency := range p.Deps {
			assert.Falsef(t, hasPrefix(dependency, never), "%s depends on %s, which is for tests", p.ImportPath, dependency)
		}
	}
}

func TestLeanPackagesStayLean(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if !p.ours() {
			continue
		}
		for path, prefixes := range forbidden {
			if p.path() != path && !strings.HasPrefix(p.path(), path+"/") {
				continue
			}
			for _, dependency := range p.Deps {
				assert.Falsef(t, hasPrefix(dependency, prefixes), "%s depends on %s", p.ImportPath, dependency)
			}
		}
	}
}

// The table itself: each path once, and no two floors that import each other.
func TestFloorsHaveNoCycle(t *testing.T) {
	t.Parallel()
	below := map[string][]string{}
	for _, f := range floors() {
		assert.NotContains(t, below, f.path, "each path once")
		below[f.path] = f.ours
	}
	var visit func(path string, above []string)
	visit = func(path string, above []string) {
		require.NotContains(t, above, path, "a cycle")
		require.Contains(t, below, path, "%v", above)
		for _, lower := range below[path] {
			visit(lower, append(slices.Clone(above), path))
		}
	}
	for path := range below {
		visit(path, nil)
	}
}
