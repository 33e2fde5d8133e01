package conformance_test

import (
	"context"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/conformance"
)

func policyDefects() []extensionDefect {
	const (
		created = "a policy that is created is returned with its id"
		second  = "a second policy of an instance already exists"
		listed  = "policies are listed sorted, and as a get shows them"
		updated = "updating replaces a policy, and nothing else"
		enabled = "a policy is enabled and disabled as often as one likes"
		deleted = "a deleted policy is gone, and its instance is free for another"
		unknown = "a policy that does not exist is not found"
		bad     = "a bad policy is invalid, and changes nothing"
	)
	updates := func(name string, change func(old, next policy) policy) extensionDefect {
		return in(updated, name, func(s *spoiled) {
			s.updatePolicy = func(c ctx, id string, next policy) (policy, error) {
				old, err := s.good.GetAutoScalePolicyByID(c, id)
				if err != nil {
					return policy{}, err
				}
				return s.good.UpdateAutoScalePolicy(c, id, change(old, next))
			}
		})
	}
	return []extensionDefect{
		in(created, "a policy has an id of another type", func(s *spoiled) {
			s.showPolicy = func(p policy) policy { p.PolicyID = "default.scaler.x"; return p }
		}),
		in(created, "a policy loses its name", func(s *spoiled) {
			s.showPolicy = func(p policy) policy { p.Name = ""; return p }
		}),
		in(created, "creating a policy scales the instance", func(s *spoiled) {
			s.createPolicy = func(c ctx, wanted policy) (policy, error) {
				_ = s.p.Router.ScaleInstance(c, wanted.InstanceID, 1)
				return s.good.CreateAutoScalePolicy(c, wanted)
			}
		}),
		in(second, "a second policy replaces the first", func(s *spoiled) {
			s.createPolicy = func(c ctx, wanted policy) (policy, error) {
				p, err := s.good.CreateAutoScalePolicy(c, wanted)
				if isReason(err, hosting.AlreadyExists) {
					old, _ := s.good.GetAutoScalePolicy(c, wanted.InstanceID)
					return s.good.UpdateAutoScalePolicy(c, old.PolicyID, wanted)
				}
				return p, err
			}
		}),
		in(listed, "policies are listed backwards", func(s *spoiled) { s.policies = backwards(s.good.ListAutoScalePolicies) }),
		in(listed, "the last policy is not listed", func(s *spoiled) { s.policies = withoutLast(s.good.ListAutoScalePolicies) }),
		updates("an update keeps the rules", func(old, next policy) policy { next.ScaleUpRules = old.ScaleUpRules; return next }),
		updates("an update is merged", func(old, next policy) policy {
			if next.ScaleDownRules == nil {
				next.ScaleDownRules = old.ScaleDownRules
			}
			return next
		}),
		updates("an update ignores its instance", func(_, next policy) policy { next.InstanceID = ""; return next }),
		in(enabled, "enabling does nothing", func(s *spoiled) {
			s.enable = func(c ctx, id string) error {
				_, err := s.good.GetAutoScalePolicyByID(c, id)
				return err
			}
		}),
		in(enabled, "enabling again is a conflict", func(s *spoiled) {
			s.enable = func(c ctx, id string) error {
				if p, err := s.good.GetAutoScalePolicyByID(c, id); err == nil && p.Enabled {
					return refusal(hosting.PolicyFailed, hosting.Conflict, "policy "+id+" is enabled")
				}
				return s.good.EnableAutoScalePolicy(c, id)
			}
		}),
		in(deleted, "deleting a policy does nothing", func(s *spoiled) {
			s.deletePolicy = func(c ctx, id string) error {
				_, err := s.good.GetAutoScalePolicyByID(c, id)
				return err
			}
		}),
		in(deleted, "deleting a policy again succeeds", func(s *spoiled) {
			s.deletePolicy = func(c ctx, id string) error {
				err := s.good.DeleteAutoScalePolicy(c, id)
				if isReason(err, hosting.NotFound) {
					return nil
				}
				return err
			}
		}),
		in(unknown, "a policy that is unknown is a policy that failed", func(s *spoiled) {
			s.fail = func(err error) error {
				if hosting.CodeOf(err) == hosting.PolicyNotFound {
					return as(err, hosting.PolicyFailed)
				}
				return err
			}
		}),
		in("a policy of an instance that does not exist is not found", "an unknown instance has no policy", func(s *spoiled) {
			s.policyOf = func(c ctx, id string) (policy, error) {
				p, err := s.good.GetAutoScalePolicy(c, id)
				if hosting.CodeOf(err) == hosting.InstanceNotFound {
					return policy{}, refusal(hosting.PolicyNotFound, hosting.NotFound, "no policy of "+id)
				}
				return p, err
			}
		}),
		in("an instance that does not scale has no policy", "any instance has a policy", func(s *spoiled) {
			s.createPolicy = func(c ctx, wanted policy) (policy, error) {
				p, err := s.good.CreateAutoScalePolicy(c, wanted)
				if isReason(err, hosting.Unsupported) {
					return wanted, nil
				}
				return p, err
			}
		}),
		in(bad, "bounds that are wrong are put right", func(s *spoiled) {
			s.createPolicy = func(c ctx, wanted policy) (policy, error) {
				wanted.MaxReplicas = max(wanted.MaxReplicas, wanted.MinReplicas)
				return s.good.CreateAutoScalePolicy(c, wanted)
			}
		}),
		in(bad, "a bad update is ignored", func(s *spoiled) {
			s.updatePolicy = func(c ctx, id string, next policy) (policy, error) {
				p, err := s.good.UpdateAutoScalePolicy(c, id, next)
				if isReason(err, hosting.InvalidArgument) {
					return s.good.GetAutoScalePolicyByID(c, id)
				}
				return p, err
			}
		}),
		in("an instance with the longest name has a policy", "a long name is too long", func(s *spoiled) {
			s.createPolicy = func(c ctx, wanted policy) (policy, error) {
				if len(wanted.Name) > 40 {
					return policy{}, refusal(hosting.PolicyFailed, hosting.InvalidArgument, "name "+wanted.Name)
				}
				return s.good.CreateAutoScalePolicy(c, wanted)
			}
		}),
	}
}

