package load

import (
	"fmt"
	"io"
	"strings"

	"orderbell/internal/plot"
)

// Sizes in the plot, in pixels.
const (
	plotWidth  = 786
	plotHeight = 186
	plotLegend = 28
	plotLeft   = 60
)

// SVG writes the run second by second: requests accepted and events seen above, the queues below.
func (r OrderReport) SVG(w io.Writer) error {
	rates := []plot.Line{{Name: "accepted/s", Colour: "#2563eb"}, {Name: "seen/s", Colour: "#c2410c"}}
	queues := []plot.Line{{Name: "accepted, not yet seen", Colour: "#c2410c"}, {Name: "of these in the outbox", Colour: "#64748b"}}
	add := func(l *plot.Line, second int, value float64) {
		l.Points = append(l.Points, plot.Point{At: float64(second) + 0.5, Value: value})
	}
	for i, s := range r.Seconds {
		add(&rates[0], i, float64(s.Accepted))
		add(&rates[1], i, float64(s.Seen))
		add(&queues[0], i, float64(s.Queue))
		add(&queues[1], i, float64(max(s.Unsent, 0)))
	}
	if r.Unsent < 0 {
		queues = queues[:1]
	}
	var b strings.Builder
	height := 2*(plotLegend+plotHeight) + 30
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth+14, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	for i, lines := range [][]plot.Line{rates, queues} {
		top := i * (plotLegend + plotHeight)
		for n, l := range lines {
			fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", plotLeft+n*180, top+20, l.Colour, plot.Escape(l.Name))
		}
		c := plot.Chart{
			Lines: lines, From: 0, To: float64(max(len(r.Seconds), 1)),
			Value: func(v float64) string { return fmt.Sprintf("%.0f", v) }, Time: func(at float64) string { return fmt.Sprintf("%.0f s", at) },
		}
		if err := c.Draw(&b, 0, top+plotLegend, plotWidth, plotHeight); err != nil {
			return err
		}
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#444">%s</text>`+"\n</svg>\n", plotLeft, height-12, plot.Escape(r.Bottleneck()))
	_, err := io.WriteString(w, b.String())
	return err
}
