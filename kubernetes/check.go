package kubernetes

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

// Check asks every region whether anchors of instances can be listed and
// created there, all at once, each for up to Config.RegionTimeout. It changes
// nothing. Call it after [New] to fail at once where a cluster cannot be used,
// rather than at the first call that needs it. It does not try every permission
// of the shipped role.
//
// The error, with code InvalidConfig, names each region that is not usable and
// says why: the cluster is not reached (Unavailable), it is too old
// (Unsupported), the credentials are refused (Unauthenticated) or may not do it
// (PermissionDenied), or the namespace does not exist (NotFound). Its reason is
// that of the first of them. One of the protocol's regions that nobody set up
// is not named.
//
// With Config.KubeletMetrics a region without the permission to get nodes/stats
// is named too, with reason PermissionDenied. Everything else works there.
func (p *Provider) Check(ctx context.Context) error {
	failures := p.everywhere(ctx, p.checkRegion)
	return p.partial(ctx, failures, hosting.InvalidConfig, "cannot be used")
}

func (p *Provider) checkRegion(ctx context.Context, at *region) error {
	client := at.client.CoreV1().ConfigMaps(at.namespace)
	if _, err := client.List(ctx, metav1.ListOptions{LabelSelector: p.ours().String(), Limit: 1}); err != nil {
		if !at.configured && isAbsent(err) {
			return nil
		}
		return fmt.Errorf("listing %s: %w", configMaps.plural, err)
	}
	// A list does not tell an empty namespace from a missing one, but a trial
	// of what every create does first does.
	trial := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: anchorName("check-"), Labels: p.ours()}}
	_, err := client.Create(ctx, trial, metav1.CreateOptions{FieldManager: fieldManager, DryRun: []string{metav1.DryRunAll}})
	switch {
	case err == nil, isQuota(err): // what exists can be used
		return p.checkKubelets(ctx, at)
	case !at.configured && isAbsent(err):
		return nil
	}
	return fmt.Errorf("trying to create a %s: %w", configMaps.kind, err)
}

// checkKubelets asks the API server what the kubelets will ask it. Which nodes
// there are is not for this provider to know.
func (p *Provider) checkKubelets(ctx context.Context, at *region) error {
	if at.cluster.kubelets == nil {
		return nil
	}
	review, err := at.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "nodes", Subresource: "stats"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("asking for the permission to get nodes/stats: %w", err)
	}
	if !review.Status.Allowed {
		return &clusterError{hosting.PermissionDenied, "the credentials may not get nodes/stats: network and disk metrics are unavailable", nil}
	}
	return nil
}
