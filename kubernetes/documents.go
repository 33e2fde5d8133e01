package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/go-multierror"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"skillcenter.io/hosting"
	docstore "skillcenter.io/hosting/provider/store"
)

// documents keeps documents as ConfigMaps. They are not written by way of
// configMaps, the resource: the cache holds no documents, and would wait for
// them.
type documents struct{ p *Provider }

// Store returns a store that keeps documents in the clusters, durably, for all
// processes with the same regions and Config.Owner. It reads live, also with
// Config.Cache.
//
// Each document is a ConfigMap in the namespace of the region of the id in its
// key, or of the default region if that is none of this provider's. It goes
// with the instance that is its Owner, if that exists in the same region when
// the document is written; otherwise it stays. List asks all regions at once
// and gives each Config.RegionTimeout; its error names those that failed.
func (p *Provider) Store() docstore.Store { return documents{p} }

// Durable returns true.
func (documents) Durable() bool { return true }

// Get implements [docstore.Store].
func (d documents) Get(ctx context.Context, key string) (docstore.Document, error) {
	at, err := d.place(key)
	if err != nil {
		return docstore.Document{}, d.invalid(hosting.GetFailed, err)
	}
	o, err := d.client(at).Get(ctx, d.name(key), metav1.GetOptions{})
	if err != nil {
		return docstore.Document{}, d.fail(ctx, hosting.GetFailed, at, key, err)
	}
	document, err := d.decode(at, o)
	if err != nil {
		return docstore.Document{}, hosting.Errorf(d.p.config.Name, hosting.GetFailed, hosting.Internal, "document %s: %w", key, err)
	}
	return document, nil
}

