package testcluster

import (
	"fmt"
	"os"
	"path/filepath"
)

// kind is one of the two sorts of cluster; a user has at most one of each.
type kind string

const (
	controlPlane kind = "controlplane"
	withNode     kind = "node"
)

// Files and folders below the state folder of a cluster.
const (
	kubeconfigFile = "admin.kubeconfig"
	logsDir        = "logs"
	podLogsDir     = "pods"
	keepFile       = "keep" // while it exists, the cluster needs no lease
	pkiDir         = "pki"
)

// layout says where a cluster keeps its things. The lock files lie beside the
// state folder, so that the folder can go while they are held.
type layout struct {
	run        string // parent of all that follows
	state      string // everything the components write
	lease      string // locked, shared, by each process that uses the cluster
	supervisor string // locked by the supervisor while it lives; holds its process id
	ready      string // locked by the supervisor while the cluster can be used
	log        string // what the supervisor has to say
}

func layoutOf(k kind) (layout, error) {
	cache, err := cacheDir()
	if err != nil {
		return layout{}, err
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return layout{}, err
	}
	// The kernel's list of mounts, which the removal of a node goes by, names
	// folders by their real paths.
	if cache, err = filepath.EvalSymlinks(cache); err != nil {
		return layout{}, err
	}
	run := filepath.Join(cache, "run")
	base := filepath.Join(run, string(k))
	return layout{
		run:        run,
		state:      base,
		lease:      base + ".lease",
		supervisor: base + ".supervisor",
		ready:      base + ".ready",
		log:        base + ".log",
	}, nil
}

// cacheDir is the package's folder in the user's cache.
func cacheDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache folder: %w", err)
	}
	return filepath.Join(cache, "skillcenter-hosting", "testcluster"), nil
}
