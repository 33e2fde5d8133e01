package fake

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
	"skillcenter.io/hosting/internal/cron"
)

// instance is one instance with what has been simulated of it. The provider's
// lock guards it.
type instance struct {
	provider  *Provider
	uid       int // tells instances apart that have the same id one after another
	id        hosting.ID
	key       string                     // id as text
	request   request                    // that is in force
	config    hosting.CloudHostingConfig // that of request
	workload  Workload                   // of replicas that start now
	revisions configs.Revisions
	workloads map[int]Workload       // of the revisions
	resources hosting.ResourceConfig // in force for replicas that start now
	takenOver bool                   // its autoscaler does not act
	exclusive string                 // the id of a volume that only one replica may use, or ""
	storage   float64                // bytes of the volumes that are mounted

	created, updated time.Time

	// What should be.
	desired    int // replicas, also while stopped; of a cronjob, those of the run that is active
	stopped    bool
	deleteAt   time.Time // when it will be gone, once it is being deleted
	gone       bool
	generation int // replicas of earlier ones are replaced

	// What is.
	activity  hosting.Status // what is going on until all replicas are ready, or ""
	replicas  []*replica     // in the order they were made
	names     int            // of replicas, given out so far
	succeeded int            // replicas of a job that have ended well,
	failed    int            // and badly
	runs      int            // of a cronjob, so far
	runFailed bool           // a replica of the run that is active has ended badly
	lastRun   string         // how the last run of a cronjob ended

	schedule cron.Schedule
	nextRun  time.Time // of a cronjob; zero if none comes
	nextTick time.Time // when the autoscaler looks; zero without one
	wake     time.Time // when something happens by itself next; zero if nothing does

	load    func(time.Time) Load // nil for the default
	logs    logBook
	events  eventBook
	ledger  ledger
	changed chan struct{} // closed when somebody changes the instance
}

func (in *instance) terminating() bool { return !in.deleteAt.IsZero() }

func (in *instance) isJob() bool { return in.id.Type == hosting.TypeJob }

func (in *instance) isCronJob() bool { return in.id.Type == hosting.TypeCronJob }

// finished tells whether it is a job of which nothing is left to run.
func (in *instance) finished() bool {
	return in.isJob() && in.desired > 0 && in.succeeded+in.failed >= in.desired
}

// wanted is how many replicas should run now.
func (in *instance) wanted() int {
	if in.stopped || in.terminating() {
		return 0
	}
	return max(0, in.desired-in.succeeded-in.failed)
}

// notify wakes those who wait for a change of the instance, or of any.
func (in *instance) notify() {
	in.provider.notify()
	close(in.changed)
	in.changed = make(chan struct{})
}

// tally is a count of the replicas that are not stopping.
type tally struct {
	ready    int // of the current generation
	serving  int // ready, of any generation
	outdated int
	failing  *replica // the first that has a reason not to be ready
}

func (in *instance) tally() tally {
	var t tally
	for _, r := range in.replicas {
		if r.phase == stopping {
			continue
		}
		if r.phase == ready {
			t.serving++
			if r.generation == in.generation {
				t.ready++
			}
		}
		if r.generation != in.generation {
			t.outdated++
		}
		if r.reason != "" && t.failing == nil {
			t.failing = r
		}
	}
	return t
}

// settled tells whether all replicas are ready and of the current generation.
func (in *instance) settled(t tally) bool {
	return in.isCronJob() || t.ready == in.wanted() && t.outdated == 0
}

// status returns the status, with reason and message if there are any.
func (in *instance) status() (status hosting.Status, reason, message string) {
	switch {
	case in.terminating():
		return hosting.StatusTerminating, "", ""
	case in.finished() && in.failed > 0:
		return hosting.StatusFailed, "Error", strconv.Itoa(in.failed) + " replicas ended with exit code " + strconv.Itoa(in.workload.ExitCode)
	case in.finished():
		return hosting.StatusCompleted, "", ""
	case in.stopped && len(in.replicas) > 0:
		return hosting.StatusStopping, "", ""
	case in.stopped:
		return hosting.StatusStopped, "", ""
	}
	t := in.tally()
	if t.failing != nil {
		reason, message = t.failing.reason, t.failing.message
	}
	switch {
	case in.isCronJob():
		return hosting.StatusRunning, reason, message
	case in.desired == 0:
		return hosting.StatusRunning, "ScaledToZero", "it has been scaled to 0 replicas"
	case in.settled(t):
		return hosting.StatusRunning, "", ""
	case t.failing != nil && t.serving > 0:
		return hosting.StatusDegraded, reason, message
	case t.failing != nil:
		return hosting.StatusFailed, reason, message
	case in.activity == "":
		return hosting.StatusStarting, "", "" // a container that ended is on its way again
	}
	return in.activity, "", ""
}

// unhealthyBecause returns why the instance cannot do its work, or "".
func (in *instance) unhealthyBecause() string {
	status, reason, _ := in.status()
	switch {
	case status == hosting.StatusRunning && in.isCronJob(), status == hosting.StatusCompleted:
		return ""
	case reason != "":
		return reason
	case status == hosting.StatusRunning:
		return ""
	}
	return strings.ToUpper(string(status[:1])) + string(status[1:])
}

// view returns the instance as callers see it.
func (in *instance) view() hosting.CloudInstance {
	status, reason, message := in.status()
	resources, endpoint := in.resources, in.endpoint()
	metadata := map[string]string{hosting.MetadataReadyReplicas: strconv.Itoa(in.tally().serving)}
	set := func(key, value string) {
		if value != "" {
			metadata[key] = value
		}
	}
	set(hosting.MetadataReason, reason)
	set(hosting.MetadataMessage, message)
	if in.stopped && !in.terminating() && !in.finished() {
		set(hosting.MetadataStoppedReplicas, strconv.Itoa(in.count()))
	}
	if in.takenOver {
		set(hosting.MetadataTakenOver, "true")
	}
	if restarts := in.restarts(); restarts > 0 {
		set("restarts", strconv.Itoa(restarts))
	}
	if in.isCronJob() && !in.stopped && !in.nextRun.IsZero() {
		set("nextRun", hosting.NewTime(in.nextRun).String())
	}
	set("lastRun", in.lastRun)
	return hosting.CloudInstance{
		ID: in.key, Name: in.id.Name, Provider: in.provider.name, ProviderType: providerType,
		Region: in.id.Region, Status: status, Replicas: in.shownReplicas(),
		CreatedAt: hosting.NewTime(in.created), UpdatedAt: hosting.NewTime(in.updated),
		Labels: maps.Clone(in.config.Labels), Metadata: metadata,
		InstanceType: in.id.Type, Resources: &resources, Endpoint: endpoint,
	}
}

// count is how many replicas there should be, also while stopped; of a cronjob,
// how many runs are active, which is one at most.
func (in *instance) count() int {
	if in.isCronJob() {
		return min(in.desired, 1)
	}
	return in.desired
}

// shownReplicas is what callers see of count.
func (in *instance) shownReplicas() int {
	if in.stopped || in.terminating() {
		return 0
	}
	return in.count()
}

// restarts is how often containers of the present replicas were started again.
func (in *instance) restarts() int {
	sum := 0
	for _, r := range in.replicas {
		sum += r.restarts
	}
	return sum
}
