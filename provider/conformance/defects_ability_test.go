package conformance_test

import (
	"maps"
	"slices"
	"strings"

	"skillcenter.io/hosting"
)

// applyDefects are those of ApplyInstance.
func applyDefects() []defect {
	// after spoils what an apply has done.
	after := func(what, found string, spoil func(b *broken, c ctx, before, now instance)) defect {
		return defect{what, found, func(b *broken) {
			b.apply = func(c ctx, config config) (instance, error) {
				before, there := b.exists(c, config)
				in, err := b.good.ApplyInstance(c, config)
				if err != nil || !there {
					return in, err
				}
				spoil(b, c, before, in)
				return b.good.GetInstance(c, in.ID)
			}
		}}
	}
	// before spoils what is applied.
	before := func(what, found string, spoil func(b *broken, there instance, config *config)) defect {
		return defect{what, found, func(b *broken) {
			b.apply = func(c ctx, config config) (instance, error) {
				if there, found := b.exists(c, config); found {
					spoil(b, there, &config)
				}
				return b.good.ApplyInstance(c, config)
			}
		}}
	}
	// instead returns what is there where an apply is refused.
	instead := func(what, found string, reason hosting.Reason) defect {
		return defect{what, found, func(b *broken) {
			b.apply = func(c ctx, config config) (instance, error) {
				in, err := b.good.ApplyInstance(c, config)
				if there, found := b.exists(c, config); found && isReason(err, reason) {
					return there, nil
				}
				return in, err
			}
		}}
	}
	return []defect{
		{"apply does not create", "apply creates what is not there", func(b *broken) {
			b.apply = func(c ctx, config config) (instance, error) {
				if _, there := b.exists(c, config); !there {
					return instance{}, b.good.failure(hosting.UpdateFailed, hosting.NotFound, "there is none")
				}
				return b.good.ApplyInstance(c, config)
			}
		}},
		{"apply only creates", "apply changes what is there", func(b *broken) {
			b.apply = func(c ctx, config config) (instance, error) {
				in, err := b.good.CreateInstance(c, config)
				return in, as(err, hosting.UpdateFailed)
			}
		}},
		before("apply keeps the labels that were there", "apply removes what the configuration no longer has", func(_ *broken, there instance, config *config) {
			labels := maps.Clone(there.Labels)
			if labels == nil {
				labels = map[string]string{}
			}
			maps.Copy(labels, config.Labels)
			config.Labels = labels
		}),
		before("apply leaves the environment", "apply with another environment replaces the replicas", func(_ *broken, _ instance, config *config) { config.Env = nil }),
		before("apply leaves the secrets", "apply with other secrets changes them", func(_ *broken, _ instance, config *config) {
			if len(config.SecretEnv) > 0 {
				config.SecretEnv = hosting.SecretMap{"TOKEN": "one"}
			}
		}),
		after("apply keeps changed resources", "apply gives the resources of the configuration", func(b *broken, c ctx, before, now instance) {
			_ = b.good.UpdateResources(c, now.ID, *before.Resources)
		}),
		after("apply scales back", "apply keeps the number of replicas", func(b *broken, c ctx, _, now instance) { _ = b.good.ScaleInstance(c, now.ID, 1) }),
		after("apply starts what is stopped", "apply keeps a stop, and start brings the number back", func(b *broken, c ctx, _, now instance) { _ = b.good.StartInstance(c, now.ID) }),
		after("apply ignores the scaling", "apply brings the number of replicas into a changed scaling", func(b *broken, c ctx, before, now instance) {
			_ = b.good.ScaleInstance(c, now.ID, before.Replicas)
		}),
		instead("apply of another type does nothing", "apply makes no instance of another type", hosting.AlreadyExists),
		instead("apply returns what is terminating", "apply of a terminating instance is a conflict", hosting.Conflict),
		instead("apply to a job does nothing", "apply does not change what a job runs", hosting.Unsupported),
		{"apply refuses what overlaps", "different applies at once end with one of them", func(b *broken) {
			b.apply = func(c ctx, config config) (in instance, err error) {
				err = b.busy(hosting.UpdateFailed, func() (err error) {
					in, err = b.good.ApplyInstance(c, config)
					return err
				})
				return in, err
			}
		}},
	}
}

func planDefects() []defect {
	spoiled := func(what, found string, spoil func(config, *hosting.InstancePlan)) defect {
		return defect{what, found, func(b *broken) {
			b.plan = func(c ctx, config config) (hosting.InstancePlan, error) {
				plan, err := b.good.PlanInstance(c, config)
				if err == nil {
					spoil(config, &plan)
				}
				return plan, err
			}
		}}
	}
	return []defect{
		{"a plan creates", "a plan tells what would change and changes nothing", func(b *broken) {
			b.plan = func(c ctx, config config) (hosting.InstancePlan, error) {
				plan, err := b.good.PlanInstance(c, config)
				if err == nil {
					_, _ = b.good.CreateInstance(c, config)
				}
				return plan, err
			}
		}},
		{"a plan for an unknown region is for the default one", "a plan for a region that does not exist is refused", func(b *broken) {
			b.plan = func(c ctx, config config) (hosting.InstancePlan, error) {
				if !slices.Contains(b.good.SupportedRegions(), config.Region) {
					config.Region = ""
				}
				return b.good.PlanInstance(c, config)
			}
		}},
		spoiled("a plan always restarts", "a plan tells whether replicas restart", func(_ config, plan *hosting.InstancePlan) { plan.Restarts = true }),
		spoiled("a plan never objects", "a plan objects to what apply would refuse", func(_ config, plan *hosting.InstancePlan) { plan.Objections = nil }),
		spoiled("a plan does not say what it objects to", "a plan objects to another container of a job", func(_ config, plan *hosting.InstancePlan) {
			for i := range plan.Objections {
				plan.Objections[i] = "not possible"
			}
		}),
		spoiled("a plan shows secrets", "a plan shows no secrets", func(config config, plan *hosting.InstancePlan) {
			plan.Changes = append(plan.Changes, slices.Sorted(maps.Values(config.SecretEnv))...)
		}),
	}
}

