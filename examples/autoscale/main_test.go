package main

import (
	"context"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"skillcenter.io/hosting"
)

func TestThePlotShowsReplicasThatFollowLoad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plot.svg")
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, file))
	rest := out.String()
	for _, want := range []string{
		"Load (▒, in cores) and replicas (━, of one core each)",
		"     6 ┤             ━━━━━━━━━━━━━━━━━━━━━━━━\n",
		"     1 ┤━━━━━━━━▒▒",
		"        0            10           20            30           40           50 minutes\n",
		"and the thresholds at 70 and 30 (┄)",
		"  100% ┤       ●●●●●●\n",
		"from 1 to 2 replicas: cpu_usage is 100 (> 70 for 1m0s)",
		"from 2 to 4 replicas: cpu_usage is 100 (> 95 for 1m0s)",
		"from 4 to 6 replicas: cpu_usage is 100 (> 95 for 1m0s)",
		"from 6 to 5 replicas: cpu_usage is 4.667 (< 30 for 1m0s)",
		"from 3 to 2 replicas: cpu_usage is 9.333 (< 30 for 1m0s)",
		"The plot is in " + file,
	} {
		_, after, found := strings.Cut(rest, want)
		require.True(t, found, "%q is missing, or not in its place, in:\n%s", want, out.String())
		rest = after
	}
	assert.NotContains(t, out.String(), "from 2 to 3", "the short peak is not believed")

	drawn := readSVG(t, file)
	assert.Equal(t, []float64{1, 2, 4, 6, 5, 4, 3, 2}, levels(t, drawn.points["replicas"], 90, 210, 7))
	assert.Greater(t, len(drawn.points["usage"]), 190, "one point for each look")
	assert.Greater(t, len(drawn.points["load"]), 190)
	for _, text := range []string{
		"time, in minutes", "cores, replicas", "% of the CPU limit", "load, in cores", "replicas, each with a limit of one core",
		"+1 above 70 % for 1 min", "+2 above 95 % for 1 min", "−1 below 30 % for 1 min", "0", "50",
	} {
		assert.Contains(t, drawn.texts, text)
	}
}

// drawing is what an SVG file has in it.
type drawing struct {
	texts  []string
	points map[string][][2]float64 // by id
}

// readSVG fails if something lies outside the picture.
func readSVG(t *testing.T, file string) drawing {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	d := drawing{points: map[string][][2]float64{}}
	decoder := xml.NewDecoder(strings.NewReader(string(content)))
	begins := 0.0 // where the last text does
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return d
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.CharData:
			if text := strings.TrimSpace(string(token)); text != "" {
				d.texts = append(d.texts, text)
				assert.LessOrEqual(t, begins+7.5*float64(utf8.RuneCountInString(text)), float64(svgWidth), text)
			}
		case xml.StartElement:
			attributes := map[string]string{}
			for _, a := range token.Attr {
				attributes[a.Name.Local] = a.Value
			}
			if begins = 0; attributes["x"] != "" && attributes["text-anchor"] == "" {
				begins = number(t, attributes["x"])
			}
			for pair := range strings.FieldsSeq(attributes["points"]) {
				x, y, _ := strings.Cut(pair, ",")
				point := [2]float64{number(t, x), number(t, y)}
				assert.True(t, point[0] >= left && point[0] <= right && point[1] >= 0 && point[1] <= 650, "%v", point)
				d.points[attributes["id"]] = append(d.points[attributes["id"]], point)
			}
		}
	}
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return value
}

// levels are the values of a line, each as long as it stays, in a panel.
func levels(t *testing.T, points [][2]float64, y, height, top float64) (values []float64) {
	t.Helper()
	for i, point := range points {
		value := (y + height - point[1]) / height * top
		if i == 0 || point[1] != points[i-1][1] {
			values = append(values, value)
		}
	}
	for i := range values {
		require.InDelta(t, float64(int(values[i]+0.5)), values[i], 0.01, "a whole number of replicas")
		values[i] = float64(int(values[i] + 0.5))
	}
	return values
}

func TestTheExampleWritesNoFileUnasked(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, run(t.Context(), io.Discard, ""))
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestTheExampleEndsWhenItIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, run(ctx, io.Discard, ""), hosting.Canceled)
}
