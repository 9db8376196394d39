package events

import "time"

// ReadStat returns the fields of a process's stat that count.
func ReadStat(text string) (pid, parent int, name string, busy time.Duration, err error) {
	s, err := parse(text)
	return s.pid, s.parent, s.name, s.busy, err
}

// Scattered gives events to tenants.
func Scattered(many int) func(int) int { return scattered(many) }

// Figures are those of rounds, for a document.
type Figures struct{ found []figure }

// Add adds a figure.
func (f *Figures) Add(what, of string, value float64) {
	f.found = append(f.found, figure{what, of, value, "/s"})
}

// Document returns the document, and the titles of the plot's panels.
func (f *Figures) Document() (text string, panelTitles []string) {
	for _, p := range panels(f.found) {
		panelTitles = append(panelTitles, p.Title)
	}
	return string(document(f.found, Options{Out: "docs/bench-events.md"})), panelTitles
}

// Write writes a document.
func Write(out, document string) error { return write(out, []byte(document), nil) }

// The subjects of the goal of the relay.
const (
	Relayed  = relayed
	Relay    = relayTitle
	Producer = producerTitle
)

// RequestsPerSecond is that of redis-benchmark --csv.
func RequestsPerSecond(csv []byte) (float64, error) { return requestsPerSecond(csv) }
