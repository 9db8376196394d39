//go:build chaos

package chaos_test

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"
)

var errEarly = errors.New("too few have so far")

// fault is one way to break the system. inject returns when the fault is over, and counts its steps in hits.
type fault struct {
	name         string
	inject       func(e *episode)
	leavesLeases bool // mails may stay leased to a dead process
}

func faults() []fault {
	return []fault{
		{"none, to compare with", func(e *episode) { e.wait(4 * time.Second) }, false},
		{"every program killed at random moments", killPrograms, true},
		{"programs killed at the arrows of the crash table", killAtArrows, true},
		{"everything killed at once", powerCut, true},
		{"every program rolled", rollPrograms, true},
		{"PostgreSQL killed", restart("postgres", "--kill"), true},
		{"PostgreSQL stopped and started", restart("postgres"), true},
		{"Redis killed, its data kept", restart("redis", "--kill"), false},
		{"Redis stopped and started empty", emptyRedis, false},
		{"PostgreSQL switched over, old connections left open", failOverPostgres, true},
		{"Redis switched over, old connections left open", failOverRedis, false},
		{"Kafka killed", restart("kafka", "--kill"), false},
		{"Kafka stopped and started", restart("kafka"), false},
		{"connections cut", cutConnections, true},
		{"directions held up", holdDirections, true},
		{"PostgreSQL's connections half-open", halfOpen(func(w *world) *proxy { return w.postgres }), true},
		{"Redis's connections half-open", halfOpen(func(w *world) *proxy { return w.redis }), false},
		{"Kafka's connections half-open", halfOpen(func(w *world) *proxy { return w.kafka }), false},
		{"watchers' streams cut and half-open", breakStreams, false},
		{"SMTP refuses", mailFails(mailRefuses), true},
		{"SMTP stalls", mailFails(mailStalls), true},
		{"SMTP answers 451", mailFails(mailLater), true},
		{"SMTP answers 550", mailFails(mailNever), true},
		{"SMTP answers 5xx for faults of the sender", mailFails(mailOurs), true},
		{"SMTP drops the line after DATA", mailFails(mailHangsUp), true},
		{"every event two to five times, in parallel, in any order", repeatEvents, false},
	}
}

// functions returns the names of the functions that take events.
func functions() []string { return []string{"order-created", "order-paid", "order-status-updated"} }

// kill sends SIGKILL to the programs.
func (e *episode) kill(names ...string) {
	for _, name := range names {
		e.w.signal(e.t, name, syscall.SIGKILL)
		e.hits++
	}
}

// killPrograms kills each program, and some of them again.
func killPrograms(e *episode) {
	victims := e.w.programs(e.t)
	for range 3 {
		victims = append(victims, victims[e.random.IntN(len(victims))])
	}
	e.random.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
	for _, name := range victims {
		e.wait(e.between(100*time.Millisecond, 700*time.Millisecond))
		e.kill(name)
	}
	e.w.awaitPrograms(e.t)
}

// killAtArrows delays one step of an event's path, so that the programs are stopped directly before or after it, and kills
// them at that point.
func killAtArrows(e *episode) {
	w := e.w
	arrows := []struct {
		hold    func()
		victims []string
	}{
		{func() { w.postgres.hold(up) }, functions()},                     // before the commit
		{func() { w.postgres.hold(down) }, functions()},                   // committed, not answered
		{func() { w.redis.hold(up) }, functions()},                        // committed, not published
		{func() { w.redis.hold(down) }, functions()},                      // published, not answered
		{func() { w.postgres.hold(down) }, []string{"order-api"}},         // ordered, not answered
		{func() { w.kafka.hold(up) }, []string{"outbox-relay"}},           // taken, not sent
		{func() { w.kafka.hold(down) }, []string{"outbox-relay"}},         // sent, not acknowledged
		{func() { w.postgres.hold(up) }, []string{"outbox-relay"}},        // acknowledged, not marked
		{func() { w.redis.hold(down) }, []string{"sse-gateway"}},          // published, not shown
		{func() { w.smtp.set(mailForgets) }, []string{"order-paid"}},      // mailed, not marked
		{func() { w.smtp.set(mailStalls) }, []string{"delivery-sweeper"}}, // claimed, not mailed
	}
	e.random.Shuffle(len(arrows), func(i, j int) { arrows[i], arrows[j] = arrows[j], arrows[i] })
	for _, a := range arrows {
		a.hold()
		e.wait(e.between(150*time.Millisecond, 400*time.Millisecond))
		e.kill(a.victims...)
		w.calm()
		w.awaitPrograms(e.t)
		e.wait(e.between(300*time.Millisecond, 600*time.Millisecond))
	}
}

