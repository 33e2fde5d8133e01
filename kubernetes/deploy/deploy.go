// Package deploy holds the Kubernetes manifests with the permissions that the
// provider in package kubernetes needs, and no others:
//
//   - service-account.yaml: who the program that hosts instances runs as;
//   - namespaced.yaml: a Role and its RoleBinding, for each region's namespace;
//   - cluster-wide.yaml: the same rules once, as a ClusterRole, and a
//     RoleBinding for each region's namespace;
//   - kubelet-metrics.yaml: what network and disk metrics need on top;
//   - compatibility.yaml, compatibility-nodes.yaml: what checking the
//     compatibility of skills needs on top.
//
// They are for kubectl apply; each file says how. docs/security.md says what
// the permissions amount to. The tests of package kubernetes run under them,
// and fail if one is missing or not needed.
package deploy

import "embed"

// Files are the manifests, as they are shipped.
//
//go:embed *.yaml
var Files embed.FS
