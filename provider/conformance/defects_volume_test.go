package conformance_test

import (
	"slices"
	"strings"

	"skillcenter.io/hosting"
)

// exists tells whether a volume is there.
func (s *spoiled) exists(c ctx, name string) (vol, bool) {
	list, _ := s.good.ListVolumes(c)
	i := slices.IndexFunc(list, func(v vol) bool { return v.Name == name })
	if i < 0 {
		return vol{}, false
	}
	return list[i], true
}

// createsVolume is a defect of CreateVolume, which is given what the sound one
// has returned.
func createsVolume(found, name string, meddle func(s *spoiled, c ctx, wanted, got vol, err error) (vol, error)) extensionDefect {
	return in(found, name, func(s *spoiled) {
		s.createVolume = func(c ctx, wanted vol) (vol, error) {
			got, err := s.good.CreateVolume(c, wanted)
			return meddle(s, c, wanted, got, err)
		}
	})
}

func showsVolume(found, name string, show func(vol) vol) extensionDefect {
	return in(found, name, func(s *spoiled) { s.showVolume = show })
}

func volumeDefects() []extensionDefect {
	const (
		completed = "a volume that is created is completed by the platform"
		taken     = "another volume of a taken name already exists"
		grows     = "a larger size makes a volume larger, or is not supported"
		listed    = "volumes are listed sorted, and as a get shows them"
		deleted   = "a deleted volume is gone, and its name is free"
		bad       = "a bad volume is invalid, and is not created"
	)
	keep := func(s *spoiled, c ctx, wanted, got vol, err error) (vol, error) {
		if there, found := s.exists(c, wanted.Name); found && isReason(err, hosting.AlreadyExists) {
			return there, nil
		}
		return got, err
	}
	return []extensionDefect{
		showsVolume(completed, "a volume has an id of another type", func(v vol) vol {
			v.VolumeID = strings.Replace(v.VolumeID, ".volume.", ".disk.", 1)
			return v
		}),
		showsVolume(completed, "a volume has no access mode", func(v vol) vol { v.AccessMode = ""; return v }),
		showsVolume(completed, "a volume has no provider", func(v vol) vol { v.Provider = ""; return v }),
		showsVolume(completed, "a volume is from the beginning of time", func(v vol) vol { v.CreatedAt = hosting.TimeFromMillis(1); return v }),
		createsVolume(completed, "a volume has the mounts that it was given", func(_ *spoiled, _ ctx, wanted, got vol, err error) (vol, error) {
			got.Mounts = wanted.Mounts
			return got, err
		}),
		in("the same volume again is returned as it is", "a volume cannot be created again", func(s *spoiled) {
			s.createVolume = func(c ctx, wanted vol) (vol, error) {
				if _, found := s.exists(c, wanted.Name); found {
					return vol{}, refusal(hosting.VolumeFailed, hosting.AlreadyExists, "volume "+wanted.Name+" exists")
				}
				return s.good.CreateVolume(c, wanted)
			}
		}),
		createsVolume(taken, "another volume of a name is the one that is there", keep),
		createsVolume("of different volumes of a name at once exactly one wins", "who comes too late has the other's volume", keep),
		in(grows, "a larger size is ignored", func(s *spoiled) {
			s.createVolume = func(c ctx, wanted vol) (vol, error) {
				if there, found := s.exists(c, wanted.Name); found {
					wanted.Size = min(wanted.Size, there.Size)
				}
				return s.good.CreateVolume(c, wanted)
			}
		}),
		createsVolume(grows, "a larger size is only said", func(s *spoiled, c ctx, wanted, got vol, err error) (vol, error) {
			s.showVolume = func(v vol) vol { v.Size = min(v.Size, 1<<30); return v }
			return got, err
		}),
		in(listed, "volumes are listed backwards", func(s *spoiled) { s.volumes = backwards(s.good.ListVolumes) }),
		in(listed, "the last volume is not listed", func(s *spoiled) { s.volumes = withoutLast(s.good.ListVolumes) }),
		in(deleted, "deleting a volume does nothing", func(s *spoiled) {
			s.deleteVolume = func(c ctx, id string) error {
				_, err := s.good.GetVolume(c, id)
				return err
			}
		}),
		in(deleted, "deleting a volume again succeeds", func(s *spoiled) {
			s.deleteVolume = func(c ctx, id string) error {
				if err := s.good.DeleteVolume(c, id); !isReason(err, hosting.NotFound) {
					return err
				}
				return nil
			}
		}),
		in("a volume that does not exist is not found", "a volume that is unknown is a volume that failed", func(s *spoiled) {
			s.fail = func(err error) error {
				if hosting.CodeOf(err) == hosting.VolumeNotFound {
					return as(err, hosting.VolumeFailed)
				}
				return err
			}
		}),
		in(bad, "a volume without a size gets one", func(s *spoiled) {
			s.createVolume = func(c ctx, wanted vol) (vol, error) {
				wanted.Size = max(1, wanted.Size)
				return s.good.CreateVolume(c, wanted)
			}
		}),
		in(bad, "an unknown region is the default one", func(s *spoiled) {
			s.createVolume = func(c ctx, wanted vol) (vol, error) {
				if !slices.Contains(s.p.SupportedRegions(), wanted.Region) {
					wanted.Region = ""
				}
				return s.good.CreateVolume(c, wanted)
			}
		}),
		in("volumes have odd and long names", "two hyphens in a row are refused", func(s *spoiled) {
			s.createVolume = func(c ctx, wanted vol) (vol, error) {
				if strings.Contains(wanted.Name, "--") {
					return vol{}, refusal(hosting.VolumeFailed, hosting.InvalidArgument, "name "+wanted.Name)
				}
				return s.good.CreateVolume(c, wanted)
			}
		}),
		in("identical volumes at once are one", "volumes at once are in each other's way", func(s *spoiled) {
			s.createVolume = alone(hosting.VolumeFailed, s.good.CreateVolume)
		}),
	}
}

