package httpapi_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/wire"
)

// specModels are the schemas of what is written in Go as a struct. Those of
// what is asked for may differ in what is required.
var specModels = map[string]reflect.Type{
	"CloudHostingConfig": reflect.TypeFor[hosting.CloudHostingConfig](),
	"ContainerConfig":    reflect.TypeFor[hosting.ContainerConfig](),
	"VolumeMount":        reflect.TypeFor[hosting.VolumeMount](),
	"HealthCheck":        reflect.TypeFor[hosting.HealthCheck](),
	"HTTPCheck":          reflect.TypeFor[hosting.HTTPCheck](),
	"TCPCheck":           reflect.TypeFor[hosting.TCPCheck](),
	"PreStop":            reflect.TypeFor[hosting.PreStop](),
	"ResourceConfig":     reflect.TypeFor[hosting.ResourceConfig](),
	"NetworkConfig":      reflect.TypeFor[hosting.NetworkConfig](),
	"ScaleConfig":        reflect.TypeFor[hosting.ScaleConfig](),

	"CloudInstance":    reflect.TypeFor[hosting.CloudInstance](),
	"ServiceEndpoint":  reflect.TypeFor[hosting.ServiceEndpoint](),
	"InstanceChange":   reflect.TypeFor[hosting.InstanceChange](),
	"InstancePlan":     reflect.TypeFor[hosting.InstancePlan](),
	"PlannedObject":    reflect.TypeFor[hosting.PlannedObject](),
	"InstanceRevision": reflect.TypeFor[hosting.InstanceRevision](),

	"InstanceMetrics":    reflect.TypeFor[hosting.InstanceMetrics](),
	"LogEntry":           reflect.TypeFor[hosting.LogEntry](),
	"InstanceEvent":      reflect.TypeFor[hosting.InstanceEvent](),
	"InstanceEventInput": reflect.TypeFor[hosting.InstanceEvent](),
	"Health":             reflect.TypeFor[hosting.Health](),

	"AutoScalePolicy":          reflect.TypeFor[hosting.AutoScalePolicy](),
	"AutoScalePolicyInput":     reflect.TypeFor[hosting.AutoScalePolicy](),
	"ScaleRule":                reflect.TypeFor[hosting.ScaleRule](),
	"ServiceRegistration":      reflect.TypeFor[hosting.ServiceRegistration](),
	"ServiceRegistrationInput": reflect.TypeFor[hosting.ServiceRegistration](),
	"LoadBalancerConfig":       reflect.TypeFor[hosting.LoadBalancerConfig](),
	"ServiceAddress":           reflect.TypeFor[hosting.ServiceAddress](),
	"Volume":                   reflect.TypeFor[hosting.Volume](),
	"VolumeInput":              reflect.TypeFor[hosting.Volume](),
	"Mount":                    reflect.TypeFor[hosting.Mount](),
	"HostingCompatibility":     reflect.TypeFor[hosting.HostingCompatibility](),
	"CompatibilityCheck":       reflect.TypeFor[hosting.CompatibilityCheck](),

	"CostEstimate":  reflect.TypeFor[hosting.CostEstimate](),
	"CostBreakdown": reflect.TypeFor[hosting.CostBreakdown](),
	"CostActual":    reflect.TypeFor[hosting.CostActual](),
	"Support":       reflect.TypeFor[hosting.Support](),
	"ProviderInfo":  reflect.TypeFor[hosting.ProviderInfo](),

	"Problem":      reflect.TypeFor[wire.Problem](),
	"Field":        reflect.TypeFor[wire.Field](),
	"Scale":        reflect.TypeFor[wire.Scale](),
	"MountInput":   reflect.TypeFor[wire.Mount](),
	"UnmountInput": reflect.TypeFor[wire.Unmount](),
	"Rollback":     reflect.TypeFor[wire.Rollback](),
	"ServerStatus": reflect.TypeFor[wire.Status](),
	"InstanceList": reflect.TypeFor[wire.List[hosting.CloudInstance]](),

	"AutoScalePolicyList": reflect.TypeFor[wire.List[hosting.AutoScalePolicy]](),
	"ServiceList":         reflect.TypeFor[wire.List[hosting.ServiceRegistration]](),
	"VolumeList":          reflect.TypeFor[wire.List[hosting.Volume]](),
}

