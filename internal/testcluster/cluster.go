package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// SkillImage is the test workload that every cluster with a node has loaded;
// images/skill describes what it can be told to do.
const SkillImage = "skillcenter.io/test/skill:v1"

// Cluster is a running Kubernetes. It outlives the test that asked for it, so
// a test keeps to its own namespaces.
type Cluster struct {
	// Kubeconfig is the path of an administrator's kubeconfig file.
	Kubeconfig string
	// Dir holds the log of each component, NAME.log.
	Dir string
	// PodLogs is where a node keeps the logs of its pods: for each container a
	// folder NAMESPACE_POD_UID/CONTAINER with the files N.log, N being how often
	// it was restarted, and those rotated away, N.log.TIME.
	PodLogs string

	state string // the folder the supervisor works in
	// lease is the file whose lock keeps the cluster up. The garbage collector
	// closes files that nobody refers to.
	lease *os.File
}

// Start returns a cluster of control plane only: objects live, controllers
// work, quotas and permissions hold, and pods stay Pending. It works for every
// user. Under -short it skips the test, as StartWithNode does.
func Start(t testing.TB) *Cluster {
	t.Helper()
	return start(t, sharedControlPlane)
}

// StartWithNode returns a cluster whose pods run on one real node, with a
// default StorageClass, reachable Services and the metrics API. It needs root
// and a few Debian packages, which the failure names when they are missing.
func StartWithNode(t testing.TB) *Cluster {
	t.Helper()
	return start(t, sharedNode)
}

// A process joins each cluster once and stays joined until it ends: leaving
// between two tests could let the cluster stop, and a start that failed once
// would only fail slowly again.
var (
	sharedControlPlane = joinOnce(controlPlane)
	sharedNode         = joinOnce(withNode)
)

func joinOnce(k kind) func(context.Context) (*Cluster, error) {
	var (
		once    sync.Once
		cluster *Cluster
		failure error
	)
	return func(ctx context.Context) (*Cluster, error) {
		once.Do(func() {
			cluster, failure = join(ctx, k)
		})
		return cluster, failure
	}
}

func newCluster(state string) *Cluster {
	return &Cluster{
		Kubeconfig: filepath.Join(state, kubeconfigFile),
		Dir:        filepath.Join(state, logsDir),
		PodLogs:    filepath.Join(state, podLogsDir),
		state:      state,
	}
}

func start(t testing.TB, shared func(context.Context) (*Cluster, error)) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("a real Kubernetes takes too long for -short")
	}
	ctx, cancel := beforeDeadline(t)
	defer cancel()
	cluster, err := shared(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("the components of Kubernetes run on Linux only")
	}
	if err != nil {
		t.Fatalf("start the test cluster: %v", err)
	}
	return cluster
}

// beforeDeadline ends a little before the test binary's own deadline, whose
// panic would not say what took so long.
func beforeDeadline(t testing.TB) (context.Context, context.CancelFunc) {
	if test, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, ok := test.Deadline(); ok {
			return context.WithDeadlineCause(t.Context(), deadline.Add(-10*time.Second), errTestDeadline)
		}
	}
	return context.WithCancel(t.Context())
}

var errTestDeadline = errors.New("the tests' deadline is near; " +
	"`go run ./internal/testcluster/cmd/testcluster build` builds the binaries ahead of them")

// Config returns a fresh administrator's client configuration. It has no
// client-side rate limit, whose waiting would drown what tests measure.
func (c *Cluster) Config() *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		// The supervisor wrote the file before the cluster became ready.
		panic(fmt.Errorf("testcluster: the cluster is gone: %w", err))
	}
	config.QPS = -1
	return config
}

// Namespace creates a namespace whose name starts with prefix, waits until
// pods can be created in it and deletes it when the test ends. Its objects go
// in the background: waiting for them would slow every test down.
func (c *Cluster) Namespace(t testing.TB, prefix string) string {
	t.Helper()
	client := c.client(t)
	namespace, err := client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		err := client.CoreV1().Namespaces().Delete(context.Background(), namespace.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("delete the namespace: %v", err)
		}
	})
	err = poll(t.Context(), "the default service account of "+namespace.Name, func(ctx context.Context) error {
		return serviceAccountReady(ctx, client, namespace.Name)
	})
	if err != nil {
		t.Fatal(err)
	}
	return namespace.Name
}

func (c *Cluster) client(t testing.TB) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	return client
}

// serviceAccountReady fails until pods can be created in the namespace: the
// API server refuses them while their service account is missing.
func serviceAccountReady(ctx context.Context, client kubernetes.Interface, namespace string) error {
	_, err := client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
	return err
}
