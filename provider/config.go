package provider

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/driver"
)

// Config says what a host consists of. It usually comes from [LoadConfig]; a
// program may change what it read, or make one itself.
type Config struct {
	// Enabled must be true for [Open] to open anything.
	Enabled bool
	// DefaultProvider is the name of the provider that gets what does not name
	// one; it may be empty if only one is enabled.
	DefaultProvider string
	// Providers are what there is, in the order of the file.
	Providers []ProviderConfig
	// Defaults are for the instances of all providers; the providers' own go
	// before them.
	Defaults   driver.Defaults
	Monitoring Monitoring
	Cost       Cost
	Store      Store

	// source is where it was read from, nil if it was not.
	source *source
}

// ProviderConfig is one provider of a configuration.
type ProviderConfig struct {
	// Name is what ids and CloudInstance.Provider say: a DNS label.
	Name string
	// Type says which opener makes it; Name if empty.
	Type string
	// Enabled must be true for it to be opened. The section of a provider that
	// is not is not looked at.
	Enabled bool
	// Section is what the opener reads.
	Section driver.Section
}

// Monitoring is how a host watches over its instances.
type Monitoring struct {
	// Enabled lets policies act while [Host.Run] runs.
	Enabled bool
	// MetricsInterval is the time between two looks at the instances that have
	// a policy; 60 s if zero.
	MetricsInterval time.Duration
	// LogRetention is how old the lines may be that are returned; no limit if
	// zero.
	LogRetention time.Duration
}

// Cost is how costs are told. Nothing reads it yet.
type Cost struct {
	// Currency is a code of ISO 4217, such as "CNY".
	Currency string
	// BillingCycle is "second", "hourly", "daily" or "monthly".
	BillingCycle string
}

// The types of a Store.
const (
	StoreMemory   = "memory"   // gone when the process ends
	StoreFile     = "file"     // in the file of Store.Path, see WithFileStore
	StoreProvider = "provider" // on the platform of the default provider
)

// Store is where policies are kept.
type Store struct {
	// Type is StoreMemory (if empty), StoreFile or StoreProvider.
	Type string
	// Path is the file of a StoreFile.
	Path string
}

// LoadConfig reads a YAML file, as docs/configuration.md has it, with the
// variables of the environment. The error has reason InvalidArgument, and
// all [Problems] in it that do not depend on the openers of [Open]; if the file
// cannot be read, it wraps the error of the file system.
func LoadConfig(path string) (Config, error) {
	// It is read to one byte more than is allowed, so that it is not taken for
	// whole.
	file, err := os.Open(path)
	if err != nil {
		return Config{}, hosting.Errorf("", hosting.InvalidConfig, hosting.InvalidArgument, "configuration: %w", err)
	}
	defer file.Close() // nothing was written
	data, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return Config{}, hosting.Errorf("", hosting.InvalidConfig, hosting.InvalidArgument, "configuration: %w", err)
	}
	return ParseConfig(path, data, os.LookupEnv)
}

// ParseConfig is LoadConfig for what has been read already. Errors say name for
// the file. It calls lookup, and so does [Open], for the values of variables;
// with nil, none is set.
//
// With an error, what could be read is in the Config nevertheless, so that Open
// can find the other problems.
func ParseConfig(name string, data []byte, lookup func(string) (string, bool)) (Config, error) {
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	doc := parse(name, data, lookup)
	l := loader{doc: doc, config: Config{source: &source{doc: doc}}}
	l.load()
	l.config.source.problems = slices.Concat(doc.problems, l.problems)
	return l.config, failure(l.config.source.problems, l.config.check())
}

// source is where a configuration was read from.
type source struct {
	doc      *document
	problems Problems
}

// problem returns a problem of a key.
func (c Config) problem(key, format string, args ...any) Problem {
	p := Problem{Key: key, Err: fmt.Errorf(format, args...)}
	if c.source != nil && c.source.doc.root != nil {
		about, line := c.source.doc.root.find(key)
		p.File, p.Line, p.Err = c.source.doc.file, line, hide(p.Err, about, c.source.doc.lookup)
	}
	return p
}

// loader reads what a host itself needs.
type loader struct {
	doc      *document
	config   Config
	problems Problems
}

// misnamed says what is wrong with the name of a provider, "" if nothing is. A
// file that was read has no such provider, but a program may make one.
func (c Config) misnamed(i int) string {
	name := c.Providers[i].Name
	switch {
	case !providerName.MatchString(name):
		return "the name of a provider: allowed: lower-case letters, digits and '-' inside, at most 63 characters"
	case slices.ContainsFunc(c.Providers[:i], func(other ProviderConfig) bool { return other.Name == name }):
		return "two providers have this name: allowed: each name once"
	}
	return ""
}

