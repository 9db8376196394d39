package plan_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"orderbell/cmd/orderbell/internal/plan"
)

func TestSize(t *testing.T) {
	t.Parallel()
	s := plan.Size(plan.Default())
	for _, tt := range []struct {
		what      string
		got, want float64
	}{
		{"changes", s.Changes, 100_000},
		{"cells: 100,000 × 1.6 ms ÷ (16 × 0.6) = 16.7", float64(s.Cells), 17},
		{"gateways: 58,824 streams ÷ 7,000 = 8.4", float64(s.Gateways), 9},
		{"gateways of ten streams: 9 × (1 − (8/9)^10)", s.Watching, 9 * (1 - math.Pow(8.0/9, 10))},
		{"shards: 5,882 × (0.2 ms + 6.2 × 1.3 µs) ÷ 0.6 = 2.04", float64(s.RedisShards), 3},
		{"pods of order-paid: 2,941 ÷ (1,650 × 0.6) = 2.97", float64(s.FunctionPods), 3},
		{"consumers: 2,941 × 3 × 41 ms ÷ 500 = 0.7", float64(s.Consumers), 1},
		{"partitions", float64(s.Partitions), 12},
	} {
		if math.Abs(tt.got-tt.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", tt.what, tt.got, tt.want)
		}
	}
	cores, memory := 0.0, 0.0
	for _, a := range s.Amounts {
		cores += a.Cores
		memory += a.Memory
	}
	in := plan.Default()
	in.CorePrice, in.MemoryPrice = 2, 3
	if got := plan.Size(in).CostPerHour; math.Abs(got-(2*cores+3*memory)) > 1e-6 {
		t.Errorf("cost %g, want %g", got, 2*cores+3*memory)
	}
}

// TestSizeGrows: twice the load never needs less of anything, and about twice the cells.
func TestSizeGrows(t *testing.T) {
	t.Parallel()
	in := plan.Default()
	one := plan.Size(in)
	in.Payments *= 2
	in.Clients *= 2
	two := plan.Size(in)
	if two.Cells < 2*one.Cells-1 || two.Cells > 2*one.Cells {
		t.Errorf("%d cells, and %d of twice the load", one.Cells, two.Cells)
	}
	for i, a := range one.Amounts {
		if b := two.Amounts[i]; b.Pods < a.Pods || b.Cores < a.Cores {
			t.Errorf("%s: %d pods and %g cores, %d and %g of twice the load", a.Part, a.Pods, a.Cores, b.Pods, b.Cores)
		}
	}
}

func TestMake(t *testing.T) {
	t.Parallel()
	in := plan.Default()
	in.Payments, in.Clients, in.Tenants, in.SpikeFactor = 1000, 10_000, 1000, 1
	calm := plan.Make(in)
	if calm.Spike.P99 > time.Second || len(calm.Limits) > 0 || !calm.InTime {
		t.Errorf("without a spike: p99 %s, %v", calm.Spike.P99, calm.Limits)
	}
	in.SpikeFactor, in.Cells = 20, 1
	spike := plan.Make(in)
	if spike.Spike.P99 < time.Second || len(spike.Limits) == 0 || spike.Drained < in.SpikeFor {
		t.Errorf("a spike of 20,000 a second: p99 %s, drained after %s, %v", spike.Spike.P99, spike.Drained, spike.Limits)
	}
	for name, tt := range map[string]struct {
		change func(*plan.Input)
		want   string
	}{
		"Redis":     {func(in *plan.Input) { in.Redis = time.Millisecond; in.SpikeFactor = 3; in.Payments = 200 }, "Redis"},
		"gateways":  {func(in *plan.Input) { in.Receive = time.Millisecond; in.SpikeFactor = 3; in.Payments = 500 }, "sse-gateway"},
		"order-api": {func(in *plan.Input) { in.API = 10 * time.Millisecond; in.SpikeFactor = 5; in.Payments = 200 }, "order-api"},
		"consumers": {func(in *plan.Input) { in.PollRecords = 5; in.SpikeFactor = 10; in.Payments = 500 }, "Kafka's consumers"},
		"max-scale": {func(in *plan.Input) { in.MaxScale = 1; in.APICores = 20; in.SpikeFactor = 10; in.Payments = 300 }, "pods: max-scale"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := in
			tt.change(&in)
			if r := plan.Make(in); len(r.Limits) == 0 || !strings.HasPrefix(r.Limits[0].Name, tt.want) {
				t.Errorf("bottlenecks %v, want %s first", r.Limits, tt.want)
			}
		})
	}
}

