package fake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/driver"
)

var _ driver.Checker = (*Provider)(nil)

// CheckConfig tells whether CreateInstance or ApplyInstance would take a
// configuration, and whether its replicas would start: a fault of
// [Provider.InjectStart] that waits for them is why they would not. Quota and
// nodes have no limits otherwise.
func (p *Provider) CheckConfig(ctx context.Context, config hosting.CloudHostingConfig) ([]hosting.CompatibilityCheck, error) {
	o := operation{method: "CheckConfig", code: hosting.CompatibilityFailed, name: config.InstanceName}
	r, err := p.admit(config)
	return call(ctx, p, o, func(time.Time) ([]hosting.CompatibilityCheck, error) {
		if refusal, ok := errors.AsType[*hosting.Error](err); ok {
			return []hosting.CompatibilityCheck{verdict(driver.CheckAccepted, refusal.Message, "")}, nil
		}
		plan := p.planCreate(r)
		if in := p.instances[r.place()]; in != nil {
			plan = p.planUpdate(in, r)
		}
		return []hosting.CompatibilityCheck{
			verdict(driver.CheckAccepted, strings.Join(plan.Objections, "; "), fmt.Sprintf("%s in region %s is accepted", r.config.InstanceType, r.config.Region)),
			verdict(driver.CheckQuota, p.awaits(r.config.InstanceName, QuotaExceeded), "there is no quota"),
			verdict(driver.CheckNodes, p.awaits(r.config.InstanceName, Unschedulable), fmt.Sprintf("%d nodes have room for all", p.nodes)),
		}, nil
	})
}

// verdict is a check that has failed if there is something wrong.
func verdict(name, wrong, right string) hosting.CompatibilityCheck {
	check := hosting.CompatibilityCheck{Name: name, Status: hosting.CheckPass, Message: right, Required: true}
	if wrong != "" {
		check.Status, check.Message = hosting.CheckFail, wrong
	}
	return check
}

// awaits returns the message of a fault that waits for the replicas of an
// instance.
func (p *Provider) awaits(instance string, failure StartFailure) string {
	for _, fault := range p.faults.starts {
		if fault.Failure == failure && (fault.Instance == "" || fault.Instance == instance) {
			return fault.Message
		}
	}
	return ""
}
