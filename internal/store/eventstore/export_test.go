package eventstore

// TenantsSQL and ClaimOfTenantSQL are for tests of their plans.
func TenantsSQL() string { return tenantsSQL }

// ClaimOfTenantSQL see [TenantsSQL].
func ClaimOfTenantSQL() string { return claimSQL }

// Gathered returns how many events wait for their batch.
func (s *Store) Gathered() int { return s.together.Waiting() }

// Batches see [Store.applyTogether].
const Batches = batches
