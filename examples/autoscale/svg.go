package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"skillcenter.io/hosting"
)

const (
	svgWidth  = 960
	left      = 70.0  // of both panels
	right     = 930.0 // where they end
	minutes   = 50.0  // that they show
	tickEvery = 5
)

// panel is one of the plots, over the same time. Its values go from 0 to top.
type panel struct {
	y, height float64
	top, tick float64
	unit      string
}

func (p panel) yOf(value float64) float64 {
	return p.y + p.height - min(max(value, 0), p.top)/p.top*p.height
}

func xOf(s sample) float64 { return left + s.at.Minutes()/minutes*(right-left) }

// plotSVG draws load and replicas, and below what a replica uses of its CPU with
// the thresholds of the policy.
func plotSVG(samples []sample) string {
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	const height = 650
	add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="Helvetica, Arial, sans-serif" font-size="14" fill="#222">`, svgWidth, height, svgWidth, height)
	add(`<title>Replicas follow load</title>`)
	add(`<rect width="%d" height="%d" fill="#fff"/>`, svgWidth, height)
	add(`<text x="%.0f" y="34" font-size="20" font-weight="bold">Replicas follow load</text>`, left)

	upper := panel{y: 90, height: 210, top: 7, tick: 1, unit: "cores, replicas"}
	upper.frame(add)
	var load []string
	for _, s := range samples {
		load = append(load, fmt.Sprintf("%.1f,%.1f", xOf(s), upper.yOf(s.load)))
	}
	first, last := xOf(samples[0]), xOf(samples[len(samples)-1])
	add(`<polygon id="load" points="%.1f,%.1f %s %.1f,%.1f" fill="#9ecae1" stroke="#3182bd"/>`, first, upper.yOf(0), strings.Join(load, " "), last, upper.yOf(0))
	add(`<polyline id="replicas" points="%s" fill="none" stroke="#d94801" stroke-width="3"/>`, stairs(samples, upper))
	legend(add, 68, []item{{`<rect x="%[1]g" y="%[3]g" width="24" height="12" fill="#9ecae1" stroke="#3182bd"/>`, "load, in cores"},
		{`<path d="M%[1]g %[2]g h24" stroke="#d94801" stroke-width="3"/>`, "replicas, each with a limit of one core"}})

	lower := panel{y: 380, height: 200, top: 100, tick: 20, unit: "% of the CPU limit"}
	lower.frame(add)
	signs := []item{{`<path d="M%[1]g %[2]g h24" stroke="#3182bd" stroke-width="2"/>`, "CPU of a replica"}}
	threshold := func(rule hosting.ScaleRule, colour, does string) {
		does = fmt.Sprintf(does, rule.StepSize)
		style := fmt.Sprintf(`stroke="%s" stroke-width="2" stroke-dasharray="7 5"`, colour)
		add(`<path class="threshold" d="M%.1f %.1f H%.1f" %s/>`, left, lower.yOf(rule.Threshold), right, style)
		signs = append(signs, item{`<path d="M%[1]g %[2]g h24" ` + style + `/>`,
			fmt.Sprintf("%s %.0f %% for %.0f min", does, rule.Threshold, rule.EvaluationPeriod.Std().Minutes())})
	}
	threshold(policy.ScaleUpRules[0], "#cb181d", "+%d above")
	threshold(policy.ScaleUpRules[1], "#67000d", "+%d above")
	threshold(policy.ScaleDownRules[0], "#238b45", "−%d below")
	var usage []string
	for _, s := range samples {
		usage = append(usage, fmt.Sprintf("%.1f,%.1f", xOf(s), lower.yOf(s.usage)))
	}
	add(`<polyline id="usage" points="%s" fill="none" stroke="#3182bd" stroke-width="2"/>`, strings.Join(usage, " "))
	legend(add, 358, signs)
	add(`<text x="%.0f" y="%.0f" text-anchor="middle">time, in minutes</text>`, (left+right)/2, lower.y+lower.height+46)
	add(`</svg>`)
	return b.String()
}

// stairs are the points of a line that changes all at once.
func stairs(samples []sample, p panel) string {
	points := []string{}
	for i, s := range samples {
		if i > 0 && samples[i-1].replicas != s.replicas {
			points = append(points, fmt.Sprintf("%.1f,%.1f", xOf(s), p.yOf(float64(samples[i-1].replicas))))
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", xOf(s), p.yOf(float64(s.replicas))))
	}
	return strings.Join(points, " ")
}

// frame draws the axes with their ticks, and lines across.
func (p panel) frame(add func(string, ...any)) {
	for value := 0.0; value <= p.top; value += p.tick {
		add(`<path d="M%.0f %.1f H%.0f" stroke="#ddd"/><text x="%.0f" y="%.1f" text-anchor="end">%g</text>`,
			left, p.yOf(value), right, left-8, p.yOf(value)+5, value)
	}
	for at := 0; at <= minutes; at += tickEvery {
		x := left + float64(at)/minutes*(right-left)
		add(`<path d="M%.1f %.0f v6" stroke="#222"/><text x="%.1f" y="%.0f" text-anchor="middle">%d</text>`, x, p.y+p.height, x, p.y+p.height+22, at)
	}
	add(`<path d="M%.0f %.0f V%.0f H%.0f" fill="none" stroke="#222"/>`, left, p.y, p.y+p.height, right)
	middle := p.y + p.height/2
	add(`<text x="22" y="%.0f" text-anchor="middle" transform="rotate(-90 22 %.0f)">%s</text>`, middle, middle, p.unit)
}

// item of a legend: a sign, drawn at x, at the middle of the line or at its top,
// and what it means.
type item struct{ sign, text string }

func legend(add func(string, ...any), y float64, items []item) {
	x := left
	for _, one := range items {
		add(one.sign, x, y, y-6)
		add(`<text x="%.0f" y="%.0f">%s</text>`, x+32, y+5, one.text)
		x += 32 + 7.2*float64(utf8.RuneCountInString(one.text)) + 28
	}
}
