package plan

// Ends returns how often each payment of c was delivered or became a dead letter.
func Ends(c Course) []uint8 { return c.ends }

// Spikes are the cells of [Validate].
func Spikes() []Cell {
	return []Cell{kafkaBridge(), kafkaBroker(12_510_000_000, 50), kafkaBroker(6_970_000_000, 500)}
}
