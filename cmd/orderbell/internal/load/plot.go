package load

import (
	"fmt"
	"io"
	"strings"
)

// Sizes in the plot, in pixels.
const (
	plotWidth  = 720
	plotHeight = 180
	plotLeft   = 60
	plotTop    = 34
	plotGap    = 50
)

// line is one curve of a plot.
type line struct {
	name, colour string
	values       []int64
}

// SVG writes the run second by second: requests accepted and events seen above, the queues below.
func (r OrderReport) SVG(w io.Writer) error {
	rates := []line{{"accepted/s", "#2563eb", nil}, {"seen/s", "#c2410c", nil}}
	queues := []line{{"accepted, not yet seen", "#c2410c", nil}, {"of these in the outbox", "#64748b", nil}}
	for _, s := range r.Seconds {
		rates[0].values = append(rates[0].values, int64(s.Accepted))
		rates[1].values = append(rates[1].values, int64(s.Seen))
		queues[0].values = append(queues[0].values, int64(s.Queue))
		queues[1].values = append(queues[1].values, max(s.Unsent, 0))
	}
	if r.Unsent < 0 {
		queues = queues[:1]
	}
	var b strings.Builder
	height := 2*(plotTop+plotHeight) + plotGap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotLeft+plotWidth+20, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	drawPlot(&b, 0, rates)
	drawPlot(&b, plotTop+plotHeight, queues)
	fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#444">%s</text>`+"\n</svg>\n", plotLeft, height-12, escape(r.Bottleneck()))
	_, err := io.WriteString(w, b.String())
	return err
}

func escape(s string) string { return strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(s) }

// drawPlot draws curves over time. top is the y coordinate of its upper edge.
func drawPlot(b *strings.Builder, top int, lines []line) {
	most, seconds := int64(1), 1
	for _, l := range lines {
		seconds = max(seconds, len(l.values))
		for _, v := range l.values {
			most = max(most, v)
		}
	}
	bottom := top + plotTop + plotHeight - 20
	scale := float64(plotHeight-20) / float64(most)
	fmt.Fprintf(b, `<path d="M%d %dV%dH%d" fill="none" stroke="#999"/>`+"\n", plotLeft, top+plotTop, bottom, plotLeft+plotWidth)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%d</text><text x="%d" y="%d" text-anchor="end">0</text><text x="%d" y="%d" text-anchor="end">%d s</text>`+"\n",
		plotLeft-6, top+plotTop+6, most, plotLeft-6, bottom, plotLeft+plotWidth, bottom+16, seconds)
	for i, l := range lines {
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", plotLeft+i*180, top+20, l.colour, escape(l.name))
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, l.colour)
		for at, v := range l.values {
			fmt.Fprintf(b, "%.1f,%.1f ", float64(plotLeft)+(float64(at)+0.5)*plotWidth/float64(seconds), float64(bottom)-float64(v)*scale)
		}
		b.WriteString(`"/>` + "\n")
	}
}
