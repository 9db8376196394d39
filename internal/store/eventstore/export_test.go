package eventstore

// TenantsSQL and ClaimOfTenantSQL are for tests of their plans.
func TenantsSQL() string { return tenantsSQL }

// ClaimOfTenantSQL see [TenantsSQL].
func ClaimOfTenantSQL() string { return claimSQL }

// Gathered returns how many events wait for their batch.
func (s *Store) Gathered() int { return s.together.Waiting() }

// InTurn returns how many events of crowds are under way or wait for their turn.
func (s *Store) InTurn() (n int) {
	s.crowds.mu.Lock()
	defer s.crowds.mu.Unlock()
	for _, t := range s.crowds.turns {
		n += t.events
	}
	return n
}

// Batches see [Store.applyTogether].
const Batches = batches