// List implements [docstore.Store].
func (d documents) List(ctx context.Context, kind string) ([]docstore.Document, error) {
	if err := docstore.ValidateKind(kind); err != nil {
		return nil, d.invalid(hosting.ListFailed, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, hosting.Errorf(d.p.config.Name, hosting.ListFailed, hosting.ReasonOf(err), "listing documents of kind %s: %w", kind, err)
	}
	var (
		mu       sync.Mutex
		list     = []docstore.Document{}
		failures *multierror.Error
		wait     sync.WaitGroup
	)
	for _, at := range d.p.regions {
		wait.Go(func() {
			var found []docstore.Document
			err := d.p.within(ctx, at, func(ctx context.Context) (err error) {
				found, err = d.listRegion(ctx, at, kind)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			list = append(list, found...)
			if err != nil {
				failures = multierror.Append(failures, err)
			}
		})
	}
	wait.Wait()
	slices.SortFunc(list, func(a, b docstore.Document) int { return cmp.Compare(a.Key, b.Key) })
	return list, d.p.partial(ctx, failures, hosting.ListFailed, "failed to list documents of kind "+kind)
}

// listRegion returns the documents of a kind in a region, those that can be
// read also with an error.
func (d documents) listRegion(ctx context.Context, at *region, kind string) ([]docstore.Document, error) {
	selector := labels.Merge(d.p.ours(), labels.Set{labelDocument: kind}).String()
	found, err := d.client(at).List(ctx, metav1.ListOptions{LabelSelector: selector})
	switch {
	case err != nil && !at.configured && isAbsent(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("listing %s: %w", configMaps.plural, err)
	case len(found.Items) == 0:
		return nil, at.checkNamespace(ctx)
	}
	var list []docstore.Document
	var failures *multierror.Error
	for i := range found.Items {
		document, err := d.decode(at, &found.Items[i])
		if err != nil {
			failures = multierror.Append(failures, &clusterError{hosting.Internal, err.Error(), err})
			continue
		}
		list = append(list, document)
	}
	if failures != nil {
		failures.ErrorFormat = joinErrors
	}
	return list, failures.ErrorOrNil()
}

// Put implements [docstore.Store].
func (d documents) Put(ctx context.Context, document docstore.Document) (docstore.Document, error) {
	const code = hosting.UpdateFailed
	if err := document.Validate(); err != nil {
		return docstore.Document{}, d.invalid(code, err)
	}
	at, err := d.place(document.Key)
	if err != nil {
		return docstore.Document{}, d.invalid(code, err)
	}
	owners, err := d.owners(ctx, at, document.Owner)
	if err != nil {
		return docstore.Document{}, d.fail(ctx, code, at, document.Key, err)
	}
	o := d.encode(document, owners)
	var written *corev1.ConfigMap
	if document.Version == "" {
		written, err = d.client(at).Create(ctx, o, metav1.CreateOptions{FieldManager: fieldManager})
	} else if seen, ok := parseVersion(document.Version); ok {
		o.UID, o.ResourceVersion = seen.uid, seen.resourceVersion
		written, err = d.client(at).Update(ctx, o, metav1.UpdateOptions{FieldManager: fieldManager})
	} else {
		err = errNoVersion
	}
	if isOutOfDate(err) {
		have, err := d.version(ctx, code, at, document.Key)
		if err == nil {
			err = docstore.CheckPut(document.Key, have, document.Version)
		}
		return docstore.Document{}, d.outOfDate(code, document.Key, err)
	}
	if err != nil {
		return docstore.Document{}, d.fail(ctx, code, at, document.Key, err)
	}
	document = document.Clone()
	document.Version = versionOf(written)
	return document, nil
}

// Delete implements [docstore.Store].
func (d documents) Delete(ctx context.Context, key, version string) error {
	const code = hosting.DeleteFailed
	at, err := d.place(key)
	if err != nil {
		return d.invalid(code, err)
	}
	options := metav1.DeleteOptions{}
	if version != "" {
		seen, ok := parseVersion(version)
		options.Preconditions = &metav1.Preconditions{UID: &seen.uid, ResourceVersion: &seen.resourceVersion}
		if !ok {
			err = errNoVersion
		}
	}
	if err == nil {
		err = d.client(at).Delete(ctx, d.name(key), options)
	}
	if isOutOfDate(err) {
		have, err := d.version(ctx, code, at, key)
		if err == nil {
			err = docstore.CheckDelete(key, have, version)
		}
		return d.outOfDate(code, key, err)
	}
	if err != nil {
		return d.fail(ctx, code, at, key, err)
	}
	return nil
}

// version returns the version that a document has now, "" if there is none. A
// refused write asks for it: an API server may say Conflict also of an object
// that is gone, and of a version that cannot be one it is not even asked.
func (d documents) version(ctx context.Context, code hosting.Code, at *region, key string) (string, error) {
	o, err := d.client(at).Get(ctx, d.name(key), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", d.fail(ctx, code, at, key, err)
	}
	return versionOf(o), nil
}

func (d documents) client(at *region) typedcorev1.ConfigMapInterface {
	return at.client.CoreV1().ConfigMaps(at.namespace)
}

// place returns the region of a document.
func (d documents) place(key string) (*region, error) {
	_, id, err := docstore.SplitKey(key)
	if err != nil {
		return nil, err
	}
	if at := d.regionOf(id); at != nil {
		return at, nil
	}
	return d.p.regions[d.p.config.Regions[0].Name], nil
}

// regionOf returns the region of an id, nil if it is none of this provider's.
func (d documents) regionOf(id hosting.ID) *region {
	if id.Provider != "" && id.Provider != d.p.config.Name {
		return nil
	}
	return d.p.regions[id.Region]
}

// owners returns the reference to the anchor of the instance that a document
// is about, if there is one in the region of the document: Kubernetes knows no
// owners in other namespaces.
func (d documents) owners(ctx context.Context, at *region, owner string) ([]metav1.OwnerReference, error) {
	id, err := hosting.ParseID(owner)
	if err != nil || d.regionOf(id) != at {
		return nil, nil
	}
	o, err := d.client(at).Get(ctx, anchorName(id.Name), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the anchor of %s: %w", owner, err)
	case !d.p.isOurs(o) || o.Labels[labelType] != id.Type:
		return nil, nil
	}
	return []metav1.OwnerReference{(&anchor{ConfigMap: o}).ownerReference()}, nil
}
