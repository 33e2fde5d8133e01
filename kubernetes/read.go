package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"

	"skillcenter.io/hosting"
)

// GetInstance implements [hosting.CloudHostingProvider].
func (p *Provider) GetInstance(ctx context.Context, instanceID string) (hosting.CloudInstance, error) {
	t, err := p.find(hosting.GetFailed, instanceID)
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	s, err := p.look(ctx, hosting.GetFailed, t)
	if err != nil {
		return hosting.CloudInstance{}, err
	}
	return p.instance(s), nil
}

// ListInstances implements [hosting.CloudHostingProvider]. It takes a fixed
// number of requests for each region, however many instances there are. It
// asks all regions at once, and each has Config.RegionTimeout to answer. If
// some do not, it returns the instances of the others with an error that names
// each region that failed.
func (p *Provider) ListInstances(ctx context.Context) ([]hosting.CloudInstance, error) {
	instances, err := fromAllRegions(ctx, p, hosting.ListFailed, "could not be listed", p.listRegion)
	slices.SortFunc(instances, func(a, b hosting.CloudInstance) int { return cmp.Compare(a.ID, b.ID) })
	return instances, err
}

// isAbsent tells that a namespace does not exist for us. A protocol region
// that nobody set up is empty, not broken.
func isAbsent(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.IsForbidden(err)
}

// regionLists are the answers of the API server for one region.
type regionLists struct {
	anchors      corev1.ConfigMapList
	deployments  appsv1.DeploymentList
	statefulSets appsv1.StatefulSetList
	daemonSets   appsv1.DaemonSetList
	jobs         batchv1.JobList
	cronJobs     batchv1.CronJobList
	pods         corev1.PodList
	services     corev1.ServiceList
	ingresses    networkingv1.IngressList
}

