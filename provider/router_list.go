package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-multierror"

	"skillcenter.io/hosting"
)

// errAbsent is what a backend without the part that a list is about answers.
var errAbsent = errors.New("absent")

// merge asks all backends for a list at the same time, and returns what they
// have, sorted by id, with an error that names those that failed. Backends that
// answer errAbsent have nothing to list; if all do, it is Unsupported.
func merge[T any](ctx context.Context, r *Router, code hosting.Code, what string, idOf func(T) string,
	get func(ctx context.Context, n Named) ([]T, error)) ([]T, error) {
	lists := make([][]T, len(r.backends))
	errs := make([]error, len(r.backends))
	var wg sync.WaitGroup
	for i, n := range r.backends {
		wg.Go(func() { lists[i], errs[i] = bounded(ctx, r, code, n, get) })
	}
	wg.Wait()
	all := make([]T, 0)
	var failed []error
	absent := 0
	for i := range r.backends {
		all = append(all, lists[i]...)
		switch {
		case errs[i] == nil:
		case errors.Is(errs[i], errAbsent):
			absent++
		default:
			failed = append(failed, errs[i])
		}
	}
	if absent == len(r.backends) {
		return nil, hosting.Errorf(r.ProviderName(), code, hosting.Unsupported, "%s: no provider has this", what)
	}
	slices.SortStableFunc(all, func(a, b T) int { return strings.Compare(idOf(a), idOf(b)) })
	return all, r.joined(failed)
}

// bounded asks one backend for its list. If it is one of several it may not
// keep the others waiting.
func bounded[T any](ctx context.Context, r *Router, code hosting.Code, n Named, get func(context.Context, Named) ([]T, error)) ([]T, error) {
	own := ctx
	if len(r.backends) > 1 {
		var cancel context.CancelFunc
		own, cancel = context.WithTimeout(ctx, r.listTimeout)
		defer cancel()
	}
	list, err := get(own, n)
	if err == nil || errors.Is(err, errAbsent) {
		return list, err
	}
	if own.Err() != nil && ctx.Err() == nil {
		err = hosting.Errorf(n.Name, code, hosting.DeadlineExceeded, "no answer within %s: %w", r.listTimeout, err)
	}
	return list, n.failure(code, err)
}

// joined makes one error of those of several backends. The fields are those of
// the first; the message names every provider that failed.
func (r *Router) joined(failed []error) error {
	if len(failed) == 0 {
		return nil
	}
	first, _ := errors.AsType[*hosting.Error](failed[0])
	if len(r.backends) == 1 {
		return first
	}
	result := *first
	var causes *multierror.Error
	var texts []string
	for _, err := range failed {
		e, _ := errors.AsType[*hosting.Error](err)
		texts = append(texts, fmt.Sprintf("provider %s: %s", e.Provider, e.Message))
		causes = multierror.Append(causes, err)
		result.RetryAfter = max(result.RetryAfter, e.RetryAfter)
	}
	result.Message = strings.Join(texts, "; ")
	if len(failed) > 1 {
		result.Err = causes
	}
	return &result
}
