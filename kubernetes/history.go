package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/configs"
)

// revisions reads the history of an instance. Its last entry is the present
// configuration, which the anchor holds already: it is not stored twice.
func (a *anchor) revisions() (configs.Revisions, error) {
	text := a.Data[keyRevisions]
	if text == "" {
		return configs.Revisions(nil).Add(a.record.Config, a.record.Desired.SecretKeys, a.record.Desired.CreatedAt), nil
	}
	var history configs.Revisions
	if err := json.Unmarshal([]byte(text), &history); err != nil {
		return nil, fmt.Errorf("ConfigMap %s, key %s: %w", a.Name, keyRevisions, err)
	}
	if len(history) == 0 {
		return nil, fmt.Errorf("ConfigMap %s, key %s: it is empty", a.Name, keyRevisions)
	}
	history[len(history)-1].Config = a.record.Config
	return history, nil
}

// withRecord returns the anchor with another record, not yet written. A change
// of the configuration goes into the history.
func (a *anchor) withRecord(p *Provider, next record) (*corev1.ConfigMap, error) {
	update := a.DeepCopy()
	data, err := next.encode()
	if err != nil {
		return nil, err
	}
	maps.Copy(update.Data, data)
	if next.Desired.Generation == a.record.Desired.Generation {
		return update, nil
	}
	history, err := a.revisions()
	if err != nil {
		return nil, err
	}
	history = history.Add(next.Config, next.Desired.SecretKeys, next.Desired.UpdatedAt)
	history[len(history)-1].Config = hosting.CloudHostingConfig{}
	text, err := json.Marshal(history)
	if err != nil {
		return nil, err
	}
	update.Data[keyRevisions] = string(text)
	update.Labels = replaced(a.Labels, p.labels(a.record), p.labels(next))
	update.Annotations = replaced(a.Annotations, annotations(a.record), annotations(next))
	// Who created it must not remove it any more, see participation.go.
	update.Annotations[annotationComplete] = "true"
	return update, nil
}

// replaced takes the old entries out of a map and puts the new ones in. Those
// of others stay.
func replaced(live, old, wanted map[string]string) map[string]string {
	result := maps.Clone(live)
	if result == nil {
		result = map[string]string{}
	}
	for name := range old {
		delete(result, name)
	}
	maps.Copy(result, wanted)
	return result
}
