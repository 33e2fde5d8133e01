package conformance_test

import (
	"maps"
	"math"
	"slices"
	"strings"

	"skillcenter.io/hosting"
)

// readDefects are those of the calls that only tell.
func readDefects() []defect {
	return slices.Concat(showDefects(), logDefects(), figureDefects())
}

func showDefects() []defect {
	return []defect{
		{"regions are listed twice", "the provider names itself, its regions and its types", func(b *broken) {
			b.regions = func(regions []string) []string { return append(regions, regions[0]) }
		}},
		{"a capability is missing in the set", "capabilities say yes or why not for everything", func(b *broken) {
			b.caps = func(_, _ string, set hosting.CapabilitySet, err error) (hosting.CapabilitySet, error) {
				delete(set, hosting.CanRunNow)
				return set, err
			}
		}},
		{"a capability is missing without a note", "capabilities say yes or why not for everything", func(b *broken) {
			b.caps = func(_, _ string, set hosting.CapabilitySet, err error) (hosting.CapabilitySet, error) {
				if err == nil {
					set[hosting.CanRunNow] = hosting.Support{}
				}
				return set, err
			}
		}},
		{"capabilities of an unknown type are empty", "capabilities of an unknown region or type are refused", func(b *broken) {
			b.caps = func(_, _ string, set hosting.CapabilitySet, err error) (hosting.CapabilitySet, error) {
				if isReason(err, hosting.InvalidArgument) {
					return hosting.CapabilitySet{}, nil
				}
				return set, err
			}
		}},
		{"capabilities claim what is not supported", "scale goes up, down, to zero and back", func(b *broken) {
			b.caps = func(_, _ string, set hosting.CapabilitySet, err error) (hosting.CapabilitySet, error) {
				if err == nil {
					set[hosting.CanScale] = hosting.Support{Supported: true}
				}
				return set, err
			}
		}},
		{"capabilities deny what is supported", "what is not supported says so", func(b *broken) {
			b.caps = func(_, _ string, set hosting.CapabilitySet, err error) (hosting.CapabilitySet, error) {
				if err == nil {
					set[hosting.CanEvents] = hosting.Support{Note: "no events"}
				}
				return set, err
			}
		}},
		{"the list is the wrong way round", "list is sorted by id and has every instance once", func(b *broken) {
			b.list = func(list []instance) []instance { slices.Reverse(list); return list }
		}},
		{"the list misses the last", "list is sorted by id and has every instance once", func(b *broken) {
			b.list = func(list []instance) []instance { return list[:max(0, len(list)-1)] }
		}},
		{"the list has one twice", "list is sorted by id and has every instance once", func(b *broken) {
			b.list = func(list []instance) []instance { return append(list, list[max(0, len(list)-1):]...) }
		}},
		{"what is being created is starting", "a new instance becomes running and healthy", func(b *broken) {
			b.show = func(in instance) instance {
				if in.Status == hosting.StatusCreating {
					in.Status = hosting.StatusStarting
				}
				return in
			}
		}},
		{"ready replicas are not counted", "a new instance becomes running and healthy", withoutMetadata(hosting.MetadataReadyReplicas)},
		{"what is being created is healthy", "create returns the instance as accepted", healthyDespite("Creating")},
		{"what is stopped is healthy", "stop keeps the number of replicas and start brings them back", healthyDespite("Stopped")},
		{"what is terminating is healthy", "a terminating instance cannot be changed or created", healthyDespite("Terminating")},
		{"changes leave the time of the update", "stop keeps the number of replicas and start brings them back", func(b *broken) {
			b.show = func(in instance) instance { in.UpdatedAt = in.CreatedAt; return in }
		}},
		{"storage is not shown", "create returns the instance as accepted", func(b *broken) {
			b.show = func(in instance) instance {
				if in.Resources != nil {
					in.Resources.StorageLimit = 0
				}
				return in
			}
		}},
		{"everything is healthy", "an image that cannot be pulled fails with the reason", func(b *broken) {
			b.health = func(health hosting.Health) hosting.Health {
				health.Healthy, health.Reason = true, ""
				return health
			}
		}},
		{"nothing is healthy", "an instance with a health check becomes running", func(b *broken) {
			b.health = func(health hosting.Health) hosting.Health {
				health.Healthy, health.Reason = false, "Unknown"
				return health
			}
		}},
		{"failures are not shown", "an image that cannot be pulled fails with the reason", func(b *broken) {
			b.show = func(in instance) instance {
				if in.Status == hosting.StatusFailed {
					in.Status = hosting.StatusCreating
				}
				return in
			}
		}},
		{"failures have no reason", "waiting for an instance that fails ends with the reason", withoutMetadata(hosting.MetadataReason)},
		{"failures have no message", "a container that exits at once fails with the reason", withoutMetadata(hosting.MetadataMessage)},
		{"an idle cronjob is stopped", "a cronjob is running while its schedule is active", func(b *broken) {
			b.show = func(in instance) instance {
				if in.InstanceType == hosting.TypeCronJob && in.Status == hosting.StatusRunning {
					in.Status = hosting.StatusStopped
				}
				return in
			}
		}},
		{"statuses are of another protocol", "everything that is returned survives JSON", func(b *broken) {
			b.show = func(in instance) instance {
				in.Status = hosting.Status(strings.ToUpper(string(in.Status)))
				return in
			}
		}},
		{"instances have no creation time", "create returns the instance as accepted", func(b *broken) {
			b.show = func(in instance) instance { in.CreatedAt = hosting.Time{}; return in }
		}},
	}
}

