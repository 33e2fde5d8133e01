package hosting_test

import (
	"bytes"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

// protocol is testdata/protocol.json: what the protocol names, as data.
type protocol struct {
	Interfaces []struct {
		Name    string
		Methods []protocolMethod
	}
	Models []struct {
		Name   string
		Fields []protocolField
	}
	ErrorCodes    []string
	Routes        []struct{ Method, Path string }
	Labels        []string
	Annotations   []string
	Regions       []string
	InstanceTypes []string
	Configuration map[string][]struct{ Key, Value string }
}

type protocolMethod struct {
	Name    string
	Params  []protocolField
	Returns string
}

type protocolField struct{ Name, Type string }

func readProtocol(t *testing.T) protocol {
	t.Helper()
	data, err := os.ReadFile("testdata/protocol.json")
	require.NoError(t, err)
	var p protocol
	require.NoError(t, json.Unmarshal(data, &p))
	return p
}

// Renames from the protocol's Java to Go; everything else keeps its name.
var (
	goMethods = map[string]string{
		"getProviderName":           "ProviderName",
		"getSupportedRegions":       "SupportedRegions",
		"getSupportedInstanceTypes": "SupportedInstanceTypes",
	}
	goModels = map[string]string{
		"CloudHostingException":   "Error",
		"HostingCompatibilityDTO": "HostingCompatibility",
		"AutoScalePolicyDTO":      "AutoScalePolicy",
		"ServiceEndpointDTO":      "ServiceRegistration",
		"VolumeDTO":               "Volume",
	}
	// goResults are the results of the methods whose boolean is an answer: any
	// other boolean is replaced by the error.
	goResults = map[string]string{
		"HealthCheck": "Health",
		"IsAvailable": "bool",
	}
	interfaces = map[string]reflect.Type{
		"CloudHostingProvider":       reflect.TypeFor[hosting.CloudHostingProvider](),
		"HostingExtensionSdkAdapter": reflect.TypeFor[hosting.HostingExtensionSdkAdapter](),
	}
)

func goMethod(name string) string {
	if renamed, ok := goMethods[name]; ok {
		return renamed
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// goType is how a type of the protocol is written in Go, without its package.
func goType(javaType string) string {
	if element, isList := strings.CutPrefix(javaType, "List<"); isList {
		return "[]" + goType(strings.TrimSuffix(element, ">"))
	}
	switch javaType {
	case "String":
		return "string"
	case "boolean":
		return "bool"
	case "long": // in parameters, a long is always a moment
		return "Time"
	case "int":
		return "int"
	}
	if renamed, ok := goModels[javaType]; ok {
		return renamed
	}
	return javaType
}

func typeName(t reflect.Type) string { return strings.ReplaceAll(t.String(), "hosting.", "") }

func TestEveryMethodOfTheProtocolHasItsGoMethod(t *testing.T) {
	t.Parallel()
	for _, iface := range readProtocol(t).Interfaces {
		goInterface := interfaces[iface.Name]
		require.NotNil(t, goInterface, iface.Name)
		assert.Len(t, iface.Methods, 19, iface.Name)
		for _, method := range iface.Methods {
			name := goMethod(method.Name)
			m, ok := goInterface.MethodByName(name)
			if assert.Truef(t, ok, "%s.%s is missing", iface.Name, name) {
				assert.Equal(t, wantSignature(name, method), typeName(m.Type), "%s.%s", iface.Name, name)
			}
		}
	}
}

func wantSignature(name string, method protocolMethod) string {
	if _, accessor := goMethods[method.Name]; accessor {
		return "func() " + goType(method.Returns)
	}
	params := []string{"context.Context"}
	for _, param := range method.Params {
		params = append(params, goType(param.Type))
	}
	result := goType(method.Returns)
	switch answer := goResults[name]; {
	case name == "IsAvailable":
		result = answer
	case answer != "":
		result = "(" + answer + ", error)"
	case result == "bool":
		result = "error"
	default:
		result = "(" + result + ", error)"
	}
	return "func(" + strings.Join(params, ", ") + ") " + result
}

func TestEveryMethodTheProtocolDoesNotHaveIsDocumentedAsAnAddition(t *testing.T) {
	t.Parallel()
	var added [][]string
	for _, iface := range readProtocol(t).Interfaces {
		var names []string
		for _, method := range iface.Methods {
			names = append(names, goMethod(method.Name))
		}
		for m := range interfaces[iface.Name].Methods() {
			if !slices.Contains(names, m.Name) {
				added = append(added, []string{iface.Name, m.Name})
			}
		}
	}
	assert.ElementsMatch(t, added, tableRows(t, "Added methods"))
}

func TestEveryModelOfTheProtocolHasItsFields(t *testing.T) {
	t.Parallel()
	types := reachableTypes()
	for _, model := range readProtocol(t).Models {
		goName := goType(model.Name)
		goModel, ok := types[goName]
		if !assert.Truef(t, ok, "%s: no Go type %s", model.Name, goName) {
			continue
		}
		require.NotEmpty(t, model.Fields, model.Name)
		encoded := encodeFilled(t, goModel)
		for _, field := range model.Fields {
			value, ok := encoded[field.Name]
			if assert.Truef(t, ok, "%s has no JSON field %s", goName, field.Name) {
				assert.Equalf(t, wantKind(field.Type), jsonKind(value), "%s.%s", goName, field.Name)
			}
		}
	}
}

// reachableTypes are the structs of the package that its interfaces and
// functions speak of, by name.
func reachableTypes() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			visit(t.Elem())
		case reflect.Map:
			visit(t.Elem())
		case reflect.Func:
			for in := range t.Ins() {
				visit(in)
			}
			for out := range t.Outs() {
				visit(out)
			}
		case reflect.Interface:
			for m := range t.Methods() {
				visit(m.Type)
			}
		case reflect.Struct:
			if _, seen := types[t.Name()]; seen || t.PkgPath() != "skillcenter.io/hosting" {
				return
			}
			types[t.Name()] = t
			for field := range t.Fields() {
				visit(field.Type)
			}
		}
	}
	for _, t := range []reflect.Type{
		reflect.TypeFor[hosting.CloudHostingProvider](), reflect.TypeFor[hosting.HostingExtensionSdkAdapter](),
		reflect.TypeFor[hosting.LogStreamer](), reflect.TypeFor[hosting.InstanceWatcher](), reflect.TypeFor[hosting.InstanceApplier](),
		reflect.TypeFor[hosting.InstancePlanner](), reflect.TypeFor[hosting.Rollbacker](), reflect.TypeFor[hosting.CapabilityReporter](),
		reflect.TypeFor[hosting.InstanceChange](), reflect.TypeFor[*hosting.Error](),
	} {
		visit(t)
	}
	return types
}

