//go:build linux

package kubernetes

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"skillcenter.io/hosting"
)

// fakeKubelet serves /stats/summary at an address of this machine.
type fakeKubelet struct {
	requests atomic.Int32
	mu       sync.Mutex
	answer   func(w http.ResponseWriter, r *http.Request)
}

func (f *fakeKubelet) set(answer func(http.ResponseWriter, *http.Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// says answers with these pods.
func (f *fakeKubelet) says(pods ...string) {
	f.set(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"node":{},"pods":[%s]}`, strings.Join(pods, ","))
	})
}

// podJSON is a pod in the form of the kubelet.
func podJSON(uid string, second int, rx, tx, disk int64) string {
	at := time.Date(2030, 1, 1, 0, 0, second, 0, time.UTC).Format(time.RFC3339)
	return fmt.Sprintf(`{"podRef":{"name":"x","namespace":"y","uid":%q},"network":{"time":%q,"name":"eth0","rxBytes":%d,"rxErrors":0,"txBytes":%d,
		"interfaces":[{"name":"eth0","rxBytes":%d}]},"ephemeral-storage":{"time":%q,"capacityBytes":1,"usedBytes":%d,"inodes":3}}`, uid, at, rx, tx, rx, at, disk)
}

// fakeKubelets starts one kubelet at each address, all at the same port, with
// certificates that the returned authority has signed.
func fakeKubelets(t *testing.T, addresses ...string) (kubelets map[string]*fakeKubelet, port int, authority []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	for _, address := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	kubelets = map[string]*fakeKubelet{}
	for _, address := range addresses {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		require.NoError(t, err)
		port = listener.Addr().(*net.TCPAddr).Port
		f := &fakeKubelet{}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.requests.Add(1)
			f.mu.Lock()
			answer := f.answer
			f.mu.Unlock()
			assert.Equal(t, "/stats/summary", r.URL.Path)
			answer(w, r)
		}))
		require.NoError(t, server.Listener.Close())
		server.Listener = listener
		server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that do not trust it
		server.StartTLS()
		t.Cleanup(server.Close)
		kubelets[address] = f
	}
	return kubelets, port, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func newTestKubelets(t *testing.T, config KubeletMetrics) *kubelets {
	t.Helper()
	// The API server's own TLS settings must not be taken for the kubelets'.
	k, err := newKubelets(config, &rest.Config{Host: "https://api.example.com", BearerToken: "t0ken",
		TLSClientConfig: rest.TLSClientConfig{ServerName: "api.example.com"}})
	require.NoError(t, err)
	t.Cleanup(k.client.CloseIdleConnections)
	return k
}

func runningPod(uid, address string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}, Status: corev1.PodStatus{Phase: corev1.PodRunning, HostIP: address}}
}

// measure forgets the answers that are kept for some seconds, and asks.
func measure(t *testing.T, k *kubelets, pods ...*corev1.Pod) hosting.InstanceMetrics {
	t.Helper()
	k.mu.Lock()
	clear(k.nodes)
	k.mu.Unlock()
	result := hosting.InstanceMetrics{Timestamp: hosting.NewTime(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC))}
	addKubeletMetrics(t.Context(), k, pods, &result)
	return result
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

var allKubeletFields = []string{"diskUsage", "networkIn", "networkOut"}

func TestKubeletFiguresAreSummedOverNodesAndNeverMadeUp(t *testing.T) {
	t.Parallel()
	nodes, port, authority := fakeKubelets(t, "127.0.0.1", "127.0.0.2")
	one, two := nodes["127.0.0.1"], nodes["127.0.0.2"]
	k := newTestKubelets(t, KubeletMetrics{CAData: authority, Port: port})
	a, b := runningPod("a", "127.0.0.1"), runningPod("b", "127.0.0.2")

	one.says(podJSON("a", 0, 1000, 500, 10), podJSON("other", 0, 1e9, 1e9, 1e9))
	two.says(podJSON("b", 0, 100, 0, 7))
	got := measure(t, k, a, b)
	assert.Equal(t, []string{"networkIn", "networkOut"}, got.Unavailable, "one sample makes no rate")
	assert.EqualValues(t, 17, got.DiskUsage)

	one.says(podJSON("a", 10, 3000, 1500, 20))
	two.says(podJSON("b", 20, 300, 40, 8))
	got = measure(t, k, a, b)
	assert.Empty(t, got.Unavailable)
	assert.InDelta(t, 200+10, got.NetworkIn, 0.001, "by the times of the samples")
	assert.InDelta(t, 100+2, got.NetworkOut, 0.001)
	assert.EqualValues(t, 28, got.DiskUsage)
	assert.Equal(t, "2030-01-01T00:00:10.000Z", got.Timestamp.String(), "of the oldest figure")

	again := measure(t, k, a, b)
	assert.Equal(t, got, again, "samples that have not changed tell the same, not 0")

	one.says(podJSON("a", 30, 10, 10, 20))
	got = measure(t, k, a, b)
	assert.Equal(t, []string{"networkIn", "networkOut"}, got.Unavailable, "counters went back: they were made anew")
	assert.Zero(t, got.NetworkIn)
	one.says(podJSON("a", 40, 110, 10, 20))
	got = measure(t, k, a, b)
	assert.Empty(t, got.Unavailable)
	assert.InDelta(t, 10+10, got.NetworkIn, 0.001)

	c := runningPod("c", "127.0.0.1")
	assert.Equal(t, allKubeletFields, sorted(measure(t, k, a, c).Unavailable), "a pod that the kubelet does not know yet")
	assert.Equal(t, allKubeletFields, sorted(measure(t, k, runningPod("a", "")).Unavailable), "a pod without a node")
	a.Spec.HostNetwork = true
	assert.Equal(t, []string{"networkIn", "networkOut"}, measure(t, k, a, b).Unavailable, "its counters would be the node's")
	assert.Empty(t, measure(t, k).Unavailable, "nothing runs, nothing is used")
}

func TestAKubeletThatFailsMakesItsFiguresUnavailable(t *testing.T) {
	t.Parallel()
	nodes, port, authority := fakeKubelets(t, "127.0.0.1")
	k := newTestKubelets(t, KubeletMetrics{CAData: authority, Port: port})
	pod := runningPod("a", "127.0.0.1")
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"forbidden": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Forbidden", http.StatusForbidden) },
		"garbage":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "garbage") },
		"no figures": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"pods":[{"podRef":{"uid":"a"},"network":{"time":null,"rxBytes":1},"ephemeral-storage":{}}]}`)
		},
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:1/steal", http.StatusFound)
		},
		"gone": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		nodes["127.0.0.1"].set(answer)
		assert.Equal(t, allKubeletFields, sorted(measure(t, k, pod).Unavailable), name)
	}
	nodes["127.0.0.1"].set(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	measure(t, k, pod)
	nodes["127.0.0.1"].says(podJSON("a", 0, 1, 1, 1))
	asked := nodes["127.0.0.1"].requests.Load()
	assert.Empty(t, k.read(t.Context(), []*corev1.Pod{pod}), "it is left alone for some seconds")
	assert.Equal(t, asked, nodes["127.0.0.1"].requests.Load())
	assert.NotContains(t, measure(t, k, pod).Unavailable, "diskUsage", "it heals")
}

