package plot_test

import (
	"encoding/xml"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/plot"
)

func draw(t *testing.T, c plot.Chart) string {
	t.Helper()
	c.From, c.To = 0, 10
	c.Value = func(v float64) string { return fmt.Sprintf("%g<s", v) }
	c.Time = func(at float64) string { return fmt.Sprintf("%g m", at) }
	var b strings.Builder
	if err := c.Draw(&b, 0, 0, 166, 126); err != nil { // the plane is 100 × 100, its origin at 60, 106
		t.Fatal(err)
	}
	if err := xml.Unmarshal([]byte("<svg>"+b.String()+"</svg>"), new(struct{})); err != nil {
		t.Fatalf("%v in %s", err, b.String())
	}
	return b.String()
}

// points makes points of times and values, in turn.
func points(of ...float64) []plot.Point {
	var all []plot.Point
	for pair := range slices.Chunk(of, 2) {
		all = append(all, plot.Point{At: pair[0], Value: pair[1]})
	}
	return all
}

func curves(svg string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`stroke-width="2".* d="([^"]*)"`).FindAllStringSubmatch(svg, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestDraw(t *testing.T) {
	t.Parallel()
	t.Run("lines share the axes", func(t *testing.T) {
		t.Parallel()
		svg := draw(t, plot.Chart{Lines: []plot.Line{
			{Points: points(0, 0, 5, 4, 10, 2)},
			{Points: points(0, 1, 10, 1)},
		}})
		want := []string{"M60.0 106.0h0L110.0 6.0L160.0 56.0", "M60.0 81.0h0L160.0 81.0"}
		if diff := cmp.Diff(want, curves(svg)); diff != "" {
			t.Error(diff)
		}
		for _, label := range []string{">0&lt;s<", ">2&lt;s<", ">4&lt;s<", ">0 m<", ">10 m<"} {
			if !strings.Contains(svg, label) {
				t.Errorf("no label %s in %s", label, svg)
			}
		}
	})
	t.Run("a value that is not finite breaks the line", func(t *testing.T) {
		t.Parallel()
		svg := draw(t, plot.Chart{Lines: []plot.Line{{Points: points(0, 1, 5, math.NaN(), 10, 1)}}})
		if diff := cmp.Diff([]string{"M60.0 6.0h0M160.0 6.0h0"}, curves(svg)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the limit is on the picture", func(t *testing.T) {
		t.Parallel()
		svg := draw(t, plot.Chart{Limit: 5, Lines: []plot.Line{{Points: points(0, 3)}}})
		if want := `M60.0 22.7H160.0`; !strings.Contains(svg, want) {
			t.Errorf("no %s in %s", want, svg)
		}
	})
	t.Run("zeroes lie on the axis", func(t *testing.T) {
		t.Parallel()
		svg := draw(t, plot.Chart{Lines: []plot.Line{{Points: points(0, 0, 10, 0)}}})
		if diff := cmp.Diff([]string{"M60.0 106.0h0L160.0 106.0"}, curves(svg)); diff != "" {
			t.Error(diff)
		}
	})
}
