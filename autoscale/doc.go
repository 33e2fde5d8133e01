// Package autoscale changes the replicas of instances by measured load, as the
// policies say that [Controller] keeps. It works with every provider: what only
// some platforms have is a [Backend], and what is not measured by the provider
// comes from a [MetricSource].
//
// [Decide] is the whole judgement: a function of a policy, of what was seen and
// of the time. Controller samples, asks it, and does what it says.
package autoscale
