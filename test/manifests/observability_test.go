//go:build manifests

package manifests_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// -update writes k8s/components/observability/operator/prometheusrule.yaml.
var update = flag.Bool("update", false, "write the PrometheusRule") //nolint:gochecknoglobals // a flag

const observability = "k8s/components/observability/"

// text returns a file of the component without comment lines.
func text(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, observability+name))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(string(content), "")
}

// TestPrometheusRule checks that the operator's PrometheusRule is generated from the current rule files.
func TestPrometheusRule(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, observability, "rules", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Made of ../rules by: go test -tags manifests ./test/manifests -run TestPrometheusRule -update\n" +
		"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: orderbell\nspec:\n  groups:\n")
	for _, f := range files {
		if strings.HasSuffix(f, "_test.yaml") {
			continue
		}
		_, groups, ok := strings.Cut(text(t, "rules/"+filepath.Base(f)), "groups:\n")
		if !ok {
			t.Fatalf("%s has no groups", f)
		}
		for line := range strings.Lines(groups) {
			if strings.TrimSpace(line) != "" {
				b.WriteString("  " + line)
			}
		}
	}
	file := filepath.Join(root, observability, "operator", "prometheusrule.yaml")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != b.String() {
		t.Errorf("%s differs from the rule files: run this test with -update", file)
	}
	var rule struct {
		Spec struct {
			Groups []struct{ Rules []struct{ Alert string } }
		}
	}
	if err := yaml.Unmarshal(written, &rule); err != nil || len(rule.Spec.Groups) == 0 {
		t.Errorf("%d groups, %v", len(rule.Spec.Groups), err)
	}
}

// TestEachAlertHasItsSection checks the operator's document: each alert is in its table, and each link of an alert has a section.
func TestEachAlertHasItsSection(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root, "docs/ORDER_NOTIFICATIONS_OPERATIONS.md"))
	if err != nil {
		t.Fatal(err)
	}
	doc, rules := string(content), text(t, "operator/prometheusrule.yaml")
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(doc, -1) {
		sections = append(sections, strings.ReplaceAll(strings.ToLower(m[1]), " ", "-"))
	}
	alerts := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1)
	links := regexp.MustCompile(`runbook: docs/ORDER_NOTIFICATIONS_OPERATIONS.md#(\S+)`).FindAllStringSubmatch(rules, -1)
	if len(alerts) == 0 || len(alerts) != len(links) {
		t.Fatalf("%d alerts and %d links", len(alerts), len(links))
	}
	for i, a := range alerts {
		if !strings.Contains(doc, "| "+a[1]+" |") {
			t.Errorf("%s is not in the table of alerts", a[1])
		}
		if !slices.Contains(sections, links[i][1]) {
			t.Errorf("%s links to #%s, which does not exist", a[1], links[i][1])
		}
	}
}

// TestTheAutoscalersMetricIsServed follows the gateway's metric from the program to the autoscaler.
func TestTheAutoscalersMetricIsServed(t *testing.T) {
	t.Parallel()
	const metric = "orderbell_sse_connections"
	metrics, err := os.ReadFile(filepath.Join(root, "docs/metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(metrics), "| `"+metric+"` | gauge |  |  | sse-gateway |") {
		t.Errorf("sse-gateway does not export %s without labels", metric)
	}
	for name, want := range map[string]string{
		"adapter.yaml": "name: {matches: " + metric + "}", "operator/keda.yaml": "query: sum(" + metric + ")",
	} {
		if !strings.Contains(text(t, name), want) {
			t.Errorf("%s does not have %q", name, want)
		}
	}
	each(t, func(t *testing.T, all []object) {
		hpa := find(all, "HorizontalPodAutoscaler", "sse-gateway")
		if hpa == nil {
			t.Fatal("the overlay has no HorizontalPodAutoscaler sse-gateway")
		}
		if !strings.Contains(hpa.raw, "name: "+metric) {
			t.Errorf("the autoscaler does not read %s:\n%s", metric, hpa.raw)
		}
	})
}

// TestTheNightHasItsVerify checks that every overlay has the operator's jobs.
func TestTheNightHasItsVerify(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, all []object) {
		for _, name := range []string{"verify", "status"} {
			if find(all, "CronJob", name) == nil {
				t.Errorf("the overlay has no CronJob %s", name)
			}
		}
		if find(all, "ConfigMap", "orderbell-alerts") == nil {
			t.Error("the overlay has no ConfigMap orderbell-alerts")
		}
	})
}

// TestStatusAsksEveryProgram holds the CronJob status to the programs of its overlay, each at its own Service.
func TestStatusAsksEveryProgram(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, all []object) {
		var want, got []string
		for _, w := range workloads(t, all) {
			switch name := w.Metadata.Name; {
			case name == "status":
				asked := strings.Split(settings(t, all, w)["STATUS_PROGRAMS"], ",")
				for _, argument := range w.pod.Containers[0].Args {
					if program, ok := strings.CutPrefix(argument, "--program="); ok {
						asked = append(asked, program)
					}
				}
				got = slices.Sorted(slices.Values(asked))
			case w.ours() && !w.job():
				want = append(want, name+"=http://"+name+".orderbell.svc.cluster.local")
				if find(all, "Service", name) == nil {
					t.Errorf("there is no Service %s", name)
				}
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("programs (-) and what status asks (+): %s", diff)
		}
	})
}
