package httpapi_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func readText(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}