func policyRaceDefects() []extensionDefect {
	return []extensionDefect{
		in("of policies at once an instance gets one", "the last of policies at once wins", func(s *spoiled) {
			s.createPolicy = func(c ctx, wanted policy) (policy, error) {
				if _, err := s.good.GetAutoScalePolicy(c, wanted.InstanceID); err == nil {
					return s.good.CreateAutoScalePolicy(c, wanted)
				}
				pause()
				p, err := s.good.CreateAutoScalePolicy(c, wanted)
				if isReason(err, hosting.AlreadyExists) {
					old, _ := s.good.GetAutoScalePolicy(c, wanted.InstanceID)
					return s.good.UpdateAutoScalePolicy(c, old.PolicyID, wanted)
				}
				return p, err
			}
		}),
		in("policies of several instances at once are all kept", "policies at once are in each other's way", func(s *spoiled) {
			s.createPolicy = alone(hosting.PolicyFailed, s.good.CreateAutoScalePolicy)
		}),
		in("an update and an enabling at once are both kept", "enabling writes back what it has read", func(s *spoiled) {
			s.enable = func(c ctx, id string) error {
				p, err := s.good.GetAutoScalePolicyByID(c, id)
				if err != nil {
					return err
				}
				pause()
				p.Enabled = true
				_, err = s.good.UpdateAutoScalePolicy(c, id, p)
				return err
			}
		}),
		in("of deletions of a policy at once one finds it", "deletions at once all find the policy", func(s *spoiled) {
			s.deletePolicy = func(c ctx, id string) error {
				if _, err := s.good.GetAutoScalePolicyByID(c, id); err != nil {
					return err
				}
				pause()
				if err := s.good.DeleteAutoScalePolicy(c, id); !isReason(err, hosting.NotFound) {
					return err
				}
				return nil
			}
		}),
	}
}

