package kubernetes

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"skillcenter.io/hosting"
	docstore "skillcenter.io/hosting/provider/store"
)

// keyDocument is the key of the data in the ConfigMap of a document.
const keyDocument = "document"

// nameHash makes names of hashes.
var nameHash = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// name returns the name of the ConfigMap of a document. Keys have characters
// that names have not, and may be longer; so the name ends in a hash, of the
// owner as well, since programs that share a namespace may use the same keys.
// What stands before it is for people.
func (d documents) name(key string) string {
	kind, id, err := docstore.SplitKey(key)
	if err != nil {
		panic("a key that was not checked: " + err.Error())
	}
	sum := sha256.Sum256([]byte(d.p.config.Owner + "\n" + key))
	return "document-" + kind + "-" + id.Name + "-" + nameHash.EncodeToString(sum[:])
}

// encode returns the ConfigMap of a document, without its version.
func (d documents) encode(document docstore.Document, owners []metav1.OwnerReference) *corev1.ConfigMap {
	kind, _, _ := strings.Cut(document.Key, "/")
	annotations := map[string]string{
		annotationKey: document.Key,
		// The API server does not write an object that is as it was, and it
		// would keep its version.
		annotationWrite: rand.Text(),
	}
	if document.Owner != "" {
		annotations[annotationInstance] = document.Owner
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name:            d.name(document.Key),
			Labels:          labels.Merge(d.p.ours(), labels.Set{labelDocument: kind}),
			Annotations:     annotations,
			OwnerReferences: owners,
		},
		Data: map[string]string{keyDocument: string(document.Data)},
	}
}

// decode reads a ConfigMap, and refuses one that somebody has tampered with.
func (d documents) decode(at *region, o *corev1.ConfigMap) (docstore.Document, error) {
	document := docstore.Document{
		Key:     o.Annotations[annotationKey],
		Owner:   o.Annotations[annotationInstance],
		Data:    json.RawMessage(o.Data[keyDocument]),
		Version: versionOf(o),
	}
	if err := document.Validate(); err != nil {
		return docstore.Document{}, fmt.Errorf("ConfigMap %s is no document: %w", o.Name, err)
	}
	kind, _, _ := strings.Cut(document.Key, "/")
	belongs, err := d.place(document.Key)
	switch {
	case err != nil:
		return docstore.Document{}, err
	case o.Name != d.name(document.Key) || !d.p.isOurs(o) || o.Labels[labelDocument] != kind:
		return docstore.Document{}, fmt.Errorf("ConfigMap %s is not the one of document %s: its name or labels are others", o.Name, document.Key)
	case belongs != at:
		return docstore.Document{}, fmt.Errorf("ConfigMap %s: document %s belongs to region %s", o.Name, document.Key, belongs.name)
	}
	return document, nil
}

// seenVersion is what a version of a document is made of. The UID tells a
// document from one that was there before: a cluster that is restored from a
// backup counts its versions again.
type seenVersion struct {
	uid             types.UID
	resourceVersion string
}

func versionOf(o *corev1.ConfigMap) string { return string(o.UID) + "/" + o.ResourceVersion }

// versionPattern matches what versionOf returns and nothing else: to the API
// server, no version and version 0 mean any.
var versionPattern = regexp.MustCompile(`^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/([1-9][0-9]{0,18})$`)

func parseVersion(version string) (seenVersion, bool) {
	parts := versionPattern.FindStringSubmatch(version)
	if parts == nil {
		return seenVersion{}, false
	}
	return seenVersion{types.UID(parts[1]), parts[2]}, true
}

// errNoVersion stands for the API server's refusal of what cannot be a version.
var errNoVersion = errors.New("no version of a document")

// isOutOfDate tells that a write was refused because of its version.
func isOutOfDate(err error) bool {
	return errors.Is(err, errNoVersion) || apierrors.IsConflict(err)
}

func (d documents) invalid(code hosting.Code, err error) error {
	return d.named(docstore.Invalid(code, err))
}

// outOfDate makes the error of a write that the API server has refused because
// of something that has changed. It says NotFound or AlreadyExists in some
// cases only, and Conflict also when a quota is being counted; so refused is
// why the document as it is now does not allow the write, if it does not.
func (d documents) outOfDate(code hosting.Code, key string, refused error) error {
	if refused == nil {
		return hosting.Errorf(d.p.config.Name, code, hosting.Conflict, "document %s could not be written at this moment: try again", key)
	}
	return d.named(refused)
}

// named gives the provider's name to an error that all stores have alike.
func (d documents) named(err error) error {
	var known *hosting.Error
	if errors.As(err, &known) {
		known.Provider = d.p.config.Name
	}
	return err
}

// fail makes the error of what the API server or the network said about a
// document.
func (d documents) fail(ctx context.Context, code hosting.Code, at *region, key string, err error) error {
	reason := reasonOf(ctx, err)
	if isAboutRegion(reason, err) {
		if reason == hosting.NotFound { // the namespace, not the document
			reason = hosting.Unavailable
		}
		err = inRegion(at.name, err)
	}
	failed := hosting.Errorf(d.p.config.Name, code, reason, "document %s: %w", key, err)
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		failed.RetryAfter = time.Duration(seconds) * time.Second
	}
	return failed
}
