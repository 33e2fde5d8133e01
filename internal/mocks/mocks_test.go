package mocks

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"

	"skillcenter.io/hosting"
)

var (
	_ hosting.CloudHostingProvider       = (*MockCloudHostingProvider)(nil)
	_ hosting.HostingExtensionSdkAdapter = (*MockHostingExtensionSdkAdapter)(nil)
)

// That a mock has every method is checked by the compiler, above.
func TestMocksHaveNoMethodThatTheInterfaceLacks(t *testing.T) {
	t.Parallel()
	for iface, mock := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[hosting.CloudHostingProvider]():       reflect.TypeFor[*MockCloudHostingProvider](),
		reflect.TypeFor[hosting.HostingExtensionSdkAdapter](): reflect.TypeFor[*MockHostingExtensionSdkAdapter](),
	} {
		assert.ElementsMatch(t, append(methods(iface), "EXPECT"), methods(mock),
			"run go generate ./internal/mocks")
	}
}

func methods(t reflect.Type) []string {
	var names []string
	for m := range t.Methods() {
		names = append(names, m.Name)
	}
	return names
}
