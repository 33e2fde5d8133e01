// Package prometheus reads metrics for auto-scaling from a Prometheus server, or
// from anything that has its HTTP API.
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/autoscale"
)

const (
	// DefaultTimeout is how long a query may take.
	DefaultTimeout = 10 * time.Second
	// DefaultMaxAge is how old a sample may be.
	DefaultMaxAge = 2 * time.Minute
)

// Config says where to ask and what.
type Config struct {
	// Address is the URL of the server, such as "http://prometheus:9090".
	Address string
	// Queries are PromQL by metric name. Each is a template (text/template) with
	// the fields of [Instance], such as
	//
	//	sum(rate(http_requests_total{app="{{.Name}}"}[1m]))
	//
	// and must have one sample as its result. A metric without a query is taken
	// to be a series of that name: of type custom, the average over the replicas,
	// which are those whose label app is the instance's name, and whose label
	// namespace is the one in its metadata if it has one, as on Kubernetes; of type
	// external, the one series there is.
	Queries map[string]string
	// Timeout is how long a query may take; DefaultTimeout if zero.
	Timeout time.Duration
	// MaxAge is how old a sample may be, at least the interval in which the
	// server scrapes; DefaultMaxAge if zero. A series that has nothing newer is
	// no longer there. A server that does not know the parameter lookback_delta
	// goes back five minutes.
	MaxAge time.Duration
	// Transport sends the requests, and adds credentials where they are needed;
	// nil for one without any.
	Transport http.RoundTripper
}

// Instance is what a query knows of the instance. The values are letters, digits,
// '-', '.' and ':' only, so they need no quoting.
type Instance struct {
	ID, Provider, Region, Type, Name string
}

// Source is an [autoscale.MetricSource]. Its methods may be called concurrently.
type Source struct {
	client          prometheusv1.API
	queries         map[string]*template.Template
	timeout, maxAge time.Duration
}

var _ autoscale.MetricSource = (*Source)(nil)

// New returns a source. It asks nothing yet; the error, with reason
// InvalidArgument, names what is wrong.
func New(config Config) (*Source, error) {
	refuse := func(field string, value any, allowed string) (*Source, error) {
		return nil, hosting.Errorf("", hosting.InvalidConfig, hosting.InvalidArgument, "prometheus: %w",
			hosting.FieldErrors{{Field: field, Value: value, Allowed: allowed}})
	}
	address, err := url.Parse(config.Address)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return refuse("Address", redacted(address), "a URL that begins with http:// or https://")
	}
	if config.Timeout < 0 {
		return refuse("Timeout", config.Timeout, "0 for 10s, or more")
	}
	if config.MaxAge < 0 {
		return refuse("MaxAge", config.MaxAge, "0 for 2m0s, or more")
	}
	client, err := api.NewClient(api.Config{Address: config.Address, RoundTripper: config.Transport})
	if err != nil {
		return refuse("Address", redacted(address), "a URL")
	}
	s := &Source{client: prometheusv1.NewAPI(client), queries: map[string]*template.Template{}, timeout: config.Timeout, maxAge: config.MaxAge}
	if s.timeout == 0 {
		s.timeout = DefaultTimeout
	}
	if s.maxAge == 0 {
		s.maxAge = DefaultMaxAge
	}
	for _, name := range slices.Sorted(maps.Keys(config.Queries)) {
		query, err := template.New(name).Parse(config.Queries[name])
		if err == nil {
			_, err = fill(query, Instance{ID: "region.type.name", Provider: "provider", Region: "region", Type: "type", Name: "name"})
		}
		if err != nil {
			return refuse(fmt.Sprintf("Queries[%q]", name), config.Queries[name], "a template that is not empty, with the fields of Instance: "+err.Error())
		}
		s.queries[name] = query
	}
	return s, nil
}

// redacted returns an address without a password in it.
func redacted(address *url.URL) string {
	if address == nil {
		return "(not a URL)"
	}
	return address.Redacted()
}

// Metric implements [autoscale.MetricSource].
func (s *Source) Metric(ctx context.Context, instance hosting.CloudInstance, rule hosting.ScaleRule) (float64, error) {
	query, err := s.query(instance, rule)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	// No time: the server's clock counts.
	result, _, err := s.client.Query(ctx, query, time.Time{}, prometheusv1.WithTimeout(s.timeout), prometheusv1.WithLookbackDelta(s.maxAge))
	if err != nil {
		return 0, failure(query, err)
	}
	value, err := single(result)
	if err != nil {
		return 0, fmt.Errorf("prometheus: query %s: %w", query, err)
	}
	return value, nil
}

// failure says what the server said, of which the client's error has only the
// kind in some cases.
func failure(query string, err error) error {
	var answer *prometheusv1.Error
	if errors.As(err, &answer) && answer.Detail != "" && !strings.Contains(err.Error(), answer.Detail) {
		const enough = 200
		return fmt.Errorf("prometheus: query %s: %w: %.*s", query, err, enough, answer.Detail)
	}
	return fmt.Errorf("prometheus: query %s: %w", query, err)
}

// query returns what to ask for a rule's metric.
func (s *Source) query(instance hosting.CloudInstance, rule hosting.ScaleRule) (string, error) {
	id, err := hosting.ParseID(instance.ID)
	if err != nil {
		return "", fmt.Errorf("prometheus: %w", err)
	}
	if query, ok := s.queries[rule.MetricName]; ok {
		return fill(query, Instance{ID: instance.ID, Provider: id.Provider, Region: id.Region, Type: id.Type, Name: id.Name})
	}
	if !model.LegacyValidation.IsValidMetricName(rule.MetricName) {
		return "", fmt.Errorf("prometheus: metric %q has no query and is no name of a series: letters, digits, '_' and ':'", rule.MetricName)
	}
	if rule.MetricType == hosting.MetricCustom {
		which := fmt.Sprintf("app=%q", id.Name)
		if namespace := instance.Metadata["namespace"]; namespace != "" { // a name is of one region only
			which += fmt.Sprintf(",namespace=%q", namespace)
		}
		return fmt.Sprintf("avg(%s{%s})", rule.MetricName, which), nil
	}
	return rule.MetricName, nil
}

// fill fills in a template.
func fill(query *template.Template, instance Instance) (string, error) {
	var text strings.Builder
	if err := query.Execute(&text, instance); err != nil {
		return "", err
	}
	if strings.TrimSpace(text.String()) == "" {
		return "", errors.New("the query is empty")
	}
	return text.String(), nil
}

// single returns the one sample of a result.
func single(result model.Value) (float64, error) {
	var value model.SampleValue
	switch result := result.(type) {
	case *model.Scalar:
		value = result.Value
	case model.Vector:
		switch len(result) {
		case 0:
			return 0, errors.New("there is no such series, or nothing new in it")
		case 1:
			if result[0].Histogram != nil {
				return 0, errors.New("the result is a histogram; take a quantile or a rate of it")
			}
			value = result[0].Value
		default:
			return 0, fmt.Errorf("there are %d series, such as %s and %s; aggregate them, with sum or avg", len(result), result[0].Metric, result[1].Metric)
		}
	default:
		return 0, fmt.Errorf("the result is a %s; it must be one sample", result.Type())
	}
	if number := float64(value); !math.IsNaN(number) && !math.IsInf(number, 0) {
		return number, nil
	}
	return 0, fmt.Errorf("the value is %s, such as when nothing is divided by nothing", value)
}
