package fake

import (
	"fmt"
	"time"

	"skillcenter.io/hosting"
)

// phase is what a replica is doing.
type phase int

const (
	preparing phase = iota // being scheduled, its image being pulled
	waiting                // kept from starting by a fault
	crashing               // its container runs, and will not for long
	backoff                // its container has ended and will be started again
	ready                  // its container runs
	stopping               // its container was told to end
	ended                  // it is gone
)

// replica is one copy of the instance's container. It is never reused: a
// restart makes new ones.
type replica struct {
	name       string
	generation int
	resources  hosting.ResourceConfig
	workload   Workload
	phase      phase
	next       time.Time   // when the phase ends; zero if it does not by itself
	fault      *StartFault // that has not healed yet
	healsAt    time.Time   // when the fault ends; zero if it does not by itself
	started    bool        // its container was started once
	restarts   int
	backoffs   int // pauses in a row
	reason     string
	message    string
	run        *run // of the container, while it runs
}

const (
	// crashTime is how long a container runs before it crashes.
	crashTime = time.Second
	// The pauses before a container is started again are as on Kubernetes.
	minBackoff = 10 * time.Second
	maxBackoff = 5 * time.Minute
	// After this time of running the pauses are short again.
	backoffReset = 10 * time.Minute
)

// add starts a replica.
func (in *instance) add(t time.Time) {
	in.names++
	r := &replica{
		name:       fmt.Sprintf("%s-%d", in.id.Name, in.names),
		generation: in.generation, resources: in.resources, workload: in.workload,
		next: t.Add(in.workload.StartTime), fault: in.provider.startFault(in.id.Name),
	}
	in.replicas = append(in.replicas, r)
	in.event(t, hosting.EventNormal, "Scheduled", "replica "+r.name+" is being started")
}

// stop tells a replica to end.
func (in *instance) stop(r *replica, t time.Time) {
	if r.phase == stopping {
		return
	}
	r.phase, r.next, r.reason, r.message = stopping, t.Add(r.workload.StopTime), "", ""
	in.event(t, hosting.EventNormal, "Killing", "replica "+r.name+" is being stopped")
}

// transition ends the phase of a replica, at the time it was due.
func (in *instance) transition(r *replica, t time.Time) {
	switch r.phase {
	case preparing:
		in.prepared(r, t)
	case waiting:
		r.fault = nil
		in.startContainer(r, t)
	case crashing:
		in.containerEnded(r, t, r.fault.Message)
	case backoff:
		r.restarts++
		if r.fault != nil && (r.healsAt.IsZero() || t.Before(r.healsAt)) {
			in.startCrashing(r, t)
			return
		}
		r.fault = nil
		in.startContainer(r, t)
	case ready:
		in.ranToEnd(r, t)
	case stopping:
		in.endRun(r, t)
		r.phase = ended
	}
}

// prepared is when a replica would start, were there no fault.
func (in *instance) prepared(r *replica, t time.Time) {
	if r.fault == nil {
		in.startContainer(r, t)
		return
	}
	if r.fault.For > 0 {
		r.healsAt = t.Add(r.fault.For)
	}
	if r.fault.Failure == CrashLoopBackOff {
		in.startCrashing(r, t)
		return
	}
	r.phase, r.next = waiting, r.healsAt
	in.failing(r, t, string(r.fault.Failure), r.fault.Message)
}

func (in *instance) failing(r *replica, t time.Time, reason, message string) {
	r.reason, r.message = reason, message
	in.event(t, hosting.EventWarning, reason, "replica "+r.name+": "+message)
}

// heal ends the fault of a replica now.
func (r *replica) heal(now time.Time) {
	if r.fault == nil {
		return
	}
	if r.phase == preparing {
		r.fault = nil
		return
	}
	r.healsAt = now
	if r.phase != stopping {
		r.next = now
	}
}

func (in *instance) startContainer(r *replica, t time.Time) {
	r.phase, r.next, r.started, r.reason, r.message = ready, time.Time{}, true, "", ""
	if r.workload.RunTime > 0 {
		r.next = t.Add(r.workload.RunTime)
	}
	r.run = in.logs.start(run{replica: r.name, restart: r.restarts, start: t,
		interval: r.workload.LogInterval, line: r.workload.LogLine, count: -1})
	in.event(t, hosting.EventNormal, "Started", "replica "+r.name+" is ready")
}

func (in *instance) startCrashing(r *replica, t time.Time) {
	lines := r.fault.LogLines
	r.phase, r.next, r.started = crashing, t.Add(crashTime), true
	if !r.healsAt.IsZero() && r.healsAt.Before(r.next) {
		r.next = r.healsAt // its last crash is cut short, so that it heals in time
	}
	r.run = in.logs.start(run{replica: r.name, restart: r.restarts, start: t,
		line: func(n int) string { return lines[n] }, count: len(lines)})
}

// ranToEnd is when a container ends by itself as it was meant to.
func (in *instance) ranToEnd(r *replica, t time.Time) {
	code := r.workload.ExitCode
	if !endsByItself(in.id.Type) {
		if t.Sub(r.run.start) >= backoffReset {
			r.backoffs = 0
		}
		in.containerEnded(r, t, fmt.Sprintf("the container ended with exit code %d", code))
		return
	}
	in.endRun(r, t)
	r.phase = ended
	kind, reason := hosting.EventNormal, "Completed"
	if code != 0 {
		kind, reason = hosting.EventWarning, "Failed"
	}
	in.event(t, kind, reason, fmt.Sprintf("replica %s ended with exit code %d", r.name, code))
	if in.isCronJob() {
		in.desired--
		in.runFailed = in.runFailed || code != 0
		if in.desired == 0 {
			in.endCronRun()
		}
		return
	}
	if code == 0 {
		in.succeeded++
	} else {
		in.failed++
	}
}

// endCronRun notes how a run of a cronjob went: well, if all its replicas did.
func (in *instance) endCronRun() {
	in.lastRun = "succeeded"
	if in.runFailed {
		in.lastRun = "failed"
	}
}

// containerEnded is when a container that should go on has ended.
func (in *instance) containerEnded(r *replica, t time.Time, message string) {
	in.endRun(r, t)
	in.failing(r, t, string(CrashLoopBackOff), message)
	pause := min(minBackoff<<min(r.backoffs, 10), maxBackoff)
	r.backoffs++
	r.phase, r.next = backoff, t.Add(pause)
	if r.fault != nil && !r.healsAt.IsZero() && r.next.After(r.healsAt) {
		r.next = r.healsAt
	}
}

// endRun closes the log of the container of a replica.
func (in *instance) endRun(r *replica, t time.Time) {
	if r.run != nil {
		in.logs.end(r.run, t)
		r.run = nil
	}
}
