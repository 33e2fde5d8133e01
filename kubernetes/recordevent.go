package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"skillcenter.io/hosting"
)

// What Kubernetes allows in an event, in bytes, and what we allow ourselves of
// the 256 KiB that annotations may have.
const (
	maxEventReason   = 128
	maxEventMessage  = 1024
	maxEventMetadata = 16 << 10
)

// RecordEvent implements [hosting.EventRecorder]: it makes an event about the
// anchor. Kubernetes keeps it for an hour from now, whatever its timestamp says.
// The reason may have up to 128 bytes, the message up to 1024, and the metadata,
// as JSON, up to 16384. In what GetEvents returns, the metadata goes before the
// platform's own of the same key.
func (p *Provider) RecordEvent(ctx context.Context, instanceID string, event hosting.InstanceEvent) error {
	t, err := p.find(hosting.EventsFailed, instanceID)
	if err != nil {
		return err
	}
	metadata, err := checkEvent(event)
	if err != nil {
		failed := hosting.Errorf(p.config.Name, hosting.EventsFailed, hosting.InvalidArgument, "%w", err)
		failed.InstanceID = t.id
		return failed
	}
	a, err := p.getAnchor(ctx, hosting.EventsFailed, t)
	if err != nil {
		return err
	}
	if event.Timestamp.IsZero() {
		event.Timestamp = hosting.Now()
	}
	at := event.Timestamp.Std()
	o := &corev1.Event{
		// A random name: the same may happen twice in a moment.
		ObjectMeta: metav1.ObjectMeta{Name: a.Name + "." + rand.String(16), Labels: p.labels(a.record)},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: configMaps.kind, Namespace: t.namespace, Name: a.Name, UID: a.UID,
		},
		Type: event.Type, Reason: event.Reason, Message: event.Message,
		// The second is for people: kubectl describe shows no other.
		EventTime: metav1.NewMicroTime(at), FirstTimestamp: metav1.NewTime(at), LastTimestamp: metav1.NewTime(at), Count: 1,
		// What EventTime asks for.
		Action: "RecordEvent", ReportingController: eventController, ReportingInstance: p.config.Name,
		Source: corev1.EventSource{Component: eventController},
	}
	if len(event.Metadata) > 0 {
		o.Annotations = map[string]string{annotationMetadata: metadata}
	}
	if _, err := t.client.CoreV1().Events(t.namespace).Create(ctx, o, metav1.CreateOptions{FieldManager: fieldManager}); err != nil {
		return p.fail(ctx, hosting.EventsFailed, t.id, "recording an event", err)
	}
	return nil
}

// eventController is who reports an event that was recorded.
const eventController = "skillcenter.io/hosting"

// checkEvent tells all that is wrong with an event. It returns its metadata as
// JSON.
func checkEvent(event hosting.InstanceEvent) (string, error) {
	var wrong hosting.FieldErrors
	check := func(ok bool, field string, value any, allowed string) {
		if !ok {
			wrong = append(wrong, hosting.FieldError{Field: field, Value: value, Allowed: allowed})
		}
	}
	text := func(field, value string, limit int) {
		check(utf8.ValidString(value), field, fmt.Sprintf("%q", value[:min(len(value), 40)]), "UTF-8")
		check(len(value) <= limit, field, fmt.Sprintf("%d bytes", len(value)), fmt.Sprintf("at most %d bytes", limit))
	}
	check(event.Type == hosting.EventNormal || event.Type == hosting.EventWarning, "type", event.Type,
		strings.Join([]string{hosting.EventNormal, hosting.EventWarning}, ", "))
	check(event.Reason != "", "reason", event.Reason, "a short word")
	text("reason", event.Reason, maxEventReason)
	text("message", event.Message, maxEventMessage)
	year := event.Timestamp.Std().Year()
	check(event.Timestamp.IsZero() || year >= 1 && year <= 9999, "timestamp", event.Timestamp.Millis(), "in the years 1 to 9999")
	for key, value := range event.Metadata {
		check(utf8.ValidString(key) && utf8.ValidString(value), "metadata", fmt.Sprintf("%q", key), "UTF-8")
	}
	metadata, err := json.Marshal(event.Metadata)
	if err != nil {
		return "", err
	}
	check(len(metadata) <= maxEventMetadata, "metadata", fmt.Sprintf("%d bytes of JSON", len(metadata)), fmt.Sprintf("at most %d bytes", maxEventMetadata))
	if len(wrong) > 0 {
		return "", wrong
	}
	return string(metadata), nil
}

// addRecorded puts in what an event that was recorded says in its metadata.
func addRecorded(metadata map[string]string, e *corev1.Event) {
	var recorded map[string]string
	if json.Unmarshal([]byte(e.Annotations[annotationMetadata]), &recorded) == nil {
		maps.Copy(metadata, recorded)
	}
}