func rollbackDefects() []defect {
	const terminating = hosting.StatusTerminating
	// refused spoils the answer of a rollback that is refused.
	refused := func(what, found string, reason hosting.Reason) defect {
		return defect{what, found, func(b *broken) {
			b.rollback = func(c ctx, id string, revision int) (instance, error) {
				in, err := b.good.RollbackInstance(c, id, revision)
				if there, missing := b.good.GetInstance(c, id); missing == nil && isReason(err, reason) && there.Status != terminating {
					return there, nil
				}
				return in, err
			}
		}}
	}
	return []defect{
		{"a rollback does nothing", "rollback goes back to an earlier configuration", func(b *broken) {
			b.rollback = func(c ctx, id string, _ int) (instance, error) {
				in, err := b.good.GetInstance(c, id)
				return in, as(err, hosting.UpdateFailed)
			}
		}},
		{"revisions are oldest first", "revisions count from one, newest first, and a rollback is one", func(b *broken) {
			b.revisions = func(list []hosting.InstanceRevision) []hosting.InstanceRevision {
				slices.Reverse(list)
				return list
			}
		}},
		{"a rollback scales back", "rollback keeps the number of replicas", func(b *broken) {
			b.rollback = func(c ctx, id string, revision int) (instance, error) {
				in, err := b.good.RollbackInstance(c, id, revision)
				if err == nil {
					_ = b.good.ScaleInstance(c, id, 1)
				}
				return in, err
			}
		}},
		refused("a rollback to an unknown revision does nothing", "rollback to a revision that does not exist is not found", hosting.NotFound),
		refused("a rollback without the secrets does nothing", "rollback keeps the values of secrets, or is a conflict", hosting.Conflict),
		{"a rollback of what is terminating does nothing", "rollback of a terminating instance is a conflict", func(b *broken) {
			b.rollback = func(c ctx, id string, revision int) (instance, error) {
				in, err := b.good.RollbackInstance(c, id, revision)
				return in, b.instead(c, id, err, nil, terminating)
			}
		}},
	}
}

func watchDefects() []defect {
	without := func(what, found string, left func(hosting.InstanceChange) bool) defect {
		return defect{what, found, func(b *broken) {
			b.watch = func(all changes) changes {
				return func(yield func(hosting.InstanceChange, error) bool) {
					for change, err := range all {
						if !left(change) && !yield(change, err) {
							return
						}
					}
				}
			}
		}}
	}
	const tells = "a watch tells what is there, what changes and what goes"
	return []defect{
		without("a watch tells of no deletion", tells, func(change hosting.InstanceChange) bool { return change.Type == hosting.ChangeDeleted }),
		without("a watch never says that it is in sync", tells, func(change hosting.InstanceChange) bool { return change.Type == hosting.ChangeSynced }),
		without("a watch does not tell when something runs", "a watch tells the states of a life", func(change hosting.InstanceChange) bool {
			return change.Instance.Status == hosting.StatusRunning
		}),
		without("a watch forgets what came last", "a watch tells a slow consumer the newest state", func(change hosting.InstanceChange) bool {
			return change.Instance.Replicas == 3
		}),
		{"there is one watch at a time", "several watches tell the same", func(b *broken) {
			b.watch = func(all changes) changes {
				return func(yield func(hosting.InstanceChange, error) bool) {
					b.mu.Lock()
					busy := b.notes["watched"] == true
					b.notes["watched"] = true
					b.mu.Unlock()
					if busy {
						return
					}
					all(yield)
					b.mu.Lock()
					b.notes["watched"] = false
					b.mu.Unlock()
				}
			}
		}},
		{"a watch that is cancelled yields an error", "a watch ends silently when its context is cancelled", func(b *broken) {
			b.watch = func(all changes) changes {
				return func(yield func(hosting.InstanceChange, error) bool) {
					for change, err := range all {
						if !yield(change, err) {
							return
						}
					}
					yield(hosting.InstanceChange{}, b.good.failure(hosting.ListFailed, hosting.Canceled, "cancelled"))
				}
			}
		}},
		{"a watch that was left blocks the next", "the consumer of a watch may leave", func(b *broken) {
			b.watch = func(all changes) changes {
				return func(yield func(hosting.InstanceChange, error) bool) {
					if b.noted("left") {
						return
					}
					for change, err := range all {
						if !yield(change, err) {
							b.note("left", true)
							return
						}
					}
				}
			}
		}},
	}
}

func cursorDefects() []defect {
	return []defect{
		{"a cursor that is none is ignored", "a cursor that is none is refused", func(b *broken) {
			b.logs = func(c ctx, id string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
				if strings.HasSuffix(options.After, "!") {
					options.After = ""
				}
				return b.good.GetLogs(c, id, options)
			}
		}},
		{"a gap does not say of what", "a stream resumes behind a cursor", func(b *broken) {
			b.stream = func(c ctx, id string, options hosting.LogQueryOptions) stream {
				return withGaps(b.good.StreamLogs(c, id, options), "")
			}
		}},
	}
}
