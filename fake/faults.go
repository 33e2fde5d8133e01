package fake

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"skillcenter.io/hosting"
)

// StartFailure is why a replica does not start. It is the reason that the
// instance shows.
type StartFailure string

// The ways to fail. While CrashLoopBackOff lasts the container starts, prints
// and ends again and again, with pauses of 10 s, 20 s and so on up to 5 min;
// with the others it does not start at all.
const (
	ImagePullBackOff StartFailure = "ImagePullBackOff" // the image cannot be pulled
	CrashLoopBackOff StartFailure = "CrashLoopBackOff" // the container ends soon after each start
	Unschedulable    StartFailure = "Unschedulable"    // no node has room
	QuotaExceeded    StartFailure = "QuotaExceeded"    // the platform does not create the replica
)

var startMessages = map[StartFailure]string{
	ImagePullBackOff: "the image cannot be pulled",
	CrashLoopBackOff: "the container ends soon after each start",
	Unschedulable:    "no node has enough room",
	QuotaExceeded:    "the quota of the account is used up",
}

// StartFault lets replicas fail to start.
//
// The failure shows when the replica would have become ready, and keeps it
// from that for exactly For. It starts to count with [Provider.InjectStart];
// replicas that are on their way by then are spared.
type StartFault struct {
	// Instance is the name of the instance; any if empty.
	Instance string
	// Start says which start of a replica fails: 3 is the third from now on,
	// 0 means every one.
	Start int
	// Failure is what goes wrong; ImagePullBackOff if empty.
	Failure StartFailure
	// For is how long it lasts. Zero is until ClearFaults, or until the
	// replica is replaced.
	For time.Duration
	// Message explains it in CloudInstance.Metadata and in events; it has a
	// default.
	Message string
	// LogLines are what the container prints before each crash, with
	// CrashLoopBackOff. Nil prints one line, "FATAL: crashed".
	LogLines []string
}

// CallFault lets calls fail, take long, or both. Of several that match a call,
// the first one with a Reason fails it, and all delays add up.
type CallFault struct {
	// Method is the Go name of the method, such as "ScaleInstance"; any if
	// empty.
	Method string
	// Instance is the name of the instance, volume or service that the call is
	// about; any if empty.
	Instance string
	// Calls is how many calls it is for; all until ClearFaults if zero.
	Calls int
	// Delay is how long the call waits before it does anything. It gives up
	// when its context ends.
	Delay time.Duration
	// Reason makes the call fail; the code is that of the method.
	Reason hosting.Reason
	// Message is the message of the error; it has a default.
	Message string
	// RetryAfter is that of the error.
	RetryAfter time.Duration
	// AfterEffect makes the call fail only after it did its work, as when an
	// answer is lost.
	AfterEffect bool
}

func (f *CallFault) failure() error {
	return &hosting.Error{Reason: f.Reason, RetryAfter: f.RetryAfter,
		Message: cmp.Or(f.Message, fmt.Sprintf("injected fault: %s", f.Reason))}
}

// faults are those that wait to happen, in the order they were injected.
type faults struct {
	starts []*StartFault
	calls  []*CallFault
}

// InjectStart adds a fault for the starts of replicas.
func (p *Provider) InjectStart(fault StartFault) {
	fault.Failure = cmp.Or(fault.Failure, ImagePullBackOff)
	fault.Message = cmp.Or(fault.Message, startMessages[fault.Failure])
	fault.LogLines = slices.Clone(fault.LogLines)
	if fault.LogLines == nil {
		fault.LogLines = []string{"FATAL: crashed"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// What has started until now must not count.
	p.advance(p.clock())
	p.faults.starts = append(p.faults.starts, &fault)
}

// InjectCall adds a fault for calls.
func (p *Provider) InjectCall(fault CallFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.calls = append(p.faults.calls, &fault)
}

// ClearFaults removes all faults. Replicas that one kept from starting start
// now.
func (p *Provider) ClearFaults() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock()
	p.advance(now)
	p.faults = faults{}
	for _, in := range p.instances {
		for _, r := range in.replicas {
			r.heal(now)
		}
		in.refresh(now)
		in.notify()
	}
}

// startFault returns the fault for a replica that starts now, if any. Every
// fault counts every start that it is for.
func (p *Provider) startFault(instance string) *StartFault {
	var hit *StartFault
	p.faults.starts = slices.DeleteFunc(p.faults.starts, func(fault *StartFault) bool {
		if fault.Instance != "" && fault.Instance != instance {
			return false
		}
		if fault.Start > 1 {
			fault.Start--
			return false
		}
		if hit != nil {
			return false // it happens to the next start
		}
		hit = fault
		return fault.Start == 1
	})
	return hit
}

// callFault returns the fault that fails a call, if any, and the delay.
func (p *Provider) callFault(o operation) (hit *CallFault, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.calls = slices.DeleteFunc(p.faults.calls, func(fault *CallFault) bool {
		if fault.Method != "" && fault.Method != o.method || fault.Instance != "" && fault.Instance != o.name {
			return false
		}
		if fault.Reason != "" {
			if hit != nil {
				return false
			}
			hit = fault
		}
		delay += fault.Delay
		if fault.Calls > 0 {
			fault.Calls--
			return fault.Calls == 0
		}
		return false
	})
	return hit, delay
}
