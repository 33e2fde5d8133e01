// Package testcluster starts a real Kubernetes for tests: etcd, the API
// server, the controllers and the scheduler as an ordinary user, and, as root
// with containerd, one real node whose pods run, log, mount volumes, answer on
// their Services and report metrics. Everything is built from Go modules; it
// needs no Docker, no image registry and no network but loopback.
//
//	cluster := testcluster.Start(t)
//	namespace := cluster.Namespace(t, "scale")
//	client := kubernetes.NewForConfigOrDie(cluster.Config())
//
// All test processes of a user share one cluster of each sort, apart in
// namespaces of their own. A process holds a shared lock on the cluster's
// lease file until it ends, however it ends. A supervisor process, started by
// the first one, owns the components and stops them when nobody has held the
// lease for a while.
//
// People get the same cluster from the command in cmd/testcluster.
package testcluster