func TestConcurrentCallsAskEachKubeletOnce(t *testing.T) {
	t.Parallel()
	nodes, port, authority := fakeKubelets(t, "127.0.0.1", "127.0.0.2")
	release := make(chan struct{})
	for _, n := range nodes {
		n.set(func(w http.ResponseWriter, _ *http.Request) {
			<-release
			fmt.Fprintf(w, `{"pods":[%s,%s]}`, podJSON("a", 0, 1, 1, 1), podJSON("b", 0, 1, 1, 1))
		})
	}
	k := newTestKubelets(t, KubeletMetrics{CAData: authority, Port: port})
	pods := []*corev1.Pod{runningPod("a", "127.0.0.1"), runningPod("b", "127.0.0.2")}
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() { assert.Len(t, k.read(t.Context(), pods), 2) })
	}
	wait.Go(func() {
		// One that does not want to wait gets what there is: nothing.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		assert.Empty(t, k.read(ctx, pods))
		close(release)
	})
	wait.Wait()
	assert.Len(t, k.read(t.Context(), pods), 2, "the answer is kept for some seconds")
	for address, n := range nodes {
		assert.LessOrEqual(t, n.requests.Load(), int32(2), "%s: once, and once if the one that gave up was first", address)
	}
}

func TestAKubeletMustProveThatItIsOne(t *testing.T) {
	t.Parallel()
	nodes, port, authority := fakeKubelets(t, "127.0.0.1")
	var seen atomic.Value
	nodes["127.0.0.1"].set(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Header.Get("Authorization"))
		fmt.Fprintf(w, `{"pods":[%s]}`, podJSON("a", 0, 1, 1, 1))
	})
	file := filepath.Join(t.TempDir(), "ca.crt")
	require.NoError(t, os.WriteFile(file, authority, 0o600))
	for name, test := range map[string]struct {
		config  KubeletMetrics
		address string
		trusted bool
	}{
		"its authority":                 {KubeletMetrics{CAData: authority}, "127.0.0.1", true},
		"its authority, from a file":    {KubeletMetrics{CAFile: file}, "127.0.0.1", true},
		"an authority nobody knows":     {KubeletMetrics{}, "127.0.0.1", false},
		"no proof is asked for":         {KubeletMetrics{InsecureSkipVerify: true}, "127.0.0.1", true},
		"a certificate of another node": {KubeletMetrics{CAData: authority}, "localhost", false},
	} {
		seen.Store("nothing")
		test.config.Port = port
		found := newTestKubelets(t, test.config).read(t.Context(), []*corev1.Pod{runningPod("a", test.address)})
		if test.trusted {
			assert.Len(t, found, 1, name)
			assert.Equal(t, "Bearer t0ken", seen.Load(), name)
		} else {
			assert.Empty(t, found, name)
			assert.Equal(t, "nothing", seen.Load(), "%s: it gets no token", name)
		}
	}
}

