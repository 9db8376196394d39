//go:build alerts

package alerts_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// pace says how the rules' durations are shortened: an hour to pace.hour, and none to less than pace.least.
type pace struct{ hour, least time.Duration }

var (
	duration = regexp.MustCompile(`(for: |\[)(\d+)(s|m|h|d)\b`)
	ages     = regexp.MustCompile(`(\d+(?:\.\d+)?) \* (60|3600)\b`)
)

// shorten returns the rules with every duration shortened: those of for, those of ranges, and ages, which the rules write as
// N * 60 and N * 3600.
func (p pace) shorten(rules string) string {
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "60": time.Minute, "3600": time.Hour}
	rules = duration.ReplaceAllStringFunc(rules, func(text string) string {
		m := duration.FindStringSubmatch(text)
		n, _ := strconv.ParseFloat(m[2], 64) // digits
		return fmt.Sprintf("%s%dms", m[1], p.of(n, units[m[3]]).Milliseconds())
	})
	return ages.ReplaceAllStringFunc(rules, func(text string) string {
		m := ages.FindStringSubmatch(text)
		n, _ := strconv.ParseFloat(m[1], 64) // digits
		return strconv.FormatFloat(p.of(n, units[m[2]]).Seconds(), 'f', -1, 64)
	})
}

func (p pace) of(n float64, unit time.Duration) time.Duration {
	d := time.Duration(n * float64(unit))
	return min(d, max(p.least, time.Duration(float64(d)*p.hour.Hours())))
}

const component = "../../k8s/components/observability"

// shortened writes the shortened rules into dir and returns the files and the names of their alerts.
func shortened(t *testing.T, p pace, dir string) (files, alerts []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(component, "rules", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
	for _, name := range all {
		if match, _ := filepath.Match("*_test.yaml", filepath.Base(name)); match {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(content), -1) {
			alerts = append(alerts, m[1])
		}
		file := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(file, []byte(p.shorten(string(content))), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if len(alerts) == 0 {
		t.Fatalf("found no alerts in %s", component)
	}
	return files, alerts
}

func TestRulesAreShortenedEverywhere(t *testing.T) {
	t.Parallel()
	p := pace{hour: 5 * time.Second, least: 8 * time.Second}
	const rules = "expr: increase(x[5m]) > 0.5 * 60 or time() - y > 26 * 3600 or r > 14.4 * 0.001\nfor: 1h\nfor: 5s\nz[6h] z[3d]"
	const want = "expr: increase(x[8000ms]) > 8 or time() - y > 130 or r > 14.4 * 0.001\nfor: 8000ms\nfor: 5000ms\nz[30000ms] z[360000ms]"
	if got := p.shorten(rules); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
