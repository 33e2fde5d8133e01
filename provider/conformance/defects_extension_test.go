package conformance_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/conformance"
)

// extensionDefect is one thing that an extension does wrong, and the case that
// has to find it.
type extensionDefect struct {
	name  string
	found string
	spoil func(*spoiled, *conformance.Extension)
}

func extensionDefects() []extensionDefect {
	return slices.Concat(adapterDefects(), policyDefects(), policyRaceDefects(), policyActionDefects(),
		volumeDefects(), mountDefects(), compatibilityDefects())
}

// in is a defect of the adapter alone.
func in(found, name string, spoil func(*spoiled)) extensionDefect {
	return extensionDefect{name, found, func(s *spoiled, _ *conformance.Extension) { spoil(s) }}
}

// memory remembers values by a key.
type memory[T any] struct {
	mu     sync.Mutex
	values map[string]T
}

func (m *memory[T]) set(key string, value T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = map[string]T{}
	}
	m.values[key] = value
}

func (m *memory[T]) get(key string) (T, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, known := m.values[key]
	return value, known
}

// pause lets others come between a look and what follows from it.
func pause() { time.Sleep(time.Millisecond) }

// alone refuses calls that overlap: a platform's write conflict that nobody
// repeats.
func alone[A, R any](code hosting.Code, call func(ctx, A) (R, error)) func(ctx, A) (R, error) {
	var mu sync.Mutex
	return func(c ctx, argument A) (R, error) {
		var none R
		if !mu.TryLock() {
			return none, refusal(code, hosting.Conflict, "the object has been modified")
		}
		defer mu.Unlock()
		pause()
		return call(c, argument)
	}
}

func backwards[T any](call func(ctx) ([]T, error)) func(ctx) ([]T, error) {
	return func(c ctx) ([]T, error) {
		list, err := call(c)
		slices.Reverse(list)
		return list, err
	}
}

func withoutLast[T any](call func(ctx) ([]T, error)) func(ctx) ([]T, error) {
	return func(c ctx) ([]T, error) {
		list, err := call(c)
		return list[:max(0, len(list)-1)], err
	}
}

