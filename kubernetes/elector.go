package kubernetes

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
)

// A leader renews its Lease every leaseRetry and gives up when it has not been
// able to for leaseRenewal, which is before others, who have not seen it change
// for leaseDuration, take over. They look every one to 2.2 leaseRetry: up to so
// much passes until they see the last renewal, and as much again until they see
// that the time is over. All of it together is less than 15 s.
const (
	leaseDuration = 10 * time.Second
	leaseRenewal  = 7 * time.Second
	leaseRetry    = 1 * time.Second
)

// Elector returns an elector among the processes that use it by the same name,
// with the same default region and the same Config.Owner. It keeps a Lease in
// the namespace of that region. Names are DNS labels of up to 40 characters.
//
// A leader that ends gives the Lease back, and another one leads 3 seconds later
// at most. After one that was killed another one leads within 15 seconds, and
// not before 9. A leader that cannot renew the Lease is told within 8 seconds,
// before another one leads. Clocks are not compared. What no lease can prevent
// is that a process which was suspended goes on for a moment before it notices.
//
// Lead returns an error if the API server refuses the Lease, such as for want
// of a permission, also without having led; it waits while the API server is
// away. It returns nil if lead returns without being told to.
func (p *Provider) Elector(name string) autoscale.Elector { return &elector{p: p, name: name} }

type elector struct {
	p    *Provider
	name string
}

// Lead implements [autoscale.Elector]. It may be called concurrently: each call
// is a candidate of its own.
func (e *elector) Lead(ctx context.Context, lead func(ctx context.Context)) error {
	if wrong := validation.IsDNS1123Label(e.name); len(wrong) > 0 || len(e.name) > 40 {
		return hosting.Errorf(e.p.config.Name, hosting.PolicyFailed, hosting.InvalidArgument, "%w", hosting.FieldErrors{
			{Field: "name", Value: e.name, Allowed: "a DNS label of up to 40 characters"}})
	}
	if ctx.Err() != nil {
		return nil
	}
	// The Lease is held until lead has returned, which is after ctx has ended.
	held, end := context.WithCancel(context.WithoutCancel(logr.NewContext(ctx, logr.Discard())))
	defer end()
	t := &term{lead: lead, ctx: ctx, end: end, done: make(chan struct{})}
	lock := e.lock(t)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, Name: e.name,
		LeaseDuration: leaseDuration, RenewDeadline: leaseRenewal, RetryPeriod: leaseRetry,
		// Its own release would come before lead is told that the Lease is lost.
		ReleaseOnCancel: false,
		Callbacks:       leaderelection.LeaderCallbacks{OnStartedLeading: t.begin, OnStoppedLeading: func() {}},
	})
	if err != nil {
		return hosting.Errorf(e.p.config.Name, hosting.PolicyFailed, hosting.Internal, "electing a leader: %w", err)
	}
	stop := context.AfterFunc(ctx, t.giveUp)
	defer stop()
	elector.Run(held)
	lost := t.finish()
	lock.release(context.WithoutCancel(ctx))
	if ctx.Err() != nil || !lost {
		return nil
	}
	if err = t.lastError(); err == nil || apierrors.IsConflict(err) {
		return hosting.Errorf(e.p.config.Name, hosting.PolicyFailed, hosting.Conflict, "another process leads by Lease %s", lock.Describe())
	}
	return e.p.fail(ctx, hosting.PolicyFailed, "", "leading by Lease "+lock.Describe(), err)
}

// lock is the Lease, for a candidate that nobody else is.
func (e *elector) lock(t *term) *leaseLock {
	at := e.p.regions[e.p.config.Regions[0].Name]
	owner := e.p.config.Owner
	if len(validation.IsDNS1123Label(owner)) > 0 {
		owner = fmt.Sprintf("%x", sha256.Sum256([]byte(owner)))[:16]
	}
	host, _ := os.Hostname() // for people who look at the Lease
	return &leaseLock{term: t, LeaseLock: resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: at.namespace, Name: "skillcenter-" + e.name + "-" + owner},
		Client:     at.client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + rand.String(10)},
		Labels:     e.p.ours(),
	}}
}

// term is one candidature: it begins when the Lease is got, at most once.
type term struct {
	ctx  context.Context
	lead func(context.Context)
	end  context.CancelFunc // gives the Lease up
	done chan struct{}      // closed when lead has returned

	mu              sync.Mutex
	begun, finished bool
	// returned tells that lead did so while it held the Lease.
	returned bool
	err      error // of the last request
}

// begin leads, in a goroutine of its own, until lead returns. lost ends when the
// Lease is lost.
func (t *term) begin(lost context.Context) {
	t.mu.Lock()
	if t.finished || t.ctx.Err() != nil {
		t.mu.Unlock()
		t.end()
		return
	}
	t.begun = true
	t.mu.Unlock()
	defer close(t.done)
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	defer context.AfterFunc(lost, cancel)()
	t.lead(ctx)
	t.mu.Lock()
	t.returned = lost.Err() == nil
	t.mu.Unlock()
	t.end()
}

// giveUp ends a candidature that has not begun to lead.
func (t *term) giveUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		t.finished = true
		t.end()
	}
}

// finish waits for lead, if it has begun, and else sees to it that it never does.
// It tells whether the Lease was lost, or never got.
func (t *term) finish() (lost bool) {
	t.mu.Lock()
	t.finished = true
	begun := t.begun
	t.mu.Unlock()
	if begun {
		<-t.done
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.returned
}

// answered notes how a request about the Lease went. What is refused for good is
// not tried again.
func (t *term) answered(err error, isCreate bool) {
	if errors.Is(err, context.DeadlineExceeded) {
		err = &clusterError{hosting.Unavailable, "no answer in time", err}
	}
	t.mu.Lock()
	if !errors.Is(err, context.Canceled) { // by this very candidate, which knows better why
		t.err = err
	}
	t.mu.Unlock()
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsInvalid(err) ||
		isCreate && apierrors.IsNotFound(err) { // the namespace
		t.end()
	}
}

// lastError is how the last request about the Lease went.
func (t *term) lastError() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// leaseLock is a Lease whose requests end in time: a connection that hangs must
// not hold up the candidate.
type leaseLock struct {
	resourcelock.LeaseLock
	term *term
}

func (l *leaseLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseRenewal/2)
	defer cancel()
	record, raw, err := l.LeaseLock.Get(ctx)
	l.term.answered(err, false)
	return record, raw, err
}

func (l *leaseLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	ctx, cancel := context.WithTimeout(ctx, leaseRenewal/2)
	defer cancel()
	err := l.LeaseLock.Create(ctx, record)
	l.term.answered(err, true)
	return err
}

func (l *leaseLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	ctx, cancel := context.WithTimeout(ctx, leaseRenewal/2)
	defer cancel()
	err := l.LeaseLock.Update(ctx, record)
	l.term.answered(err, false)
	return err
}

// release gives the Lease back, if this candidate has it: nothing that it guards
// runs any more. If that fails, others wait as long as for one that was killed.
func (l *leaseLock) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaseRenewal/2)
	defer cancel()
	record, _, err := l.LeaseLock.Get(ctx)
	if err != nil || record.HolderIdentity != l.Identity() {
		return
	}
	now := metav1.Now()
	// In the version that was read: it may be another's by now.
	_ = l.LeaseLock.Update(ctx, resourcelock.LeaderElectionRecord{
		LeaderTransitions: record.LeaderTransitions, LeaseDurationSeconds: 1, RenewTime: now, AcquireTime: now,
	})
}
