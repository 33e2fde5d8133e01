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

var failedCase = regexp.MustCompile(`(?m)^\s*--- FAIL: TestBrokenProvider/(.*) \([0-9.]+s\)$`)

// runBroken returns the cases that a defect fails. It starts another process,
// since a test that fails cannot be taken back.
func runBroken(t *testing.T, defect string) (failed []string, output string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Error(err)
		return nil, ""
	}
	command := exec.CommandContext(t.Context(), program, "-test.run=^TestBrokenProvider$", "-test.v", "-test.timeout=1m")
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
	if failed, output := runBroken(t, "none"); len(failed) > 0 || !strings.Contains(output, "--- PASS: TestBrokenProvider/") {
		t.Errorf("the suite fails on a provider without defect in %q: %s", failed, tail(output))
	}
}

// TestSuiteFindsDefects checks that each defect is found by the case that is
// there for it, and that each case finds at least one defect.
func TestSuiteFindsDefects(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suite a hundred times")
	}
	var mu sync.Mutex
	found := map[string]bool{}
	work := make(chan defect)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for d := range work {
				failed, output := runBroken(t, d.name)
				if !slices.ContainsFunc(failed, isOf(d.found)) {
					t.Errorf("defect %q is not found by case %q, but by %q: %s", d.name, d.found, failed, tail(output))
				}
				mu.Lock()
				for _, name := range failed {
					found[name] = true
				}
				mu.Unlock()
			}
		})
	}
	for _, d := range defects() {
		work <- d
	}
	close(work)
	wg.Wait()

	for _, c := range conformance.Cases() {
		finds := false
		for name := range found {
			finds = finds || isOf(c.Name)(name)
		}
		if !finds {
			t.Errorf("case %q finds none of the defects: can it fail?", c.Name)
		}
	}
}
