package provider

import (
	"context"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/kubernetes"
	"skillcenter.io/hosting/provider/driver"
)

// asked is a section that notes what it should be decoded into.
type asked struct{ into reflect.Type }

func (a *asked) Decode(into any) error {
	a.into = reflect.TypeOf(into).Elem()
	return errors.New("nothing")
}

func (a *asked) Errorf(string, string, ...any) error { return errors.New("nothing") }

// typeOf returns what an opener decodes its section into.
func typeOf(t *testing.T, opener driver.Opener) reflect.Type {
	t.Helper()
	var section asked
	_, err := opener(context.Background(), driver.Env{Name: "x"}, &section)
	require.Error(t, err)
	require.NotNil(t, section.into)
	return section.into
}

var typeNames = map[reflect.Type]string{
	reflect.TypeFor[string]():          "text",
	reflect.TypeFor[bool]():            "true or false",
	reflect.TypeFor[int]():             "whole number",
	reflect.TypeFor[float32]():         "number",
	reflect.TypeFor[driver.CPU]():      "cores",
	reflect.TypeFor[driver.Bytes]():    "bytes",
	reflect.TypeFor[driver.Duration](): "time",
	reflect.TypeFor[currency]():        "currency",
	reflect.TypeFor[billingCycle]():    "billing cycle",
	reflect.TypeFor[storeType]():       "store",
}

// keysOf lists the keys below a type as rows of the page: key and type.
func keysOf(t *testing.T, path string, of reflect.Type) (rows []string) {
	t.Helper()
	if name, single := typeNames[of]; single {
		return []string{path + " " + name}
	}
	switch of.Kind() {
	case reflect.Pointer:
		return keysOf(t, path, of.Elem())
	case reflect.Slice:
		return keysOf(t, path+"[]", of.Elem())
	case reflect.Map:
		return keysOf(t, path+".<name>", of.Elem())
	case reflect.Struct:
		keys := fieldsOf(of)
		require.NotEmpty(t, keys.names, path)
		for _, name := range keys.names {
			rows = append(rows, keysOf(t, path+"."+name, of.Field(keys.index[name]).Type)...)
		}
		return rows
	}
	t.Fatalf("%s: the page has no name for %s", path, of)
	return nil
}

var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\|$")

func TestThePageHasEveryKeyOfAFile(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	for section, want := range map[string][]string{
		"hosting":    keysOf(t, "hosting", settingsType),
		"provider":   keysOf(t, "hosting.<name>", providerSettingsType),
		"kubernetes": keysOf(t, "hosting.kubernetes", typeOf(t, kubernetes.Open)),
		"fake":       keysOf(t, "hosting.fake", typeOf(t, fake.Open)),
	} {
		_, table, found := strings.Cut(string(page), "<!-- keys: "+section+" -->\n")
		require.True(t, found, section)
		table, _, _ = strings.Cut(table, "\n\n")
		var got []string
		for _, cells := range row.FindAllStringSubmatch(table, -1) {
			got = append(got, cells[1]+" "+cells[2])
		}
		assert.Equal(t, want, got, section)
		assert.Equal(t, strings.Count(table, "\n")-1, len(got), "%s: a row that is none", section)
	}
}
