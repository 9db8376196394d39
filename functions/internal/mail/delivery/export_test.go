package delivery

// Idle waits until no line is in use.
func (c *Courier) Idle() { c.sending.Wait() }