func TestCheckNamesTheFlag(t *testing.T) {
	t.Parallel()
	in := plan.Default()
	if err := in.Check(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		want   string
		change func(*plan.Input)
	}{
		{"--clients must be from 1 to 1000000000, not 0", func(in *plan.Input) { in.Clients = 0 }},
		{"--payments must be from 0.1 to 10000000, not NaN", func(in *plan.Input) { in.Payments = math.NaN() }},
		{"--utilization must be from 0.05 to 0.95, not 1.2", func(in *plan.Input) { in.Utilization = 1.2 }},
		{"--window must be from 6s to 1h0m0s, not 1s", func(in *plan.Input) { in.Window = time.Second }},
		{"--clients must be at least 100000, one for each of --tenants, not 10", func(in *plan.Input) { in.Clients = 10 }},
		{"--cells must be at most 1000, one for each of --tenants, not 90000", func(in *plan.Input) { in.Cells, in.Tenants = 90_000, 1000 }},
		{"--start-most must be at least 2s, as --start-least is, not 1s", func(in *plan.Input) { in.StartLeast, in.StartMost = 2*time.Second, time.Second }},
		{"the most is 5000000; shorten them or give more --cells", func(in *plan.Input) { in.Cells, in.SpikeFor = 1, time.Hour }},
	} {
		in := plan.Default()
		tt.change(&in)
		if err := in.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}

// TestDefaultsAreTheManifests: a changed manifest changes the plan.
func TestDefaultsAreTheManifests(t *testing.T) {
	t.Parallel()
	in := plan.Default()
	for _, tt := range []struct {
		file, pattern string
		want          float64
	}{
		{"k8s/components/event-function/service.yaml", `containerConcurrency: (\d+)`, float64(in.Concurrency)},
		{"k8s/components/event-function/service.yaml", `max-scale: "(\d+)"`, float64(in.MaxScale)},
		{"k8s/components/event-function/service.yaml", `target-utilization-percentage: "(\d+)"`, float64(in.TargetPct)},
		{"k8s/components/event-function/service.yaml", `/window: (\d+)s`, in.Window.Seconds()},
		{"k8s/components/event-function/service.yaml", `limits: {memory: (\d+)Mi}`, in.PodMemory * 1024},
		{"k8s/base/sse-gateway/autoscaler.yaml", `averageValue: "(\d+)"`, float64(in.StreamsPerGateway)},
		{"k8s/base/sse-gateway/deployment.yaml", `limits: {memory: (\d+)Gi}`, in.GatewayMemory},
		{"k8s/components/trigger/trigger.yaml", `retry: (\d+)`, float64(in.Retries)},
		{"k8s/components/trigger/trigger.yaml", `backoffDelay: PT([\d.]+)S`, in.Backoff.Seconds()},
		{"k8s/kafka-broker/settings", `max\.poll\.records=(\d+)`, float64(in.PollRecords)},
		{"k8s/overlays/kind/stores/kafka.yaml", `--partitions (\d+)`, float64(in.Partitions)},
		{"internal/store/eventstore/together.go", `batches\s+= (\d+)`, float64(in.Batches)},
		{"internal/store/eventstore/together.go", `batchSize\s+= (\d+)`, float64(in.BatchSize)},
	} {
		content, err := os.ReadFile("../../../../" + tt.file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(tt.pattern).FindSubmatch(content)
		if found == nil {
			t.Errorf("%s has no %s", tt.file, tt.pattern)
			continue
		}
		if got, err := strconv.ParseFloat(string(found[1]), 64); err != nil || math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s has %s, the plan %g", tt.file, found[0], tt.want)
		}
	}
}