func adapterDefects() []extensionDefect {
	const (
		available   = "the extension is available, but not after the end of a context"
		unsupported = "a part that is not supported says so in every call"
	)
	nothing := func(code hosting.Code) error { return refusal(code, hosting.Unsupported, "there is no such thing") }
	return []extensionDefect{
		in(available, "the extension is never available", func(s *spoiled) { s.available = func(ctx) bool { return false } }),
		in(available, "the extension is available whatever happens", func(s *spoiled) { s.available = func(ctx) bool { return true } }),
		in(unsupported, "policies are there, but none can be had", func(s *spoiled) {
			s.policyByID = func(ctx, string) (policy, error) { return policy{}, nothing(hosting.PolicyFailed) }
		}),
		in(unsupported, "services are there, but none can be had", func(s *spoiled) {
			s.getService = func(ctx, string) (service, error) { return service{}, nothing(hosting.ServiceFailed) }
		}),
		in(unsupported, "volumes are there, but none can be had", func(s *spoiled) {
			s.getVolume = func(ctx, string) (vol, error) { return vol{}, nothing(hosting.VolumeFailed) }
		}),
		in("results of the extension belong to the caller", "policies share their rules", func(s *spoiled) {
			var rules memory[[]hosting.ScaleRule]
			s.showPolicy = func(p policy) policy {
				if shared, known := rules.get(p.PolicyID); known {
					p.ScaleUpRules = shared
				}
				rules.set(p.PolicyID, p.ScaleUpRules)
				return p
			}
		}),
		in("results of the extension belong to the caller", "services share their aliases", func(s *spoiled) {
			var aliases memory[[]string]
			s.showService = func(r service) service {
				if shared, known := aliases.get(r.ServiceID); known {
					r.Aliases = shared
				}
				aliases.set(r.ServiceID, r.Aliases)
				return r
			}
		}),
		in("results of the extension belong to the caller", "volumes share their mounts", func(s *spoiled) {
			var mounts memory[[]hosting.Mount]
			s.showVolume = func(v vol) vol {
				if shared, known := mounts.get(v.VolumeID); known && len(shared) == len(v.Mounts) {
					v.Mounts = shared
				}
				mounts.set(v.VolumeID, v.Mounts)
				return v
			}
		}),
		in("changing an argument afterwards changes nothing in the extension", "a policy is kept as it was given", func(s *spoiled) {
			var rules memory[[]hosting.ScaleRule]
			s.createPolicy = func(c ctx, wanted policy) (policy, error) {
				p, err := s.good.CreateAutoScalePolicy(c, wanted)
				rules.set(p.PolicyID, wanted.ScaleUpRules)
				return p, err
			}
			s.policyByID = func(c ctx, id string) (policy, error) {
				p, err := s.good.GetAutoScalePolicyByID(c, id)
				if kept, known := rules.get(p.PolicyID); known {
					p.ScaleUpRules = kept
				}
				return p, err
			}
		}),
		in("changing an argument afterwards changes nothing in the extension", "a service is kept as it was given", func(s *spoiled) {
			var aliases memory[[]string]
			s.register = func(c ctx, id string, wanted service) (service, error) {
				r, err := s.good.RegisterService(c, id, wanted)
				aliases.set(r.ServiceID, wanted.Aliases)
				return r, err
			}
			s.getService = func(c ctx, id string) (service, error) {
				r, err := s.good.GetService(c, id)
				if kept, known := aliases.get(r.ServiceID); known {
					r.Aliases = kept
				}
				return r, err
			}
		}),
		in("secrets are in no error of the extension", "errors tell the secrets of the instance", func(s *spoiled) {
			var secrets memory[string]
			*s.p.after = func(_, _ string, config config) { secrets.set("last", config.SecretEnv["TOKEN"]) }
			s.fail = func(err error) error {
				if secret, _ := secrets.get("last"); err != nil && secret != "" {
					return refusal(hosting.CodeOf(err), hosting.ReasonOf(err), err.Error()+": env is "+secret)
				}
				return err
			}
		}),
		in("of services of a name at once one is registered", "the last of services at once wins", func(s *spoiled) {
			s.register = func(c ctx, id string, wanted service) (service, error) {
				pause()
				got, err := s.good.RegisterService(c, id, wanted)
				if isReason(err, hosting.AlreadyExists) && s.good.UnregisterService(c, "default.service."+wanted.ServiceName) == nil {
					return s.good.RegisterService(c, id, wanted)
				}
				return got, err
			}
		}),
		in("a service has odd and long names", "a long alias is cut off", func(s *spoiled) {
			s.register = func(c ctx, id string, wanted service) (service, error) {
				wanted.Aliases = slices.Clone(wanted.Aliases)
				for i, alias := range wanted.Aliases {
					wanted.Aliases[i] = alias[:min(40, len(alias))]
				}
				return s.good.RegisterService(c, id, wanted)
			}
		}),
		in("calls about policies end with their context", "policies ignore their context", func(s *spoiled) { s.context = withoutCancel }),
		in("calls about volumes end with their context", "volumes ignore their context", func(s *spoiled) { s.context = withoutCancel }),
		in("calls about services end with their context", "services ignore their context", func(s *spoiled) { s.context = withoutCancel }),
	}
}

func compatibilityDefects() []extensionDefect {
	const fits, unfit = "a skill that fits has no reservations", "a skill that does not fit is told why"
	shows := func(found, name string, show func(compatibility) compatibility) extensionDefect {
		return in(found, name, func(s *spoiled) {
			s.compatibility = func(c ctx, id string) (compatibility, error) {
				got, err := s.good.CheckCompatibility(c, id)
				if err == nil {
					got = show(got)
				}
				return got, err
			}
		})
	}
	return []extensionDefect{
		in("a skill that does not exist is not found", "an unknown skill is hosted nowhere", func(s *spoiled) {
			s.compatibility = func(c ctx, id string) (compatibility, error) {
				got, err := s.good.CheckCompatibility(c, id)
				if isReason(err, hosting.NotFound) {
					return compatibility{SkillID: id}, nil
				}
				return got, err
			}
		}),
		in("a skill that does not exist is not found", "a skill without an id is not found", func(s *spoiled) {
			s.compatibility = func(c ctx, id string) (compatibility, error) {
				if id == "" {
					id = "none"
				}
				return s.good.CheckCompatibility(c, id)
			}
		}),
		shows(fits, "the score is always 80", func(c compatibility) compatibility { c.CompatibilityScore = 80; return c }),
		shows(fits, "there are no checks", func(c compatibility) compatibility { c.Checks = nil; return c }),
		shows(fits, "a check has no message", func(c compatibility) compatibility { c.Checks[0].Message = ""; return c }),
		shows(fits, "there is no recommendation", func(c compatibility) compatibility { c.Recommendation = ""; return c }),
		shows(unfit, "the score is always 100", func(c compatibility) compatibility { c.CompatibilityScore = 100; return c }),
		shows(unfit, "there are no issues", func(c compatibility) compatibility { c.Issues = nil; return c }),
		shows(unfit, "nothing is required", func(c compatibility) compatibility {
			for i := range c.Checks {
				c.Checks[i].Required = false
			}
			return c
		}),
	}
}

// background is for what a defect does on its own.
var background = context.Background()
