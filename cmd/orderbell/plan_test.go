package main_test

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// smallPlan is simulated in a moment.
func smallPlan(args ...string) []string {
	return append([]string{"plan", "--clients", "2000", "--tenants", "200", "--payments", "100"}, args...)
}

func TestPlanHasOneAnswerForASeed(t *testing.T) {
	t.Parallel()
	answers := map[string]string{}
	for _, seed := range []string{"7", "7", "8"} {
		stdout, stderr, status := run(t, nil, smallPlan("--json", "--seed", seed)...)
		if status != 0 || stderr != "" {
			t.Fatalf("status %d: %s", status, stderr)
		}
		var answer struct{ Plan json.RawMessage }
		if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
			t.Fatal(err)
		}
		if before, ok := answers[seed]; ok && before != string(answer.Plan) {
			t.Errorf("seed %s: %s", seed, cmp.Diff(before, string(answer.Plan)))
		}
		answers[seed] = string(answer.Plan)
	}
	if answers["7"] == answers["8"] {
		t.Error("seeds 7 and 8 have the same answer")
	}
}

// TestPlanNamesItsSources: each input has one, and what was given is not assumed.
func TestPlanNamesItsSources(t *testing.T) {
	t.Parallel()
	stdout, stderr, status := run(t, nil, smallPlan("--json", "--changes", "3")...)
	var answer struct {
		Inputs []struct {
			Flag, Value, Source string
			Assumed             bool
		}
		Plan struct {
			Sizing struct {
				Changes float64 `json:"changes_per_second"`
			}
			Course struct{ Arrived, Delivered int }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s", status, err, stderr)
	}
	assumed := 0
	for _, in := range answer.Inputs {
		if in.Source == "" || in.Assumed != (in.Source == "assumed") {
			t.Errorf("%+v: no source, or an unclear one", in)
		}
		if strings.Contains(in.Source, "/") {
			if _, err := os.Stat("../../" + in.Source); err != nil {
				t.Errorf("%s: %v", in.Flag, err)
			}
		}
		if in.Assumed {
			assumed++
		}
		if in.Flag == "--changes" && (in.Source != "given" || in.Value != "3") {
			t.Errorf("%+v, want 3, given", in)
		}
	}
	if assumed == 0 || answer.Plan.Sizing.Changes != 300 || answer.Plan.Course.Arrived == 0 || answer.Plan.Course.Arrived != answer.Plan.Course.Delivered {
		t.Errorf("%d inputs assumed, %+v", assumed, answer.Plan)
	}
	text, _, _ := run(t, nil, smallPlan("--changes", "3", "--core-price", "2")...)
	if strings.Contains(text, "--changes") || !strings.Contains(text, "--spike-factor") || !strings.Contains(text, "cost per hour") {
		t.Errorf("want --spike-factor as assumed, not --changes, and a cost:\n%s", text)
	}
}

func TestPlanRefusesBadFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, want string }{
		{"--clients 0", "--clients must be from 1 to 1000000000, not 0"},
		{"--clients many", `--clients must be a whole number, not "many"`},
		{"--payments NaN", "--payments must be from 0.1 to 10000000, not NaN"},
		{"--fail 1.5", "--fail must be from 0 to 1, not 1.5"},
		{"--window 1s", "--window must be from 6s to 1h0m0s, not 1s"},
		{"--partitions -1", "--partitions must be from 1 to 10000, not -1"},
		{"--tenants 5 --clients 4", "--clients must be at least 5, one for each of --tenants, not 4"},
		{"--cells 1 --spike-for 1h", "a cell has 544500000 payments in --warm, --spike-for and --rest: the most is 5000000"},
		{"everything", `leave out "everything": orderbell plan takes no arguments`},
	} {
		stdout, stderr, status := run(t, nil, append([]string{"plan"}, strings.Fields(tt.args)...)...)
		if status != 2 || stdout != "" || !strings.Contains(stderr, tt.want) || !strings.Contains(stderr, "See orderbell plan --help.") {
			t.Errorf("plan %s: status %d, %q, want 2 and %q", tt.args, status, stderr, tt.want)
		}
	}
}

// TestTheCapacityDocument has each command of docs/capacity.md print what the document shows. Floating point rounds otherwise on
// other processors, so there only what is computed before the simulation is compared. UPDATE_GOLDEN=1 writes the document.
func TestTheCapacityDocument(t *testing.T) {
	t.Parallel()
	const name, begin, end = "../../docs/capacity.md", "```\n$ bin/orderbell ", "```\n"
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(content), begin)
	if len(parts) < 3 {
		t.Fatalf("%d commands in %s, want two or more", len(parts)-1, name)
	}
	for i, part := range parts[1:] {
		block, rest, _ := strings.Cut(part, end)
		command, want, _ := strings.Cut(block, "\n")
		got, stderr, status := run(t, nil, strings.Fields(command)...)
		if status != 0 {
			t.Fatalf("%s: status %d, %s", command, status, stderr)
		}
		parts[i+1] = command + "\n" + got + end + rest
		if runtime.GOARCH != "amd64" {
			got, _, _ = strings.Cut(got, "\na cell, simulated")
			want, _, _ = strings.Cut(want, "\na cell, simulated")
			if strings.Contains(command, "--validate") {
				continue // its figures are held by TestTheMeasuredSpikes
			}
		}
		if diff := cmp.Diff(want, got); diff != "" && os.Getenv("UPDATE_GOLDEN") == "" {
			t.Errorf("%s (-document +program; UPDATE_GOLDEN=1 writes it):\n%s", command, diff)
		}
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(name, []byte(strings.Join(parts, begin)), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
}
