//go:build linux

package testcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Addresses inside a cluster. Those of pods and Services lead nowhere without
// a node, so both kinds of cluster can use the same.
const (
	loopback       = "127.0.0.1"
	serviceNetwork = "10.96.0.0/16"
	firstService   = "10.96.0.1" // the API server's own Service
	podNetwork     = "10.244.0.0/16"
)

// The groups that Kubernetes knows from the start.
const (
	administrators = "system:masters"
	nodes          = "system:nodes"
)

// startControlPlane starts etcd, the API server, the controllers and the
// scheduler, and returns when they work.
func (s *supervisor) startControlPlane(ctx context.Context) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	var (
		etcd = "http://" + net.JoinHostPort(loopback, ports[0])
		peer = "http://" + net.JoinHostPort(loopback, ports[1])
	)
	s.server = "https://" + net.JoinHostPort(loopback, ports[2])
	if err := s.writeIdentities(); err != nil {
		return fmt.Errorf("make the certificates: %w", err)
	}
	if err := s.launch("etcd", s.bin.Kubernetes, "etcd",
		"--data-dir="+s.path("etcd"),
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
		"--unsafe-no-fsync", // the data need not survive the machine
		"--quota-backend-bytes=4294967296",
		"--log-level=warn",
	); err != nil {
		return err
	}
	if err := s.launch("kube-apiserver", append([]string{s.bin.Kubernetes, "kube-apiserver",
		"--etcd-servers=" + etcd,
		"--bind-address=" + loopback,
		"--secure-port=" + ports[2],
		// Benchmarks come with more requests than the defaults let through.
		"--max-requests-inflight=3000",
		"--max-mutating-requests-inflight=1000",
	}, s.apiServerFlags()...)...); err != nil {
		return err
	}
	if s.client, err = kubernetes.NewForConfig(s.admin); err != nil {
		return err
	}
	if err := s.await(ctx, "kube-apiserver", "the API server", func(ctx context.Context) error {
		return s.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}); err != nil {
		return err
	}
	if err := s.startControllers(); err != nil {
		return err
	}
	for _, namespace := range []string{metav1.NamespaceDefault, metav1.NamespaceSystem} {
		if err := s.await(ctx, "kube-controller-manager", "the controllers", func(ctx context.Context) error {
			return serviceAccountReady(ctx, s.client, namespace)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *supervisor) apiServerFlags() []string {
	return []string{
		"--allow-privileged",
		"--authorization-mode=Node,RBAC",
		"--client-ca-file=" + s.pki("ca.crt"),
		// Some distributions switch it on; it asks for permissions of its own.
		"--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
		"--endpoint-reconciler-type=none", // endpoints must not be loopback addresses
		"--kubelet-client-certificate=" + s.pki("kube-apiserver-kubelet.crt"),
		"--kubelet-client-key=" + s.pki("kube-apiserver-kubelet.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--proxy-client-cert-file=" + s.pki("front-proxy-client.crt"),
		"--proxy-client-key-file=" + s.pki("front-proxy-client.key"),
		"--requestheader-client-ca-file=" + s.pki("front-proxy-ca.crt"),
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + s.pki("service-account.crt"),
		"--service-account-signing-key-file=" + s.pki("service-account.key"),
		"--service-cluster-ip-range=" + serviceNetwork,
		"--tls-cert-file=" + s.pki("kube-apiserver.crt"),
		"--tls-private-key-file=" + s.pki("kube-apiserver.key"),
	}
}

func (s *supervisor) startControllers() error {
	flags := []string{s.bin.Kubernetes, "kube-controller-manager",
		"--allocate-node-cidrs",
		"--cluster-cidr=" + podNetwork,
		"--flex-volume-plugin-dir=" + s.path("volume-plugins"),
		"--horizontal-pod-autoscaler-sync-period=5s", // tests wait for it
		"--kube-api-burst=1000",
		"--kube-api-qps=500",
		"--kubeconfig=" + s.pki("kube-controller-manager.kubeconfig"),
		"--leader-elect=false",
		"--root-ca-file=" + s.pki("ca.crt"),
		"--secure-port=0",
		"--service-account-private-key-file=" + s.pki("service-account.key"),
		"--use-service-account-credentials",
	}
	if s.kind == withNode {
		flags = append(flags, "--enable-hostpath-provisioner")
	}
	if err := s.launch("kube-controller-manager", flags...); err != nil {
		return err
	}
	config := s.path("kube-scheduler.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, schedulerConfig, s.pki("kube-scheduler.kubeconfig")), 0o600); err != nil {
		return err
	}
	return s.launch("kube-scheduler", s.bin.Kubernetes, "kube-scheduler", "--config="+config, "--secure-port=0")
}

const schedulerConfig = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection:
  leaderElect: false
clientConnection:
  kubeconfig: %q
  qps: 500
  burst: 1000
`

// writeIdentities makes the authorities and everybody's certificates and
// kubeconfig files.
func (s *supervisor) writeIdentities() error {
	var err error
	if s.ca, err = newAuthority("testcluster"); err != nil {
		return err
	}
	// The API server vouches for users before extension servers under an
	// authority of its own, which must not sign anything else.
	frontProxy, err := newAuthority("testcluster-front-proxy")
	if err != nil {
		return err
	}
	var errs []error
	save := func(name string, p pair, err error) {
		if err == nil {
			err = p.save(s.path(pkiDir), name)
		}
		errs = append(errs, err)
	}
	client := func(ca *authority, name, user string, groups ...string) {
		p, err := ca.client(user, groups...)
		save(name, p, err)
	}
	save("ca", s.ca.pair, nil)
	save("front-proxy-ca", frontProxy.pair, nil)
	server, err := s.ca.server("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", loopback, firstService)
	save("kube-apiserver", server, err)
	accounts, err := s.ca.server("service-accounts") // for its key alone
	save("service-account", accounts, err)
	client(s.ca, "kube-apiserver-kubelet", "kube-apiserver", administrators)
	client(frontProxy, "front-proxy-client", "front-proxy")
	if err := errors.Join(errs...); err != nil {
		return err
	}

	if s.admin, err = s.identify(s.path(kubeconfigFile), "admin", administrators); err != nil {
		return err
	}
	s.admin.QPS = -1
	for _, component := range []string{"kube-controller-manager", "kube-scheduler"} {
		if _, err := s.identify(s.pki(component+".kubeconfig"), "system:"+component); err != nil {
			return err
		}
	}
	return nil
}

// identify writes the kubeconfig file of a user.
func (s *supervisor) identify(path, user string, groups ...string) (*rest.Config, error) {
	identity, err := s.ca.client(user, groups...)
	if err != nil {
		return nil, err
	}
	config := clientConfig(s.server, s.ca.cert, identity)
	return config, writeKubeconfig(path, config)
}

// path is that of a file in the state folder.
func (s *supervisor) path(name string) string { return filepath.Join(s.state, name) }

func (s *supervisor) pki(name string) string { return s.path(filepath.Join(pkiDir, name)) }

// freePorts returns ports that nobody listens on. All are held before the
// first is given back, so they differ.
func freePorts(count int) ([]string, error) {
	ports := make([]string, count)
	for i := range ports {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() //nolint:errcheck // it has served its purpose
		_, ports[i], _ = net.SplitHostPort(listener.Addr().String())
	}
	return ports, nil
}
