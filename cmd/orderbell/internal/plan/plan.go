// Package plan computes the resources that a load needs, and simulates one cell of it: a seeded discrete-event simulation of a
// payment's path from order-api to the screens. Its inputs come from this repository's manifests and benchmarks.
// docs/capacity.md compares its results with measurements.
package plan

import (
	"fmt"
	"strconv"
	"time"
)

// Input has the inputs of a plan. [Input.Fields] explains each value.
type Input struct {
	Clients, Tenants     int
	Payments             float64
	Changes              int
	SpikeFactor          float64
	Warm, SpikeFor, Rest time.Duration

	Cells, APICores, DatabaseCores   int
	Utilization                      float64
	Accept, Apply, BatchFixed, Path  time.Duration
	Batches, BatchSize               int
	Partitions, Consumers            int
	PollRecords, PerPartition        int
	Concurrency, MaxScale, TargetPct int
	Window, StartLeast, StartMost    time.Duration
	PodRate                          float64
	Retries                          int
	Backoff                          time.Duration
	Fail                             float64
	Redis, RedisCopy                 time.Duration
	StreamsPerGateway, GatewayCores  int
	Receive, Write                   time.Duration
	Spread                           float64
	Seed                             int

	API, Function, Relay, Kafka, Delivery time.Duration
	KafkaReplicas                         int
	PodMemory, GatewayMemory              float64
	DatabaseMemory, RedisMemory           float64
	CorePrice, MemoryPrice                float64
}

// Default returns the plan of the specification, 1 M clients of 100,000 tenants and 50,000 payments a second, with the
// repository's own figures.
func Default() Input {
	return Input{
		Clients: 1_000_000, Tenants: 100_000, Payments: 50_000, Changes: 2, SpikeFactor: 3,
		Warm: 30 * time.Second, SpikeFor: 10 * time.Second, Rest: 60 * time.Second,
		APICores: 1, DatabaseCores: 16, Utilization: 0.6,
		Accept: 1090 * time.Microsecond, Apply: 510 * time.Microsecond, BatchFixed: 1580 * time.Microsecond, Path: 13 * time.Millisecond,
		Batches: 2, BatchSize: 16,
		Partitions: 12, Consumers: 1, PollRecords: 500,
		Concurrency: 20, MaxScale: 8, TargetPct: 70,
		Window: 30 * time.Second, StartLeast: 900 * time.Millisecond, StartMost: 2100 * time.Millisecond,
		PodRate: 1650, Retries: 6, Backoff: 200 * time.Millisecond,
		Redis: 200 * time.Microsecond, RedisCopy: 1300 * time.Nanosecond,
		StreamsPerGateway: 7000, GatewayCores: 1, Receive: 110 * time.Microsecond, Write: 4130 * time.Nanosecond,
		Spread: 0.57, Seed: 1,
		API: 670 * time.Microsecond, Function: 320 * time.Microsecond, Relay: 390 * time.Microsecond, Kafka: 720 * time.Microsecond,
		Delivery: 8900 * time.Microsecond, KafkaReplicas: 3,
		PodMemory: 0.25, GatewayMemory: 2, DatabaseMemory: 64, RedisMemory: 8,
	}
}

// Field is an input with its flag, its bounds and where its default comes from.
type Field struct {
	Flag   string
	Usage  string
	Source string  // a document or a manifest; "" if the default is assumed
	Value  any     // *int, *float64 or *time.Duration
	Least  float64 // of a duration in seconds
	Most   float64
}

const (
	events = "docs/bench-events.md"
	fanout = "docs/bench-gateway.md"
	scales = "docs/knative.md"
	plans  = "docs/capacity.md"
	pods   = "k8s/components/event-function/service.yaml"
	asked  = "chosen" // the subject of the plan, neither measured nor assumed
)

