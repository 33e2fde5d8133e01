//go:build linux

package testcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	nodeName = "node-1"
	// bridge connects the pods. The node has the bridge's address, because the
	// API server talks to no node on a loopback address, and because nothing
	// but this machine reaches it.
	bridge    = "skilltest0"
	nodeIP    = "10.244.0.1"
	nodePods  = "10.244.0.0/24"
	nodePlane = nodeIP + "/24"

	// proxyTable is what kube-proxy calls its tables.
	proxyTable = "kube-proxy"

	// cgroupRoot is above every pod's cgroup.
	cgroupRoot = "skillcenter-testcluster"

	pauseImage = "skillcenter.io/test/pause:v1"
)

// startNode adds the node to a control plane and returns when pods run on it,
// Services are routed to them and the metrics API answers.
func (s *supervisor) startNode(ctx context.Context) error {
	for _, prepare := range []func(context.Context) error{
		s.rememberSysctls, s.createLinks, s.createBridge, s.createCgroups,
		s.startContainerd, s.startKubelet, s.startProxy,
	} {
		if err := prepare(ctx); err != nil {
			return err
		}
	}
	if err := s.createObjects(ctx); err != nil {
		return fmt.Errorf("create the objects of the node: %w", err)
	}
	if err := s.startMetricsServer(ctx); err != nil {
		return err
	}
	return s.await(ctx, "kubelet", "the node", func(ctx context.Context) error {
		node, err := s.client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
				return fmt.Errorf("the node is not ready: %s", condition.Message)
			}
		}
		if len(node.Spec.Taints) > 0 {
			return fmt.Errorf("the node still has the taints %v", node.Spec.Taints)
		}
		return nil
	})
}

// refuseOthers fails where another node is on this machine: they would share
// the bridge's address and the proxy's table. It comes before anything is
// touched, so that nothing of the other node is removed afterwards.
func refuseOthers(ctx context.Context) error {
	if _, err := net.InterfaceByName(bridge); err == nil {
		return fmt.Errorf("the interface %s exists: another user's cluster with a node is on this machine", bridge)
	}
	if runTool(ctx, "nft", "list", "table", "ip", proxyTable) == nil {
		return fmt.Errorf("the nftables table %s exists: another Kubernetes node is on this machine", proxyTable)
	}
	return nil
}

func (s *supervisor) createBridge(ctx context.Context) error {
	for _, args := range [][]string{
		{"link", "add", bridge, "type", "bridge"},
		{"address", "add", nodePlane, "dev", bridge},
		{"link", "set", bridge, "up"},
	} {
		if err := runTool(ctx, "ip", args...); err != nil {
			return err
		}
	}
	return nil
}

// startContainerd starts the container runtime and loads the images.
func (s *supervisor) startContainerd(ctx context.Context) error {
	cni := s.path("cni")
	if err := os.MkdirAll(cni, 0o700); err != nil {
		return err
	}
	conflist := fmt.Appendf(nil, cniConfig, bridge, nodePods, s.path("ipam"))
	if err := os.WriteFile(filepath.Join(cni, "10-bridge.conflist"), conflist, 0o600); err != nil {
		return err
	}
	config := s.path("containerd.toml")
	content := fmt.Appendf(nil, containerdConfig, s.path("containerd/root"), s.path("containerd/state"),
		containerdSocket(s.state), pauseImage, cniDir, cni, s.path("containerd/runc"))
	if err := os.WriteFile(config, content, 0o600); err != nil {
		return err
	}
	if err := s.launch("containerd", "containerd", "--config="+config); err != nil {
		return err
	}
	if err := s.await(ctx, "containerd", "containerd", func(ctx context.Context) error {
		return ctr(ctx, s.state, "version")
	}); err != nil {
		return err
	}
	return errors.Join(
		loadImage(ctx, s.state, pauseImage, s.bin.Pause),
		loadImage(ctx, s.state, SkillImage, s.bin.Skill))
}

func (s *supervisor) startKubelet(context.Context) error {
	if _, err := s.identify(s.pki("kubelet.kubeconfig"), "system:node:"+nodeName, nodes); err != nil {
		return err
	}
	config := s.path("kubelet.yaml")
	content := fmt.Appendf(nil, kubeletConfig, nodeIP, cgroupRoot, "unix://"+containerdSocket(s.state),
		s.pki("ca.crt"), s.path(podLogsDir), s.path("volume-plugins"))
	if err := os.WriteFile(config, content, 0o600); err != nil {
		return err
	}
	return s.launch("kubelet", s.bin.Kubernetes, "kubelet",
		"--config="+config,
		"--cert-dir="+s.pki("kubelet"),
		"--hostname-override="+nodeName,
		"--kubeconfig="+s.pki("kubelet.kubeconfig"),
		"--node-ip="+nodeIP,
		"--root-dir="+s.path("kubelet"),
	)
}

// startProxy starts what routes Services. Pods of one bridge answer each other
// directly; masquerading makes the answers to a Service come back through the
// node, which must undo the change of address.
func (s *supervisor) startProxy(ctx context.Context) error {
	if _, err := s.identify(s.pki("kube-proxy.kubeconfig"), "system:kube-proxy"); err != nil {
		return err
	}
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	config := s.path("kube-proxy.yaml")
	content := fmt.Appendf(nil, proxyConfig, s.pki("kube-proxy.kubeconfig"), nodeName, podNetwork,
		net.JoinHostPort(loopback, ports[0]), net.JoinHostPort(loopback, ports[1]))
	if err := os.WriteFile(config, content, 0o600); err != nil {
		return err
	}
	return s.launch("kube-proxy", s.bin.Kubernetes, "kube-proxy", "--config="+config)
}

// startMetricsServer starts metrics-server and returns when the API server
// finds it.
func (s *supervisor) startMetricsServer(ctx context.Context) error {
	// It asks for much of what an administrator may, and only itself sees it.
	kubeconfig := s.pki("metrics-server.kubeconfig")
	if _, err := s.identify(kubeconfig, "metrics-server", administrators); err != nil {
		return err
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	if err := s.launch("metrics-server", s.bin.MetricsServer,
		"--authentication-kubeconfig="+kubeconfig,
		"--authorization-kubeconfig="+kubeconfig,
		"--bind-address="+loopback,
		"--cert-dir="+s.pki("metrics-server"),
		"--kubeconfig="+kubeconfig,
		"--kubelet-insecure-tls",
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-request-timeout=5s", // must be below the resolution
		"--metric-resolution=10s",
		"--secure-port="+ports[0],
	); err != nil {
		return err
	}
	if err := s.createMetricsAPI(ctx, ports[0]); err != nil {
		return fmt.Errorf("register the metrics API: %w", err)
	}
	return s.await(ctx, "metrics-server", "the metrics API", s.metricsAvailable)
}

func containerdSocket(state string) string {
	return filepath.Join(state, "containerd", "containerd.sock")
}

// ctr talks to the cluster's containerd, in the namespace of the kubelet.
func ctr(ctx context.Context, state string, args ...string) error {
	return runTool(ctx, "ctr", append([]string{"--address", containerdSocket(state), "--namespace", "k8s.io"}, args...)...)
}

// runTool runs a command that has little to say unless it fails.
func runTool(ctx context.Context, name string, args ...string) error {
	output, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}
