package conformance_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"skillcenter.io/hosting"
)

// defect is one thing that a provider does wrong, and the case that has to
// find it.
type defect struct {
	name  string
	found string
	spoil func(*broken)
}

func defects() []defect {
	return slices.Concat(createDefects(), inputDefects(), changeDefects(), readDefects(), abilityDefects(),
		applyDefects(), planDefects(), rollbackDefects(), watchDefects(), cursorDefects(), serviceDefects())
}

func isReason(err error, reason hosting.Reason) bool { return errors.Is(err, reason) }

// exists tells whether an instance with the name of config is there.
func (b *broken) exists(c ctx, config config) (instance, bool) {
	list, _ := b.good.ListInstances(c)
	i := slices.IndexFunc(list, func(in instance) bool { return in.Name == config.InstanceName })
	if i < 0 {
		return instance{}, false
	}
	return list[i], true
}

// note remembers the first value for a key.
func (b *broken) note(key string, value any) any {
	b.mu.Lock()
	defer b.mu.Unlock()
	if first, known := b.notes[key]; known {
		return first
	}
	b.notes[key] = value
	return value
}

func (b *broken) noted(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, known := b.notes[key]
	return known
}

// busy refuses what overlaps with another call: a platform's write conflict
// that nobody repeats.
func (b *broken) busy(code hosting.Code, do func() error) error {
	b.mu.Lock()
	if b.notes["busy"] == true {
		b.mu.Unlock()
		return b.good.failure(code, hosting.Conflict, "the object has been modified")
	}
	b.notes["busy"] = true
	b.mu.Unlock()
	time.Sleep(time.Millisecond)
	err := do()
	b.mu.Lock()
	b.notes["busy"] = false
	b.mu.Unlock()
	return err
}

