package events

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	bench "orderbell/test/bench/internal/report"
)

const (
	perSecond   = "events a second"
	answerP99   = "an event's answer, p99"
	postgresCPU = "CPU per event, PostgreSQL"
)

// line is a figure of a subject over all rounds.
type line struct {
	what, of string
	values   []figure // sorted
}

func (l line) median() float64 { return l.values[len(l.values)/2].value }

func (l line) cell() string {
	cell := l.values[len(l.values)/2].show()
	if len(l.values) > 1 {
		cell += " (" + l.values[0].show() + "–" + l.values[len(l.values)-1].show() + ")"
	}
	return cell
}

// lines returns the figures of all rounds, those of one kind together.
func lines(found []figure) []line {
	var all []line
	for _, f := range found {
		i := slices.IndexFunc(all, func(l line) bool { return l.what == f.what && l.of == f.of })
		if i < 0 {
			all, i = append(all, line{what: f.what, of: f.of}), len(all)
		}
		all[i].values = append(all[i].values, f)
	}
	for _, l := range all {
		slices.SortFunc(l.values, func(a, b figure) int { return cmp.Compare(a.value, b.value) })
	}
	first := func(l line) int { return slices.IndexFunc(found, func(f figure) bool { return f.what == l.what }) }
	slices.SortStableFunc(all, func(a, b line) int { return first(a) - first(b) })
	return all
}

// document returns the table of all figures, with the rounds' median and spread.
func document(found []figure, o Options) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `# The event path, and what bounds it

Written by `+"`%s`"+` on %s.

Real PostgreSQL (fsync on), Redis with its log of writes, and Kafka share two cores with everything else, so ratios between lines
count and not the numbers. A cell is the median of %d alternating round(s) of %s each and, in brackets, the least and the most.
A function has %d events in flight over %d connections to PostgreSQL; each event has 4 recipients.

![The same figures as bars, with the least and the most](%s)

| | | median (least–most) |
|---|---|---:|
`, o.Command, bench.Machine(), o.Rounds, o.For, o.InFlight, o.Conns, filepath.Base(plotOf(o.Out)))
	all := lines(found)
	for _, l := range all {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", l.what, l.of, l.cell())
	}
	b.WriteString("\n| | to | ratio of the medians |\n|---|---|---:|\n")
	for _, r := range []struct{ what, ours, theirs string }{
		{perSecond, "order-paid", pgbenchTitle},
		{perSecond, "order-paid", serialLabel},
		{perSecond, "order-paid", routerTitle},
		{relayed, relayTitle, producerTitle},
		{relayed, relayTitle, forwarderTitle},
	} {
		find := func(of string) int {
			return slices.IndexFunc(all, func(l line) bool { return l.what == r.what && l.of == of })
		}
		if ours, theirs := find(r.ours), find(r.theirs); ours >= 0 && theirs >= 0 {
			fmt.Fprintf(&b, "| %s: %s | %s | %.2f |\n", r.what, r.ours, r.theirs, all[ours].median()/all[theirs].median())
		}
	}
	return []byte(b.String())
}

// panels returns a panel for each kind of figure that several subjects have.
func panels(found []figure) []bench.Panel {
	var all []bench.Panel
	for _, l := range lines(found) {
		if n := len(all); n == 0 || all[n-1].Title != l.what {
			better := "less"
			if l.values[0].unit == "/s" {
				better = "more"
			}
			unit := l.values[0].unit
			all = append(all, bench.Panel{Title: l.what, Better: better, Show: func(v float64) string { return figure{value: v, unit: unit}.show() }})
		}
		colour := bench.Other
		switch {
		case strings.HasPrefix(l.of, "pgbench"), strings.HasPrefix(l.of, "redis-benchmark"), strings.HasPrefix(l.of, "Kafka's"):
			colour = bench.Bound
		case l.of == "order-paid", l.of == relayTitle, strings.HasPrefix(l.of, "Orderbell"):
			colour = bench.Ours
		}
		p := &all[len(all)-1]
		p.Bars = append(p.Bars, bench.Bar{Name: l.of, Least: l.values[0].value, Median: l.median(), Most: l.values[len(l.values)-1].value, Colour: colour})
	}
	return slices.DeleteFunc(all, func(p bench.Panel) bool { return len(p.Bars) < 2 })
}

// plotOf is the name of a document's plot.
func plotOf(document string) string { return strings.TrimSuffix(document, ".md") + ".svg" }

// byHand begins the part of a document that is not written by this program.
const byHand = "<!-- Written by hand from here on. -->"

// write writes a document and its plot. It keeps what was written by hand.
func write(out string, document []byte, panels []bench.Panel) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil { //nolint:gosec // a report is for all to read
		return fmt.Errorf("write the document: %w", err)
	}
	before, err := os.ReadFile(out) //nolint:gosec // the name is the user's
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the document: %w", err)
	}
	if from := bytes.Index(before, []byte(byHand)); from >= 0 {
		document = slices.Concat(document, []byte("\n"), before[from:])
	}
	if err := os.WriteFile(plotOf(out), bench.SVG(panels), 0o644); err != nil { //nolint:gosec // as above
		return fmt.Errorf("write the plot: %w", err)
	}
	return os.WriteFile(out, document, 0o644) //nolint:gosec,wrapcheck // as above; the path is in the error
}
