//go:build linux

package testcluster

// The configuration files of the node's components, with a verb where a path
// or an address goes.

// containerd must not lower anybody's OOM score, for which some machines lack
// the privilege, nor load a profile that outlives it. Whatever can lie in the state folder does; the sockets
// of the shims cannot.
const containerdConfig = `version = 2
root = %q
state = %q

[grpc]
  address = %q

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = %q
`

const cniConfig = `{
  "cniVersion": "0.4.0",
  "name": "skillcenter-testcluster",
  "plugins": [{
    "type": "bridge",
    "bridge": %q,
    "isGateway": true,
    "ipam": {
      "type": "host-local",
      "ranges": [[{"subnet": %q}]],
      "routes": [{"dst": "0.0.0.0/0"}],
      "dataDir": %q
    }
  }]
}
`

// The thresholds keep a nearly full disk from evicting pods. Nothing answers
// on the DNS address; without one, each pod would get an event about it. Small
// logs that are rotated often, and containers that restart soon, make tests of
// what happens then short.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %q
readOnlyPort: 0
healthzPort: 0
cgroupDriver: cgroupfs
cgroupRoot: /%s
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: %q
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true, cacheTTL: 5s}
  x509: {clientCAFile: %q}
authorization:
  mode: Webhook
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
evictionHard:
  memory.available: 50Mi
  nodefs.available: 1%%
  nodefs.inodesFree: 1%%
  imagefs.available: 1%%
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
makeIPTablesUtilChains: false
maxPods: 200
podLogsDir: %q
volumePluginDir: %q
nodeStatusUpdateFrequency: 2s
syncFrequency: 5s
eventRecordQPS: 0
kubeAPIQPS: 200
kubeAPIBurst: 400
serializeImagePulls: false
containerLogMaxSize: 1Mi
containerLogMaxFiles: 3
containerLogMonitorInterval: 3s
crashLoopBackOff: {maxContainerRestartPeriod: 3s}
`

// The zeroes leave the machine's connection tracking as it is.
const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection:
  kubeconfig: %q
hostnameOverride: %q
clusterCIDR: %q
healthzBindAddress: %q
metricsBindAddress: %q
nftables:
  masqueradeAll: true
  syncPeriod: 30s
  minSyncPeriod: 100ms
conntrack:
  maxPerCore: 0
  min: 0
  tcpEstablishedTimeout: 0s
  tcpCloseWaitTimeout: 0s
`
