package plan

import (
	"math"
	"time"
)

// Amount is what one part of the system needs: Pods of all cells together (servers, for a store), their processor cores, and GiB.
type Amount struct {
	Part   string  `json:"part"`
	Pods   int     `json:"pods"`
	Cores  float64 `json:"cores"`
	Memory float64 `json:"memory_gib"`
	Why    string  `json:"why"`
}

// Sizing has the resources that a load needs at its mean rate.
type Sizing struct {
	Changes      float64  `json:"changes_per_second"`
	Cells        int      `json:"cells"`
	CellPayments float64  `json:"cell_payments_per_second"`
	Partitions   int      `json:"cell_partitions"`
	Consumers    int      `json:"cell_consumers"`
	FunctionPods int      `json:"cell_function_pods"`
	RedisShards  int      `json:"cell_redis_shards"`
	Gateways     int      `json:"cell_gateways"`
	Watching     float64  `json:"gateways_of_a_tenant"`
	GatewayWork  float64  `json:"gateway_seconds_per_change"`
	RedisWork    float64  `json:"redis_seconds_per_change"`
	Uses         []Use    `json:"uses"`
	Amounts      []Amount `json:"amounts"`
	Cores        float64  `json:"cores"`
	Memory       float64  `json:"memory_gib"`
	CostPerHour  float64  `json:"cost_per_hour"`
}

// Use is the fraction of a resource that the mean load uses.
type Use struct {
	Resource string  `json:"resource"`
	Part     float64 `json:"part"`
}

// Size computes how much in needs. docs/capacity.md has the formulas. in must be checked.
func Size(in Input) Sizing {
	s := Sizing{Changes: in.Payments * float64(in.Changes), Cells: in.Cells}
	database := (in.Accept + in.Apply).Seconds()
	if s.Cells == 0 {
		s.Cells = min(in.Tenants, up(s.Changes*database/(float64(in.DatabaseCores)*in.Utilization)))
	}
	cells := float64(s.Cells)
	s.CellPayments = in.Payments / cells
	changes := s.Changes / cells

	// A tenant's streams are on the gateways by chance: so many gateways have at least one of them.
	perTenant := float64(in.Clients) / float64(in.Tenants)
	s.Gateways = max(2, up(float64(in.Clients)/cells/float64(in.StreamsPerGateway)))
	for {
		g := float64(s.Gateways)
		s.Watching = g * (1 - math.Pow(1-1/g, perTenant))
		s.GatewayWork = s.Watching*in.Receive.Seconds() + perTenant*in.Write.Seconds()
		if changes*s.GatewayWork <= g*float64(in.GatewayCores)*in.Utilization || s.Gateways >= mostGateways {
			break
		}
		s.Gateways++
	}
	s.RedisWork = in.Redis.Seconds() + s.Watching*in.RedisCopy.Seconds()
	s.RedisShards = max(1, up(changes*s.RedisWork/in.Utilization))

	s.FunctionPods = max(1, up(s.CellPayments/(in.PodRate*in.Utilization)))
	// Little's law: so many events are in flight in the spike, each for the p99 of an answer.
	inFlight := s.CellPayments * in.SpikeFactor * answer.Seconds()
	s.Consumers = max(in.Consumers, up(inFlight/float64(in.PollRecords)))
	s.Partitions = max(in.Partitions, s.Consumers)

	s.Uses = []Use{
		{"PostgreSQL's cores", changes * database / float64(in.DatabaseCores)},
		{"Redis's shards", changes * s.RedisWork / float64(s.RedisShards)},
		{"gateways' cores", changes * s.GatewayWork / float64(s.Gateways*in.GatewayCores)},
		{"gateways' streams", float64(in.Clients) / cells / float64(s.Gateways*in.StreamsPerGateway)},
		{"order-api's cores, of --max-scale pods", changes * in.API.Seconds() / float64(in.MaxScale*in.APICores)},
		{"pods of order-paid, of --max-scale", s.CellPayments / (in.PodRate * float64(in.MaxScale))},
		{"events in flight, of --max-poll-records", s.CellPayments * answer.Seconds() / float64(in.Consumers*in.PollRecords)},
	}
	s.amounts(in)
	return s
}

const (
	answer       = 41 * time.Millisecond // of a function, p99: docs/bench-events.md
	mostGateways = 100_000
	relays       = 3 // overlay production
	types        = 3 // of events, each with a function of its own
)

func (s *Sizing) amounts(in Input) {
	add := func(part string, pods int, cores, memory float64, why string) {
		s.Amounts = append(s.Amounts, Amount{Part: part, Pods: pods, Cores: cores, Memory: memory, Why: why})
		s.Cores += cores
		s.Memory += memory
	}
	of := func(d time.Duration) float64 { return s.Changes * d.Seconds() / in.Utilization }
	add("PostgreSQL", s.Cells, float64(s.Cells*in.DatabaseCores), float64(s.Cells)*in.DatabaseMemory, "a server for each cell, without standby")
	add("Redis", s.Cells*s.RedisShards, float64(s.Cells*s.RedisShards), float64(s.Cells*s.RedisShards)*in.RedisMemory, "a core for each shard, without replicas")
	kafka := of(in.Kafka) * float64(in.KafkaReplicas)
	add("Kafka", max(in.KafkaReplicas*s.Cells, up(kafka/float64(in.DatabaseCores))), kafka, kafka*in.DatabaseMemory/float64(in.DatabaseCores), "each replica costs as much as the first")
	add("Knative's data path", 0, of(in.Delivery), 0, "at most: what the spike leaves for it")
	pods := max(s.Cells, up(of(in.API)/float64(in.APICores)))
	add("order-api", pods, of(in.API), float64(pods)*in.PodMemory, "by cores")
	pods = s.Cells * s.FunctionPods * types
	add("functions", pods, of(in.Function), float64(pods)*in.PodMemory, "three types of events")
	pods = s.Cells * relays
	add("outbox-relay", pods, of(in.Relay), float64(pods)*in.PodMemory, "three for each cell")
	pods = s.Cells * s.Gateways
	add("sse-gateway", pods, float64(pods*in.GatewayCores), float64(pods)*in.GatewayMemory, "by streams or cores, the more")
	s.CostPerHour = s.Cores*in.CorePrice + s.Memory*in.MemoryPrice
}

func up(x float64) int { return int(math.Ceil(x - 1e-9)) }
