package provider

import (
	"context"
	"iter"
	"time"

	"skillcenter.io/hosting"
)

// retained is a Router that returns no log lines older than keep. The platform
// has them nevertheless, for as long as it likes.
type retained struct {
	*Router
	keep time.Duration
}

// GetLogs implements [hosting.CloudHostingProvider].
func (r retained) GetLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
	return r.Router.GetLogs(ctx, instanceID, r.bound(options))
}

// StreamLogs implements [hosting.LogStreamer].
func (r retained) StreamLogs(ctx context.Context, instanceID string, options hosting.LogQueryOptions) iter.Seq2[hosting.LogEntry, error] {
	return func(yield func(hosting.LogEntry, error) bool) {
		r.Router.StreamLogs(ctx, instanceID, r.bound(options))(yield)
	}
}

// bound moves the start of a query to the oldest line that is kept, and the end
// too if it is older, so that there is nothing between them.
func (r retained) bound(options hosting.LogQueryOptions) hosting.LogQueryOptions {
	oldest := hosting.Now().Add(-r.keep)
	// What is wrong with the options is for the provider to say.
	if !options.StartTime.Before(oldest) || options.Validate() != nil {
		return options
	}
	options.StartTime = oldest
	if !options.EndTime.IsZero() && options.EndTime.Before(oldest) {
		options.EndTime = oldest
	}
	return options
}