// mounts is a defect of MountVolume, which is given the error of the sound one.
func mounts(found, name string, meddle func(s *spoiled, c ctx, volumeID, instanceID, path string, readOnly bool, err error) error) extensionDefect {
	return in(found, name, func(s *spoiled) {
		s.mount = func(c ctx, volumeID, instanceID, path string, readOnly bool) error {
			return meddle(s, c, volumeID, instanceID, path, readOnly, s.good.MountVolume(c, volumeID, instanceID, path, readOnly))
		}
	})
}

// forgive lets a mount that is refused for one reason seem to succeed.
func forgive(reason hosting.Reason) func(*spoiled, ctx, string, string, string, bool, error) error {
	return func(_ *spoiled, _ ctx, _, _, _ string, _ bool, err error) error {
		if isReason(err, reason) {
			return nil
		}
		return err
	}
}

// detach ends the mounts of a volume in some instances.
func (s *spoiled) detach(volumeID string, from func(instanceID string) bool) {
	v, _ := s.good.GetVolume(background, volumeID)
	for _, m := range v.Mounts {
		if from(m.InstanceID) {
			_ = s.good.UnmountVolume(background, volumeID, m.InstanceID)
		}
	}
}

func everywhere(string) bool { return true }

// loses is a platform on which a call ends the mounts of an instance that
// MountVolume has made.
func loses(call, found string) extensionDefect {
	return in(found, "after "+call+" a mount is lost", func(s *spoiled) {
		*s.p.after = func(done, id string, _ config) {
			list, _ := s.good.ListVolumes(background)
			for _, v := range list {
				if done == call && slices.Contains(v.Mounts, hosting.Mount{InstanceID: id, MountPath: "/made", ReadOnly: true}) {
					_ = s.good.UnmountVolume(background, v.VolumeID, id)
				}
			}
		}
	})
}

