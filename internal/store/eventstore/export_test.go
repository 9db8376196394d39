package eventstore

import "fmt"

// TenantsSQL and ClaimOfTenantSQL are for tests of their plans.
func TenantsSQL() string { return tenantsSQL }

// ClaimOfTenantSQL see [TenantsSQL].
func ClaimOfTenantSQL() string { return fmt.Sprintf(claimSQL, "d.tenant_id = @tenant_id") }
