package fake

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"skillcenter.io/hosting"
)

// The simulation is driven by events: each instance knows when something
// happens to it next, and advance lets everything happen that is due, in the
// order of time over all instances. What is not asked for is not computed, and
// an hour in which nothing happens costs nothing.

// advance brings everything up to now.
func (p *Provider) advance(now time.Time) {
	for {
		var first *instance
		for _, in := range p.instances {
			if due(in.wake, now) && (first == nil || cmp.Or(in.wake.Compare(first.wake), cmp.Compare(in.uid, first.uid)) < 0) {
				first = in
			}
		}
		if first == nil {
			return
		}
		first.step(first.wake)
	}
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// step lets happen what is due at t.
func (in *instance) step(t time.Time) {
	for _, r := range in.replicas {
		if due(r.next, t) {
			in.transition(r, t)
		}
	}
	in.replicas = slices.DeleteFunc(in.replicas, func(r *replica) bool { return r.phase == ended })
	if due(in.nextRun, t) {
		in.startScheduledRun(t)
	}
	if due(in.nextTick, t) {
		in.autoscale(t)
	}
	in.refresh(t)
	if due(in.deleteAt, t) {
		in.provider.bury(in, t)
	}
}

// refresh draws the conclusions from a change: it starts and stops replicas,
// and works out when something happens next.
func (in *instance) refresh(t time.Time) {
	in.reconcile(t)
	if in.activity != "" && (in.stopped || in.settled(in.tally())) {
		in.activity = ""
	}
	in.meter(t)
	in.wake = in.nextWake()
}

func (in *instance) nextWake() time.Time {
	first := earlier(in.deleteAt, earlier(in.nextRun, in.nextTick))
	for _, r := range in.replicas {
		first = earlier(first, r.next)
	}
	return first
}

// earlier returns the earlier of two times; zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// reconcile starts and stops replicas so that those wanted run, and are of the
// current generation. A rollout brings up a quarter of them at a time, before
// as many old ones are stopped, unless that is not possible: then all old ones
// stop first.
func (in *instance) reconcile(t time.Time) {
	want := in.wanted()
	var current, outdated []*replica
	readyCount, leaving := 0, 0
	for _, r := range in.replicas {
		switch {
		case r.phase == stopping:
			leaving++
		case r.generation != in.generation:
			outdated = append(outdated, r)
		default:
			current = append(current, r)
			if r.phase == ready {
				readyCount++
			}
		}
	}
	oneAtATime := in.exclusive != "" || in.isJob()
	keep := max(0, want-readyCount)
	if oneAtATime {
		keep = 0
	}
	kept := 0
	for _, r := range outdated {
		if r.phase == ready && kept < keep {
			kept++
			continue
		}
		in.stop(r, t)
		leaving++
	}
	if len(current) > want {
		in.stopExcess(current, want, t)
		return
	}
	room := max(1, want/4) + want - len(current) - kept
	if oneAtATime && leaving > 0 {
		room = 0 // until they are gone
	}
	for range min(want-len(current), room) {
		in.add(t)
	}
}

// stopExcess keeps the oldest of the replicas that are ready, then of the
// others.
func (in *instance) stopExcess(current []*replica, want int, t time.Time) {
	slices.SortStableFunc(current, func(a, b *replica) int {
		switch {
		case a.phase == ready && b.phase != ready:
			return -1
		case a.phase != ready && b.phase == ready:
			return 1
		}
		return 0
	})
	for _, r := range current[want:] {
		in.stop(r, t)
	}
}

// startScheduledRun starts a run of a cronjob, unless the last one still runs.
func (in *instance) startScheduledRun(t time.Time) {
	in.nextRun = in.schedule.Next(t)
	if in.desired > 0 {
		in.event(t, hosting.EventWarning, "JobAlreadyActive", "the schedule is due, but the run before has not ended")
		return
	}
	in.startRun(t)
}

func (in *instance) startRun(t time.Time) {
	in.runs++
	in.desired, in.runFailed = in.provider.defaults.minReplicas(in.config), false
	in.event(t, hosting.EventNormal, "RunStarted", fmt.Sprintf("run %d of the cronjob starts", in.runs))
}

// bury removes an instance that has been deleted, with its services. Its volumes
// are free again; what it cost is remembered.
func (p *Provider) bury(in *instance, t time.Time) {
	for _, r := range in.replicas {
		in.endRun(r, t)
	}
	in.replicas, in.gone, in.wake = nil, true, time.Time{}
	in.meter(t)
	p.freeMounts(in.key)
	p.forgetServices(in)
	delete(p.instances, place{in.id.Region, in.id.Name})
	p.remember(in)
}
