package kubernetes

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/cache"

	"skillcenter.io/hosting"
)

// syncState is how the reflector of a store is doing.
type syncState struct {
	listed   bool // there was a complete list, once
	listing  bool // a list is under way: what is stored is out of date
	watching bool
	wasReady bool // it was ready, once
	// refusal is what the API server keeps answering since refusedAt; nil if it
	// answers as it should, or not at all.
	refusal   error
	refusedAt time.Time
}

// note remembers that the store was ready.
func (s *syncState) note() { s.wasReady = s.wasReady || s.ready() }

// ready tells that the store follows the API server.
func (s syncState) ready() bool { return s.listed && !s.listing && s.watching }

// How long to wait before the next attempt: after a failure at first and at
// most, and for a region that nobody has asked for.
const (
	retryFirst  = 100 * time.Millisecond
	retryMost   = 5 * time.Second
	retryAbsent = 30 * time.Second
)

// opaque hides an error from the reflector, which would otherwise wait for the
// API server without looking at its context. Here the wait is this file's.
type opaque struct{ err error }

func (o opaque) Error() string { return o.err.Error() }

// run keeps the store up to date until ctx ends.
func (s *store) run(ctx context.Context) {
	reflector := cache.NewReflectorWithOptions(
		&cache.ListWatch{ListWithContextFunc: s.list, WatchFuncWithContext: s.watch},
		s.empty(), s, cache.ReflectorOptions{Name: "hosting/" + s.region.at.namespace + "/" + s.plural})
	for attempt := 0; ctx.Err() == nil; attempt++ {
		started := time.Now()
		// It returns when it can no longer tell what happens: the versions that
		// it knows have expired, or it was refused.
		_ = reflector.ListAndWatchWithContext(ctx)
		if s.ended() {
			_ = sleep(ctx, jitter(retryAbsent))
			continue
		}
		if time.Since(started) > retryMost {
			attempt = 0
		}
		_ = sleep(ctx, backoff(attempt))
	}
}

func backoff(attempt int) time.Duration {
	return jitter(min(retryMost, retryFirst<<min(attempt, 10)))
}

func (s *store) request(options *metav1.ListOptions) {
	options.LabelSelector, options.FieldSelector = s.labels, s.fields
}

// list is the reflector's way to list.
func (s *store) list(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	s.request(&options)
	if options.ResourceVersion == "0" {
		options.ResourceVersion = "" // any state, even one from before an own write
	}
	s.begin(false)
	at := s.region.at
	list, err := s.rest(at.client).Get().Namespace(at.namespace).Resource(s.plural).
		VersionedParams(&options, scheme.ParameterCodec).Do(ctx).Get()
	if err != nil {
		s.failed(ctx, err)
		return nil, hide(err)
	}
	return list, nil
}

// watch is the reflector's way to watch. While the API server does not answer,
// it tries again.
func (s *store) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	s.request(&options)
	options.Watch = true
	listing := options.SendInitialEvents != nil && *options.SendInitialEvents
	at := s.region.at
	for attempt := 0; ; attempt++ {
		result, err := s.rest(at.client).Get().Namespace(at.namespace).Resource(s.plural).
			VersionedParams(&options, scheme.ParameterCodec).Watch(ctx)
		if err == nil {
			if listing {
				s.begin(true)
			}
			s.watching()
			return newSteadyWatch(result), nil
		}
		s.failed(ctx, err)
		if ctx.Err() != nil || isDefiniteRefusal(err) {
			return nil, hide(err)
		}
		if err := sleep(ctx, backoff(attempt)); err != nil {
			return nil, err
		}
	}
}

// hide makes an error opaque unless the reflector knows better what to do.
func hide(err error) error {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
		return err
	}
	return opaque{err}
}

// begin notes that a list is under way, as the beginning of a watch or not.
func (s *store) begin(watching bool) {
	s.region.mu.Lock()
	defer s.region.mu.Unlock()
	s.sync.listing = true
	s.sync.watching = watching
}

func (s *store) watching() {
	s.region.mu.Lock()
	defer s.region.mu.Unlock()
	s.sync.watching = true
	s.sync.refusal = nil
	s.sync.note()
	s.region.progressed()
}

// failed notes that a request has failed.
func (s *store) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.region.mu.Lock()
	defer s.region.mu.Unlock()
	s.sync.watching = false
	switch {
	case !isLasting(ctx, err):
		s.sync.refusal = nil
	case s.sync.refusal == nil:
		s.sync.refusal, s.sync.refusedAt = err, time.Now()
	default:
		s.sync.refusal = err
	}
	s.region.progressed()
}

// ended notes that the reflector has given up what it had. It tells whether
// the region is one that need not exist, and does not.
func (s *store) ended() (absent bool) {
	s.region.mu.Lock()
	defer s.region.mu.Unlock()
	s.sync.watching = false
	return s.region.isAbsent() || s.isMissingExtra()
}

// isLasting tells that a refusal does not pass by itself: somebody must change
// permissions, credentials or the cluster.
func isLasting(ctx context.Context, err error) bool {
	switch reasonOf(ctx, err) {
	case hosting.PermissionDenied, hosting.Unauthenticated, hosting.NotFound, hosting.Unsupported:
		return true
	}
	return false
}

// isMissingExtra tells that the store is the one that can be done without, and
// is refused: without the permission to read events there is no reason to show.
func (s *store) isMissingExtra() bool {
	return s == s.region.events && s.sync.refusal != nil && apierrors.IsForbidden(s.sync.refusal)
}

// How long the API server may refuse until that counts: while a cluster or a
// role is being set up, or restarted, it may refuse what it will allow.
const (
	refusalGrace        = time.Second
	refusalGraceRestart = 30 * time.Second
)

// lastingRefusal returns the refusal that will not pass, if there is one.
func (s *store) lastingRefusal(now time.Time) error {
	grace := refusalGrace
	if s.sync.wasReady {
		grace = refusalGraceRestart
	}
	if s.sync.refusal == nil || s.isMissingExtra() || now.Sub(s.sync.refusedAt) < grace {
		return nil
	}
	return fmtError("watching "+s.plural, s.sync.refusal)
}