// encodeFilled marshals a value of the type whose fields are all set.
func encodeFilled(t *testing.T, structType reflect.Type) map[string]any {
	t.Helper()
	value := reflect.New(structType).Elem()
	fill(value)
	data, err := json.Marshal(value.Interface())
	require.NoError(t, err)
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&fields))
	return fields
}

// fill sets every field to something that is not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(3_000_000)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[hosting.Time]() {
			v.Set(reflect.ValueOf(hosting.TimeFromMillis(1_767_322_445_678)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

func wantKind(javaType string) string {
	switch {
	case strings.HasPrefix(javaType, "List<"):
		return "array"
	case javaType == "int", javaType == "long":
		return "integer"
	case javaType == "double":
		return "number"
	case javaType == "boolean", javaType == "String":
		return strings.ToLower(javaType)
	}
	return "object"
}

func jsonKind(value any) string {
	switch v := value.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return "integer"
		}
		return "number"
	}
	return "null"
}

func TestEveryFieldTheProtocolDoesNotHaveIsDocumentedAsAnAddition(t *testing.T) {
	t.Parallel()
	theirs := map[string]bool{}
	for _, model := range readProtocol(t).Models {
		for _, field := range model.Fields {
			theirs[goType(model.Name)+"."+field.Name] = true
		}
	}
	var documented []string
	for _, row := range tableRows(t, "Added fields") {
		documented = append(documented, row[0]+"."+row[1])
	}
	assert.ElementsMatch(t, documented, slices.Compact(slices.Sorted(slices.Values(documented))), "each field once")
	var added []string
	for _, field := range exportedFields(t) {
		if !theirs[field] {
			added = append(added, field)
		}
	}
	assert.ElementsMatch(t, added, documented, "the table Added fields of docs/protocol.md lists exactly what we add")
}

// notJSON are the exported structs that no JSON holds.
var notJSON = []string{"FieldError", "ID", "WaitOptions"}

// exportedFields are all JSON fields of the exported structs of this package,
// as Type.field. A field without a name in JSON is an error.
func exportedFields(t *testing.T) []string {
	t.Helper()
	var fields []string
	for _, decl := range declarations(t, token.TYPE) {
		spec := decl.(*ast.TypeSpec)
		structType, ok := spec.Type.(*ast.StructType)
		if !ok || !spec.Name.IsExported() || slices.Contains(notJSON, spec.Name.Name) {
			continue
		}
		for _, field := range structType.Fields.List {
			if len(field.Names) > 0 && !field.Names[0].IsExported() {
				continue
			}
			var name string
			if field.Tag != nil {
				tag, err := strconv.Unquote(field.Tag.Value)
				require.NoError(t, err)
				name, _, _ = strings.Cut(reflect.StructTag(tag).Get("json"), ",")
			}
			assert.NotEmptyf(t, name, "%s.%v has no json tag", spec.Name.Name, field.Names)
			assert.LessOrEqualf(t, len(field.Names), 1, "%s.%v share a json tag", spec.Name.Name, field.Names)
			if name != "-" {
				fields = append(fields, spec.Name.Name+"."+name)
			}
		}
	}
	require.NotEmpty(t, fields)
	return fields
}

