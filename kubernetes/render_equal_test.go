//go:build linux

package kubernetes_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/kubernetes"
)

// complete is a configuration in which each field has a value, as far as the
// type allows.
func complete(name, instanceType string) hosting.CloudHostingConfig {
	config := everything(name, instanceType)
	config.Region, config.Provider = "default", "kubernetes"
	config.Annotations = map[string]string{"example.com/note": "x"}
	config.Env = map[string]string{"PLAIN": "$HOME"}
	config.Network = &hosting.NetworkConfig{ServiceType: hosting.ServiceLoadBalancer, Ports: []int{8080, 9090},
		IngressEnabled: new(true), IngressHost: name + ".example.com", IngressPath: "/skills"}
	config.Resources = &hosting.ResourceConfig{CPULimit: 0.5, CPURequest: 0.25, MemoryLimit: 64 << 20, MemoryRequest: 32 << 20, StorageLimit: 1 << 30}
	if config.Scaling != nil {
		config.Scaling.TargetMemoryUtilization = 70
	}
	config.Container.Commands, config.Container.Args = []string{"/skill"}, []string{"-lines", "$(PLAIN)"}
	config.Container.ImagePullSecret = "registry"
	config.Container.HealthCheck = &hosting.HealthCheck{HTTP: &hosting.HTTPCheck{Path: "/healthz", Port: 8080},
		InitialDelay: hosting.Duration(time.Second), Period: hosting.Duration(2 * time.Second), Timeout: hosting.Duration(time.Second),
		FailureThreshold: 4, SuccessThreshold: 1}
	config.Container.PreStop = &hosting.PreStop{Command: []string{"/bye"}}
	config.Container.TerminationGracePeriod = new(hosting.Duration(20 * time.Second))
	config.Container.VolumeMounts = []hosting.VolumeMount{{VolumeID: "default.volume.shared", MountPath: "/shared", SubPath: "a", ReadOnly: true}}
	return config
}

// requireFilled requires that each field has a value but for those that are
// named.
func requireFilled(t *testing.T, value any, but ...string) {
	t.Helper()
	v := reflect.ValueOf(value)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !slices.Contains(but, name) {
			require.False(t, v.Field(i).IsZero(), "a configuration can have %s", name)
		}
	}
}

// posts are what a provider asks the API server to make, in order.
type posts struct {
	mu      sync.Mutex
	objects []runtime.Object
}

func (p *posts) into(t *testing.T) func(*kubernetes.Config) {
	return func(c *kubernetes.Config) {
		c.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPost {
					body, err := io.ReadAll(r.Body)
					assert.NoError(t, err)
					r.Body = io.NopCloser(bytes.NewReader(body))
					o, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
					assert.NoError(t, err)
					p.mu.Lock()
					p.objects = append(p.objects, o)
					p.mu.Unlock()
				}
				return next.RoundTrip(r)
			})
		}
	}
}

var createdAt = regexp.MustCompile(`\n *"skillcenter.io/created-at": "[^"]*",`)

// plain is an object as JSON, without what only its creation decides.
func plain(t *testing.T, o runtime.Object, secretName string) string {
	t.Helper()
	o = o.DeepCopyObject()
	metadata, err := meta.Accessor(o)
	require.NoError(t, err)
	metadata.SetOwnerReferences(nil)
	if anchor, ok := o.(*corev1.ConfigMap); ok {
		var desired map[string]any
		require.NoError(t, json.Unmarshal([]byte(anchor.Data["desired"]), &desired))
		require.Contains(t, desired, "createdAt")
		desired["createdAt"], desired["updatedAt"] = "some time", "some time"
		for _, mount := range desired["mounts"].([]any) {
			delete(mount.(map[string]any), "accessMode") // of the volume
		}
		data, err := json.Marshal(desired)
		require.NoError(t, err)
		anchor.Data["desired"] = string(data)
	}
	data, err := json.MarshalIndent(o, "", "  ")
	require.NoError(t, err)
	data = createdAt.ReplaceAll(data, nil)
	return strings.ReplaceAll(string(data), secretName, "the-secret")
}

// secretIn names the Secret among objects.
func secretIn(t *testing.T, objects []runtime.Object) string {
	t.Helper()
	for _, o := range objects {
		if secret, ok := o.(*corev1.Secret); ok {
			return secret.Name
		}
	}
	require.Fail(t, "no Secret")
	return ""
}

func TestRenderGivesWhatCreateMakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.newVolume(t, "shared", hosting.ReadWriteMany)
	for _, instanceType := range instanceTypes {
		t.Run(instanceType, func(t *testing.T) {
			t.Parallel()
			config := complete("web-"+instanceType, instanceType)
			var but []string
			if config.Scaling == nil {
				but = append(but, "Scaling")
			}
			if instanceType != hosting.TypeCronJob {
				but = append(but, "Schedule")
			}
			requireFilled(t, config, but...)
			requireFilled(t, *config.Container)
			requireFilled(t, *config.Network)
			requireFilled(t, *config.Resources)

			var made posts
			var settings kubernetes.Config
			p := w.provider(t, w.cluster.Config(), made.into(t), func(c *kubernetes.Config) { settings = *c })
			_, err := p.CreateInstance(t.Context(), config)
			require.NoError(t, err)
			rendered, err := kubernetes.Render(config, settings)
			require.NoError(t, err)
			require.Len(t, made.objects, len(rendered))
			for i := range rendered {
				assert.Equal(t, plain(t, rendered[i], secretIn(t, rendered)), plain(t, made.objects[i], secretIn(t, made.objects)))
			}
		})
	}
}