func (p *Provider) listRegion(ctx context.Context, at *region) ([]hosting.CloudInstance, error) {
	if found, err, ok := p.listCached(ctx, at); ok {
		return found, err
	}
	selector := p.ours().String()
	var l regionLists
	err := configMaps.list(ctx, at, p.anchorSelector(), &l.anchors)
	if err != nil && !at.configured && isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", configMaps.plural, err)
	}
	if len(l.anchors.Items) == 0 {
		return nil, at.checkNamespace(ctx)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for list, r := range map[runtime.Object]*resource{
		&l.deployments:  kinds[hosting.TypeDeployment].resource,
		&l.statefulSets: kinds[hosting.TypeStatefulSet].resource,
		&l.daemonSets:   kinds[hosting.TypeDaemonSet].resource,
		&l.jobs:         kinds[hosting.TypeJob].resource,
		&l.cronJobs:     kinds[hosting.TypeCronJob].resource,
		&l.pods:         pods,
		&l.services:     services,
		&l.ingresses:    ingresses,
	} {
		group.Go(func() error {
			if err := r.list(groupCtx, at, selector, list); err != nil {
				return fmt.Errorf("listing %s: %w", r.plural, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	snapshots, err := p.assemble(at, &l)
	err = errors.Join(err, p.addWarnings(ctx, at, snapshots))
	err = errors.Join(err, p.readAnchorsAgain(ctx, at, snapshots))
	instances := make([]hosting.CloudInstance, 0, len(snapshots))
	for _, s := range snapshots {
		if s.anchor != nil {
			instances = append(instances, p.instance(s))
		}
	}
	return instances, err
}

// readAnchorsAgain reads the anchors of instances without a workload again: they
// may have been deleted since the anchors were listed. Those that are gone are
// nil then.
func (p *Provider) readAnchorsAgain(ctx context.Context, at *region, snapshots []*snapshot) error {
	var missed []*snapshot
	for _, s := range snapshots {
		if s.workload == nil {
			missed = append(missed, s)
		}
	}
	get := func(s *snapshot) (*anchor, error) { return p.getAnchor(ctx, hosting.ListFailed, s.target) }
	if len(missed) > maxLiveReads {
		var list corev1.ConfigMapList
		if err := configMaps.list(ctx, at, p.anchorSelector(), &list); err != nil {
			return fmt.Errorf("listing %s: %w", configMaps.plural, err)
		}
		found := map[string]*corev1.ConfigMap{}
		for i := range list.Items {
			found[list.Items[i].Name] = &list.Items[i]
		}
		get = func(s *snapshot) (*anchor, error) {
			return p.asAnchor(hosting.ListFailed, s.target, found[anchorName(s.name)])
		}
	}
	failures := make([]error, len(missed))
	var group errgroup.Group
	group.SetLimit(liveReaders)
	for i, s := range missed {
		group.Go(func() error {
			s.anchor, failures[i] = get(s)
			if hosting.CodeOf(failures[i]) == hosting.InstanceNotFound {
				failures[i] = nil
			}
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(failures...)
}

// assemble sorts what was listed into snapshots. An anchor that cannot be read
// is left out, with an error.
func (p *Provider) assemble(at *region, l *regionLists) ([]*snapshot, error) {
	snapshots := map[instanceKey]*snapshot{}
	var result []*snapshot
	var failures error
	for i := range l.anchors.Items {
		found := &l.anchors.Items[i]
		k := keyOf(found)
		if kinds[k.instanceType] == nil || found.Name != anchorName(k.name) {
			continue // some other ConfigMap of ours
		}
		a, err := decode(found)
		if err != nil {
			failures = errors.Join(failures, p.broken(hosting.ListFailed, at.id(k), err))
			continue
		}
		s := newSnapshot(at, k, a)
		snapshots[k] = s
		result = append(result, s)
	}
	owned := func(o object) *snapshot {
		if s := snapshots[keyOf(o)]; s != nil && s.takes(o) {
			return s
		}
		return nil
	}
	addWorkload := func(instanceType string, o object) {
		if s := owned(o); s != nil && s.kind.instanceType == instanceType {
			s.workload = o
		}
	}
	for i := range l.deployments.Items {
		addWorkload(hosting.TypeDeployment, &l.deployments.Items[i])
	}
	for i := range l.statefulSets.Items {
		addWorkload(hosting.TypeStatefulSet, &l.statefulSets.Items[i])
	}
	for i := range l.daemonSets.Items {
		addWorkload(hosting.TypeDaemonSet, &l.daemonSets.Items[i])
	}
	for i := range l.jobs.Items {
		addWorkload(hosting.TypeJob, &l.jobs.Items[i])
		if s := snapshots[keyOf(&l.jobs.Items[i])]; s != nil && s.kind.instanceType == hosting.TypeCronJob {
			s.runs = append(s.runs, &l.jobs.Items[i])
		}
	}
	for i := range l.cronJobs.Items {
		addWorkload(hosting.TypeCronJob, &l.cronJobs.Items[i])
	}
	for i := range l.services.Items {
		o := &l.services.Items[i]
		if s := owned(o); s != nil {
			s.service = o
		}
	}
	for i := range l.ingresses.Items {
		o := &l.ingresses.Items[i]
		if s := owned(o); s != nil {
			s.ingress = o
		}
	}
	for i := range l.pods.Items {
		o := &l.pods.Items[i]
		if s := snapshots[keyOf(o)]; s != nil {
			s.pods = append(s.pods, o)
		}
	}
	for _, s := range result {
		s.complete()
	}
	return result, failures
}

// addWarnings reads the events of the namespace, once, if any instance needs
// them.
func (p *Provider) addWarnings(ctx context.Context, at *region, snapshots []*snapshot) error {
	now := time.Now()
	needs := func(s *snapshot) bool { return s.needsWarnings(now) }
	if !slices.ContainsFunc(snapshots, needs) {
		return nil
	}
	all, err := p.warnings(ctx, at, "")
	if err != nil && !apierrors.IsForbidden(err) {
		return fmt.Errorf("listing events: %w", err)
	}
	for _, s := range snapshots {
		if needs(s) {
			s.takeWarnings(all, now)
		}
	}
	return nil
}
