package traces

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"

	"orderbell/internal/text"
)

// scalar returns a value that is not a string.
func scalar(v *commonpb.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
	}
	return ""
}

// width is how many characters the bars of a trace share.
const width = 40

// Print writes a line for each span, with a bar where it lies in the time of the whole trace. Children come after their parents,
// further to the right. Spans are in the order of their start.
func Print(out io.Writer, spans []Span) error {
	if len(spans) == 0 {
		return nil
	}
	from, to := spans[0].Start, spans[0].End
	known := map[string]bool{}
	for _, s := range spans {
		known[s.ID] = true
		if s.End.After(to) {
			to = s.End
		}
	}
	children := map[string][]Span{}
	for _, s := range spans {
		parent := s.ParentID
		if !known[parent] {
			parent = "" // the client's, or one that was not kept
		}
		children[parent] = append(children[parent], s)
	}
	var lines []line
	var add func(parent string, depth int)
	add = func(parent string, depth int) {
		for _, s := range children[parent] {
			lines = append(lines, line{s, text.Terminal(strings.Repeat("  ", depth) + s.Name)})
			add(s.ID, depth+1)
		}
	}
	add("", 0)
	names, programs := 0, 0
	for _, l := range lines {
		names, programs = max(names, utf8.RuneCountInString(l.name)), max(programs, len(l.span.Program))
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "  %s%s  %-*s  %s  %9s + %s", l.name, strings.Repeat(" ", names-utf8.RuneCountInString(l.name)),
			programs, text.Terminal(l.span.Program), bar(l.span, from, to), millis(l.span.Start.Sub(from)), millis(l.span.End.Sub(l.span.Start)))
		if l.span.Error != "" {
			b.WriteString("  failed: " + text.Terminal(l.span.Error))
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(out, b.String())
	return err //nolint:wrapcheck // the caller's writer
}

type line struct {
	span Span
	name string
}

// bar returns at least one block.
func bar(s Span, from, to time.Time) string {
	whole := max(to.Sub(from), 1)
	first := min(int(int64(s.Start.Sub(from))*width/int64(whole)), width-1)
	last := min(max(int(int64(s.End.Sub(from))*width/int64(whole)), first+1), width)
	return "|" + strings.Repeat(" ", first) + strings.Repeat("█", last-first) + strings.Repeat(" ", width-last) + "|"
}

func millis(d time.Duration) string { return strconv.FormatFloat(d.Seconds()*1000, 'f', 1, 64) + " ms" }
