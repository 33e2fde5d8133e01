package kubernetes

import (
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/cron"
)

// newestRun is the newest run of a cronjob, seen as if it were a job of its
// own. It is nil if there is none.
func (s *snapshot) newestRun() *snapshot {
	if len(s.runs) == 0 {
		return nil
	}
	newest := slices.MaxFunc(s.runs, func(a, b *batchv1.Job) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	run := *s
	run.kind, run.workload, run.runs = kinds[hosting.TypeJob], newest, nil
	run.pods = slices.Clone(s.pods)
	run.keepOwnPods()
	return &run
}

// runCause returns why the newest run of a cronjob has failed or cannot start,
// or why there is none.
func (s *snapshot) runCause(now time.Time) cause {
	if s.overdue(now) {
		for _, event := range slices.Backward(s.warnings) {
			if event.InvolvedObject.UID == s.workload.GetUID() && strings.HasPrefix(event.Reason, "Failed") {
				return cause{reason: event.Reason, message: event.Message}
			}
		}
	}
	run := s.newestRun()
	if run == nil {
		return cause{}
	}
	why := run.judge(run.kind.observe(run.workload), now)
	if why.reason == "" {
		return cause{}
	}
	return cause{reason: why.reason, message: join("run "+run.workload.GetName(), why.message)}
}

// overdue tells that the schedule of a cronjob was due and that nothing came of
// it. A run that is active keeps others from starting.
func (s *snapshot) overdue(now time.Time) bool {
	at := s.overdueAt()
	return !at.IsZero() && !now.Before(at)
}

// overdueAt is when that is so, unless a run starts; zero if it never is.
func (s *snapshot) overdueAt() time.Time {
	cronJob := s.workload.(*batchv1.CronJob)
	schedule, err := cron.Parse(cronJob.Spec.Schedule)
	if err != nil || len(cronJob.Status.Active) > 0 {
		return time.Time{}
	}
	since := cronJob.CreationTimestamp.Time
	if last := cronJob.Status.LastScheduleTime; last != nil {
		since = last.Time
	}
	if changed := s.anchor.record.Desired.UpdatedAt.Std(); changed.After(since) {
		since = changed // it may have been stopped before
	}
	due := schedule.Next(since.UTC())
	if due.IsZero() {
		return due
	}
	return due.Add(eventGrace)
}

// keepOwnRuns drops the runs of an earlier cronjob of the same name.
func (s *snapshot) keepOwnRuns() {
	s.runs = slices.DeleteFunc(s.runs, func(run *batchv1.Job) bool { return s.workload == nil || !metav1.IsControlledBy(run, s.workload) })
}
