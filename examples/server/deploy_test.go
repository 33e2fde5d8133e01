//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"

	"skillcenter.io/hosting/internal/testcluster"
	"skillcenter.io/hosting/kubernetes/deploy"
)

const top = "../.." // of the repository

// decode returns the objects of a manifest. Fields that do not exist are an
// error.
func decode(t *testing.T, data []byte) []runtime.Object {
	t.Helper()
	info, ok := runtime.SerializerInfoForMediaType(scheme.Codecs.WithoutConversion().SupportedMediaTypes(), runtime.ContentTypeYAML)
	require.True(t, ok)
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(data)))
	defer documents.Close()
	var objects []runtime.Object
	for {
		buffer := make([]byte, len(data)+1)
		n, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		o, _, err := info.StrictSerializer.Decode(buffer[:n], nil, nil)
		require.NoError(t, err)
		objects = append(objects, o)
	}
}

// manifests are what deploy has.
type manifests struct {
	namespaces []*corev1.Namespace
	config     *corev1.ConfigMap
	deployment *appsv1.Deployment
	service    *corev1.Service
}

func shipped(t *testing.T) manifests {
	t.Helper()
	var m manifests
	files, err := filepath.Glob("deploy/*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, o := range decode(t, data) {
			switch o := o.(type) {
			case *corev1.Namespace:
				m.namespaces = append(m.namespaces, o)
			case *corev1.ConfigMap:
				m.config = o
			case *appsv1.Deployment:
				m.deployment = o
			case *corev1.Service:
				m.service = o
			default:
				require.Fail(t, "no test knows this", "%T", o)
			}
		}
	}
	require.NotNil(t, m.config)
	require.NotNil(t, m.deployment)
	require.NotNil(t, m.service)
	return m
}

func TestTheManifestsFitTogether(t *testing.T) {
	t.Parallel()
	m := shipped(t)
	pod := m.deployment.Spec.Template
	require.Len(t, pod.Spec.Containers, 1)
	container := pod.Spec.Containers[0]

	data, err := deploy.Files.ReadFile("service-account.yaml")
	require.NoError(t, err)
	account := decode(t, data)[0].(*corev1.ServiceAccount)
	assert.Equal(t, account.Name, pod.Spec.ServiceAccountName)
	for _, o := range []metav1.Object{m.config, m.deployment, m.service} {
		assert.Equal(t, account.Namespace, o.GetNamespace(), o.GetName())
	}
	assert.True(t, slices.ContainsFunc(m.namespaces, func(n *corev1.Namespace) bool { return n.Name == account.Namespace }))

	selector, err := metav1.LabelSelectorAsSelector(m.deployment.Spec.Selector)
	require.NoError(t, err)
	assert.True(t, selector.Matches(kubelabels.Set(pod.Labels)))
	assert.True(t, kubelabels.SelectorFromSet(m.service.Spec.Selector).Matches(kubelabels.Set(pod.Labels)))
	for _, port := range []string{m.service.Spec.Ports[0].TargetPort.String(), container.LivenessProbe.HTTPGet.Port.String(), container.ReadinessProbe.HTTPGet.Port.String()} {
		assert.Equal(t, container.Ports[0].Name, port)
	}
	assert.Equal(t, m.config.Name, pod.Spec.Volumes[0].ConfigMap.Name)
	assert.Equal(t, tokenVariable, container.Env[0].Name)

	// The flags are the program's, and there is time for what they ask for.
	s, err := parse(container.Args, func(string) string { return testToken }, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, ":8080", s.addr)
	assert.EqualValues(t, 8080, container.Ports[0].ContainerPort)
	assert.Equal(t, container.VolumeMounts[0].MountPath, filepath.Dir(s.config))
	assert.Contains(t, m.config.Data, filepath.Base(s.config))
	assert.Greater(t, float64(*pod.Spec.TerminationGracePeriodSeconds), s.grace.Seconds()+float64(container.Lifecycle.PreStop.Sleep.Seconds)+5)
}