// specOthers are the objects that are no struct, or a list without pages.
var specOthers = []string{"Texts", "CapabilitySet", "End", "RevisionList", "LogList", "EventList", "ProviderList"}

// A field that is added in Go, or taken away, is one here too.
func TestTheSchemasHaveTheFieldsOfTheModels(t *testing.T) {
	t.Parallel()
	schemas := readSpec(t).Components.Schemas
	for name, model := range specModels {
		schema := schemas[name]
		if !assert.NotNil(t, schema, name) {
			continue
		}
		var properties []string
		for property := range schema.Value.Properties {
			properties = append(properties, property)
		}
		var fields, always []string
		for field := range model.Fields() {
			tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			fields = append(fields, tag)
			if options == "" {
				always = append(always, tag)
			}
			property := schema.Value.Properties[tag]
			if property != nil {
				assertSameKind(t, property.Value, field.Type, name+"."+tag)
			}
		}
		assert.ElementsMatch(t, fields, properties, name)
		if !isClosed(schema.Value) { // it is answered, and a field that is always sent is required
			assert.ElementsMatch(t, always, schema.Value.Required, name)
		}
	}
	for name, schema := range schemas {
		if schema.Value.Type.Is("object") {
			assert.True(t, specModels[name] != nil || slices.Contains(specOthers, name), "%s has no model", name)
		}
	}
}

// assertSameKind compares the type of a property with that of the field.
func assertSameKind(t *testing.T, schema *openapi3.Schema, field reflect.Type, at string) {
	t.Helper()
	for field.Kind() == reflect.Pointer {
		field = field.Elem()
	}
	want := map[reflect.Kind]string{
		reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer", reflect.Float64: "number",
		reflect.Slice: "array", reflect.Map: "object", reflect.Struct: "object",
	}[field.Kind()]
	switch {
	case field == reflect.TypeFor[hosting.Time]():
		want = "integer"
	case at == "PlannedObject.manifest":
		return
	case at == "Problem.type":
		want = "" // a constant
	}
	require.NotNil(t, field, at)
	typed := ""
	if types := typeOf(schema); types != nil {
		require.Len(t, types.Slice(), 1, at)
		typed = types.Slice()[0]
	}
	assert.Equal(t, want, typed, at)
	if want == "array" {
		assertSameKind(t, itemsOf(schema), field.Elem(), at+"[]")
	}
}

// typeOf is the type of a schema, or of the one that it refers to.
func typeOf(schema *openapi3.Schema) *openapi3.Types {
	if schema.Type != nil {
		return schema.Type
	}
	for _, part := range schema.AllOf {
		if types := typeOf(part.Value); types != nil {
			return types
		}
	}
	return nil
}

func itemsOf(schema *openapi3.Schema) *openapi3.Schema { return schema.Items.Value }

