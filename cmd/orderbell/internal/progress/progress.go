// Package progress shows users how far a long command is, and says nothing to scripts.
package progress

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Shower shows one piece of work after the other. The zero Shower shows nothing.
type Shower struct{ out io.Writer }

// On returns a Shower on out if that is a terminal, else one that shows nothing: a log is no place for a bar.
func On(out io.Writer) Shower {
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return Shower{out: out}
	}
	return Shower{}
}

// refresh keeps a bar from costing more than the work.
const refresh = 100 * time.Millisecond

// Begin begins a piece of work of total steps; less than 0 is an unknown number. It returns the function that counts
// steps, and the one that ends the bar and takes it off the screen.
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