// calm ends every fault of the network and of the mail server.
func (w *world) calm() {
	for _, p := range []*proxy{w.postgres, w.redis, w.kafka, w.streams} {
		p.release()
	}
	w.smtp.set(mailHealthy)
}

// powerCut kills `orderbell dev` with its broker. The kernel then kills every program.
func powerCut(e *episode) {
	times := 2
	if testing.Short() {
		times = 1
	}
	for range times {
		e.wait(e.between(200*time.Millisecond, time.Second))
		e.w.dev.Kill()
		<-e.w.dev.Done()
		e.hits++
		e.w.startDev(e.t)
	}
}

// rollPrograms stops each program as a rollout does.
func rollPrograms(e *episode) {
	names := e.w.programs(e.t)
	e.random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names {
		e.w.signal(e.t, name, syscall.SIGTERM)
		e.hits++
		e.w.awaitPrograms(e.t)
	}
}

// restart stops a server and starts it again with its data.
func restart(server string, how ...string) func(*episode) {
	return func(e *episode) {
		e.w.script(e.t, "down", append(how, server)...)
		e.hits++
		e.wait(e.between(300*time.Millisecond, 2*time.Second))
		e.w.script(e.t, "up", server)
	}
}

func emptyRedis(e *episode) {
	e.w.script(e.t, "down", "redis")
	e.hits++
	e.wait(e.between(0, time.Second))
	e.w.redisLost = time.Now()
	e.w.script(e.t, "up", "--empty", "redis")
	e.w.redisLost = time.Now() // events published during the start may be missing
}

// cutConnections resets the connections to one server after the other.
func cutConnections(e *episode) {
	proxies := []*proxy{e.w.postgres, e.w.redis, e.w.kafka, e.w.streams}
	for range 5 {
		e.random.Shuffle(len(proxies), func(i, j int) { proxies[i], proxies[j] = proxies[j], proxies[i] })
		for _, p := range proxies {
			p.cut()
			e.hits++
			e.wait(e.between(50*time.Millisecond, 500*time.Millisecond))
		}
	}
	// Then no connection succeeds for a while.
	for _, p := range proxies {
		p.refuseAll()
		e.hits++
		e.wait(e.between(500*time.Millisecond, time.Second))
		p.release()
	}
}

// ways are the directions that can fail.
func ways() [][]direction { return [][]direction{{up}, {down}, {up, down}} }

// holdDirections delays what is sent, in one direction or both.
func holdDirections(e *episode) {
	proxies := []*proxy{e.w.postgres, e.w.redis, e.w.kafka, e.w.streams}
	for _, p := range slices.Concat(proxies, proxies) {
		p.hold(ways()[e.random.IntN(3)]...)
		e.hits++
		e.wait(e.between(200*time.Millisecond, 1200*time.Millisecond))
		p.release()
		e.wait(e.between(100*time.Millisecond, 400*time.Millisecond))
	}
}

// halfOpen makes the current connections half-open, once in each direction and once in both.
func halfOpen(which func(*world) *proxy) func(*episode) {
	return func(e *episode) {
		all := ways()
		e.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, w := range all {
			which(e.w).lose(w...)
			e.hits++
			e.wait(e.between(200*time.Millisecond, time.Second))
		}
	}
}

func breakStreams(e *episode) {
	for range 4 {
		e.w.streams.cut()
		e.hits++
		e.wait(e.between(200*time.Millisecond, 1500*time.Millisecond))
	}
	e.w.streams.lose(ways()[e.random.IntN(3)]...)
	e.hits++
	e.wait(time.Second)
}

// mailFails breaks the mail server until it has affected some mails. The programs rarely connect to a server that fails.
func mailFails(f mailFault) func(*episode) {
	return func(e *episode) {
		e.w.smtp.set(f)
		least := 1 + e.random.IntN(4)
		eventually(e.t, patience, "mails to be affected by the fault", func() error {
			if e.w.smtp.affected() < least {
				return errEarly
			}
			return nil
		})
		e.wait(e.between(time.Second, 2*time.Second))
		e.hits += e.w.smtp.set(mailHealthy)
	}
}
