// Package autoscale changes the replicas of instances by measured load, as
// policies say.
package autoscale