// silent is a platform that forgets what is recorded.
type silent struct{ extended }

func (silent) RecordEvent(ctx, string, hosting.InstanceEvent) error { return nil }

func policyActionDefects() []extensionDefect {
	const (
		bounds   = "an enabled policy moves the replicas between its bounds"
		disabled = "a policy that is disabled does not act, and acts when it is enabled"
		deleted  = "a policy that is deleted does not act, and the replicas stay"
		follows  = "a policy adds replicas under load, and takes them away after it"
	)
	creates := func(found, name string, change func(*policy)) extensionDefect {
		return in(found, name, func(s *spoiled) {
			s.createPolicy = func(c ctx, wanted policy) (policy, error) {
				change(&wanted)
				return s.good.CreateAutoScalePolicy(c, wanted)
			}
		})
	}
	return []extensionDefect{
		{"policies do not act", bounds, func(_ *spoiled, x *conformance.Extension) {
			x.Run = func(c context.Context) error { <-c.Done(); return nil }
		}},
		{"the end of Run is an error", bounds, func(_ *spoiled, x *conformance.Extension) {
			run := x.Run
			x.Run = func(c context.Context) error {
				_ = run(c)
				return c.Err()
			}
		}},
		creates(bounds, "the maximum is ignored", func(p *policy) { p.MaxReplicas = 100 }),
		creates(disabled, "policies are always enabled", func(p *policy) { p.Enabled = true }),
		in(disabled, "a policy is disabled for ever", func(s *spoiled) {
			s.enable = func(c ctx, id string) error {
				_, err := s.good.GetAutoScalePolicyByID(c, id)
				return err
			}
		}),
		in(disabled, "a policy that is disabled goes on", func(s *spoiled) { s.disable = s.good.EnableAutoScalePolicy }),
		in(deleted, "a policy that is deleted goes on", func(s *spoiled) {
			s.deletePolicy = func(c ctx, id string) error {
				_, err := s.good.GetAutoScalePolicyByID(c, id)
				return err
			}
		}),
		in(deleted, "deleting a policy scales back", func(s *spoiled) {
			s.deletePolicy = func(c ctx, id string) error {
				p, err := s.good.GetAutoScalePolicyByID(c, id)
				if err == nil {
					_ = s.p.Router.ScaleInstance(c, p.InstanceID, 1)
				}
				return s.good.DeleteAutoScalePolicy(c, id)
			}
		}),
		{"policies act without a word", "a change by a policy is an event", func(s *spoiled, x *conformance.Extension) {
			quiet := s.p.extensionOn(silent{s.p})
			x.Run, x.Adapter = quiet.Run, wrapped(s.p, quiet.Adapter)
		}},
		in("a policy goes with its instance", "a policy outlives its instance", func(s *spoiled) {
			var last memory[policy]
			s.policyByID = func(c ctx, id string) (policy, error) {
				p, err := s.good.GetAutoScalePolicyByID(c, id)
				if known, found := last.get(id); found && isReason(err, hosting.NotFound) {
					return known, nil
				}
				last.set(p.PolicyID, p)
				return p, err
			}
			s.createPolicy = func(c ctx, wanted policy) (policy, error) {
				p, err := s.good.CreateAutoScalePolicy(c, wanted)
				last.set(p.PolicyID, p)
				return p, err
			}
		}),
		in("a policy does not start what is stopped", "a policy starts what is stopped", func(s *spoiled) {
			s.createPolicy = func(c ctx, wanted policy) (policy, error) {
				_ = s.p.Router.StartInstance(c, wanted.InstanceID)
				return s.good.CreateAutoScalePolicy(c, wanted)
			}
		}),
		creates(follows, "rules to scale up are left out", func(p *policy) { p.ScaleUpRules = nil }),
		creates(follows, "rules to scale down are left out", func(p *policy) { p.ScaleDownRules = nil }),
		creates(follows, "every load is too much", func(p *policy) {
			for i := range p.ScaleUpRules {
				p.ScaleUpRules[i].Threshold = 0
			}
		}),
	}
}
