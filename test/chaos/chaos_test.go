//go:build chaos

// Package chaos_test breaks everything that Orderbell stands on, and its own programs, under a load of orders, and then
// looks whether anything was lost or done twice. `make chaos` runs it on real servers; `make chaos-short` breaks everything
// once.
//
// What is random comes from CHAOS_SEED, which is printed: the order of the faults, what is hit, when and for how long. A
// machine never runs the same way twice, so a seed repeats the blows, not what they hit.
package chaos_test

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// setting returns a number of the environment, or standard.
func setting(t *testing.T, name string, standard uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return standard
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
	r := &report{target: target, seed: seed, rounds: rounds, begun: time.Now()}
	defer r.write(t)
	w.suffer(t, r, faults)
	t.Run("what is broken by hand is named", w.breakByHand)
}

// suffer has all faults in each round, in an order that the seed decides, and looks afterwards at what the load left.
func (w *world) suffer(t *testing.T, r *report, all func() []fault) {
	t.Helper()
	for round := range r.rounds {
		for _, f := range inOrder(all(), randomFor(r.seed, "order"+strconv.FormatUint(round, 10))) {
			name := f.name
			if round > 0 {
				name += ", round " + strconv.FormatUint(round+1, 10)
			}
			if !t.Run(name, func(t *testing.T) { w.episode(t, r, f, name) }) {
				t.Fatal("later faults would show this damage again")
			}
		}
	}
	t.Run("every e-mail arrives or fails with its reason", func(t *testing.T) { w.settleLetters(t, r) })
	t.Run("every dead letter was redriven", func(t *testing.T) { w.countDeadLetters(t, r) })
	t.Run("orderbell verify finds everything in its place", func(t *testing.T) { w.verifyAll(t, r) })
}

// randomFor returns numbers that the seed and the purpose decide, whatever else has drawn some.
func randomFor(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// inOrder shuffles the faults within two halves: those that may leave a letter in a dead process's hands come first,
// and its lease of three minutes runs out while the others run.
func inOrder(all []fault, random *rand.Rand) []fault {
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var early, late []fault
	for _, f := range all {
		if f.holdsLetters {
			early = append(early, f)
		} else {
			late = append(late, f)
		}
	}
	return append(early, late...)
}
