package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
)

// recordSchema is the version of what an anchor holds. A reader refuses what
// is newer than itself.
const recordSchema = 1

// The keys of an anchor's data.
const (
	keyType    = "type"
	keyConfig  = "config"
	keyDesired = "desired"
	// keyRevisions is there once the configuration has been changed.
	keyRevisions = "revisions"
)

// record is what an anchor holds.
type record struct {
	// Config is what the caller asked for, before defaults, in canonical form
	// and without secret values. A repeated create is compared with it.
	Config hosting.CloudHostingConfig
	// Desired is what the parts are made from. It follows later scale, stop
	// and resource changes, so that a part that was lost comes back as it was.
	Desired desired
}

// desired is the state that an instance should be in.
type desired struct {
	Schema int  `json:"schema"`
	Spec   spec `json:"spec"`
	// Replicas is how many to run, or to start with while Stopped.
	Replicas int  `json:"replicas"`
	Stopped  bool `json:"stopped,omitempty"`
	// SecretName is the Secret with the values of SecretKeys.
	SecretName string   `json:"secretName,omitempty"`
	SecretKeys []string `json:"secretKeys,omitempty"`
	// Generation counts the changes that ApplyInstance has made to what the
	// parts are made from, Applied those that have been carried out in full.
	Generation int `json:"generation,omitempty"`
	Applied    int `json:"applied,omitempty"`
	// ResourcesOf is the generation that set the resources of Spec; those of a
	// workload of that generation or a later one may be newer.
	ResourcesOf int `json:"resourcesOf,omitempty"`
	// Mounts are the volumes that the instance has, see reservations.go.
	Mounts []mount `json:"mounts,omitempty"`
	// Limits bound the number of replicas from the generation on that set them.
	Limits replicaLimits `json:"limits,omitzero"`
	// OldSecrets are Secrets that have been replaced, or were made for a change
	// that did not come to pass.
	OldSecrets []oldSecret `json:"oldSecrets,omitempty"`
	// TakenOver tells that a policy scales the instance, and that an autoscaler
	// which it has, or gets, must not act, see takeover.go.
	TakenOver bool `json:"takenOver,omitempty"`
	// RunsNow counts the runs that RunNow has started.
	RunsNow int `json:"runsNow,omitempty"`
	// Operation is the status to show until the last change has been carried
	// out; UpdatedAt is when it was accepted.
	Operation hosting.Status `json:"operation"`
	CreatedAt hosting.Time   `json:"createdAt"`
	UpdatedAt hosting.Time   `json:"updatedAt"`
}

// anchor is an anchor that exists.
type anchor struct {
	*corev1.ConfigMap
	record record
}

func (a *anchor) deleting() bool { return a.DeletionTimestamp != nil }

// ownerReference makes the anchor the owner of a part. The anchor waits for
// its parts when it is deleted: a background deletion could miss a part that
// is created at that moment.
func (a *anchor) ownerReference() metav1.OwnerReference {
	blocking := true
	return metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: a.Name, UID: a.UID, BlockOwnerDeletion: &blocking}
}

// owns tells whether a part is this anchor's.
func (a *anchor) owns(part metav1.Object) bool {
	return slices.ContainsFunc(part.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.UID == a.UID })
}

// encode writes the record into the data of an anchor.
func (r record) encode() (map[string]string, error) {
	config, err := json.Marshal(r.Config)
	if err != nil {
		return nil, err
	}
	r.Desired.Schema = recordSchema
	state, err := json.Marshal(r.Desired)
	if err != nil {
		return nil, err
	}
	return map[string]string{keyType: r.Config.InstanceType, keyConfig: string(config), keyDesired: string(state)}, nil
}

// decode reads an anchor.
func decode(o *corev1.ConfigMap) (*anchor, error) {
	a := &anchor{ConfigMap: o}
	if err := json.Unmarshal([]byte(o.Data[keyConfig]), &a.record.Config); err != nil {
		return nil, fmt.Errorf("ConfigMap %s, key %s: %w", o.Name, keyConfig, err)
	}
	if err := json.Unmarshal([]byte(o.Data[keyDesired]), &a.record.Desired); err != nil {
		return nil, fmt.Errorf("ConfigMap %s, key %s: %w", o.Name, keyDesired, err)
	}
	if schema := a.record.Desired.Schema; schema > recordSchema {
		return nil, fmt.Errorf("ConfigMap %s was written by a newer version: schema %d, this one reads up to %d", o.Name, schema, recordSchema)
	}
	if err := a.record.check(o); err != nil {
		return nil, fmt.Errorf("ConfigMap %s: %w", o.Name, err)
	}
	return a, nil
}

// newAnchor returns the anchor of an instance, not yet created.
func (p *Provider) newAnchor(r record) (*corev1.ConfigMap, error) {
	data, err := r.encode()
	if err != nil {
		return nil, err
	}
	return &corev1.ConfigMap{ObjectMeta: p.objectMeta(r, anchorName(r.Config.InstanceName)), Data: data}, nil
}

// getAnchor reads the anchor of an instance. It is InstanceNotFound if there
// is none, if it is not ours, or if it is of another type.
func (p *Provider) getAnchor(ctx context.Context, code hosting.Code, t target) (*anchor, error) {
	o, err := configMaps.get(ctx, t.region, anchorName(t.name))
	if err != nil {
		if apierrors.IsNotFound(err) {
			return nil, p.notFound(t.id)
		}
		return nil, p.fail(ctx, code, t.id, "reading the anchor", err)
	}
	return p.asAnchor(code, t, o.(*corev1.ConfigMap))
}

