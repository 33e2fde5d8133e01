package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"skillcenter.io/hosting/examples/internal/show"
)

// textStep is how many samples make a column: three quarters of a minute.
const textStep = 3

// plotText draws load and replicas, and below what a replica uses of its CPU,
// over the same time.
func plotText(out io.Writer, samples []sample) {
	show.Heading(out, "Load (▒, in cores) and replicas (━, of one core each)")
	draw(out, samples, 6, 0.5, "%4.0f", func(s sample, low, high float64) rune {
		switch {
		case low < float64(s.replicas) && float64(s.replicas) <= high:
			return '━'
		case s.load > low:
			return '▒'
		}
		return ' '
	})
	up, down := policy.ScaleUpRules[0].Threshold, policy.ScaleDownRules[0].Threshold
	show.Heading(out, fmt.Sprintf("CPU of a replica (●, in %% of its limit), and the thresholds at %.0f and %.0f (┄)", up, down))
	draw(out, samples, 100, 10, "%3.0f%%", func(s sample, low, high float64) rune {
		switch {
		case low < s.usage && s.usage <= high:
			return '●'
		case low < up && up <= high, low < down && down <= high:
			return '┄'
		}
		return ' '
	})
}

// draw prints rows from the top down. Each is a range of values, of which mark
// says what is in it.
func draw(out io.Writer, samples []sample, top, row float64, label string, mark func(s sample, low, high float64) rune) {
	for high := top; high > 0; high -= row {
		var line strings.Builder
		for i := 0; i < len(samples); i += textStep {
			line.WriteRune(mark(samples[i], high-row, high))
		}
		axis := "    "
		if whole := row * 2; int(high/whole)*int(whole*10) == int(high*10) {
			axis = fmt.Sprintf(label, high)
		}
		fmt.Fprintf(out, "  %s ┤%s\n", axis, strings.TrimRight(line.String(), " "))
	}
	columns := (len(samples) + textStep - 1) / textStep
	axis, labels := []rune(strings.Repeat("─", columns)), []rune(strings.Repeat(" ", columns+3))
	for at := time.Duration(0); at <= length; at += 10 * time.Minute {
		column := int(at / (textStep * interval))
		axis[column] = '┬'
		copy(labels[column:], []rune(fmt.Sprintf("%.0f", at.Minutes())))
	}
	fmt.Fprintf(out, "       └%s\n        %s minutes\n", string(axis), strings.TrimRight(string(labels), " "))
}