func createDefects() []defect {
	again := func(what, found string, meddle func(*broken, ctx, string)) defect {
		return defect{what, found, func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				_, there := b.exists(c, config)
				in, err := b.good.CreateInstance(c, config)
				if err == nil && there {
					meddle(b, c, in.ID)
					return b.good.GetInstance(c, in.ID)
				}
				return in, err
			}
		}}
	}
	refuse := func(what, found string, refused func(name string) bool) defect {
		return defect{what, found, func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				if refused(config.InstanceName) {
					return instance{}, b.good.failure(hosting.CreateFailed, hosting.InvalidArgument, "instanceName "+config.InstanceName)
				}
				return b.good.CreateInstance(c, config)
			}
		}}
	}
	return []defect{
		{"create is not idempotent", "creating again returns the same instance", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				if _, there := b.exists(c, config); there && c.Err() == nil {
					return instance{}, b.good.failure(hosting.CreateFailed, hosting.AlreadyExists, "it exists")
				}
				return b.good.CreateInstance(c, config)
			}
		}},
		again("create scales back", "creating again undoes no scale", func(b *broken, c ctx, id string) { _ = b.good.ScaleInstance(c, id, 1) }),
		again("create starts what is stopped", "creating again undoes no stop", func(b *broken, c ctx, id string) { _ = b.good.StartInstance(c, id) }),
		again("create gives back the resources", "creating again undoes no change of resources", func(b *broken, c ctx, id string) {
			_ = b.good.UpdateResources(c, id, hosting.ResourceConfig{CPULimit: 0.5})
		}),
		{"create ignores that the configuration is another", "a name with another configuration already exists", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				in, err := b.good.CreateInstance(c, config)
				if there, found := b.exists(c, config); found && isReason(err, hosting.AlreadyExists) && there.InstanceType == config.InstanceType {
					return there, nil
				}
				return in, err
			}
		}},
		{"create ignores that the type is another", "a name with another type already exists", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				in, err := b.good.CreateInstance(c, config)
				if there, found := b.exists(c, config); found && isReason(err, hosting.AlreadyExists) && there.InstanceType != config.InstanceType {
					return there, nil
				}
				return in, err
			}
		}},
		{"create takes an empty part for another configuration", "creating again returns the same instance", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				if _, there := b.exists(c, config); there && config.Scaling != nil && *config.Scaling == (hosting.ScaleConfig{}) {
					return instance{}, b.good.failure(hosting.CreateFailed, hosting.AlreadyExists, "it exists without scaling")
				}
				return b.good.CreateInstance(c, config)
			}
		}},
		{"create refuses its own name", "create fills in the default region and resources", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				if config.Provider == b.good.ProviderName() {
					return instance{}, b.good.failure(hosting.CreateFailed, hosting.InvalidArgument, "provider "+config.Provider)
				}
				return b.good.CreateInstance(c, config)
			}
		}},
		{"create keeps the caller's arguments", "changing a configuration afterwards changes nothing", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				if config.Container == nil || len(config.Container.Commands) == 0 {
					return b.good.CreateInstance(c, config)
				}
				kept := b.note("commands "+config.InstanceName, config.Container.Commands).([]string)
				if !slices.Equal(kept, config.Container.Commands) {
					return instance{}, b.good.failure(hosting.CreateFailed, hosting.AlreadyExists, "it exists")
				}
				return b.good.CreateInstance(c, config)
			}
		}},
		{"create refuses what overlaps", "identical creates at once make one instance", func(b *broken) {
			b.create = func(c ctx, config config) (in instance, err error) {
				err = b.busy(hosting.CreateFailed, func() (err error) {
					in, err = b.good.CreateInstance(c, config)
					return err
				})
				return in, err
			}
		}},
		{"create is not atomic", "of different creates at once exactly one wins", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				_, before := b.exists(c, config)
				if c.Err() == nil {
					time.Sleep(time.Millisecond)
				}
				in, err := b.good.CreateInstance(c, config)
				if there, _ := b.exists(c, config); !before && isReason(err, hosting.AlreadyExists) {
					return there, nil
				}
				return in, err
			}
		}},
		{"a deleted name stays taken", "a deleted name can be used again", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				if _, there := b.exists(c, config); !there && b.noted("had "+config.InstanceName) {
					return instance{}, b.good.failure(hosting.CreateFailed, hosting.AlreadyExists, "it existed")
				}
				in, err := b.good.CreateInstance(c, config)
				if err == nil {
					b.note("had "+config.InstanceName, true)
				}
				return in, err
			}
		}},
		{"create returns what is terminating", "a terminating instance cannot be changed or created", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				if there, _ := b.exists(c, config); there.Status == hosting.StatusTerminating {
					return there, nil
				}
				return b.good.CreateInstance(c, config)
			}
		}},
		{"create keeps the caller's maps", "changing a configuration afterwards changes nothing", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				in, err := b.good.CreateInstance(c, config)
				if err == nil && len(config.Labels) > 0 {
					b.note("labels "+in.ID, config.Labels)
				}
				return in, err
			}
			b.show = func(in instance) instance {
				if b.noted("labels " + in.ID) {
					in.Labels = maps.Clone(b.note("labels "+in.ID, nil).(map[string]string))
				}
				return in
			}
		}},
		{"instances share their labels", "results belong to the caller", func(b *broken) {
			b.show = func(in instance) instance {
				in.Labels = b.note("labels "+in.ID+in.CreatedAt.String(), in.Labels).(map[string]string)
				return in
			}
		}},
		{"secrets are not compared", "another secret is another configuration", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				secrets := hosting.SecretMap{}
				for name, value := range config.SecretEnv {
					if secrets[name] = "same"; strings.Contains(value, "\x00") {
						secrets[name] = value
					}
				}
				config.SecretEnv = secrets
				return b.good.CreateInstance(c, config)
			}
		}},
		{"secrets are told in errors", "secrets are in no error", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				in, err := b.good.CreateInstance(c, config)
				if isReason(err, hosting.AlreadyExists) {
					text := "it exists without"
					for _, value := range config.SecretEnv {
						text += " " + value
					}
					return in, b.good.failure(hosting.CreateFailed, hosting.AlreadyExists, text)
				}
				return in, err
			}
		}},
		{"secrets are told in metadata", "secrets are in nothing that a call returns", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				in, err := b.good.CreateInstance(c, config)
				if err == nil {
					b.note("secret "+in.ID, config.SecretEnv["TOKEN"])
				}
				return in, err
			}
			b.show = func(in instance) instance {
				in.Metadata = maps.Clone(in.Metadata)
				if in.Metadata == nil {
					in.Metadata = map[string]string{}
				}
				in.Metadata["env"], _ = b.note("secret "+in.ID, "").(string)
				return in
			}
		}},
		refuse("names above 40 characters are refused", "a name of 50 characters runs", func(name string) bool { return len(name) > 40 }),
		refuse("names of one letter are refused", "a name of one letter is served", func(name string) bool { return len(name) == 1 }),
		refuse("two hyphens in a row are refused", "a name with two hyphens in a row is served", func(name string) bool { return strings.Contains(name, "--") }),
		refuse("digits behind hyphens are refused", "a name of letters, digits and single hyphens is served", func(name string) bool { return strings.HasPrefix(name, "c0-1") }),
		{"instances carry labels of the provider", "create returns the instance as accepted", func(b *broken) {
			b.show = func(in instance) instance {
				in.Labels = maps.Clone(in.Labels)
				if in.Labels == nil {
					in.Labels = map[string]string{}
				}
				in.Labels["managed-by"] = "skillcenter"
				return in
			}
		}},
		{"default resources are not shown", "create fills in the default region and resources", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				in, err := b.good.CreateInstance(c, config)
				if err == nil && config.Resources == nil {
					b.note("bare "+in.ID, true)
				}
				return in, err
			}
			b.show = func(in instance) instance {
				if b.noted("bare " + in.ID) {
					in.Resources = nil
				}
				return in
			}
		}},
	}
}

