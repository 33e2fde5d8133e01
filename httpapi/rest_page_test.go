package httpapi_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

// pageRows are the cells of the table under a heading of docs/rest.md.
func pageRows(t *testing.T, heading string) [][]string {
	t.Helper()
	_, section, found := strings.Cut(readText(t, "../docs/rest.md"), "\n## "+heading+"\n")
	require.True(t, found, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `?([^`|]+?)`? \\|$").FindAllStringSubmatch(section, -1)
	require.NotEmpty(t, rows, heading)
	return rows
}

func TestThePageHasTheRoutesOfTheAPI(t *testing.T) {
	t.Parallel()
	operations := specOperations(readSpec(t))
	var documented []string
	for _, row := range pageRows(t, "Routes") {
		method, path, _ := strings.Cut(row[1], " ")
		documented = append(documented, method+" "+specPrefix+path)
		if operation := operations[row[1]]; assert.NotNil(t, operation, row[1]) {
			assert.Equal(t, operation.OperationID, row[2])
		}
	}
	assert.ElementsMatch(t, specAPI(t).Routes(), documented)
}

// The statuses themselves are driven by TestEveryRouteTellsWhyItsCallFailed.
func TestThePageHasTheStatusOfEachReason(t *testing.T) {
	t.Parallel()
	documented := map[hosting.Reason]int{"": 500, "OfALaterVersion": 500} // which are none
	for _, row := range pageRows(t, "Errors") {
		status, err := strconv.Atoi(row[2])
		require.NoError(t, err)
		documented[hosting.Reason(row[1])] = status
	}
	assert.Equal(t, statuses, documented)
}