// Fields returns the inputs in the order of the help, with the values of in.
func (in *Input) Fields() []Field {
	const second, hour = 1, 3600
	return []Field{
		{"clients", "open streams", asked, &in.Clients, 1, 1e9},
		{"tenants", "tenants; each has as many clients", asked, &in.Tenants, 1, 1e8},
		{"payments", "payments per second", asked, &in.Payments, 0.1, 1e7},
		{"changes", "changes of an order for each payment, with it: created and paid are 2", "", &in.Changes, 1, 20},
		{"spike-factor", "payments in the spike, as a multiple of --payments", "", &in.SpikeFactor, 1, 1000},
		{"spike-for", "how long the spike lasts", "", &in.SpikeFor, second, hour},
		{"warm", "how long payments come before the spike; the first comes at zero pods", "", &in.Warm, second, hour},
		{"rest", "how long payments come after the spike", "", &in.Rest, second, hour},

		{"cells", "cells, each a whole deployment with a database (0: as many as --utilization asks for)", asked, &in.Cells, 0, 1e5},
		{"api-cores", "processor cores that a pod of order-api has", "", &in.APICores, 1, 256},
		{"database-cores", "processor cores of a cell's PostgreSQL, taken to scale evenly", "", &in.DatabaseCores, 1, 256},
		{"utilization", "the part of every resource that the mean load may use", "", &in.Utilization, 0.05, 0.95},
		{"accept-cpu", "PostgreSQL for a change, without the function: order-api and relay", events, &in.Accept, 0, 10},
		{"apply-cpu", "PostgreSQL for an event in the function", events, &in.Apply, 1e-6, 10},
		{"batch-fixed", "round trip and wait for the disk of a batch", events, &in.BatchFixed, 0, 10},
		{"path", "order-api, relay, Kafka and dispatcher without a queue", scales, &in.Path, 0, 60},
		{"batches", "batches of a pod at a time", "docs/adr/0016-a-function-applies-events-in-batches.md", &in.Batches, 1, 100},
		{"batch-size", "the most events of a batch", "docs/adr/0016-a-function-applies-events-in-batches.md", &in.BatchSize, 1, 1000},

		{"partitions", "partitions of orders.events", scales, &in.Partitions, 1, 10_000},
		{"consumers", "consumers of a Trigger; more than one needs KEDA", scales, &in.Consumers, 1, 10_000},
		{"max-poll-records", "events of a consumer in flight, those in back-off included", scales, &in.PollRecords, 1, 100_000},
		{"per-partition", "events of a partition in flight instead: 4 with kafka-bridge, 1 if ordered (0: by consumer)", scales, &in.PerPartition, 0, 100_000},
		{"container-concurrency", "requests of a pod at a time", pods, &in.Concurrency, 1, 1000},
		{"target-utilization", "percent of container-concurrency at which the next pod is asked for", pods, &in.TargetPct, 1, 100},
		{"max-scale", "pods of a function in a cell", pods, &in.MaxScale, 1, 1000},
		{"window", "the autoscaler's window; a tenth of it is the panic window", pods, &in.Window, 6, hour},
		{"start-least", "the shortest start of a pod", scales, &in.StartLeast, 0, hour},
		{"start-most", "the longest start of a pod", scales, &in.StartMost, 0, hour},
		{"pod-rate", "events per second of a full pod", events, &in.PodRate, 1, 1e6},
		{"retries", "of an event, then it is a dead letter", scales, &in.Retries, 0, 16},
		{"backoff", "doubled before each retry", scales, &in.Backoff, 0, 60},
		{"fail", "the part of attempts that fail", "", &in.Fail, 0, 1},

		{"redis-cpu", "Redis for a change, which one core of a shard does", events, &in.Redis, 1e-6, 10},
		{"redis-copy", "Redis for each gateway that gets a change", plans, &in.RedisCopy, 0, 10},
		{"streams-per-gateway", "streams of a gateway at which the next one is asked for", "k8s/base/sse-gateway/autoscaler.yaml", &in.StreamsPerGateway, 1, 1e6},
		{"gateway-cores", "processor cores that a gateway has", "", &in.GatewayCores, 1, 256},
		{"receive-cpu", "a gateway for a change, however many streams it has", events, &in.Receive, 0, 10},
		{"write-cpu", "a gateway for a change on one stream", fanout, &in.Write, 0, 10},
		{"spread", "deviation of the logarithm of service times; from the p50 and p99 of an event's answer", events, &in.Spread, 0, 3},

		{"api-cpu", "order-api for a change", events, &in.API, 0, 10},
		{"function-cpu", "the function for an event", events, &in.Function, 0, 10},
		{"relay-cpu", "outbox-relay for a change", events, &in.Relay, 0, 10},
		{"kafka-cpu", "a Kafka broker for a change", events, &in.Kafka, 0, 10},
		{"kafka-replicas", "brokers that have a change, each of which is taken to cost as much", "docs/deploy.md", &in.KafkaReplicas, 1, 9},
		{"delivery-cpu", "Knative's dispatcher, activator and queue-proxy for an event, at most", plans, &in.Delivery, 0, 10},
		{"pod-memory", "GiB of a pod of any program but the gateway", pods, &in.PodMemory, 0.01, 1000},
		{"gateway-memory", "GiB of a gateway", "k8s/base/sse-gateway/deployment.yaml", &in.GatewayMemory, 0.1, 1000},
		{"database-memory", "GiB of a cell's PostgreSQL", "", &in.DatabaseMemory, 1, 10_000},
		{"redis-memory", "GiB of a shard of Redis", "", &in.RedisMemory, 0.1, 10_000},
		{"core-price", "price of a core for an hour (0: no cost)", asked, &in.CorePrice, 0, 1e6},
		{"memory-price", "price of a GiB of memory for an hour (0: no cost)", asked, &in.MemoryPrice, 0, 1e6},
		{"seed", "the same seed has the same answer", asked, &in.Seed, 0, 1e9},
	}
}

