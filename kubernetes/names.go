package kubernetes

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Labels and annotations. app, managed-by and the first three annotations are
// the protocol's (section 3.6).
const (
	labelApp       = "app"
	labelManagedBy = "managed-by"
	labelName      = "skillcenter.io/name"
	labelType      = "skillcenter.io/type"
	labelOwner     = "skillcenter.io/owner"
	// labelService stands on a Service that RegisterService has made, and is
	// its name.
	labelService = "skillcenter.io/service"
	// labelFoundBy and a name make a label of such a Service: one for its name
	// and for each alias, so that the API server can search for them.
	labelFoundBy = "service.skillcenter.io/"

	annotationCreatedAt = "skillcenter.io/created-at"
	annotationSkillID   = "skillcenter.io/skill-id"
	annotationVersion   = "skillcenter.io/version"

	// annotationID is the instance id: too long for a label's value.
	annotationID = "skillcenter.io/id"
	// annotationRegistration is what the caller of RegisterService said, as
	// JSON in canonical form.
	annotationRegistration = "skillcenter.io/service-registration"
	// annotationStoppedReplicas stands on a stopped Deployment or StatefulSet
	// and says how many replicas to start with.
	annotationStoppedReplicas = "skillcenter.io/stopped-replicas"
	// annotationBehavior stands on an autoscaler that a policy has taken over
	// from, and is the behavior that it gets back: "null" if it had none.
	annotationBehavior = "skillcenter.io/behavior"
	// annotationRestartedAt on the pod template makes the controller replace
	// the pods.
	annotationRestartedAt = "skillcenter.io/restarted-at"
	// annotationMetadata on an event is the metadata it was recorded with, as JSON.
	annotationMetadata = "skillcenter.io/metadata"
	// Who takes part in a creation, see participation.go.
	annotationComplete = "skillcenter.io/complete"
	annotationRefused  = "skillcenter.io/refused"
	annotationJoined   = "skillcenter.io/joined-" // and the token of a call

	// nodeSelectorStopped is a node label that no node has: a stopped
	// DaemonSet selects it.
	nodeSelectorStopped = "skillcenter.io/stopped"

	// annotationGeneration says which generation of the instance's
	// configuration an object has been given, see apply.go. What has never been
	// changed by an apply does not have it.
	annotationGeneration = "skillcenter.io/generation"

	// labelDocument says that a ConfigMap is a document, see documents.go, and
	// of which kind. It has no labelType: it is no part of an instance.
	labelDocument = "skillcenter.io/document"
	// The key of a document and the instance that it is about, which may be too
	// long for a label, and something that is different after each write.
	annotationKey      = "skillcenter.io/key"
	annotationInstance = "skillcenter.io/instance"
	annotationWrite    = "skillcenter.io/write"
	// annotationVolume on a claim says which volume was asked for, and
	// annotationMounts who has it, see reservations.go. annotationUnreserved on an
	// anchor changes when a reservation of its instance is dropped.
	annotationVolume     = "skillcenter.io/volume"
	annotationMounts     = "skillcenter.io/mounts"
	annotationUnreserved = "skillcenter.io/unreserved"

	managedBy = "skillcenter"
	// Who writes a field: fieldManager what the configuration says,
	// operationsManager what calls like StopInstance and ScaleInstance do, and
	// takeOverManager what TakeOver and GiveBack do. An apply removes what the
	// first two have written and it does not say, but not what the third has: an
	// autoscaler may have got a behavior from others, which goes back to it.
	fieldManager      = "skillcenter"
	operationsManager = "skillcenter-operations"
	takeOverManager   = "skillcenter-takeover"
)

// containerName is the one container of every pod.
const containerName = "main"

func anchorName(instance string) string   { return "skill-" + instance }
func headlessName(instance string) string { return instance + "-hl" }

// selectorFor selects the pods of an instance. It uses as little as tells
// instances apart, because selectors cannot change.
func selectorFor(instance, instanceType string) map[string]string {
	return map[string]string{labelName: instance, labelType: instanceType}
}

// ours selects everything that belongs to this provider.
func (p *Provider) ours() labels.Set {
	return labels.Set{labelManagedBy: managedBy, labelOwner: p.config.Owner}
}

// anchorSelector selects the anchors of this provider, and none of its other
// ConfigMaps: documents may be many and large.
func (p *Provider) anchorSelector() string { return p.ours().String() + "," + labelType }

// isOurs tells whether an object belongs to this provider.
func (p *Provider) isOurs(object metav1.Object) bool {
	have := object.GetLabels()
	return have[labelManagedBy] == managedBy && have[labelOwner] == p.config.Owner
}
