//go:build chaos

// Package chaos_test injects faults into Orderbell's programs, servers and network under a load of orders. After each fault
// it checks that nothing was lost or duplicated. `make chaos` runs five rounds on real servers; `make chaos-short` injects
// each fault once.
//
// CHAOS_SEED decides the order of the faults, their targets, times and durations. The test prints it. Timing differs from
// run to run, so a seed repeats the faults, but not the work that they interrupt.
package chaos_test

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// setting returns a number from the environment, or fallback.
func setting(t *testing.T, name string, fallback uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s is %q, want a number", name, text)
	}
	return n
}

func TestChaos(t *testing.T) {
	seed := setting(t, "CHAOS_SEED", uint64(time.Now().UnixNano())%1_000_000)
	rounds, target := setting(t, "CHAOS_ROUNDS", 5), "chaos"
	if testing.Short() {
		rounds, target = 1, "chaos-short"
	}
	t.Logf("CHAOS_SEED=%d CHAOS_ROUNDS=%d", seed, rounds)
	w := newWorld(t, randomFor(seed, "mail"))
	r := &report{target: target, seed: seed, rounds: rounds, started: time.Now()}
	defer r.write(t)
	w.runFaults(t, r, faults)
	t.Run("the checks find planted damage", w.plantDamage)
}

// runFaults injects every fault once a round, in an order that the seed decides, and then checks the data of the whole run.
func (w *world) runFaults(t *testing.T, r *report, all func() []fault) {
	t.Helper()
	for round := range r.rounds {
		for _, f := range inOrder(all(), randomFor(r.seed, "order"+strconv.FormatUint(round, 10))) {
			name := f.name
			if round > 0 {
				name += ", round " + strconv.FormatUint(round+1, 10)
			}
			if !t.Run(name, func(t *testing.T) { w.episode(t, r, f, name) }) {
				t.Fatal("stop: the checks after later faults would find the same damage")
			}
		}
	}
	t.Run("every e-mail arrives or fails with its reason", func(t *testing.T) { w.awaitMails(t, r) })
	t.Run("every dead letter was redriven", func(t *testing.T) { w.countDeadLetters(t, r) })
	t.Run("orderbell verify finds nothing lost or duplicated", func(t *testing.T) { w.verifyAll(t, r) })
}

// randomFor returns a generator that depends on the seed and the purpose only.
func randomFor(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// inOrder shuffles the faults. Those that may leave a mail leased to a dead process come first: its lease of three minutes
// expires while the others run.
func inOrder(all []fault, random *rand.Rand) []fault {
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var early, late []fault
	for _, f := range all {
		if f.leavesLeases {
			early = append(early, f)
		} else {
			late = append(late, f)
		}
	}
	return append(early, late...)
}
