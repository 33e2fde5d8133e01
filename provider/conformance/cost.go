package conformance

import (
	"fmt"
	"math"
	"regexp"
	"testing"
	"time"

	"skillcenter.io/hosting"
)

func costCases() []testCase {
	return []testCase{
		each("an estimate sums up and scales with the replicas", costEstimated, hosting.CanEstimateCost),
		once("an estimate fills in default resources and creates nothing", costDefaults, hosting.CanEstimateCost),
		each("the actual cost is that of the period, as far as it is known", costActual, hosting.CanActualCost),
	}
}

var currency = regexp.MustCompile(`^[A-Z]{3}$`)

// near compares two results of adding up amounts of money, so many in all.
// Only where money is rounded to 4 decimals may each of them be half a unit
// off: prices may also be a thousandth of that.
func near(a, b float64, amounts int) bool {
	difference := math.Abs(a - b)
	return difference <= 1e-3*math.Max(math.Abs(a), math.Abs(b)) ||
		isRounded(a) && isRounded(b) && difference <= float64(amounts)*0.5e-4+1e-9
}

// isRounded tells whether an amount has at most 4 decimals.
func isRounded(amount float64) bool {
	units := amount * 1e4
	return math.Abs(units-math.Round(units)) <= 1e-6
}

// wantSum checks that a breakdown is one of the total.
func wantSum(t *testing.T, what string, total float64, b hosting.CostBreakdown) {
	t.Helper()
	if sum := b.Compute + b.Memory + b.Storage + b.Network; !near(sum, total, 5) || total < 0 || b.Compute < 0 || b.Memory < 0 || b.Storage < 0 || b.Network < 0 {
		t.Errorf("%s: the breakdown %s sums to %v, want the total, %v, and nothing negative", what, toJSON(b), sum, total)
	}
}

func (e *env) estimate(t *testing.T, config hosting.CloudHostingConfig) hosting.CostEstimate {
	t.Helper()
	estimate := read(t, e, "EstimateCost", config.InstanceName, func() (hosting.CostEstimate, error) {
		return e.p.EstimateCost(e.ctx, config)
	})
	what := fmt.Sprintf("EstimateCost(%s %s)", config.InstanceType, config.InstanceName)
	wantSum(t, what, estimate.HourlyCost, estimate.Breakdown)
	if !near(estimate.DailyCost, 24*estimate.HourlyCost, 25) || !near(estimate.MonthlyCost, 730*estimate.HourlyCost, 731) {
		t.Errorf("%s: %v an hour, %v a day, %v a month; want 24 and 730 times as much", what, estimate.HourlyCost, estimate.DailyCost, estimate.MonthlyCost)
	}
	if !currency.MatchString(estimate.Currency) {
		t.Errorf("%s: currency %q, want an ISO 4217 code", what, estimate.Currency)
	}
	return estimate
}

func costEstimated(t *testing.T, e *env) {
	config := e.config(Serve)
	config.Resources = &hosting.ResourceConfig{CPULimit: 2, CPURequest: 2, MemoryLimit: 4 << 30, MemoryRequest: 4 << 30}
	one := e.estimate(t, config)
	if !e.has(t, hosting.CanScale) {
		return
	}
	config.Scaling = &hosting.ScaleConfig{MinReplicas: 3}
	three := e.estimate(t, config)
	if !near(three.Breakdown.Compute, 3*one.Breakdown.Compute, 4) || !near(three.Breakdown.Memory, 3*one.Breakdown.Memory, 4) {
		t.Errorf("EstimateCost(%s): three replicas cost %s, want three times the compute and memory of one, %s", e.typ, toJSON(three.Breakdown), toJSON(one.Breakdown))
	}
}

func costDefaults(t *testing.T, e *env) {
	config := e.config(Serve)
	defaulted := e.estimate(t, config)
	if left := e.named(t, config.InstanceName); len(left) != 0 {
		e.deleteLater(t, left[0].ID)
		t.Errorf("EstimateCost created instance %s", left[0].ID)
	}
	inForce := e.create(t, config).Resources
	explicit := clone(config)
	explicit.Resources = inForce
	if got := e.estimate(t, explicit); got != defaulted {
		t.Errorf("EstimateCost without resources is %s, with those that are in force then, %s, it is %s", toJSON(defaulted), toJSON(inForce), toJSON(got))
	}
}

func costActual(t *testing.T, e *env) {
	created := e.create(t, e.config(Serve))
	for what, period := range map[string][2]time.Time{
		"since it was created": {created.CreatedAt.Std(), time.Now()},
		"before it existed":    {created.CreatedAt.Std().Add(-2 * time.Hour), created.CreatedAt.Std().Add(-time.Hour)},
		"an empty period":      {created.CreatedAt.Std(), created.CreatedAt.Std()},
	} {
		start, end := hosting.NewTime(period[0]), hosting.NewTime(period[1])
		if end.Before(start) {
			end = start
		}
		call := fmt.Sprintf("GetActualCost(%s), %s", created.ID, what)
		actual := read(t, e, "GetActualCost, "+what, created.ID, func() (hosting.CostActual, error) {
			return e.p.GetActualCost(e.ctx, created.ID, start, end)
		})
		wantSum(t, call, actual.TotalCost, actual.Breakdown)
		if actual.InstanceID != created.ID || actual.StartTime != start || actual.EndTime != end || !currency.MatchString(actual.Currency) {
			t.Errorf("%s: got %s, want its id, a currency and the period from %d to %d", call, toJSON(actual), start.Millis(), end.Millis())
		}
		if actual.Coverage < 0 || actual.Coverage > 1 || math.IsNaN(actual.Coverage) {
			t.Errorf("%s: coverage %v, want 0 to 1", call, actual.Coverage)
		}
		if what != "since it was created" && actual.TotalCost != 0 {
			t.Errorf("%s: total cost %v, want 0", call, actual.TotalCost)
		}
	}
}
