package storetest_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"skillcenter.io/hosting/provider/store"
	"skillcenter.io/hosting/provider/store/storetest"
)

// envDefect names the defect for TestBrokenStore.
const envDefect = "STORETEST_DEFECT"

// TestBrokenStore runs the suite on a store with the defect that the
// environment names. TestSuiteFindsDefects starts it.
func TestBrokenStore(t *testing.T) {
	name := os.Getenv(envDefect)
	list := append(defects(), defect{name: "none", spoil: func(*broken) {}})
	i := slices.IndexFunc(list, func(d defect) bool { return d.name == name })
	if i < 0 {
		t.Skipf("%s=%q names no defect", envDefect, name)
	}
	storetest.Run(t, func(*testing.T) store.Store { return newBroken(list[i].spoil) })
}

var failedCase = regexp.MustCompile(`(?m)^\s*--- FAIL: TestBrokenStore/(.*) \([0-9.]+s\)$`)

// runBroken returns the cases that a defect fails. It starts another process,
// since a test that fails cannot be taken back.
func runBroken(t *testing.T, defect string) (failed []string, output string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Error(err)
		return nil, ""
	}
	command := exec.CommandContext(t.Context(), program, "-test.run=^TestBrokenStore$", "-test.v", "-test.timeout=1m")
	command.Env = append(os.Environ(), envDefect+"="+defect)
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

func TestSuitePassesWithoutDefect(t *testing.T) {
	if failed, output := runBroken(t, "none"); len(failed) > 0 || !strings.Contains(output, "--- PASS: TestBrokenStore/") {
		t.Errorf("the suite fails on a store without defect in %q: %s", failed, tail(output))
	}
}

// TestSuiteFindsDefects checks that each defect is found by the case that is
// there for it, and that each case finds at least one defect.
func TestSuiteFindsDefects(t *testing.T) {
	var mu sync.Mutex
	found := map[string]bool{}
	work := make(chan defect)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for d := range work {
				failed, output := runBroken(t, d.name)
				if !slices.Contains(failed, subtest(d.found)) {
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
	wait.Wait()
	for _, name := range storetest.Cases() {
		if !found[subtest(name)] {
			t.Errorf("case %q finds none of the defects: can it fail?", name)
		}
	}
}