func mountDefects() []extensionDefect {
	const (
		shown     = "a mount stands in the volume until it is unmounted"
		needs     = "a mount needs an instance and a path that are there"
		exclusive = "a volume for one replica is refused to more"
		taken     = "a volume for one instance is refused to another"
		readers   = "a volume for many readers is mounted to be read"
	)
	force := func(s *spoiled) {
		s.deleteVolume = func(c ctx, id string) error {
			err := s.good.DeleteVolume(c, id)
			if isReason(err, hosting.Conflict) {
				s.detach(id, everywhere)
				return s.good.DeleteVolume(c, id)
			}
			return err
		}
	}
	return []extensionDefect{
		showsVolume(shown, "the first mount is not told by itself", func(v vol) vol { v.MountPath = ""; return v }),
		showsVolume(shown, "a volume with mounts is available", func(v vol) vol { v.Status = hosting.VolumeStatusAvailable; return v }),
		showsVolume(shown, "the last mount is the first", func(v vol) vol { slices.Reverse(v.Mounts); return v }),
		showsVolume(shown, "one mount is shown where two are", func(v vol) vol { v.Mounts = v.Mounts[:min(1, len(v.Mounts))]; return v }),
		mounts(shown, "mounting again is a conflict", func(s *spoiled, c ctx, volumeID, instanceID, path string, readOnly bool, err error) error {
			key := volumeID + instanceID + path
			defer s.seen.set(key, true)
			if again, _ := s.seen.get(key); again && err == nil {
				return refusal(hosting.VolumeFailed, hosting.Conflict, "it is mounted")
			}
			return err
		}),
		mounts(needs, "an unknown instance has everything", forgive(hosting.NotFound)),
		mounts(needs, "a bad path is ignored", forgive(hosting.InvalidArgument)),
		mounts("one path has one mount", "a path that is taken is ignored", forgive(hosting.Conflict)),
		in("unmounting leaves what else is mounted", "unmounting ends the mounts of other instances", func(s *spoiled) {
			s.unmount = func(c ctx, volumeID, instanceID string) error {
				err := s.good.UnmountVolume(c, volumeID, instanceID)
				s.detach(volumeID, everywhere)
				return err
			}
		}),
		in("unmounting leaves what else is mounted", "unmounting ends the mounts of other volumes", func(s *spoiled) {
			s.unmount = func(c ctx, volumeID, instanceID string) error {
				list, _ := s.good.ListVolumes(c)
				for _, v := range list {
					s.detach(v.VolumeID, func(id string) bool { return id == instanceID })
				}
				return s.good.UnmountVolume(c, volumeID, instanceID)
			}
		}),
		in("a mounted volume cannot be deleted", "a mounted volume is unmounted and deleted", force),
		in("of a mount and a deletion at once one is refused", "a volume is deleted under a mount", force),
		mounts(exclusive, "a volume for one is given to several replicas", forgive(hosting.Conflict)),
		mounts(taken, "a volume is taken away from its instance", func(s *spoiled, c ctx, volumeID, instanceID, path string, readOnly bool, err error) error {
			if isReason(err, hosting.Conflict) {
				s.detach(volumeID, func(id string) bool { return id != instanceID })
				return s.good.MountVolume(c, volumeID, instanceID, path, readOnly)
			}
			return err
		}),
		mounts("of instances at once one gets a volume for one", "all instances at once get a volume", forgive(hosting.Conflict)),
		mounts("of a mount for one replica and a scale to two at once one is refused", "a mount gives way to a scale", func(s *spoiled, c ctx, volumeID, instanceID, path string, readOnly bool, err error) error {
			pause()
			if err == nil {
				s.detach(volumeID, everywhere)
				_ = s.p.Router.ScaleInstance(c, instanceID, 2)
			}
			return err
		}),
		mounts("a volume for one replica is refused to an autoscaler", "an autoscaler has any volume", forgive(hosting.Conflict)),
		mounts("a job that runs gets no volume", "a job has any volume", forgive(hosting.Conflict)),
		in("a volume cannot be deleted before its instance is gone", "a volume is gone before its instance", func(s *spoiled) {
			s.deleteVolume = func(c ctx, id string) error {
				v, _ := s.good.GetVolume(c, id)
				err := s.good.DeleteVolume(c, id)
				if in, _ := s.p.GetInstance(c, v.InstanceID); in.Status == hosting.StatusTerminating {
					return nil
				}
				return err
			}
		}),
		in(readers, "a volume for readers is mounted read-only unasked", func(s *spoiled) {
			s.mount = func(c ctx, volumeID, instanceID, path string, readOnly bool) error {
				if v, err := s.good.GetVolume(c, volumeID); err == nil && v.AccessMode == hosting.ReadOnlyMany {
					readOnly = true
				}
				return s.good.MountVolume(c, volumeID, instanceID, path, readOnly)
			}
		}),
		in("a volume for many writers is for any number of replicas", "no volume is for several replicas", func(s *spoiled) {
			s.mount = func(c ctx, volumeID, instanceID, path string, readOnly bool) error {
				if in, err := s.p.GetInstance(c, instanceID); err == nil && in.Replicas > 1 {
					return refusal(hosting.VolumeFailed, hosting.Conflict, "instance "+instanceID+" has several replicas")
				}
				return s.good.MountVolume(c, volumeID, instanceID, path, readOnly)
			}
		}),
		in("deleting an instance frees its volumes, and keeps them", "mounts outlive their instance", func(s *spoiled) {
			var last memory[vol]
			s.showVolume = func(v vol) vol {
				if len(v.Mounts) > 0 {
					last.set(v.VolumeID, v)
				}
				if known, found := last.get(v.VolumeID); found {
					return known
				}
				return v
			}
		}),
		showsVolume("the mounts of a configuration are made with the instance", "the part of a volume is not shown", func(v vol) vol {
			for i := range v.Mounts {
				v.Mounts[i].SubPath = ""
			}
			return v
		}),
		loses("create", "creating again leaves the mounts as they are"),
		loses("apply", "a change of the configuration leaves other mounts alone"),
		loses("rollback", "a rollback keeps what MountVolume made"),
		loses("restart", "a restart keeps the mounts"),
		loses("start", "stop and start keep the mounts"),
		loses("scale", "scaling keeps the mounts"),
	}
}