func TestTheTrustInKubeletsIsOfOneKind(t *testing.T) {
	t.Parallel()
	for name, k := range map[string]KubeletMetrics{
		"kubeletMetrics \"two":       {CAFile: "x", InsecureSkipVerify: true},
		"kubeletMetrics.port":        {Port: 70000},
		"region default: kubeletMet": {CAData: []byte("no PEM")},
		"no such file":               {CAFile: "/no/such/file"},
	} {
		config := DefaultConfig()
		config.RESTConfig = &rest.Config{Host: "https://127.0.0.1:1"}
		config.KubeletMetrics = &k
		_, err := New(t.Context(), config)
		require.ErrorIs(t, err, hosting.InvalidArgument, name)
		assert.Contains(t, err.Error(), name)
	}
}

func TestCapabilitiesFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		p := testProvider(t, func(c *Config) {
			if on {
				c.KubeletMetrics = &KubeletMetrics{}
			}
		})
		for _, instanceType := range p.SupportedInstanceTypes() {
			set, err := p.Capabilities(t.Context(), "", instanceType)
			require.NoError(t, err)
			assert.Equal(t, on, set.Has(hosting.CanNetworkMetrics))
			assert.Equal(t, on, set.Has(hosting.CanDiskMetrics))
			assert.Contains(t, set[hosting.CanDiskMetrics].Note, map[bool]string{false: "KubeletMetrics", true: "nodes/stats"}[on])
		}
	}
}

func TestSamplesAreForgottenAfterAWhile(t *testing.T) {
	t.Parallel()
	var r networkRates
	now := time.Now()
	at := func(seconds int, in uint64) networkSample {
		return networkSample{at: now.Add(time.Duration(seconds) * time.Second), in: in}
	}
	for i := range 1000 {
		assert.Nil(t, r.take(types.UID(strconv.Itoa(i)), at(0, 0), now))
	}
	require.NotNil(t, r.take("7", at(60, 600), now.Add(time.Minute)))
	later := now.Add(rateMemory + 30*time.Second)
	assert.InDelta(t, 10, r.take("7", at(630, 6300), later).in, 0.001)
	assert.Len(t, r.pods, 1, "the others have not been looked at since")
	assert.Nil(t, r.take("8", at(630, 6300), later), "too long ago to tell a rate")
	// An answer that comes late, with an older sample, changes nothing.
	assert.InDelta(t, 10, r.take("7", at(600, 1), later).in, 0.001)
	assert.InDelta(t, 10, r.take("7", at(640, 6400), later).in, 0.001)
}

func FuzzDecodeSummary(f *testing.F) {
	f.Add(`{"pods":[` + podJSON("a", 1, 2, 3, 4) + `]}`)
	f.Add(`{"pods":[{"podRef":null,"network":{}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		found, err := decodeSummary(strings.NewReader(text))
		if err != nil {
			assert.Nil(t, found)
			return
		}
		for _, s := range found {
			assert.False(t, s.network != nil && s.network.at.IsZero())
		}
	})
}
