// Package plot draws lines over time as SVG.
package plot

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Point is a value at a time. A value that is not finite breaks the line.
type Point struct{ At, Value float64 }

// Line is one curve.
type Line struct {
	Name   string
	Colour string
	Points []Point
}

// Chart is lines over the same time. Its left and lower edges have room for labels.
type Chart struct {
	Lines    []Line
	From, To float64 // of the horizontal axis
	Limit    float64 // a dashed line; 0: none
	Value    func(float64) string
	Time     func(float64) string
}

// Room for labels, in pixels.
const (
	left   = 60
	bottom = 20
	head   = 6 // of a label above the axis
)

// Draw draws the chart into a rectangle of an SVG picture.
func (c Chart) Draw(w io.Writer, x, y, width, height int) error {
	var b strings.Builder
	most := c.most()
	x0, y0 := float64(x+left), float64(y+height-bottom)
	wide, high := float64(width-left-head), float64(height-bottom-head)
	across := func(at float64) float64 { return x0 + (at-c.From)/(c.To-c.From)*wide }
	up := func(value float64) float64 { return y0 - value/most*high }

	fmt.Fprintf(&b, `<path d="M%.1f %.1fV%.1fH%.1f" fill="none" stroke="#999"/>`+"\n", x0, y0-high, y0, x0+wide)
	for _, v := range []float64{0, most / 2, most} {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n", x0-6, up(v)+4, Escape(c.Value(v)))
	}
	fmt.Fprintf(&b, `<text x="%.1f" y="%.1f">%s</text><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n",
		x0, y0+16, Escape(c.Time(c.From)), x0+wide, y0+16, Escape(c.Time(c.To)))
	if c.Limit > 0 {
		fmt.Fprintf(&b, `<path d="M%.1f %.1fH%.1f" fill="none" stroke="#dc2626" stroke-dasharray="5 4"/>`+"\n", x0, up(c.Limit), x0+wide)
	}
	for _, l := range c.Lines {
		fmt.Fprintf(&b, `<path fill="none" stroke="%s" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" d="`, l.Colour)
		command := byte('M')
		for _, p := range l.Points {
			if !finite(p.Value) {
				command = 'M'
				continue
			}
			fmt.Fprintf(&b, "%c%.1f %.1f", command, across(p.At), up(p.Value))
			if command == 'M' {
				b.WriteString("h0") // a point without neighbours is a dot
			}
			command = 'L'
		}
		b.WriteString(`"/>` + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// most is the upper end of the vertical axis.
func (c Chart) most() float64 {
	most := c.Limit * 1.2
	for _, l := range c.Lines {
		for _, p := range l.Points {
			if finite(p.Value) {
				most = max(most, p.Value)
			}
		}
	}
	if most <= 0 {
		return 1
	}
	return most
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Escape makes a text safe in SVG and HTML.
func Escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;").Replace(s)
}
