package driver_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/driver"
)

func Example() {
	var (
		cpu    driver.CPU
		memory driver.Bytes
		keep   driver.Duration
	)
	fmt.Println(cpu.UnmarshalText([]byte("500m")), cpu)
	fmt.Println(memory.UnmarshalText([]byte("512Mi")), memory)
	fmt.Println(keep.UnmarshalText([]byte("7d")), keep.Std())
	// Output:
	// <nil> 0.5
	// <nil> 536870912
	// <nil> 168h0m0s
}

func TestCoresAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]driver.CPU{
		"0": 0, "2": 2, "0.5": 0.5, "500m": 0.5, "1m": 0.001, "1500m": 1.5, "0.25": 0.25, "100000000": 100_000_000,
	} {
		var got driver.CPU
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "m", "-1", "+1", "500M", "500mm", "1e3", "1_000", "0x10", "NaN", "Inf", "1/2", ".5", "5.", "1..5", ".", "1 ", " 1", "½"} {
		requireRefused[driver.CPU](t, text, "cores, such as 0.5, 2, or 500m (thousandths)")
	}
}

func TestSizesAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]driver.Bytes{
		"0": 0, "1048576": 1 << 20, "512Mi": 512 << 20, "1.5Gi": 1536 << 20, "1k": 1000, "500M": 500_000_000, "1G": 1e9, "2T": 2e12,
		"1P": 1e15, "1Ki": 1024, "1Ti": 1 << 40, "8Pi": 8 << 50, "9223372036854775807": 1<<63 - 1, "0.5Ki": 512,
	} {
		var got driver.Bytes
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", "Mi", "-1Mi", "1mi", "1MB", "1KB", "1K", "1Mib", "1m", "1e6", "1.5", "0.3Ki", "9223372036854775808", "8192Pi", "1 Mi", "1Mi2",
		"99999999999999999999999999999999",
	} {
		requireRefused[driver.Bytes](t, text, "bytes, such as 1048576, 512Mi, 1.5Gi (powers of 1024: Ki, Mi, Gi, Ti, Pi) or 500M (powers of 1000: k, M, G, T, P)")
	}
}

func TestLengthsOfTimeAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "60000": time.Minute, "1.5": 1500 * time.Microsecond, "7d": 7 * 24 * time.Hour, "60s": time.Minute, "1h30m": 90 * time.Minute,
		"250ms": 250 * time.Millisecond, "1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute, "0s": 0, "1d2h3m4s5ms": 26*time.Hour + 3*time.Minute + 4*time.Second + 5*time.Millisecond,
		"106751d": 106751 * 24 * time.Hour,
	} {
		var got driver.Duration
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		assert.Equal(t, want, got.Std(), text)
	}
	for _, text := range []string{
		"", "d", "-1d", "7 d", "7D", "7days", "1w", "30m1h", "1h1h", "1h30", "1..5h", "1us", "forever", "106752d", "1e3", "∞", "s60", "0.0000001ms",
	} {
		requireRefused[driver.Duration](t, text, "milliseconds, such as 60000, or with units, such as 7d, 12h, 1h30m, 60s or 250ms")
	}
}

func requireRefused[T any, P interface {
	*T
	UnmarshalText([]byte) error
}](t *testing.T, text, allowed string) {
	t.Helper()
	var value T
	err := P(&value).UnmarshalText([]byte(text))
	var field hosting.FieldError
	require.True(t, errors.As(err, &field), "%q: %v, %v", text, err, value)
	assert.Equal(t, hosting.FieldError{Value: text, Allowed: allowed}, field)
	assert.Zero(t, value, "what is refused changes nothing")
}

func FuzzValues(f *testing.F) {
	for _, seed := range []string{"500m", "512Mi", "7d", "1h30m", "1.5", "60000", "-1", "99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var cpu driver.CPU
		if cpu.UnmarshalText([]byte(text)) == nil {
			assert.GreaterOrEqual(t, cpu, driver.CPU(0))
		}
		var size driver.Bytes
		if size.UnmarshalText([]byte(text)) == nil {
			assert.GreaterOrEqual(t, size, driver.Bytes(0))
		}
		var d driver.Duration
		if d.UnmarshalText([]byte(text)) == nil {
			assert.GreaterOrEqual(t, d, driver.Duration(0))
		}
	})
}
