package eventstore

// TenantsSQL and ClaimOfTenantSQL are for tests of their plans.
func TenantsSQL() string { return tenantsSQL }

// ClaimOfTenantSQL see [TenantsSQL].
func ClaimOfTenantSQL() string { return claimSQL }
