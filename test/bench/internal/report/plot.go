package report

import (
	"bytes"
	"fmt"
	"math"

	"orderbell/test/bench/internal/trial"
)

// The plot's measures, in pixels.
const (
	panelWidth  = 440
	labelWidth  = 92
	barWidth    = panelWidth - labelWidth - 110
	barHeight   = 18
	panelHead   = 34
	panelsInRow = 2
)

// svg draws a panel for each figure, with a bar for each server.
func (r rounds) svg() []byte {
	all := figures()
	panelHeight := panelHead + len(r.names)*(barHeight+4) + 14
	rows := (len(all) + panelsInRow - 1) / panelsInRow
	var b bytes.Buffer
	width, height := panelWidth*panelsInRow+20, rows*panelHeight+10
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	for i, f := range all {
		r.panel(&b, f, 10+i%panelsInRow*panelWidth, 10+i/panelsInRow*panelHeight)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (r rounds) panel(b *bytes.Buffer, f figure, x, y int) {
	medians := map[string]spread{}
	least, most := math.Inf(1), 0.0
	for _, name := range r.names {
		s := spreadOf(r.values(name, f))
		medians[name] = s
		least, most = min(least, s.median), max(most, s.median)
	}
	// A logarithmic scale if the servers differ by orders of magnitude: a linear one would show a single bar.
	const far = 30
	scale, note := func(v float64) float64 { return v / most }, ""
	if least > 0 && most/least > far {
		floor := math.Log10(least) - 0.5
		scale = func(v float64) float64 { return (math.Log10(v) - floor) / (math.Log10(most) - floor) }
		note = ", logarithmic"
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="14" font-weight="bold">%s</text><text x="%d" y="%d" fill="#666">%s is better%s</text>`+"\n",
		x, y+14, f.name, x, y+29, f.better, note)
	for i, name := range r.names {
		top := y + panelHead + i*(barHeight+4)
		colour := "#94a3b8"
		switch name {
		case trial.Gateway:
			colour = "#c2410c"
		case floor:
			colour = "#d6d3d1"
		}
		length := max(1, scale(medians[name].median)*barWidth)
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d">%s</text>`+"\n",
			x+labelWidth-6, top+13, name, x+labelWidth, top, length, barHeight, colour,
			float64(x+labelWidth)+length+5, top+13, f.show(medians[name].median))
	}
}