func withoutMetadata(key string) func(*broken) {
	return func(b *broken) {
		b.show = func(in instance) instance {
			in.Metadata = maps.Clone(in.Metadata)
			delete(in.Metadata, key)
			return in
		}
	}
}

// healthyDespite spoils what HealthCheck says where the reference gives this
// reason.
func healthyDespite(reason string) func(*broken) {
	return func(b *broken) {
		b.health = func(health hosting.Health) hosting.Health {
			if health.Reason == reason {
				health.Healthy, health.Reason = true, ""
			}
			return health
		}
	}
}

func logDefects() []defect {
	logs := func(what, found string, spoil func(*hosting.LogQueryOptions), after func([]hosting.LogEntry)) defect {
		return defect{what, found, func(b *broken) {
			b.logs = func(c ctx, id string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
				if spoil != nil && options.Validate() == nil {
					spoil(&options)
				}
				entries, err := b.good.GetLogs(c, id, options)
				if after != nil {
					after(entries)
				}
				return entries, err
			}
		}}
	}
	streams := func(what, found string, spoil func(*hosting.LogQueryOptions)) defect {
		return defect{what, found, func(b *broken) {
			b.stream = func(c ctx, id string, options hosting.LogQueryOptions) stream {
				spoil(&options)
				return b.good.StreamLogs(c, id, options)
			}
		}}
	}
	events := func(what, found string, spoil func([]hosting.InstanceEvent) []hosting.InstanceEvent) defect {
		return defect{what, found, func(b *broken) { b.events = spoil }}
	}
	const inOrder, selected = "logs are in order, whole, and the limit keeps the newest", "logs are selected by time, level and pattern"
	return []defect{
		logs("logs are newest first", inOrder, nil, slices.Reverse[[]hosting.LogEntry]),
		{"the limit keeps the oldest", inOrder, func(b *broken) {
			b.logs = func(c ctx, id string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
				limit := options.Limit
				if limit > 0 && limit <= hosting.MaxLogLimit {
					options.Limit = hosting.MaxLogLimit
				}
				entries, err := b.good.GetLogs(c, id, options)
				if limit > 0 && err == nil {
					entries = entries[:min(limit, len(entries))]
				}
				return entries, err
			}
		}},
		{"the level selects exactly", selected, func(b *broken) {
			b.logs = func(c ctx, id string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
				entries, err := b.good.GetLogs(c, id, options)
				return slices.DeleteFunc(entries, func(entry hosting.LogEntry) bool { return options.Level != "" && entry.Level != options.Level }), err
			}
		}},
		logs("the pattern selects nothing", selected, func(options *hosting.LogQueryOptions) { options.Pattern = "" }, nil),
		logs("the end is inclusive", selected, func(options *hosting.LogQueryOptions) {
			if !options.EndTime.IsZero() {
				options.EndTime = hosting.TimeFromMillis(options.EndTime.Millis() + 1)
			}
		}, nil),
		{"log entries share their metadata", "results belong to the caller", func(b *broken) {
			b.logs = func(c ctx, id string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
				entries, err := b.good.GetLogs(c, id, options)
				for i := range entries {
					entries[i].Metadata = b.note("metadata", map[string]string{"pod": "web"}).(map[string]string)
				}
				return entries, err
			}
		}},
		{"cursors are not taken", "a stream resumes behind a cursor", func(b *broken) {
			b.stream = func(c ctx, id string, options hosting.LogQueryOptions) stream {
				return func(yield func(hosting.LogEntry, error) bool) {
					for entry, err := range b.good.StreamLogs(c, id, options) {
						entry.Cursor = ""
						if !yield(entry, err) {
							return
						}
					}
				}
			}
		}},
		{"no logs are an error", "logs of what has not run are empty", func(b *broken) {
			b.logs = func(c ctx, id string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
				entries, err := b.good.GetLogs(c, id, options)
				if err == nil && len(entries) == 0 {
					err = b.good.failure(hosting.LogsFailed, hosting.Unavailable, "there are no logs")
				}
				return entries, err
			}
		}},
		streams("a stream begins with what is new", "a stream begins with what get logs shows and goes on with new lines", func(options *hosting.LogQueryOptions) { options.Limit = 1 }),
		streams("a stream forgets its cursor", "a stream resumes behind a cursor", func(options *hosting.LogQueryOptions) { options.After = "" }),
		streams("a stream shows everything", "a stream selects by level and pattern", func(options *hosting.LogQueryOptions) { options.Pattern = "" }),
		{"a stream ignores its context", "a stream ends silently when its context is cancelled", func(b *broken) {
			b.stream = func(c ctx, id string, options hosting.LogQueryOptions) stream {
				if options.Level == "" { // else it would yield nothing more, for ever
					c = withoutCancel(c)
				}
				return b.good.StreamLogs(c, id, options)
			}
		}},
		{"a cancelled stream yields an error", "a stream with a cancelled context yields nothing", func(b *broken) {
			b.stream = func(c ctx, id string, options hosting.LogQueryOptions) stream {
				return func(yield func(hosting.LogEntry, error) bool) {
					for entry, err := range b.good.StreamLogs(c, id, options) {
						if !yield(entry, err) {
							return
						}
					}
					if c.Err() != nil {
						yield(hosting.LogEntry{}, b.good.failure(hosting.LogsFailed, hosting.Canceled, "cancelled"))
					}
				}
			}
		}},
		{"a stream yields its error twice", "a stream of what does not exist ends with one error", func(b *broken) {
			b.stream = func(c ctx, id string, options hosting.LogQueryOptions) stream {
				return func(yield func(hosting.LogEntry, error) bool) {
					for entry, err := range b.good.StreamLogs(c, id, options) {
						if !yield(entry, err) || err != nil && !yield(entry, err) {
							return
						}
					}
				}
			}
		}},
		events("events are newest first", "events tell what happened, oldest first", func(events []hosting.InstanceEvent) []hosting.InstanceEvent {
			for i := range events { // also where all happened at once
				events[i].Timestamp = hosting.TimeFromMillis(events[i].Timestamp.Millis() + int64(i))
			}
			slices.Reverse(events)
			return events
		}),
		events("events share their ids", "events tell what happened, oldest first", func(events []hosting.InstanceEvent) []hosting.InstanceEvent {
			for i := range events {
				events[i].EventID = "1"
			}
			return events
		}),
		{"recorded events are lost", "a recorded event is among the events", func(b *broken) {
			b.record = func(c ctx, id string, _ hosting.InstanceEvent) error {
				_, err := b.good.GetInstance(c, id)
				return as(err, hosting.EventsFailed)
			}
		}},
	}
}

