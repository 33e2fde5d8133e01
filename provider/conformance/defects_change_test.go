package conformance_test

import (
	"context"
	"slices"
	"strings"

	"skillcenter.io/hosting"
)

func withoutCancel(c ctx) ctx { return context.WithoutCancel(c) }

// status returns what the instance is doing.
func (b *broken) status(c ctx, id string) hosting.Status {
	in, _ := b.good.GetInstance(c, id)
	return in.Status
}

// instead spoils the answer err of a call about an instance that is in one of
// the statuses.
func (b *broken) instead(c ctx, id string, err, spoiled error, in ...hosting.Status) error {
	if c.Err() == nil && slices.Contains(in, b.status(c, id)) {
		return spoiled
	}
	return err
}

// changeDefects are those of delete, start, stop, restart, scale and update.
func changeDefects() []defect {
	const terminating = hosting.StatusTerminating
	return []defect{
		{"delete of what is unknown succeeds", "delete shows terminating, then not found", func(b *broken) {
			b.delete = func(c ctx, id string) error {
				err := b.good.DeleteInstance(c, id)
				if isReason(err, hosting.NotFound) {
					return nil
				}
				return err
			}
		}},
		{"what is deleted shows as stopping", "delete shows terminating, then not found", func(b *broken) {
			b.show = func(in instance) instance {
				if in.Status == terminating {
					in.Status = hosting.StatusStopping
				}
				return in
			}
		}},
		{"delete does nothing", "delete shows terminating, then not found", func(b *broken) {
			b.delete = func(c ctx, id string) error {
				_, err := b.good.GetInstance(c, id)
				return as(err, hosting.DeleteFailed)
			}
		}},
		{"delete refuses what overlaps", "deletes at once all succeed", func(b *broken) {
			b.delete = func(c ctx, id string) error {
				return b.busy(hosting.DeleteFailed, func() error { return b.good.DeleteInstance(c, id) })
			}
		}},
		{"delete takes all that begin alike", "names that begin alike are kept apart", func(b *broken) {
			b.delete = func(c ctx, id string) error {
				list, _ := b.good.ListInstances(c)
				for _, in := range list {
					if strings.HasPrefix(in.ID, id+"-") {
						_ = b.good.DeleteInstance(c, in.ID)
					}
				}
				return b.good.DeleteInstance(c, id)
			}
		}},
		{"start of what is terminating succeeds", "a terminating instance cannot be changed or created", func(b *broken) {
			b.start = func(c ctx, id string) error {
				return b.instead(c, id, b.good.StartInstance(c, id), nil, terminating)
			}
		}},
		{"start of what runs is a conflict", "stop and start can be repeated", func(b *broken) {
			b.start = func(c ctx, id string) error {
				conflict := b.good.failure(hosting.StartFailed, hosting.Conflict, "it is started")
				if err := b.instead(c, id, nil, conflict, hosting.StatusRunning, hosting.StatusCreating, hosting.StatusStarting); err != nil {
					return err
				}
				return b.good.StartInstance(c, id)
			}
		}},
		{"start makes one replica", "stop keeps the number of replicas and start brings them back", func(b *broken) {
			b.start = func(c ctx, id string) error {
				err := b.good.StartInstance(c, id)
				_ = b.good.ScaleInstance(c, id, 1)
				return err
			}
		}},
		{"stop does not tell what it will start with", "stop keeps the number of replicas and start brings them back", withoutMetadata(hosting.MetadataStoppedReplicas)},
		{"stop scales to zero", "stop keeps the number of replicas and start brings them back", func(b *broken) {
			b.stop = func(c ctx, id string) error {
				if err := b.good.ScaleInstance(c, id, 0); err == nil {
					return nil
				}
				return b.good.StopInstance(c, id)
			}
		}},
		{"changes refuse what overlaps", "changes and reads at once end in one consistent state", func(b *broken) {
			b.scale = func(c ctx, id string, n int) error {
				return b.busy(hosting.ScaleFailed, func() error { return b.good.ScaleInstance(c, id, n) })
			}
			b.stop = func(c ctx, id string) error {
				return b.busy(hosting.StopFailed, func() error { return b.good.StopInstance(c, id) })
			}
		}},
		{"stop of a completed job is a conflict", "a finished job is completed, healthy and stays so", func(b *broken) {
			b.stop = func(c ctx, id string) error {
				conflict := b.good.failure(hosting.StopFailed, hosting.Conflict, "it is completed")
				return b.instead(c, id, b.good.StopInstance(c, id), conflict, hosting.StatusCompleted)
			}
		}},
		{"start of a failed job is a conflict", "a job whose container fails has failed", func(b *broken) {
			b.start = func(c ctx, id string) error {
				conflict := b.good.failure(hosting.StartFailed, hosting.Conflict, "it has failed")
				return b.instead(c, id, b.good.StartInstance(c, id), conflict, hosting.StatusFailed)
			}
		}},
		{"start of a completed job runs it again", "a finished job is completed, healthy and stays so", func(b *broken) {
			b.start = func(c ctx, id string) error {
				if c.Err() == nil && b.status(c, id) == hosting.StatusCompleted {
					return b.good.RestartInstance(c, id)
				}
				return b.good.StartInstance(c, id)
			}
		}},
		{"restart of a failed job is a conflict", "a job whose container fails has failed", func(b *broken) {
			b.restart = func(c ctx, id string) error {
				conflict := b.good.failure(hosting.RestartFailed, hosting.Conflict, "it has failed")
				return b.instead(c, id, b.good.RestartInstance(c, id), conflict, hosting.StatusFailed, hosting.StatusCreating, hosting.StatusRestarting)
			}
		}},
		{"restart of a completed job is a conflict", "restart replaces what runs", func(b *broken) {
			b.restart = func(c ctx, id string) error {
				if c.Err() == nil && b.status(c, id) == hosting.StatusCompleted {
					return b.good.failure(hosting.RestartFailed, hosting.Conflict, "it is completed")
				}
				return b.good.RestartInstance(c, id)
			}
		}},
		{"restart does nothing", "restart replaces what runs", func(b *broken) {
			b.restart = func(c ctx, id string) error {
				_, err := b.good.GetInstance(c, id)
				return as(err, hosting.RestartFailed)
			}
		}},
		{"restart starts what is stopped", "a stopped instance cannot be restarted", func(b *broken) {
			b.restart = func(c ctx, id string) error {
				err := b.good.RestartInstance(c, id)
				if isReason(err, hosting.Conflict) {
					return b.good.StartInstance(c, id)
				}
				return err
			}
		}},
		{"restart of a cronjob is taken and does nothing", "what is not supported says so", func(b *broken) {
			b.restart = func(c ctx, id string) error {
				if err := b.good.RestartInstance(c, id); !isReason(err, hosting.Unsupported) {
					return err
				}
				return nil
			}
		}},
		{"scale to zero is not told", "scale goes up, down, to zero and back", func(b *broken) {
			b.health = func(health hosting.Health) hosting.Health {
				if health.Reason == "ScaledToZero" {
					health.Healthy, health.Reason = true, ""
				}
				return health
			}
		}},
		{"scale is one off", "scale goes up, down, to zero and back", func(b *broken) {
			b.scale = func(c ctx, id string, n int) error {
				if n == 3 {
					n = 4
				}
				return b.good.ScaleInstance(c, id, n)
			}
		}},
		{"scale starts what is stopped", "scaling a stopped instance sets what it starts with", func(b *broken) {
			b.scale = func(c ctx, id string, n int) error {
				err := b.good.ScaleInstance(c, id, n)
				if err == nil && b.status(c, id) == hosting.StatusStopped {
					return b.good.StartInstance(c, id)
				}
				return err
			}
		}},
		{"scale of what an autoscaler owns is taken", "an instance with an autoscaler is not scaled by hand", func(b *broken) {
			b.scale = func(c ctx, id string, n int) error {
				return b.instead(c, id, b.good.ScaleInstance(c, id, n), nil, hosting.StatusCreating, hosting.StatusRunning)
			}
		}},
		{"an autoscaler's conflict does not name it", "an instance with an autoscaler is not scaled by hand", func(b *broken) {
			b.scale = func(c ctx, id string, n int) error {
				err := b.good.ScaleInstance(c, id, n)
				if isReason(err, hosting.Conflict) {
					return b.good.failure(hosting.ScaleFailed, hosting.Conflict, "not now")
				}
				return err
			}
		}},
		{"scale of a job does nothing", "scale changes how many run at once in a job", func(b *broken) {
			b.scale = func(c ctx, id string, n int) error {
				if strings.Contains(id, ".job.") && b.status(c, id) == hosting.StatusRunning {
					return nil
				}
				return b.good.ScaleInstance(c, id, n)
			}
		}},
		{"update replaces what is not given", "changed resources are merged with what there is", func(b *broken) {
			b.update = func(c ctx, id string, r hosting.ResourceConfig) error {
				if r.MemoryRequest == 0 && r.CPULimit > 0 {
					r.MemoryRequest = 1 << 20
				}
				return b.good.UpdateResources(c, id, r)
			}
		}},
		{"update leaves one replica", "changed resources are rolled out", func(b *broken) {
			b.update = func(c ctx, id string, r hosting.ResourceConfig) error {
				err := b.good.UpdateResources(c, id, r)
				_ = b.good.ScaleInstance(c, id, 1)
				return err
			}
		}},
		{"update without a change of a running job is a conflict", "resources of a job change only while it is stopped", func(b *broken) {
			b.update = func(c ctx, id string, r hosting.ResourceConfig) error {
				err := b.good.UpdateResources(c, id, r)
				if err == nil && strings.Contains(id, ".job.") && b.status(c, id) != hosting.StatusStopped {
					return b.good.failure(hosting.UpdateFailed, hosting.Conflict, "it is not stopped")
				}
				return err
			}
		}},
		{"update of a running job is taken and does nothing", "resources of a job change only while it is stopped", func(b *broken) {
			b.update = func(c ctx, id string, r hosting.ResourceConfig) error {
				if err := b.good.UpdateResources(c, id, r); !isReason(err, hosting.Conflict) || !strings.Contains(id, ".job.") {
					return err
				}
				return nil
			}
		}},
	}
}

func abilityDefects() []defect {
	const cronJobRuns = "a cronjob that is run now runs once more, until it is stopped"
	return []defect{
		{"run now of what is stopped is taken", cronJobRuns, func(b *broken) {
			b.run = func(c ctx, id string) error {
				return b.instead(c, id, b.good.RunNow(c, id), nil, hosting.StatusStopped)
			}
		}},
		{"run now while a run is active is taken", cronJobRuns, func(b *broken) {
			b.run = func(c ctx, id string) error {
				return b.instead(c, id, b.good.RunNow(c, id), nil, hosting.StatusRunning)
			}
		}},
		{"run now does nothing", cronJobRuns, func(b *broken) {
			b.run = func(c ctx, id string) error { _, err := b.good.GetInstance(c, id); return as(err, hosting.StartFailed) }
		}},
	}
}
