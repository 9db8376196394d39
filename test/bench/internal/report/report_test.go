package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"orderbell/test/bench/internal/report"
	"orderbell/test/bench/internal/trial"
)

func found() []trial.Figures {
	one := func(name string, memory, perCPU float64, p99 time.Duration, missing int) trial.Figures {
		return trial.Figures{
			Name: name, MemoryPerConn: memory * 1024, Connects: 9000, PerCPU: perCPU, Burst: 10 * perCPU, RedisShare: 0.1, Missing: missing,
			Steady: trial.Latency{P50: p99 / 2, P99: p99, P999: 2 * p99}, BurstLatency: trial.Latency{P50: p99, P99: 2 * p99},
		}
	}
	return []trial.Figures{
		one(trial.Gateway, 1, 90_000, 10*time.Millisecond, 0), one("floor", 0.5, 100_000, 9*time.Millisecond, 0),
		one("slow", 30, 50_000, 40*time.Millisecond, 7), one("slower", 40, 20_000, 400*time.Millisecond, 0),
		one(trial.Gateway, 2, 80_000, 10*time.Millisecond, 0), one("floor", 0.5, 100_000, 9*time.Millisecond, 0),
		one("slow", 30, 40_000, 20*time.Millisecond, 0), one("slower", 50, 50_000, 400*time.Millisecond, 0),
	}
}

func TestTheTableComparesWithTheBestOfEachRound(t *testing.T) {
	t.Parallel()
	text, _ := report.Render(found(), trial.Short())
	for _, want := range []string{
		"| memory per idle connection | 1.50 KiB (1.00–2.00) | 0.50 KiB | 30.00 KiB | 45.00 KiB (40.00–50.00) |",
		"| deliveries that did not come | none | none | 7 | none |",
		"| deliveries per CPU second, of the best peer's | 1.70 (1.60–1.80) |",
		"| deliveries per CPU second, of the floor's | 0.85 (0.80–0.90) |",
		"| steady p99, of the best peer's | 0.38 (0.25–0.50) |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %s\n%s", want, text)
		}
	}
}

func TestThePlotIsXMLWithABarForEachServerAndFigure(t *testing.T) {
	t.Parallel()
	_, plot := report.Render(found(), trial.Short())
	bars := 0
	decoder := xml.NewDecoder(strings.NewReader(plot))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if want := 1 + 9*4; bars != want {
		t.Errorf("%d rectangles, want %d", bars, want)
	}
}
