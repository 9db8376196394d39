//go:build chaos

package chaos_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// failovers are the faults of stores that have replicas. CI injects each of them once.
func failovers() []fault {
	return []fault{
		{"PostgreSQL's primary killed, its synchronous standby promoted", promotePostgres, true},
		{"Redis's master killed, its replica promoted by the sentinels", killMaster, false},
		{"one of three Kafka brokers killed", killBroker, false},
		{"PostgreSQL's primary isolated, its synchronous standby promoted, old connections left open", isolatePostgres, true},
		{"Redis's master demoted by the sentinels, its subscribers stay", demoteMaster, false},
		{"Redis's master frozen for six seconds, its replica promoted by the sentinels", freezeMaster, false},
		{"one of three Kafka brokers frozen for twelve seconds, its leaders moved", freezeBroker, false},
	}
}

// allFailovers adds those that take minutes on a busy machine, those that need root, and a run without a fault.
func allFailovers() []fault {
	return append(failovers(),
		fault{"one of three Kafka brokers cut off for twelve seconds, the leader of its partitions all the time", isolateBroker, false},
		fault{"the disk of PostgreSQL's primary full", fillPostgres, true},
		fault{"the disk of Redis's master full, its replica promoted by the sentinels", fillRedis, false},
		fault{"the disk of one of three Kafka brokers full", fillBroker, false},
		fault{"PostgreSQL's clock jumps: an hour ahead, a day ahead, and back", jumpClock, true},
		fault{"none, to compare with", func(e *episode) { e.wait(4 * time.Second) }, false},
		fault{"each Kafka broker stopped and started", rollBrokers, false})
}

// TestFailover makes stores with replicas fail over under load. `make chaos-failover` runs it.
func TestFailover(t *testing.T) {
	seed := setting(t, "CHAOS_SEED", uint64(time.Now().UnixNano())%1_000_000)
	rounds, target, all := setting(t, "CHAOS_ROUNDS", 3), "chaos-failover", allFailovers
	if testing.Short() {
		rounds, target, all = 1, "chaos-failover-short", failovers
	}
	t.Logf("CHAOS_SEED=%d CHAOS_ROUNDS=%d", seed, rounds)
	w := newReplicatedWorld(t, randomFor(seed, "mail"))
	r := &report{target: target, seed: seed, rounds: rounds, started: time.Now()}
	defer r.write(t)
	w.runFaults(t, r, all)
	if !testing.Short() {
		t.Run("orderbell verify names what an asynchronous standby loses", func(t *testing.T) { w.loseCommits(t, r) })
	}
}

// newReplicatedWorld returns a world whose stores have replicas.
func newReplicatedWorld(t *testing.T, random *rand.Rand) *world {
	t.Helper()
	w := prepareWorld(t, random)
	w.script(t, "down", "--kill")
	t.Cleanup(func() { w.script(t, "down", "--kill") })
	w.script(t, "up", "--empty", "postgres", "mailpit")
	if _, err := os.Stat(filepath.Join(root, ".cache", "kafka", "stamp")); err != nil {
		w.script(t, "up", "--empty", "kafka") // it fetches Kafka's jars
		w.script(t, "down", "--kill", "kafka")
	}
	w.replicas = startReplicas(t, t.TempDir())
	w.connect(t)
	w.run(t)
	return w
}

// killMaster kills Redis's master. Entries that it had not replicated are lost, so the checks in Redis begin after the failover.
func killMaster(e *episode) {
	r := e.w.replicas
	old := r.awaitRedis(e.t, "none")
	r.redis[old].kill()
	e.hits++
	e.wait(4 * time.Second)
	r.redis[old].start(e.t)
	r.awaitRedis(e.t, old)
	e.w.redisLost = time.Now()
}

// anyBroker returns a random broker.
func (e *episode) anyBroker() *server { return e.w.replicas.brokers[e.random.IntN(3)] }

func killBroker(e *episode) {
	b := e.anyBroker()
	b.kill()
	e.hits++
	e.wait(e.between(2*time.Second, 9*time.Second))
	b.start(e.w.t)
	e.w.replicas.awaitInSync(e.t)
}

// demoteMaster makes the sentinels swap master and replica. The subscribers of the old master stay connected to it.
func demoteMaster(e *episode) {
	r := e.w.replicas
	old := r.awaitRedis(e.t, "none")
	s := redis.NewSentinelClient(&redis.Options{Addr: r.sentinels[0], Protocol: 2})
	defer s.Close() //nolint:errcheck // only read
	if err := s.Failover(e.t.Context(), masterName).Err(); err != nil {
		e.t.Fatal(err)
	}
	e.hits++
	r.awaitRedis(e.t, old)
	e.w.redisLost = time.Now()
	e.wait(3 * time.Second)
}

// freezeMaster stops Redis's master for longer than the sentinels wait. Its connections stay open. When it continues, it acts
// as a master until the sentinels demote it.
func freezeMaster(e *episode) {
	r := e.w.replicas
	old := r.awaitRedis(e.t, "none")
	r.redis[old].signal(e.t, syscall.SIGSTOP)
	e.hits++
	e.wait(6 * time.Second)
	r.redis[old].signal(e.t, syscall.SIGCONT)
	r.awaitRedis(e.t, old)
	e.w.redisLost = time.Now()
}

func freezeBroker(e *episode) {
	b := e.anyBroker()
	b.signal(e.t, syscall.SIGSTOP)
	e.hits++
	e.wait(12 * time.Second)
	b.signal(e.t, syscall.SIGCONT)
	e.w.replicas.awaitInSync(e.t)
}

// isolateBroker cuts a broker off from the programs and from its replicas, while its own requests still reach the controller: it stays
// the leader of its partitions, which take nothing.
func isolateBroker(e *episode) {
	p := e.w.replicas.proxies[e.random.IntN(3)]
	p.hold(up, down)
	e.hits++
	e.wait(12 * time.Second)
	p.release()
	e.w.replicas.awaitInSync(e.t)
}

func rollBrokers(e *episode) {
	for _, b := range e.w.replicas.brokers {
		b.stop(e.t)
		e.hits++
		b.start(e.w.t)
		e.w.replicas.awaitInSync(e.t)
	}
}
