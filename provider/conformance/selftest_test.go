package conformance_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/conformance"
)

// defectEnv names the defect for TestBrokenProvider.
const defectEnv = "CONFORMANCE_DEFECT"

// TestBrokenProvider runs the suite on a provider with the defect that the
// environment names. TestSuiteFindsDefects starts it.
func TestBrokenProvider(t *testing.T) {
	name := os.Getenv(defectEnv)
	list := append(defects(), defect{name: "none", spoil: func(*broken) {}})
	i := slices.IndexFunc(list, func(d defect) bool { return d.name == name })
	if i < 0 {
		t.Skipf("%s=%q names no defect", defectEnv, name)
	}
	conformance.Run(t, harness(func() hosting.CloudHostingProvider { return newBroken(list[i].spoil) }))
}

// TestBrokenExtension is TestBrokenProvider for the suite of extensions.
func TestBrokenExtension(t *testing.T) {
	name := os.Getenv(defectEnv)
	list := append(extensionDefects(), extensionDefect{name: "none", spoil: func(*spoiled, *conformance.Extension) {}})
	i := slices.IndexFunc(list, func(d extensionDefect) bool { return d.name == name })
	if i < 0 {
		t.Skipf("%s=%q names no defect", defectEnv, name)
	}
	conformance.RunExtension(t, extensionHarness(func(x extended) conformance.Extension { return spoil(x, list[i].spoil) }))
}

// search is a run of the suite on what has a defect.
type search struct{ test, defect, found string }

func searches() []search {
	var list []search
	for _, d := range defects() {
		list = append(list, search{"TestBrokenProvider", d.name, d.found})
	}
	for _, d := range extensionDefects() {
		list = append(list, search{"TestBrokenExtension", d.name, d.found})
	}
	return list
}

var failedCase = regexp.MustCompile(`(?m)^\s*--- FAIL: TestBroken(?:Provider|Extension)/(.*) \([0-9.]+s\)$`)

// runBroken returns the cases that a defect fails. It starts another process,
// since a test that fails cannot be taken back.
func runBroken(t *testing.T, test, defect string) (failed []string, output string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Error(err)
		return nil, ""
	}
	command := exec.CommandContext(t.Context(), program, "-test.run=^"+test+"$", "-test.v", "-test.timeout=1m")
	command.Env = append(os.Environ(), defectEnv+"="+defect)
	data, err := command.CombinedOutput()
	output = string(data)
	for _, match := range failedCase.FindAllStringSubmatch(output, -1) {
		failed = append(failed, match[1])
	}
	if passed := command.ProcessState.Success(); passed != (len(failed) == 0) {
		t.Errorf("defect %q: the process ended with %v, and %d cases failed: %s", defect, err, len(failed), tail(output))
	}
	return failed, output
}

func tail(output string) string { return output[max(0, len(output)-4000):] }

// subtest is the name that go test makes of the name of a case.
func subtest(name string) string { return strings.ReplaceAll(name, " ", "_") }

func isOf(name string) func(failed string) bool {
	return func(failed string) bool {
		return failed == subtest(name) || strings.HasPrefix(failed, subtest(name)+"/")
	}
}

func TestSuitePassesWithoutDefect(t *testing.T) {
	for _, test := range []string{"TestBrokenProvider", "TestBrokenExtension"} {
		if failed, output := runBroken(t, test, "none"); len(failed) > 0 || !strings.Contains(output, "--- PASS: "+test+"/") {
			t.Errorf("%s fails without defect in %q: %s", test, failed, tail(output))
		}
	}
}

// TestSuiteFindsDefects checks that each defect is found by the case that is
// there for it, and that each case finds at least one defect.
func TestSuiteFindsDefects(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suite two hundred times")
	}
	var mu sync.Mutex
	found := map[string]bool{}
	work := make(chan search)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for s := range work {
				failed, output := runBroken(t, s.test, s.defect)
				if !slices.ContainsFunc(failed, isOf(s.found)) {
					t.Errorf("defect %q is not found by case %q, but by %q: %s", s.defect, s.found, failed, tail(output))
				}
				mu.Lock()
				for _, name := range failed {
					found[name] = true
				}
				mu.Unlock()
			}
		})
	}
	for _, s := range searches() {
		work <- s
	}
	close(work)
	wg.Wait()

	for _, c := range append(conformance.Cases(), conformance.ExtensionCases()...) {
		finds := false
		for name := range found {
			finds = finds || isOf(c.Name)(name)
		}
		if !finds {
			t.Errorf("case %q finds none of the defects: can it fail?", c.Name)
		}
	}
}