// An API server takes the manifests, and the pods meet the strictest of the Pod
// Security Standards, which only the pods' own creation shows.
func TestAClusterTakesTheManifests(t *testing.T) {
	t.Parallel()
	m := shipped(t)
	cluster := testcluster.Start(t)
	client, err := clientset.NewForConfig(cluster.Config())
	require.NoError(t, err)
	namespace := cluster.Namespace(t, "server")
	own, err := client.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
	require.NoError(t, err)
	for _, n := range m.namespaces {
		if n.Name == m.deployment.Namespace {
			own.Labels = n.Labels
		}
	}
	require.Equal(t, "restricted", own.Labels["pod-security.kubernetes.io/enforce"])
	_, err = client.CoreV1().Namespaces().Update(t.Context(), own, metav1.UpdateOptions{})
	require.NoError(t, err)

	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	for _, n := range m.namespaces {
		n.Name += "-" + namespace // others may have one of the shipped name
		_, err := client.CoreV1().Namespaces().Create(t.Context(), n, dry)
		require.NoError(t, err)
	}
	m.config.Namespace, m.deployment.Namespace, m.service.Namespace = namespace, namespace, namespace
	_, err = client.CoreV1().ConfigMaps(namespace).Create(t.Context(), m.config, dry)
	require.NoError(t, err)
	_, err = client.CoreV1().Services(namespace).Create(t.Context(), m.service, dry)
	require.NoError(t, err)
	_, err = client.AppsV1().Deployments(namespace).Create(t.Context(), m.deployment, dry)
	require.NoError(t, err)
	pod := &corev1.Pod{ObjectMeta: m.deployment.Spec.Template.ObjectMeta, Spec: m.deployment.Spec.Template.Spec}
	pod.Name, pod.Namespace, pod.Spec.ServiceAccountName = "server", namespace, "default"
	_, err = client.CoreV1().Pods(namespace).Create(t.Context(), pod, dry)
	require.NoError(t, err)
}

func TestTheShippedConfigurationCanBeOpened(t *testing.T) {
	m := shipped(t)
	directory := t.TempDir()
	kubeconfig := filepath.Join(directory, "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, []byte(`
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
`), 0o600))
	t.Setenv("KUBECONFIG", kubeconfig) // where the pod has its service account
	file := filepath.Join(directory, "hosting.yaml")
	require.NoError(t, os.WriteFile(file, []byte(m.config.Data["hosting.yaml"]), 0o600))
	host, err := open(t.Context(), file, newLogger(io.Discard))
	require.NoError(t, err)
	assert.Equal(t, "kubernetes", host.Provider().ProviderName())
	assert.NoError(t, host.Close())
}

func TestTheDockerfileBuildsWhatIsThere(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("Dockerfile")
	require.NoError(t, err)
	text := string(data)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "COPY" || strings.HasPrefix(words[1], "--from") {
			continue
		}
		for _, source := range words[1 : len(words)-1] {
			_, err := os.Stat(filepath.Join(top, source))
			assert.NoError(t, err, line)
		}
	}
	built := regexp.MustCompile(`CGO_ENABLED=0 go build .* -o (\S+) (\./\S+)\n`).FindStringSubmatch(text)
	require.NotNil(t, built)
	program, err := filepath.Abs(filepath.Join(top, built[2]))
	require.NoError(t, err)
	here, err := filepath.Abs(".")
	require.NoError(t, err)
	assert.Equal(t, here, program)
	assert.Contains(t, text, "COPY --from=build "+built[1]+" "+built[1]+"\n")
	assert.Contains(t, text, `ENTRYPOINT ["`+built[1]+`"]`)

	module, err := os.ReadFile(filepath.Join(top, "go.mod"))
	require.NoError(t, err)
	language := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(module))
	require.NotNil(t, language)
	assert.Regexp(t, `FROM golang:`+regexp.QuoteMeta(language[1])+`\.\d+-\w+ AS build`, text)
	pod := shipped(t).deployment.Spec.Template.Spec
	assert.Regexp(t, `(?m)^USER 65532:65532$`, text)
	assert.EqualValues(t, 65532, *pod.SecurityContext.RunAsUser)
}

// The comments of the manifests say what to apply; those files are there.
func TestTheCommandsOfTheManifestsNameFilesThatExist(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("deploy/server.yaml")
	require.NoError(t, err)
	commands := regexp.MustCompile(`kubectl apply .*-f (\S+)`).FindAllStringSubmatch(string(data), -1)
	require.Len(t, commands, 4)
	for _, command := range commands {
		_, err := os.Stat(filepath.Join(top, command[1]))
		assert.NotErrorIs(t, err, fs.ErrNotExist, command[0])
	}
	secret := shipped(t).deployment.Spec.Template.Spec.Containers[0].Env[0].ValueFrom.SecretKeyRef
	assert.Contains(t, string(data), "kubectl create secret generic "+secret.Name+" -n skillcenter --from-literal="+secret.Key+"=")
}
