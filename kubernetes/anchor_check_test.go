package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"skillcenter.io/hosting"
)

// anchorOf returns the anchor of a configuration, as it would be stored.
func anchorOf(t testing.TB, p *Provider, config hosting.CloudHostingConfig) *corev1.ConfigMap {
	t.Helper()
	r, err := p.resolve(config)
	require.NoError(t, err)
	o, err := p.newAnchor(r)
	require.NoError(t, err)
	return o
}

func TestAnAnchorThatContradictsItselfIsAnError(t *testing.T) {
	t.Parallel()
	p := testProvider(t, nil)
	for _, test := range []struct {
		name   string
		change func(*corev1.ConfigMap)
		says   string
	}{
		{"no JSON", func(o *corev1.ConfigMap) { o.Data[keyConfig] = "{" }, "key config"},
		{"no state", func(o *corev1.ConfigMap) { delete(o.Data, keyDesired) }, "key desired"},
		{"another name", func(o *corev1.ConfigMap) { o.Data[keyConfig] = `{"instanceName":"other","instanceType":"deployment"}` }, `an instance "other"`},
		{"another type", func(o *corev1.ConfigMap) { o.Data[keyConfig] = `{"instanceName":"web","instanceType":"job"}` }, `of a "job"`},
		{"another label", func(o *corev1.ConfigMap) { o.Labels[labelName] = "other" }, `an instance "other"`},
		{"an unknown type", func(o *corev1.ConfigMap) {
			o.Labels[labelType] = "vm"
			o.Data[keyConfig] = `{"instanceName":"web","instanceType":"vm"}`
		}, `no instance type "vm"`},
		{"no container", func(o *corev1.ConfigMap) { o.Data[keyConfig] = `{"instanceName":"web","instanceType":"deployment"}` }, "no container"},
		{"a volume that is none", func(o *corev1.ConfigMap) {
			o.Data[keyDesired] = `{"mounts":[{"volumeId":"default.deployment.web","mountPath":"/x"}]}`
		}, `a volume "default.deployment.web"`},
		{"a volume elsewhere", func(o *corev1.ConfigMap) {
			o.Data[keyDesired] = `{"mounts":[{"volumeId":"moon.volume.data","mountPath":"/x"}]}`
		}, `a volume "moon.volume.data"`},
		{"an ingress to no port", func(o *corev1.ConfigMap) { o.Data[keyDesired] = `{"spec":{"ingress":{"host":"a.example.com"}}}` }, "no ports"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := anchorOf(t, p, testConfig(nil))
			_, err := decode(o)
			require.NoError(t, err)
			test.change(o)
			_, err = decode(o)
			require.ErrorContains(t, err, test.says)
			assert.Contains(t, err.Error(), "ConfigMap skill-web")
		})
	}
}

// Whatever stands in an anchor, nothing panics: one that somebody has spoilt
// must not take down a program that hosts a thousand others.
func FuzzAnchor(f *testing.F) {
	config := DefaultConfig()
	config, err := config.withDefaults()
	require.NoError(f, err)
	p := &Provider{config: config, regions: map[string]*region{"default": {name: "default", namespace: "default"}}}
	for _, instanceType := range instanceTypes {
		o := anchorOf(f, p, testConfig(func(c *hosting.CloudHostingConfig) {
			c.InstanceType = instanceType
			c.Container.Ports = []int{80}
			c.Network = &hosting.NetworkConfig{IngressHost: "a.example.com"}
			if instanceType == hosting.TypeCronJob {
				c.Schedule = "* * * * *"
			}
		}))
		f.Add(instanceType, o.Data[keyConfig], o.Data[keyDesired])
	}
	f.Add("vm", `{"instanceName":"web","instanceType":"vm"}`, `{}`)
	f.Add("deployment", `{"instanceName":"web","instanceType":"deployment","container":{}}`, `{"spec":{"ingress":{},"autoscaler":{},"container":{"healthCheck":{}}},"stopped":true}`)
	f.Fuzz(func(t *testing.T, instanceType, config, desired string) {
		o := &corev1.ConfigMap{Data: map[string]string{keyConfig: config, keyDesired: desired}}
		o.Name, o.Labels = "skill-web", map[string]string{labelName: "web", labelType: instanceType}
		a, err := decode(o)
		if err != nil {
			return
		}
		s := &snapshot{target: target{region: p.regions["default"], kind: kinds[instanceType], id: "default." + instanceType + ".web", name: "web"}, anchor: a}
		p.instance(s)
		for _, part := range p.parts(a.record, nil) {
			switch o := part.object.(type) {
			case *corev1.Service:
				s.service = o
			default:
				if part.resource == s.kind.resource {
					s.workload = part.object
				}
			}
		}
		require.NotNil(t, s.workload)
		p.instance(s)
	})
}