// withoutInstanceID takes the instance out of errors with a reason, or of all.
func withoutInstanceID(reason hosting.Reason) func(error) error {
	return func(err error) error {
		failure, ok := errors.AsType[*hosting.Error](err)
		if !ok || reason != "" && failure.Reason != reason {
			return err
		}
		changed := *failure
		changed.InstanceID = ""
		return &changed
	}
}

func inputDefects() []defect {
	createRefusal := func(what, found string, reason hosting.Reason, retry func(*config)) defect {
		return defect{what, found, func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				in, err := b.good.CreateInstance(c, config)
				if isReason(err, reason) && retry != nil {
					retry(&config)
					return b.good.CreateInstance(c, config)
				}
				if isReason(err, reason) {
					return in, nil
				}
				return in, err
			}
		}}
	}
	return []defect{
		createRefusal("bad configurations are taken", "a bad name is refused", hosting.InvalidArgument, nil),
		createRefusal("an ingress without a host is left out", "an ingress that is asked for needs a host", hosting.InvalidArgument, func(config *config) { config.Network = nil }),
		createRefusal("mounts of unknown volumes are left out", "a mount of an unknown volume is not found", hosting.NotFound, func(config *config) { config.Container.VolumeMounts = nil }),
		{"minReplicas of a daemonset is ignored", "minReplicas of a daemonset is refused", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				if config.InstanceType == hosting.TypeDaemonSet && config.Scaling != nil && config.Scaling.TargetCPUUtilization == 0 {
					config.Scaling = nil
				}
				return b.good.CreateInstance(c, config)
			}
		}},
		{"errors do not name the field", "a bad image is refused", func(b *broken) {
			b.fail = func(err error) error {
				return b.good.failure(hosting.CodeOf(err), hosting.ReasonOf(err), "bad request")
			}
		}},
		{"errors do not name the instance", "a malformed id is refused by every call", func(b *broken) {
			b.fail = withoutInstanceID("")
		}},
		{"conflicts do not name the instance", "a stopped instance cannot be restarted", func(b *broken) {
			b.fail = withoutInstanceID(hosting.Conflict)
		}},
		{"cancelled calls do not name the instance", "a cancelled call is refused and changes nothing", func(b *broken) {
			b.fail = withoutInstanceID(hosting.Canceled)
		}},
		{"what is unsupported does not name the instance", "what is not supported says so", func(b *broken) {
			b.fail = withoutInstanceID(hosting.Unsupported)
		}},
		{"text is not looked at", "text that is not UTF-8 is refused", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				if config.Container != nil && config.Resources == nil { // JSON has no NaN
					config = b.good.copy(config)
				}
				return b.good.CreateInstance(c, config)
			}
		}},
		createRefusal("an ingress without a port is left out", "an ingress that is asked for needs a port", hosting.InvalidArgument, func(config *config) { config.Network = nil }),
		{"errors are of another type", "a bad name is refused", func(b *broken) {
			b.fail = func(err error) error { return errors.New(err.Error()) }
		}},
		{"errors do not name the provider", "an id that names nothing is not found by every call", func(b *broken) {
			b.fail = func(err error) error {
				var failure *hosting.Error
				if !errors.As(err, &failure) {
					return err
				}
				changed := *failure
				changed.Provider = ""
				return &changed
			}
		}},
		{"a create that fails leaves an instance behind", "a bad container port is refused", func(b *broken) {
			b.create = func(c ctx, config config) (instance, error) {
				in, err := b.good.CreateInstance(c, config)
				if isReason(err, hosting.InvalidArgument) && config.Container != nil {
					fixed := *config.Container
					config.Container, fixed.Ports = &fixed, nil
					_, _ = b.good.CreateInstance(c, config)
				}
				return in, err
			}
		}},
		{"an unknown id fails with the code of the call", "an id that names nothing is not found by every call", func(b *broken) {
			b.delete = func(c ctx, id string) error {
				err := b.good.DeleteInstance(c, id)
				if isReason(err, hosting.NotFound) {
					return b.good.failure(hosting.DeleteFailed, hosting.NotFound, "not found")
				}
				return err
			}
		}},
		{"a malformed id is not found", "a malformed id is refused by every call", func(b *broken) {
			b.stop = func(c ctx, id string) error {
				if _, err := hosting.ParseID(id); err != nil {
					return b.good.failure(hosting.InstanceNotFound, hosting.NotFound, "not found")
				}
				return b.good.StopInstance(c, id)
			}
		}},
		{"the own name in an id is unknown", "an id may name its own provider", func(b *broken) {
			b.delete = func(c ctx, id string) error {
				if strings.HasPrefix(id, b.good.ProviderName()+":") {
					return &hosting.Error{Provider: "fake", Code: hosting.InstanceNotFound, Reason: hosting.NotFound, InstanceID: id}
				}
				return b.good.DeleteInstance(c, id)
			}
		}},
		{"a cancelled context is ignored", "a cancelled call is refused and changes nothing", func(b *broken) {
			b.context = withoutCancel
		}},
		{"a deadline is ignored by scale", "a call after its deadline is refused and changes nothing", func(b *broken) {
			b.scale = func(c ctx, id string, replicas int) error {
				return b.good.ScaleInstance(withoutCancel(c), id, replicas)
			}
		}},
		{"scale below zero is scale to zero", "a bad number of replicas to scale to is refused", func(b *broken) {
			b.scale = func(c ctx, id string, replicas int) error { return b.good.ScaleInstance(c, id, max(0, replicas)) }
		}},
		{"a request is raised to its limit", "bad resources to change to are refused", func(b *broken) {
			b.update = func(c ctx, id string, r hosting.ResourceConfig) error {
				if err := b.good.UpdateResources(c, id, r); !isReason(err, hosting.InvalidArgument) || r.CPURequest == 0 {
					return err
				}
				r.CPULimit = r.CPURequest
				return b.good.UpdateResources(c, id, r)
			}
		}},
		{"bad options for logs are ignored", "bad options for logs are refused", func(b *broken) {
			b.logs = func(c ctx, id string, options hosting.LogQueryOptions) ([]hosting.LogEntry, error) {
				options.Follow = false
				return b.good.GetLogs(c, id, options)
			}
		}},
		{"a period may end before it starts", "a period of cost that ends before it starts is refused", func(b *broken) {
			b.actual = func(actual hosting.CostActual, err error) (hosting.CostActual, error) {
				if isReason(err, hosting.InvalidArgument) && !strings.Contains(err.Error(), "id \"") {
					return actual, nil
				}
				return actual, err
			}
		}},
	}
}
