// Package console writes the output of several programs to one terminal: whole lines, each with the program's name.
package console

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Console is safe for concurrent use.
type Console struct {
	mu     sync.Mutex
	out    io.Writer
	colour bool
	voices int // number of voices so far, which chooses the next colour
	hold   bool
	held   [][]byte
}

// New returns a console that writes to out, in colour if out is a terminal and NO_COLOR is not set (no-color.org).
func New(out io.Writer) *Console {
	file, ok := out.(*os.File)
	return &Console{out: out, colour: ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""}
}

// maxHeld bounds the lines that are held back. The last lines are the most useful.
const maxHeld = 2000

// Hold keeps the lines of voices back from now on, until [Console.Release].
func (c *Console) Hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = true
}

// Release writes the lines that were held back, at most the last 2000, and holds back no further lines.
func (c *Console) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.held {
		c.write(line)
	}
	c.hold, c.held = false, nil
}

// Printf writes one line of the console's own.
func (c *Console) Printf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(fmt.Appendf(nil, format+"\n", args...))
}

// write is one write for one line; a closed terminal is not an error.
func (c *Console) write(line []byte) { _, _ = c.out.Write(line) }

func (c *Console) say(prefix string, line []byte) {
	whole := append(append([]byte(prefix), line...), '\n')
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hold {
		c.write(whole)
		return
	}
	if c.held = append(c.held, whole); len(c.held) > maxHeld {
		c.held = c.held[1:]
	}
}

// slow is the time after which a user needs a sign that work continues.
const slow = 3 * time.Second

// Time runs work and writes how long it took, or that it failed. If it takes long, hint gives the likely reason.
func (c *Console) Time(what, hint string, work func() error) error {
	began := time.Now()
	wondering := time.AfterFunc(slow, func() { c.Printf("  … %s: %s", what, hint) })
	err := work()
	wondering.Stop()
	if err != nil {
		c.Printf("  %s %s", c.paint(red, "✗"), what)
		return err
	}
	c.Printf("  %s %-22s %s", c.paint(green, "✓"), what, Seconds(time.Since(began)))
	return nil
}

// Seconds shows a duration as users read it: "1.2 s", "38 ms".
func Seconds(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

const (
	red   = "31"
	green = "32"
)

// palette has the colours of voices: readable on dark and light ground, without red, which is for errors.
func palette() []string { return []string{"36", "33", "35", "34", "32", "96", "93", "95", "94", "92"} }

func (c *Console) paint(colour, text string) string {
	if !c.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// nameWidth fits the longest program name, order-status-updated.
const nameWidth = 20

// maxLine bounds the buffer of a line that does not end.
const maxLine = 64 << 10

// Voice is the writer of one program. Its bytes reach the console line by line.
type Voice struct {
	console *Console
	prefix  string
	mu      sync.Mutex
	pending []byte
	last    [][]byte
}

// Voice returns a new writer with the name.
func (c *Console) Voice(name string) *Voice {
	c.mu.Lock()
	defer c.mu.Unlock()
	colours := palette()
	colour := colours[c.voices%len(colours)]
	c.voices++
	return &Voice{console: c, prefix: c.paint(colour, fmt.Sprintf("%-*s │ ", nameWidth, name))}
}

// Write takes bytes in any portions. It returns no error.
func (v *Voice) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pending = append(v.pending, p...)
	for {
		end := bytes.IndexByte(v.pending, '\n')
		if end < 0 {
			break
		}
		v.say(v.pending[:end])
		v.pending = v.pending[end+1:]
	}
	if len(v.pending) > maxLine {
		v.say(v.pending)
		v.pending = nil
	}
	return len(p), nil
}

// lastLines are enough to hold the reason of a crash.
const lastLines = 3

func (v *Voice) say(line []byte) {
	line = bytes.TrimRight(line, "\r")
	v.console.say(v.prefix, line)
	if v.last = append(v.last, bytes.Clone(line)); len(v.last) > lastLines {
		v.last = v.last[1:]
	}
}

// LastWords returns the last lines of output, joined by newlines.
func (v *Voice) LastWords() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return string(bytes.Join(v.last, []byte("\n")))
}