// asAnchor takes an object, nil if there is none, as the anchor of an instance.
func (p *Provider) asAnchor(code hosting.Code, t target, o *corev1.ConfigMap) (*anchor, error) {
	if o == nil || !p.isOurs(o) || o.Labels[labelType] != t.kind.instanceType {
		return nil, p.notFound(t.id)
	}
	a, err := decode(o)
	if err != nil {
		return nil, p.broken(code, t.id, err)
	}
	return a, nil
}

// broken reports an anchor that cannot be read.
func (p *Provider) broken(code hosting.Code, id string, err error) error {
	failed := hosting.Errorf(p.config.Name, code, hosting.Internal, "reading the anchor: %w", err)
	failed.InstanceID = id
	return failed
}

// anchorForChange reads the anchor for a call that changes the instance, and
// refuses one that is being deleted.
func (p *Provider) anchorForChange(ctx context.Context, code hosting.Code, t target) (*anchor, error) {
	a, err := p.getAnchor(ctx, code, t)
	if err != nil {
		return nil, err
	}
	if a.deleting() {
		return nil, p.conflict(code, t.id, "the instance is being deleted")
	}
	return a, nil
}

// anchorAgain reads the anchor of an instance for a call that has read it
// before. Another instance that has its name by now is not this call's to change.
func (p *Provider) anchorAgain(ctx context.Context, code hosting.Code, t target, uid types.UID) (*anchor, error) {
	a, err := p.anchorForChange(ctx, code, t)
	if err == nil && a.UID != uid {
		return nil, p.deletedMeanwhile(code, t)
	}
	return a, err
}

func (p *Provider) deletedMeanwhile(code hosting.Code, t target) error {
	return p.conflict(code, t.id, "the instance was deleted by another call at this moment")
}

func (p *Provider) conflict(code hosting.Code, id, format string, args ...any) error {
	failed := hosting.Errorf(p.config.Name, code, hosting.Conflict, format, args...)
	failed.InstanceID = id
	return failed
}

// change writes a new desired state into the anchor that was read, unless modify
// leaves it as it is. modify is called again with the newest state when another
// process has changed it meanwhile, and may refuse with an error.
func (p *Provider) change(ctx context.Context, code hosting.Code, t target, a *anchor, modify func(*desired) error) (*anchor, error) {
	var changed *anchor
	uid := a.UID
	err := retryOnConflict(ctx, func() error {
		if a == nil {
			var err error
			if a, err = p.anchorAgain(ctx, code, t, uid); err != nil {
				return err
			}
		}
		update := a.DeepCopy()
		next := a.record
		next.Desired.SecretKeys = slices.Clone(next.Desired.SecretKeys)
		next.Desired.OldSecrets = slices.Clone(next.Desired.OldSecrets)
		a = nil // read again if this one is out of date
		before := next.Desired
		if err := modify(&next.Desired); err != nil {
			return err
		}
		if reflect.DeepEqual(before, next.Desired) {
			changed = &anchor{ConfigMap: update, record: next}
			return nil
		}
		before.OldSecrets, before.TakenOver = next.Desired.OldSecrets, next.Desired.TakenOver
		if !reflect.DeepEqual(before, next.Desired) { // else the instance stays as it is
			next.Desired.UpdatedAt = hosting.NewTime(time.Now())
		}
		data, err := next.encode()
		if err != nil {
			return err
		}
		maps.Copy(update.Data, data) // the history stays
		o, err := configMaps.update(ctx, t.region, update)
		if err != nil {
			if apierrors.IsNotFound(err) {
				return p.notFound(t.id)
			}
			return err
		}
		changed, err = decode(o.(*corev1.ConfigMap))
		return err
	})
	if err != nil {
		return nil, p.fail(ctx, code, t.id, "writing the anchor", err)
	}
	return changed, nil
}

// retryOnConflict calls f until it succeeds or fails with anything but a
// conflict. It ends with ctx.
func retryOnConflict(ctx context.Context, f func() error) error {
	const attempts = 50
	var err error
	for attempt := range attempts {
		err = f()
		var known *hosting.Error
		if !apierrors.IsConflict(err) || errors.As(err, &known) {
			return err
		}
		// Two writers that met once should not meet again in step.
		if err := sleep(ctx, jitter(time.Duration(attempt+1)*5*time.Millisecond)); err != nil {
			return err
		}
	}
	return err
}

// objectMeta is the metadata of an object of an instance: its labels and
// annotations, and no owner yet.
func (p *Provider) objectMeta(r record, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: p.labels(r), Annotations: annotations(r)}
}

// labels are the labels of every object of an instance, pods included.
func (p *Provider) labels(r record) map[string]string {
	result := maps.Clone(r.Config.Labels)
	if result == nil {
		result = map[string]string{}
	}
	result[labelApp] = r.Config.InstanceName
	result[labelName] = r.Config.InstanceName
	result[labelType] = r.Config.InstanceType
	maps.Copy(result, p.ours())
	return result
}

// annotations are the annotations of every object of an instance.
func annotations(r record) map[string]string {
	id := hosting.ID{Region: r.Config.Region, Type: r.Config.InstanceType, Name: r.Config.InstanceName}
	result := map[string]string{annotationID: id.String()}
	if !r.Desired.CreatedAt.IsZero() {
		result[annotationCreatedAt] = r.Desired.CreatedAt.String()
	}
	if r.Config.SkillID != "" {
		result[annotationSkillID] = r.Config.SkillID
	}
	if r.Config.Version != "" {
		result[annotationVersion] = r.Config.Version
	}
	return result
}