// declarations are the specs of this package that a keyword introduces.
func declarations(t *testing.T, keyword token.Token) []ast.Spec {
	t.Helper()
	names, err := fs.Glob(os.DirFS("."), "*.go")
	require.NoError(t, err)
	var specs []ast.Spec
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if general, ok := decl.(*ast.GenDecl); ok && general.Tok == keyword {
				specs = append(specs, general.Specs...)
			}
		}
	}
	return specs
}

// constants are the values of the constants of a type.
func constants(t *testing.T, typeName string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, spec := range declarations(t, token.CONST) {
		constant := spec.(*ast.ValueSpec)
		if ident, ok := constant.Type.(*ast.Ident); ok && ident.Name == typeName {
			value, err := strconv.Unquote(constant.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			values[constant.Names[0].Name] = value
		}
	}
	require.NotEmpty(t, values, typeName)
	return values
}

func TestEveryErrorCodeIsTheProtocolsOrADocumentedAddition(t *testing.T) {
	t.Parallel()
	codes := constants(t, "Code")
	theirs := readProtocol(t).ErrorCodes
	assert.Len(t, theirs, 11)
	want := map[string]string{}
	for _, code := range theirs {
		want[code] = code
	}
	for _, row := range tableRows(t, "Added error codes") {
		assert.NotContains(t, theirs, row[0])
		want[row[0]] = row[0]
	}
	assert.Equal(t, want, codes)
}

func TestEveryNamedValueIsDocumented(t *testing.T) {
	t.Parallel()
	for typeName, heading := range map[string]string{
		"Reason":     "Reasons",
		"Status":     "Instance status",
		"Capability": "Capabilities",
	} {
		var documented []string
		for _, row := range tableRows(t, heading) {
			documented = append(documented, row[0])
		}
		assert.ElementsMatch(t, slices.Collect(maps.Values(constants(t, typeName))), documented, heading)
	}
}

func TestAllCapabilitiesLeavesNoneOut(t *testing.T) {
	t.Parallel()
	var all []string
	for _, capability := range hosting.AllCapabilities() {
		all = append(all, string(capability))
	}
	assert.ElementsMatch(t, slices.Collect(maps.Values(constants(t, "Capability"))), all)
}

func TestTheInstanceTypesAreTheProtocols(t *testing.T) {
	t.Parallel()
	assert.Equal(t, readProtocol(t).InstanceTypes, []string{
		hosting.TypeDeployment, hosting.TypeStatefulSet, hosting.TypeDaemonSet, hosting.TypeJob, hosting.TypeCronJob,
	})
}

// onInstances are the methods that take the id of an instance.
var onInstances = []string{
	"GetInstance", "DeleteInstance", "StartInstance", "StopInstance", "RestartInstance", "ScaleInstance", "UpdateResources",
	"GetMetrics", "GetLogs", "GetEvents", "GetServiceEndpoint", "HealthCheck", "GetActualCost",
	"GetAutoScalePolicy", "RegisterService", "GetServicesByInstance", "MountVolume", "UnmountVolume",
}

// Every method of the embeddable types says that it is not supported, so that
// a provider that leaves one out is honest about it.
func TestUnimplementedMethodsAnswerUnsupported(t *testing.T) {
	t.Parallel()
	codes := slices.Collect(maps.Values(constants(t, "Code")))
	for _, value := range []any{hosting.UnimplementedProvider{}, hosting.UnimplementedAdapter{}} {
		v := reflect.ValueOf(value)
		for m := range v.Type().Methods() {
			args := []reflect.Value{v}
			for in := range m.Type.Ins() {
				if in == reflect.TypeFor[context.Context]() {
					args = append(args, reflect.ValueOf(t.Context()))
				} else if in.Kind() == reflect.String {
					args = append(args, reflect.ValueOf("an id"))
				} else if in != v.Type() {
					args = append(args, reflect.Zero(in))
				}
			}
			results := m.Func.Call(args)
			for _, result := range results[:len(results)-1] {
				assert.Truef(t, result.IsZero(), "%s: results beside an error are zero", m.Name)
			}
			last := results[len(results)-1]
			if last.Type() != reflect.TypeFor[error]() {
				assert.Truef(t, last.IsZero(), "%s: an accessor returns nothing", m.Name)
				continue
			}
			err, _ := last.Interface().(error)
			require.ErrorIsf(t, err, hosting.Unsupported, m.Name)
			assert.Contains(t, codes, string(hosting.CodeOf(err)), m.Name)
			assert.ErrorContains(t, err, m.Name)
			var e *hosting.Error
			require.ErrorAs(t, err, &e)
			assert.Equalf(t, slices.Contains(onInstances, m.Name), e.InstanceID == "an id", "%s: the instance of its error", m.Name)
		}
	}
}
