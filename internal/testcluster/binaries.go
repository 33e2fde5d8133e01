//go:build linux

package testcluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const importPath = "skillcenter.io/hosting/internal/testcluster"

// Binaries are the paths of the programs a cluster consists of.
type Binaries struct {
	Kubernetes    string // every component and etcd; the first argument picks one
	MetricsServer string
	Pause, Skill  string // what the images of these names consist of
}

func (b Binaries) arguments() []string {
	return []string{b.Kubernetes, b.MetricsServer, b.Pause, b.Skill}
}

func binariesFrom(args []string) (Binaries, error) {
	if len(args) != 4 {
		return Binaries{}, fmt.Errorf("want the paths of 4 programs, got %d", len(args))
	}
	return Binaries{Kubernetes: args[0], MetricsServer: args[1], Pause: args[2], Skill: args[3]}, nil
}

// Build builds the programs into the user's cache, unless they are there. The
// first time takes some ten minutes on two cores, so it says on standard error
// what it does.
func Build(ctx context.Context) (Binaries, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return Binaries{}, err
	}
	version, err := requiredVersion(filepath.Join(source, "binaries", "go.mod"), "k8s.io/kubernetes")
	if err != nil {
		return Binaries{}, err
	}
	var bin Binaries
	for _, p := range []struct {
		path    *string
		program program
	}{
		{&bin.Kubernetes, program{
			name: "kubernetes", dir: filepath.Join(source, "binaries"), version: version,
			flags: []string{"-ldflags", versionFlags(version)},
		}},
		{&bin.MetricsServer, program{
			name: "metrics-server", dir: filepath.Join(source, "metricsserver"), flags: []string{"-ldflags", "-s -w"},
		}},
		{&bin.Pause, static("pause", filepath.Join(source, "images", "pause"))},
		{&bin.Skill, static("skill", filepath.Join(source, "images", "skill"))},
	} {
		if *p.path, err = p.program.build(ctx); err != nil {
			return Binaries{}, fmt.Errorf("build %s: %w", p.program.name, err)
		}
	}
	return bin, nil
}

// versionFlags make the components report the version they are: clients refuse
// to parse what they say otherwise.
func versionFlags(version string) string {
	const pkg = "k8s.io/component-base/version."
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return fmt.Sprintf("-s -w -X %[1]sgitVersion=%[2]s -X %[1]sgitMajor=%[3]s -X %[1]sgitMinor=%[4]s",
		pkg, version, parts[0], parts[1])
}

// requiredVersion reads the one place that names the version of a module.
func requiredVersion(gomod, module string) (string, error) {
	data, err := os.ReadFile(gomod)
	if err != nil {
		return "", err
	}
	requirement := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(module) + ` (v\d+\.\d+\.\d+)$`)
	match := requirement.FindSubmatch(data)
	if match == nil {
		return "", fmt.Errorf("%s requires no %s", gomod, module)
	}
	return string(match[1]), nil
}

// program is a main package that is built once per content of its sources.
type program struct {
	name, dir, version string
	flags, environment []string
}

// static is a program that runs in an image with nothing else in it.
func static(name, dir string) program {
	return program{name: name, dir: dir, flags: []string{"-ldflags", "-s -w"}, environment: []string{"CGO_ENABLED=0"}}
}

// build returns the path of the program in the cache. Processes that want it
// at the same time build it once, and none ever sees half of it.
func (p program) build(ctx context.Context) (_ string, err error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	key, err := p.key()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "bin", p.name+"-"+key)
	path := filepath.Join(dir, p.name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	building, err := lock(ctx, filepath.Join(dir, "lock"), unix.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, building.Close()) }()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, p.compile(ctx, path)
}

// compile runs `go build` and tells standard error how long it takes.
func (p program) compile(ctx context.Context, path string) error {
	began := time.Now()
	what := strings.TrimSpace(p.name + " " + p.version)
	progress := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "testcluster: "+format+"\n", args...)
	}
	progress("building %s, once, into %s", what, filepath.Dir(path))
	command := p.command(ctx, path+".new")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	ticker := time.NewTicker(30 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			progress("still building %s (%v)", what, time.Since(began).Round(time.Second))
		case err := <-done:
			if err != nil {
				return fmt.Errorf("%w\n%s", errors.Join(context.Cause(ctx), err), output.String())
			}
			progress("built %s in %v", what, time.Since(began).Round(time.Second))
			return os.Rename(path+".new", path)
		}
	}
}

// command builds outside any workspace: the module of the program alone
// decides its versions.
func (p program) command(ctx context.Context, output string) *exec.Cmd {
	command := goCommand(ctx, p.dir, append(append([]string{"build", "-buildvcs=false", "-o", output}, p.flags...), ".")...)
	command.Env = append(command.Env, append(p.environment, "GOWORK=off")...)
	return command
}

// key tells builds apart whose sources, platform or compiler differ.
func (p program) key() (string, error) {
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.GOOS, runtime.GOARCH, runtime.Version(), p.flags, p.environment)
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		file, err := os.Open(filepath.Join(p.dir, name))
		if errors.Is(err, os.ErrNotExist) && name != "main.go" {
			continue // a package of the main module, with no imports but the standard library's
		}
		if err != nil {
			return "", err
		}
		_, err = io.Copy(hash, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return "", err
		}
	}
	key := hex.EncodeToString(hash.Sum(nil))[:16]
	if p.version != "" {
		key = p.version + "-" + key
	}
	return key, nil
}

// buildSupervisor builds the command that supervises. It asks `go build` each
// time, which knows best whether there is something to do.
func buildSupervisor(ctx context.Context) (string, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "bin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "testcluster")
	// Others may build it at the same time, or run it: hence a name of our own.
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	output, err := goCommand(ctx, source, "build", "-buildvcs=false", "-o", temporary, "./cmd/testcluster").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the supervisor: %w\n%s", err, output)
	}
	return path, os.Rename(temporary, path)
}

// sourceDir finds this package's sources by asking the module the test or
// command runs in.
func sourceDir(ctx context.Context) (string, error) {
	output, err := goCommand(ctx, "", "list", "-f", "{{.Dir}}", importPath).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return "", fmt.Errorf("find the sources of %s: %w", importPath, err)
	}
	return strings.TrimSpace(string(output)), nil
}

func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = dir
	command.Env = os.Environ()
	// The compilers that `go` started hold its output open; do not wait for
	// them long when the context ends.
	command.WaitDelay = 5 * time.Second
	return command
}
