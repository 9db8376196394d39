// Package progress shows the progress of a long command on a terminal, and prints nothing elsewhere.
package progress

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Shower shows the progress of one task after the other. The zero Shower shows nothing.
type Shower struct{ out io.Writer }

// On returns a Shower that writes to out if out is a terminal, otherwise one that shows nothing.
func On(out io.Writer) Shower {
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return Shower{out: out}
	}
	return Shower{}
}

// refresh bounds the cost of drawing the bar.
const refresh = 100 * time.Millisecond

// Begin begins a task of total steps; a negative total is unknown. It returns the function that counts steps, and the
// one that removes the bar.
func (s Shower) Begin(what string, total int64) (step func(n int64), end func()) {
	if s.out == nil {
		return func(int64) {}, func() {}
	}
	bar := progressbar.NewOptions64(total, progressbar.OptionSetWriter(s.out), progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(refresh), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
	return func(n int64) { _ = bar.Add64(n) }, // a closed terminal is not an error
		func() { _ = bar.Finish() }
}
