package autoscale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/store"
)

// kind is the kind of the documents.
const kind = "policy"

// record is the document of a policy. It changes when somebody changes the
// policy and when the replicas are changed, never by looking.
type record struct {
	Policy hosting.AutoScalePolicy `json:"policy"`
	// State is that after the last change of the replicas.
	State State `json:"state,omitzero"`
	// Step is a change that is being made. It is written before the replicas
	// are changed and removed when that is known to have happened and an event
	// tells of it: who finds one finishes it.
	Step *step `json:"step,omitempty"`
	// Last is the last change that was made.
	Last *step `json:"last,omitempty"`
	// Owned tells that the platform's autoscaler of the instance may be stopped.
	// It is set with Policy.Enabled, before that is done, and removed after the
	// autoscaler has been given back.
	Owned bool `json:"owned,omitempty"`
	// Deleted tells that the policy is gone for its callers. The document is
	// removed after the platform's autoscaler has been given back.
	Deleted bool `json:"deleted,omitempty"`
}

// step is one change of replicas.
type step struct {
	At   hosting.Time `json:"at"`
	From int          `json:"from"`
	To   int          `json:"to"`
	// Cause and Why are what Decision says.
	Cause Cause  `json:"cause"`
	Why   string `json:"why"`
	// Metadata is that of the event.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// entry is a record as the store has it.
type entry struct {
	record
	key, version string
}

func keyOf(policyID string) string { return kind + "/" + policyID }

// policyID returns the id of the policy of an instance. Names are unique in a
// region over all types, so policies of different instances differ.
func policyID(instance hosting.ID) string {
	instance.Type = "policy"
	return instance.String()
}

func decode(document store.Document) (entry, error) {
	e := entry{key: document.Key, version: document.Version}
	if err := json.Unmarshal(document.Data, &e.record); err != nil {
		return entry{}, fmt.Errorf("document %s: %w", document.Key, err)
	}
	return e, nil
}

// put writes an entry if it is still the version that was read, and returns it
// with the new one.
func (c *Controller) put(ctx context.Context, e entry) (entry, error) {
	data, err := json.Marshal(e.record)
	if err != nil {
		return entry{}, err
	}
	document, err := c.config.Store.Put(ctx, store.Document{Key: e.key, Owner: e.Policy.InstanceID, Data: data, Version: e.version})
	if err != nil {
		return entry{}, err
	}
	e.version = document.Version
	return e, nil
}

func (c *Controller) get(ctx context.Context, key string) (entry, error) {
	document, err := c.config.Store.Get(ctx, key)
	if err != nil {
		return entry{}, err
	}
	return decode(document)
}

// tries is how often a change is tried that others come before.
const tries = 20

// modify changes a record as it is now, whatever others do at the same time.
// Change returns false to leave it as it is.
func (c *Controller) modify(ctx context.Context, key string, change func(*record) (bool, error)) (entry, error) {
	for n := 1; ; n++ {
		e, err := c.get(ctx, key)
		if err != nil {
			return entry{}, err
		}
		if changed, err := change(&e.record); err != nil || !changed {
			return e, err
		}
		written, err := c.put(ctx, e)
		if err == nil {
			return written, nil
		}
		if !errors.Is(err, hosting.Conflict) || n == tries {
			return entry{}, err
		}
		if err := ctx.Err(); err != nil {
			return entry{}, err
		}
	}
}
