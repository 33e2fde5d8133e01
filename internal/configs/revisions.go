package configs

import (
	"encoding/json"
	"fmt"
	"slices"

	"skillcenter.io/hosting"
)

const (
	// MaxRevisions is how many configurations of an instance are kept, the
	// current one included.
	MaxRevisions = 10
	// MaxRevisionBytes is how large the JSON of a history may get. Only a
	// configuration that is larger by itself exceeds it.
	MaxRevisionBytes = 256 << 10
)

// Revision is a configuration that an instance had, in canonical form. Values
// of secrets are never in it.
type Revision struct {
	hosting.InstanceRevision
	// SecretKeys are the names in the secretEnv of that time, sorted. A
	// rollback can keep the values that are in force only if these are their
	// names.
	SecretKeys []string `json:"secretKeys,omitempty"`
}

// Revisions is the history of an instance: the configurations that are kept,
// oldest first. The last one is the current. A nil one is an empty history.
// Its JSON is a list.
type Revisions []Revision

// Add returns the history with a configuration that is in force from at on.
// Its number is one above that of the one before, so that numbers count from 1
// and are never used twice. Of older revisions, the newest MaxRevisions are
// kept, fewer if their JSON is larger than MaxRevisionBytes; the one that is
// added always is.
//
// What equals the current configuration adds nothing: values of secrets are
// not compared. A rollback adds the configuration of the revision that it goes
// back to, as a new one.
//
// config is in canonical form; its SecretEnv is dropped. The history that Add
// is called on stays as it is.
func (r Revisions) Add(config hosting.CloudHostingConfig, secretKeys []string, at hosting.Time) Revisions {
	config.SecretEnv = nil
	added := Revision{
		InstanceRevision: hosting.InstanceRevision{Revision: 1, CreatedAt: at, Config: config},
		SecretKeys:       slices.Sorted(slices.Values(secretKeys)),
	}
	if len(r) > 0 {
		current := r[len(r)-1]
		if slices.Equal(current.SecretKeys, added.SecretKeys) && len(Differences(current.Config, config)) == 0 {
			return r
		}
		added.Revision = current.Revision + 1
	}
	return append(slices.Clone(r), added).newest(MaxRevisions, MaxRevisionBytes)
}

// newest drops the oldest until no more than count are left, and their JSON
// has no more than limit bytes. One is always left.
func (r Revisions) newest(count, limit int) Revisions {
	first, size := len(r), len("[]")
	for first > 0 && len(r)-first < count {
		data, err := json.Marshal(r[first-1])
		if err != nil {
			panic(fmt.Sprintf("a canonical configuration has no JSON form: %v", err))
		}
		size += len(data) + len(",")
		if size > limit && first < len(r) {
			break
		}
		first--
	}
	return r[first:]
}

// Find returns the revision with a number; 0 is the one before the current. It
// returns false if there is none, or if it is not kept any more.
func (r Revisions) Find(number int) (Revision, bool) {
	if number == 0 {
		if len(r) < 2 {
			return Revision{}, false
		}
		return r[len(r)-2], true
	}
	i := slices.IndexFunc(r, func(revision Revision) bool { return revision.Revision == number })
	if i < 0 {
		return Revision{}, false
	}
	return r[i], true
}

// NewestFirst returns the history as callers of a provider see it. The
// configurations are copies.
func (r Revisions) NewestFirst() []hosting.InstanceRevision {
	list := make([]hosting.InstanceRevision, 0, len(r))
	for _, revision := range slices.Backward(r) {
		public := revision.InstanceRevision
		public.Config = Canonical(public.Config, public.Config.Region)
		list = append(list, public)
	}
	return list
}