// settings are the keys of "hosting" that are not providers.
type settings struct {
	Enabled         bool               `yaml:"enabled"`
	DefaultProvider string             `yaml:"defaultProvider"`
	Defaults        defaultsSettings   `yaml:"defaults"`
	Monitoring      monitoringSettings `yaml:"monitoring"`
	Cost            costSettings       `yaml:"cost"`
	Store           storeSettings      `yaml:"store"`
}

type defaultsSettings struct {
	Resources struct {
		CPULimit      driver.CPU   `yaml:"cpuLimit"`
		CPURequest    driver.CPU   `yaml:"cpuRequest"`
		MemoryLimit   driver.Bytes `yaml:"memoryLimit"`
		MemoryRequest driver.Bytes `yaml:"memoryRequest"`
		StorageLimit  driver.Bytes `yaml:"storageLimit"`
	} `yaml:"resources"`
	Scaling struct {
		MinReplicas             int `yaml:"minReplicas"`
		MaxReplicas             int `yaml:"maxReplicas"`
		TargetCPUUtilization    int `yaml:"targetCPUUtilization"`
		TargetMemoryUtilization int `yaml:"targetMemoryUtilization"`
	} `yaml:"scaling"`
}

type monitoringSettings struct {
	Enabled         bool            `yaml:"enabled"`
	MetricsInterval driver.Duration `yaml:"metricsInterval"`
	LogRetention    driver.Duration `yaml:"logRetention"`
}

type costSettings struct {
	Currency     currency     `yaml:"currency"`
	BillingCycle billingCycle `yaml:"billingCycle"`
}

type storeSettings struct {
	Type storeType `yaml:"type"`
	Path string    `yaml:"path"`
}

// providerSettings are the keys of a provider's section that are the host's.
type providerSettings struct {
	Enabled bool   `yaml:"enabled"`
	Type    string `yaml:"type"`
}

const (
	minMetricsInterval     = time.Second
	defaultMetricsInterval = time.Minute
)

func defaultSettings() settings {
	return settings{
		Enabled:    true,
		Monitoring: monitoringSettings{Enabled: true, MetricsInterval: driver.Duration(defaultMetricsInterval)},
		Cost:       costSettings{Currency: "CNY", BillingCycle: "hourly"},
		Store:      storeSettings{Type: StoreMemory},
	}
}

// hostingKey and kubernetesKey are what stands at the top of a file.
const (
	hostingKey    = "hosting"
	kubernetesKey = "kubernetes"
)

func (l *loader) problem(line int, key, format string, args ...any) {
	l.problems = append(l.problems, Problem{l.doc.file, line, key, fmt.Errorf(format, args...)})
}

func (l *loader) load() {
	root := l.doc.root
	switch {
	case root == nil || root.null:
		if len(l.doc.problems) == 0 {
			l.problem(0, "", "the file is empty: allowed: a mapping with the keys hosting, kubernetes")
		}
		return
	case root.kind != aMapping:
		l.problem(root.line, "", "is %s: allowed: a mapping with the keys hosting, kubernetes", root.kind)
		return
	}
	own, sections := l.split(root)
	d := decoder{doc: l.doc}
	read := defaultSettings()
	d.structure(own, hostingKey, reflectOf(&read), nil)
	l.problems = append(l.problems, d.problems...)
	l.settle(read)
	for _, e := range sections {
		l.provider(e)
	}
}

// named is the section of a provider and its path.
type named struct {
	entry
	path string
}

// split separates the host's own keys from the sections of providers: these are
// all mappings under "hosting" whose keys are none of the host's, and
// "kubernetes" at the top.
func (l *loader) split(root *node) (own *node, sections []named) {
	own = &node{kind: aMapping, line: root.line}
	for _, e := range root.entries {
		switch e.key {
		case hostingKey:
			own.line = e.line
			if e.value.kind != aMapping && !e.value.null {
				l.problem(e.line, hostingKey, "is %s: allowed: a mapping", e.value.kind)
				continue
			}
			for _, e := range e.value.entries {
				switch path := join(hostingKey, e.key); {
				case slices.Contains(ownKeys, e.key):
					own.entries = append(own.entries, e)
				case isProvider(e):
					sections = append(sections, named{e, path})
				default:
					hint := ""
					if mayBeProvider(e) {
						hint = "; a provider of this name needs type"
					}
					l.problem(e.line, path, "unknown key%s: allowed: %s, or a provider: %s%s",
						didYouMean(e.key, ownKeys), strings.Join(ownKeys, ", "), providerAllowed, hint)
				}
			}
		case kubernetesKey:
			sections = append(sections, named{e, kubernetesKey})
		default:
			l.problem(e.line, join("", e.key), "unknown key%s: allowed: hosting, kubernetes",
				didYouMean(e.key, []string{hostingKey, kubernetesKey}))
		}
	}
	return own, sections
}

// isProvider tells whether an entry of "hosting" is the section of a provider.
// One that is nearly a key of the host's needs a type to be one.
func isProvider(e entry) bool {
	return mayBeProvider(e) && (e.value.child("type") != nil || nearest(e.key, ownKeys) == "")
}

