//go:build linux

package testcluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// marker is in the environment of everything a supervisor starts, and of what
// that starts in turn. It is how leftovers are told from other processes.
const marker = "SKILLCENTER_TESTCLUSTER="

// process is a running component.
type process struct {
	name, log string
	command   *exec.Cmd
	done      chan struct{} // closed when the process has ended
	err       error         // how it ended, once done is closed
}

// startProcess starts a component with its output in a log file. When it ends,
// it is sent to exited, which must have room.
//
// The component dies with the thread that starts it, so the caller keeps to
// one thread for good.
func startProcess(state, name string, argv []string, exited chan<- *process) (*process, error) {
	p := &process{
		name:    name,
		log:     filepath.Join(state, logsDir, name+".log"),
		command: exec.Command(argv[0], argv[1:]...),
		done:    make(chan struct{}),
	}
	output, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close() //nolint:errcheck // the component has a descriptor of its own
	p.command.Dir = state
	p.command.Stdout, p.command.Stderr = output, output
	// Little else of our environment: a proxy set there would come between the
	// API server and the node.
	p.command.Env = []string{
		marker + state,
		"HOME=" + state,
		"PATH=" + os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin",
	}
	p.command.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.done)
		exited <- p
	}()
	return p, nil
}

// kill ends the process at once, for its state is thrown away, and waits.
func (p *process) kill() {
	_ = p.command.Process.Kill() // fails only if it has ended
	<-p.done
}

// failure describes a process that ended by itself.
func (p *process) failure() error {
	return fmt.Errorf("%s ended: %v; the end of its log:\n%s", p.name, p.err, tail(p.log, 40))
}
