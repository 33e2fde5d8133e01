package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// KubeletMetrics makes GetMetrics ask the kubelets for what the metrics API
// does not have: networkIn, networkOut and diskUsage. Each kubelet that runs a
// replica is asked at https://<address of the node>:<Port>/stats/summary with
// the provider's own credentials, which need the permission to get nodes/stats
// (not nodes/proxy, which would let them run commands in every pod). The program
// must reach the nodes: run it in the cluster, or in the nodes' network.
//
// A kubelet that is not reached or refuses makes these fields unavailable, and
// nothing else; [Provider.Check] tells whether the permission is there.
//
// A rate takes two looks at an instance, at least one measurement of the
// kubelet (10 to 20 seconds) and at most ten minutes apart.
type KubeletMetrics struct {
	// CAFile and CAData are the authorities, as PEM, that sign the serving
	// certificates of the kubelets, of all clusters: at most one of the two.
	// Without them it is the authority of the API server, which signs them
	// where the kubelets have serverTLSBootstrap. The certificate must be for
	// the address of the node.
	CAFile string
	CAData []byte
	// InsecureSkipVerify accepts any certificate, such as the self-signed ones
	// that kubelets make for themselves. Whoever answers at the address of a
	// node then gets the provider's token, and can do with the cluster what
	// the provider may: use it only where the network to the nodes is trusted,
	// or with credentials that are good for nothing else. (A client certificate
	// proves itself without being given away.)
	InsecureSkipVerify bool
	// Port is the port of the kubelets; 10250 if zero.
	Port int
}

const defaultKubeletPort = 10250

const (
	// summaryKept is how long an answer of a kubelet is used again, and one that
	// does not answer is left alone. It measures every ten seconds or so.
	summaryKept = 5 * time.Second
	// kubeletPatience is how long one kubelet may take.
	kubeletPatience = 5 * time.Second
	// kubeletRequests is how many kubelets of a cluster are asked at once.
	kubeletRequests = 16
	// maxSummary is the size in bytes of an answer that nobody has: 1000 pods
	// take 4 MiB.
	maxSummary = 64 << 20
)

// kubelets reads the statistics of the nodes of one cluster.
type kubelets struct {
	client *http.Client
	port   string
	slots  chan struct{}
	rates  networkRates

	mu    sync.Mutex
	nodes map[string]*kubelet // by address
}

// kubelet is what one node said last.
type kubelet struct {
	summary shared[nodeSummary]
	used    time.Time
}

// nodeSummary is the part of the kubelet's answer that is read, by the UID of the
// pod.
type nodeSummary map[types.UID]podSummary

type podSummary struct {
	network *networkSample
	// disk is the ephemeral storage that the pod uses, in bytes: the writable
	// layers and logs of its containers and its local volumes.
	disk   *int64
	diskAt time.Time
}

// newKubelets uses the credentials for the API server with other TLS settings.
func newKubelets(config KubeletMetrics, api *rest.Config) (*kubelets, error) {
	c := rest.CopyConfig(api)
	c.ServerName, c.Insecure = "", config.InsecureSkipVerify
	switch {
	case config.InsecureSkipVerify:
		c.CAFile, c.CAData = "", nil
	case config.CAFile != "" || len(config.CAData) > 0:
		c.CAFile, c.CAData = config.CAFile, config.CAData
	}
	transport, err := rest.TransportFor(c)
	if err != nil {
		// That of the API server can be used, so it is what differs.
		bad := &badSource{field: "kubeletMetrics.caData", allowed: "certificates as PEM", err: fmt.Errorf("kubeletMetrics: %w", err)}
		if config.CAFile != "" {
			bad.field, bad.allowed = "kubeletMetrics.caFile", "a file of certificates that can be read"
		}
		return nil, bad
	}
	return &kubelets{
		client: &http.Client{
			Transport: transport,
			// The credentials go where they are meant to go and nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		port:  strconv.Itoa(config.Port),
		slots: make(chan struct{}, kubeletRequests),
		nodes: map[string]*kubelet{},
	}, nil
}

// read returns what the kubelets say about the pods; those that a kubelet does
// not know, or that is not reached, are missing. Each kubelet is asked once.
func (k *kubelets) read(ctx context.Context, running []*corev1.Pod) nodeSummary {
	addresses := map[string]bool{}
	for _, pod := range running {
		if pod.Status.HostIP != "" {
			addresses[pod.Status.HostIP] = true
		}
	}
	var mu sync.Mutex
	result := nodeSummary{}
	var group errgroup.Group
	group.SetLimit(kubeletRequests)
	for address := range addresses {
		group.Go(func() error {
			found, err := k.node(address).get(ctx, summaryKept, func(ctx context.Context) (nodeSummary, error) {
				found, err := k.fetch(ctx, address)
				if err != nil && ctx.Err() == nil {
					return nil, nil // all that this node tells, for now
				}
				return found, err
			})
			if err != nil {
				return nil // the caller has given up, which it notices itself
			}
			mu.Lock()
			defer mu.Unlock()
			for _, pod := range running {
				if s, ok := found[pod.UID]; ok {
					result[pod.UID] = s
				}
			}
			return nil
		})
	}
	_ = group.Wait()
	return result
}

// node returns the place for a node's answers, and drops those that are of no
// use any more.
func (k *kubelets) node(address string) *shared[nodeSummary] {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if k.nodes[address] == nil {
		for other, n := range k.nodes {
			if now.Sub(n.used) > summaryKept+kubeletPatience {
				delete(k.nodes, other)
			}
		}
		k.nodes[address] = &kubelet{}
	}
	k.nodes[address].used = now
	return &k.nodes[address].summary
}

func (k *kubelets) fetch(ctx context.Context, address string) (found nodeSummary, err error) {
	ctx, cancel := context.WithTimeout(ctx, kubeletPatience)
	defer cancel()
	select {
	case k.slots <- struct{}{}:
		defer func() { <-k.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(address, k.port)+"/stats/summary", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the kubelet at %s answered %s", address, response.Status)
	}
	return decodeSummary(io.LimitReader(response.Body, maxSummary))
}

// summaryJSON has the names of the kubelet's stats/v1alpha1. The module with
// the full types is not worth a dependency.
type summaryJSON struct {
	Pods []struct {
		PodRef struct {
			UID types.UID `json:"uid"`
		} `json:"podRef"`
		// Network is about the pod's default interface.
		Network *struct {
			Time    time.Time `json:"time"`
			RxBytes *uint64   `json:"rxBytes"`
			TxBytes *uint64   `json:"txBytes"`
		} `json:"network"`
		EphemeralStorage *struct {
			Time      time.Time `json:"time"`
			UsedBytes *int64    `json:"usedBytes"`
		} `json:"ephemeral-storage"`
	} `json:"pods"`
}

func decodeSummary(r io.Reader) (nodeSummary, error) {
	var answer summaryJSON
	if err := json.NewDecoder(r).Decode(&answer); err != nil {
		return nil, fmt.Errorf("decoding the kubelet's summary: %w", err)
	}
	result := make(nodeSummary, len(answer.Pods))
	for _, pod := range answer.Pods {
		var s podSummary
		if n := pod.Network; n != nil && n.RxBytes != nil && n.TxBytes != nil && !n.Time.IsZero() {
			s.network = &networkSample{at: n.Time, in: *n.RxBytes, out: *n.TxBytes}
		}
		if d := pod.EphemeralStorage; d != nil && !d.Time.IsZero() {
			s.disk, s.diskAt = d.UsedBytes, d.Time
		}
		result[pod.PodRef.UID] = s
	}
	return result, nil
}