func figureDefects() []defect {
	metrics := func(what, found string, spoil func(*hosting.InstanceMetrics)) defect {
		return defect{what, found, func(b *broken) {
			b.metrics = func(m hosting.InstanceMetrics) hosting.InstanceMetrics { spoil(&m); return m }
		}}
	}
	endpoint := func(what, found string, spoil func(*hosting.ServiceEndpoint)) defect {
		return defect{what, found, func(b *broken) {
			b.endpoint = func(e hosting.ServiceEndpoint, err error) (hosting.ServiceEndpoint, error) {
				if err == nil {
					spoil(&e)
				}
				return e, err
			}
		}}
	}
	estimate := func(what, found string, spoil func(config, *hosting.CostEstimate)) defect {
		return defect{what, found, func(b *broken) {
			b.estimate = func(c config, e hosting.CostEstimate) hosting.CostEstimate { spoil(c, &e); return e }
		}}
	}
	actual := func(what, found string, spoil func(*hosting.CostActual)) defect {
		return defect{what, found, func(b *broken) {
			b.actual = func(a hosting.CostActual, err error) (hosting.CostActual, error) { spoil(&a); return a, err }
		}}
	}
	const measured = "metrics of a running instance are measured or said to be unavailable"
	return []defect{
		metrics("metrics are not numbers", "everything that is returned survives JSON", func(m *hosting.InstanceMetrics) { m.CPUUsage = math.NaN() }),
		metrics("unavailable is not sorted", measured, func(m *hosting.InstanceMetrics) {
			m.NetworkIn, m.NetworkOut, m.Unavailable = 0, 0, []string{"networkOut", "networkIn"}
		}),
		metrics("what is unavailable is made up", measured, func(m *hosting.InstanceMetrics) { m.DiskUsage, m.Unavailable = 1, []string{"diskUsage"} }),
		{"metrics share what is unavailable", "results belong to the caller", func(b *broken) {
			b.metrics = func(m hosting.InstanceMetrics) hosting.InstanceMetrics {
				m.DiskUsage, m.Unavailable = 0, b.note("unavailable", []string{"diskUsage"}).([]string)
				return m
			}
		}},
		metrics("what is stopped uses memory", "metrics of a stopped instance are zero", func(m *hosting.InstanceMetrics) { m.MemoryUsage += 1 << 20 }),
		metrics("replicas are ready at once", "metrics of a stopped instance are zero", func(m *hosting.InstanceMetrics) { m.ReadyReplicas = 1 }),
		{"an endpoint is made up without ports", "an instance without ports has no endpoint", func(b *broken) {
			b.endpoint = func(e hosting.ServiceEndpoint, err error) (hosting.ServiceEndpoint, error) {
				if hosting.CodeOf(err) == hosting.EndpointFailed && isReason(err, hosting.NotFound) {
					return hosting.ServiceEndpoint{Type: hosting.EndpointCluster, Host: "web", Port: 80, URL: "http://web:80"}, nil
				}
				return e, err
			}
		}},
		endpoint("the endpoint is always on port 80", "an instance with ports has an endpoint", func(e *hosting.ServiceEndpoint) { e.Port = 80 }),
		endpoint("the endpoint is on the container's port", "the ports of the network win over those of the container", func(e *hosting.ServiceEndpoint) { e.Port = 8080 }),
		endpoint("the endpoint is never the ingress", "an ingress host is the endpoint", func(e *hosting.ServiceEndpoint) { e.Type = hosting.EndpointCluster }),
		estimate("the breakdown does not sum up", "an estimate sums up and scales with the replicas", func(_ config, e *hosting.CostEstimate) { e.Breakdown.Compute += 0.01 }),
		estimate("a month has 30 days", "an estimate sums up and scales with the replicas", func(_ config, e *hosting.CostEstimate) { e.MonthlyCost = 30 * e.DailyCost }),
		estimate("an estimate is of one replica", "an estimate sums up and scales with the replicas", func(c config, e *hosting.CostEstimate) {
			if c.Scaling != nil && c.Scaling.MinReplicas > 1 {
				n := float64(c.Scaling.MinReplicas)
				e.HourlyCost, e.DailyCost, e.MonthlyCost = e.HourlyCost/n, e.DailyCost/n, e.MonthlyCost/n
				b := &e.Breakdown
				b.Compute, b.Memory, b.Storage, b.Network = b.Compute/n, b.Memory/n, b.Storage/n, b.Network/n
			}
		}),
		estimate("an estimate without resources is free", "an estimate fills in default resources and creates nothing", func(c config, e *hosting.CostEstimate) {
			if c.Resources == nil {
				*e = hosting.CostEstimate{Currency: e.Currency}
			}
		}),
		actual("coverage is in percent", "the actual cost is that of the period, as far as it is known", func(a *hosting.CostActual) { a.Coverage = 100 }),
		actual("the currency is a sign", "the actual cost is that of the period, as far as it is known", func(a *hosting.CostActual) { a.Currency = "¥" }),
	}
}