// The values of a closed set are those that Go has constants for.
func TestTheEnumsAreTheConstants(t *testing.T) {
	t.Parallel()
	schemas := readSpec(t).Components.Schemas
	property := func(schema, property string) *openapi3.Schema {
		return schemas[schema].Value.Properties[property].Value
	}
	for name, set := range map[string]struct {
		schema *openapi3.Schema
		want   []string
	}{
		"Capability":  {schemas["Capability"].Value, texts(hosting.AllCapabilities())},
		"LogLevel":    {schemas["LogLevel"].Value, hosting.LogLevels()},
		"change":      {property("InstanceChange", "type"), texts([]hosting.ChangeType{hosting.ChangeState, hosting.ChangeSynced, hosting.ChangeDeleted})},
		"endpoint":    {property("ServiceEndpoint", "type"), []string{hosting.EndpointLoadBalancer, hosting.EndpointIngress, hosting.EndpointNodePort, hosting.EndpointCluster}},
		"plan":        {property("PlannedObject", "action"), []string{hosting.PlanCreate, hosting.PlanUpdate, hosting.PlanKeep, hosting.PlanReplace, hosting.PlanDelete}},
		"network":     {property("NetworkConfig", "serviceType"), []string{hosting.ServiceClusterIP, hosting.ServiceNodePort, hosting.ServiceLoadBalancer}},
		"event":       {property("InstanceEvent", "type"), []string{hosting.EventNormal, hosting.EventWarning}},
		"event input": {property("InstanceEventInput", "type"), []string{hosting.EventNormal, hosting.EventWarning}},
		"metric":      {property("ScaleRule", "metricType"), []string{hosting.MetricResource, hosting.MetricCustom, hosting.MetricExternal}},
		"protocol":    {schemas["ServiceProtocol"].Value, []string{hosting.ProtocolHTTP, hosting.ProtocolHTTPS, hosting.ProtocolGRPC, hosting.ProtocolTCP}},
		"service":     {property("ServiceRegistration", "status"), []string{hosting.ServiceStatusReady, hosting.ServiceStatusPending, hosting.ServiceStatusTerminating}},
		"strategy":    {property("LoadBalancerConfig", "strategy"), []string{hosting.StrategyRoundRobin, hosting.StrategyRandom, hosting.StrategyLeastConnections}},
		"volume type": {schemas["VolumeType"].Value, []string{hosting.VolumeStandard, hosting.VolumeSSD, hosting.VolumeShared}},
		"access mode": {schemas["AccessMode"].Value, []string{hosting.ReadWriteOnce, hosting.ReadOnlyMany, hosting.ReadWriteMany, hosting.ReadWriteOncePod}},
		"volume": {property("Volume", "status"), []string{hosting.VolumeStatusCreating, hosting.VolumeStatusAvailable, hosting.VolumeStatusInUse,
			hosting.VolumeStatusDeleting, hosting.VolumeStatusFailed}},
		"check": {property("CompatibilityCheck", "status"), []string{hosting.CheckPass, hosting.CheckWarning, hosting.CheckFail}},
	} {
		assert.Equal(t, set.want, enumOf(set.schema), name)
	}
}

func texts[T ~string](values []T) []string {
	var list []string
	for _, value := range values {
		list = append(list, string(value))
	}
	return list
}

func enumOf(schema *openapi3.Schema) []string {
	var values []string
	for _, value := range schema.Enum {
		values = append(values, value.(string))
	}
	return values
}

// These are checked against the source, so that a constant cannot be forgotten.
func TestTheEnumsOfCodesReasonsAndStatusesAreTheProtocols(t *testing.T) {
	t.Parallel()
	schemas := readSpec(t).Components.Schemas
	page := readText(t, "../docs/protocol.md") // whose tables are checked against the constants
	rows := func(headings ...string) []string {
		var names []string
		for _, heading := range headings {
			_, section, found := strings.Cut(page, "\n### "+heading+"\n")
			require.True(t, found, heading)
			section, _, _ = strings.Cut(section, "\n#")
			for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(section, -1) {
				names = append(names, row[1])
			}
		}
		return names
	}
	assert.ElementsMatch(t, rows("The protocol's error codes", "Added error codes"), enumOf(schemas["ErrorCode"].Value))
	assert.ElementsMatch(t, rows("Reasons"), enumOf(schemas["Reason"].Value))
	assert.ElementsMatch(t, rows("Instance status"), enumOf(schemas["Status"].Value))
}

// The pattern of ids is what ParseID reads.
func TestThePatternsOfTheDocumentAreWhatIsChecked(t *testing.T) {
	t.Parallel()
	schemas := readSpec(t).Components.Schemas
	pattern := regexp.MustCompile(schemas["Id"].Value.Pattern)
	long := strings.Repeat("a", 51)
	label := strings.Repeat("b", 64)
	parts := []string{"", "a", "a1", "1a", "a-b", "-a", "a-", "A", "a_b", long, long[:50], label, label[:63], "ä", "a b", "a\n"}
	for _, provider := range append([]string{"none"}, parts...) {
		for _, middle := range parts {
			for _, name := range parts {
				id := middle + "." + middle + "." + name
				if provider != "none" {
					id = provider + ":" + id
				}
				_, err := hosting.ParseID(id)
				require.Equal(t, err == nil, pattern.MatchString(id), "%q: %v", id, err)
			}
		}
	}
}
