package report

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"orderbell/test/bench/internal/trial"
)

// The plot's measures, in pixels.
const (
	leastLabel  = 92
	letter      = 7 // the width of a letter of a label, on average
	fullBar     = 238
	valueWidth  = 110
	barHeight   = 18
	panelHead   = 34
	panelsInRow = 2
)

// Bar is one bar of a panel. Least and Most are drawn as a whisker if they differ.
type Bar struct {
	Name                string
	Least, Median, Most float64
	Colour              string
}

// The bars' colours.
const (
	Ours  = "#c2410c"
	Other = "#94a3b8"
	Bound = "#d6d3d1"
)

// Panel is one part of a plot: a figure of several subjects.
type Panel struct {
	Title, Better string
	Show          func(float64) string
	Bars          []Bar
}

// svg draws a panel for each figure, with a bar for each server.
func (r rounds) svg() []byte {
	var panels []Panel
	for _, f := range figures() {
		p := Panel{Title: f.name, Better: f.better, Show: f.show}
		for _, name := range r.names {
			bar := Bar{Name: name, Median: spreadOf(r.values(name, f)).median, Colour: Other}
			switch name {
			case trial.Gateway:
				bar.Colour = Ours
			case floor:
				bar.Colour = Bound
			}
			p.Bars = append(p.Bars, bar)
		}
		panels = append(panels, p)
	}
	return SVG(panels)
}

// SVG draws panels, two in a row.
func SVG(panels []Panel) []byte {
	label := leastLabel
	bars := 0
	for _, p := range panels {
		bars = max(bars, len(p.Bars))
		for _, bar := range p.Bars {
			label = max(label, letter*len(bar.Name))
		}
	}
	panelWidth, panelHeight := label+fullBar+valueWidth, panelHead+bars*(barHeight+4)+14
	rows := (len(panels) + panelsInRow - 1) / panelsInRow
	var b bytes.Buffer
	width, height := panelWidth*panelsInRow+20, rows*panelHeight+10
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	for i, p := range panels {
		p.draw(&b, 10+i%panelsInRow*panelWidth, 10+i/panelsInRow*panelHeight, label)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (p Panel) draw(b *bytes.Buffer, x, y, label int) {
	least, most := math.Inf(1), 0.0
	for _, bar := range p.Bars {
		least, most = min(least, bar.Median), max(most, bar.Median, bar.Most)
	}
	// A logarithmic scale if the bars differ by orders of magnitude: a linear one would show a single bar.
	const far = 30
	scale, note := func(v float64) float64 { return v / most }, ""
	if least > 0 && most/least > far {
		floor := math.Log10(least) - 0.5
		scale = func(v float64) float64 { return max(0, math.Log10(v)-floor) / (math.Log10(most) - floor) }
		note = ", logarithmic"
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="14" font-weight="bold">%s</text><text x="%d" y="%d" fill="#666">%s is better%s</text>`+"\n",
		x, y+14, escape(p.Title), x, y+29, p.Better, note)
	for i, bar := range p.Bars {
		top, left := y+panelHead+i*(barHeight+4), float64(x+label)
		length := max(1, scale(bar.Median)*fullBar)
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`,
			x+label-6, top+13, escape(bar.Name), x+label, top, length, barHeight, bar.Colour)
		end := left + length
		if bar.Most > bar.Least {
			from := left + scale(bar.Least)*fullBar
			end = left + scale(bar.Most)*fullBar
			fmt.Fprintf(b, `<path d="M%.1f %dv6M%.1f %dv6M%.1f %dH%.1f" stroke="#333"/>`, from, top+6, end, top+6, from, top+9, end)
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%d">%s</text>`+"\n", end+5, top+13, p.Show(bar.Median))
	}
}

func escape(s string) string { return strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(s) }
