package kubernetes

import (
	"maps"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// generationOf tells which generation of the configuration an object has been
// given.
func generationOf(o metav1.Object) int {
	n, _ := strconv.Atoi(o.GetAnnotations()[annotationGeneration]) // 0 if it has none
	return n
}

// stamp says on an object, never on its pods, from which generation it is.
func stamp(o metav1.Object, generation int) {
	if generation == 0 {
		return
	}
	annotations := maps.Clone(o.GetAnnotations()) // a template may share them
	annotations[annotationGeneration] = strconv.Itoa(generation)
	o.SetAnnotations(annotations)
}

// replicaLimits are what a change of the configuration's scaling allows. They
// are enforced once, on what the change finds: who scales later knows why.
type replicaLimits struct {
	// Generation is the one that set them.
	Generation int `json:"generation"`
	Min        int `json:"min"`
	// Max is 0 without a limit.
	Max int `json:"max,omitempty"`
}

// clamp returns the count that a workload with replicas of an earlier
// generation gets.
func (l replicaLimits) clamp(replicas, generation int) int {
	if generation >= l.Generation {
		return replicas
	}
	replicas = max(replicas, l.Min)
	if l.Max > 0 {
		replicas = min(replicas, l.Max)
	}
	return replicas
}

// pending tells that the last change has not been carried out in full.
func (d desired) pending() bool { return d.Applied != d.Generation }
