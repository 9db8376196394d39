package user

import "time"

// Source is an order service, by the CloudEvents source of its events, that may send events about a tenant.
type Source struct {
	Source    string    `json:"source"`
	TenantID  string    `json:"tenant_id"`
	AllowedAt time.Time `json:"allowed_at"`
	AllowedBy string    `json:"allowed_by"`
}