// Text is the field's value.
func (f Field) Text() string {
	switch v := f.Value.(type) {
	case *int:
		return strconv.Itoa(*v)
	case *float64:
		return strconv.FormatFloat(*v, 'f', -1, 64)
	case *time.Duration:
		return v.String()
	}
	return ""
}

// Check returns an error that names the first flag with an invalid value.
func (in *Input) Check() error {
	for _, f := range in.Fields() {
		value, least, most := 0.0, fmt.Sprint(f.Least), fmt.Sprintf("%.10g", f.Most)
		switch v := f.Value.(type) {
		case *int:
			value = float64(*v)
		case *float64:
			value = *v
		case *time.Duration:
			value, least, most = v.Seconds(), duration(f.Least).String(), duration(f.Most).String()
		}
		if !(value >= f.Least && value <= f.Most) { // rejects NaN too
			return fmt.Errorf("--%s must be from %s to %s, not %s", f.Flag, least, most, f.Text())
		}
	}
	switch {
	case in.Clients < in.Tenants:
		return fmt.Errorf("--clients must be at least %d, one for each of --tenants, not %d", in.Tenants, in.Clients)
	case in.Cells > in.Tenants:
		return fmt.Errorf("--cells must be at most %d, one for each of --tenants, not %d", in.Tenants, in.Cells)
	case in.StartMost < in.StartLeast:
		return fmt.Errorf("--start-most must be at least %s, as --start-least is, not %s", in.StartLeast, in.StartMost)
	}
	n := 0.0
	for _, p := range in.phases(Size(*in).Cells) {
		n += float64(p.Payments)
	}
	if n > mostSimulated {
		return fmt.Errorf("a cell has %.0f payments in --warm, --spike-for and --rest: the most is %d; shorten them or give more --cells", n, mostSimulated)
	}
	return nil
}

// mostSimulated bounds the payments of a simulation, whose times are all in memory.
const mostSimulated = 5_000_000

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
