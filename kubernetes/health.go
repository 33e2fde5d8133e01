package kubernetes

import (
	"context"
	"time"

	"skillcenter.io/hosting"
)

// HealthCheck implements [hosting.CloudHostingProvider]: an instance is
// healthy when all its replicas are ready, when it is a job that has
// completed, or a cronjob whose schedule is active and whose newest run has not
// failed.
func (p *Provider) HealthCheck(ctx context.Context, instanceID string) (hosting.Health, error) {
	t, err := p.find(hosting.HealthFailed, instanceID)
	if err != nil {
		return hosting.Health{}, err
	}
	s, err := p.look(ctx, hosting.HealthFailed, t)
	if err != nil {
		return hosting.Health{}, err
	}
	now := time.Now()
	return healthOf(s.state(now), now), nil
}

func healthOf(s state, now time.Time) hosting.Health {
	result := hosting.Health{CheckedAt: hosting.NewTime(now)}
	switch {
	case s.status == hosting.StatusRunning && s.reason == "", s.status == hosting.StatusCompleted:
		result.Healthy = true
	case s.status == hosting.StatusStopped:
		result.Reason = "Stopped"
	case s.reason == "":
		result.Reason = "the instance is " + string(s.status)
	case s.message == "":
		result.Reason = s.reason
	default:
		result.Reason = s.reason + ": " + s.message
	}
	return result
}