func mayBeProvider(e entry) bool {
	return providerName.MatchString(e.key) && (e.value.kind == aMapping || e.value.null)
}

var (
	ownKeys      = fieldsOf(settingsType).names
	providerName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
)

const providerAllowed = "a mapping under its name, which is lower-case letters, digits and '-' inside, at most 63 characters"

func (l *loader) provider(e named) {
	for _, other := range l.config.Providers {
		if other.Name == e.key {
			l.problem(e.line, e.path, "stands under %s too: allowed: one of the two", hostingKey)
			return
		}
	}
	if e.value.kind != aMapping && !e.value.null {
		l.problem(e.line, e.path, "is %s: allowed: a mapping", e.value.kind)
		return
	}
	read := providerSettings{Enabled: true, Type: e.key}
	d := decoder{doc: l.doc}
	host := &node{kind: aMapping, line: e.line}
	reserved := fieldsOf(providerSettingsType).names
	for _, own := range e.value.entries {
		if slices.Contains(reserved, own.key) {
			host.entries = append(host.entries, own)
		}
	}
	d.structure(host, e.path, reflectOf(&read), nil)
	l.problems = append(l.problems, d.problems...)
	if len(d.problems) > 0 {
		read.Enabled = false // whether it should be opened, and by whom, is not known
	}
	l.config.Providers = append(l.config.Providers, ProviderConfig{Name: e.key, Type: read.Type, Enabled: read.Enabled,
		Section: section{doc: l.doc, node: e.value, path: e.path, line: e.line, reserved: reserved}})
}

// settle takes over what was read.
func (l *loader) settle(read settings) {
	r, s := read.Defaults.Resources, read.Defaults.Scaling
	l.config.Enabled, l.config.DefaultProvider = read.Enabled, read.DefaultProvider
	l.config.Defaults = driver.Defaults{
		Resources: hosting.ResourceConfig{
			CPULimit: float64(r.CPULimit), CPURequest: float64(r.CPURequest),
			MemoryLimit: int64(r.MemoryLimit), MemoryRequest: int64(r.MemoryRequest), StorageLimit: int64(r.StorageLimit),
		},
		Scaling: hosting.ScaleConfig{
			MinReplicas: s.MinReplicas, MaxReplicas: s.MaxReplicas,
			TargetCPUUtilization: s.TargetCPUUtilization, TargetMemoryUtilization: s.TargetMemoryUtilization,
		},
	}
	l.config.Monitoring = Monitoring{Enabled: read.Monitoring.Enabled,
		MetricsInterval: read.Monitoring.MetricsInterval.Std(), LogRetention: read.Monitoring.LogRetention.Std()}
	l.config.Cost = Cost{Currency: string(read.Cost.Currency), BillingCycle: string(read.Cost.BillingCycle)}
	l.config.Store = Store{Type: string(read.Store.Type), Path: read.Store.Path}
}

// check tells what is wrong with the host's own part of a configuration.
func (c Config) check() Problems {
	var problems Problems
	bad := func(key, format string, args ...any) {
		// What could not be read is not what the file says.
		if c.source == nil || !slices.ContainsFunc(c.source.problems, func(p Problem) bool { return p.Key == key }) {
			problems = append(problems, c.problem(key, format, args...))
		}
	}
	// An instance that says the same is checked in the same way.
	var wrong hosting.FieldErrors
	errors.As(hosting.CloudHostingConfig{
		InstanceName: "x", InstanceType: hosting.TypeDeployment, Container: &hosting.ContainerConfig{Image: "x"},
		Resources: &c.Defaults.Resources, Scaling: &c.Defaults.Scaling,
	}.Validate(), &wrong)
	for _, field := range wrong {
		bad("hosting.defaults."+field.Field, "%v: allowed: %s", field.Value, field.Allowed)
	}
	if i := c.Monitoring.MetricsInterval; i != 0 && i < minMetricsInterval {
		bad("hosting.monitoring.metricsInterval", "%s: allowed: %s or more", i, minMetricsInterval)
	}
	if c.Monitoring.LogRetention < 0 {
		bad("hosting.monitoring.logRetention", "%s: allowed: 0 (no limit) or more", c.Monitoring.LogRetention)
	}
	for i, p := range c.Providers {
		if wrong := c.misnamed(i); wrong != "" {
			bad(join(hostingKey, p.Name), "%s", wrong)
		}
	}
	switch c.Store.Type {
	case "", StoreMemory, StoreProvider:
		if c.Store.Path != "" {
			bad("hosting.store.path", "%.80q: allowed: only with type: file", c.Store.Path)
		}
	case StoreFile:
		if c.Store.Path == "" {
			bad("hosting.store.path", "missing: allowed: the path of a file, which type: file needs")
		}
	default:
		bad("hosting.store.type", "%.80q: allowed: %s", c.Store.Type, strings.Join(storeTypes, ", "))
	}
	return problems
}
