package user

import (
	"errors"
	"fmt"
	"slices"
)

// Limit is the name of a tenant's limit. The names are columns of tenant_limits.
type Limit string

// The limits.
const (
	MaxUsers        Limit = "max_users"
	MaxDevices      Limit = "max_devices"       // paired devices that are not revoked
	MaxInvitations  Limit = "max_invitations"   // users whose address is not confirmed
	OrdersPerSecond Limit = "orders_per_second" // orders created and changed over the API
	MailsPerHour    Limit = "mails_per_hour"
	MaxStreams      Limit = "max_streams" // per gateway
	LogBytes        Limit = "log_bytes"   // of the events that one gateway keeps for the tenant, in bytes
)

// RequestsAtOnce is the limit of a tenant's concurrent requests on one instance of an API. It is set by configuration,
// the same for all tenants.
const RequestsAtOnce Limit = "requests_at_once"

// LimitNames returns every limit that the operator can set for one tenant.
func LimitNames() []Limit {
	return []Limit{MaxUsers, MaxInvitations, OrdersPerSecond, MailsPerHour, MaxStreams, LogBytes, MaxDevices}
}

// Valid reports whether l is one of [LimitNames].
func (l Limit) Valid() bool { return slices.Contains(LimitNames(), l) }

// Least returns the smallest allowed value of the limit.
func (l Limit) Least() int64 {
	switch l {
	case MaxUsers, OrdersPerSecond:
		return 1
	case LogBytes:
		return 64 << 10
	case MaxInvitations, MaxDevices, MailsPerHour, MaxStreams, RequestsAtOnce:
	}
	return 0
}

// DefaultLimits are the limits of tenants for which the operator has set none. The gateway has its own variables:
// SSE_MAX_CLIENTS_PER_TENANT for [MaxStreams], SSE_LOG_MAX_BYTES for [LogBytes].
type DefaultLimits struct {
	MaxUsers        int64 `envconfig:"TENANT_MAX_USERS" default:"500"`
	MaxInvitations  int64 `envconfig:"TENANT_MAX_INVITATIONS" default:"50"`
	MaxDevices      int64 `envconfig:"TENANT_MAX_DEVICES" default:"100"`
	OrdersPerSecond int64 `envconfig:"TENANT_ORDERS_PER_SECOND" default:"50"`
	MailsPerHour    int64 `envconfig:"TENANT_MAILS_PER_HOUR" default:"2000"`

	// UserChanges bounds changes of users and settings, because each leaves data: an audit record and, for a removed user, a
	// revocation that every program has in memory for a week. 0: no bound.
	UserChanges int64 `envconfig:"TENANT_USER_CHANGES_PER_HOUR" default:"100"`
}

// Check returns an error that names the variables with a too small value.
func (d DefaultLimits) Check() error {
	var errs []error
	for _, v := range []struct {
		name         string
		value, least int64
	}{
		{"TENANT_MAX_USERS", d.MaxUsers, MaxUsers.Least()},
		{"TENANT_MAX_INVITATIONS", d.MaxInvitations, MaxInvitations.Least()},
		{"TENANT_MAX_DEVICES", d.MaxDevices, MaxDevices.Least()},
		{"TENANT_ORDERS_PER_SECOND", d.OrdersPerSecond, OrdersPerSecond.Least()},
		{"TENANT_MAILS_PER_HOUR", d.MailsPerHour, MailsPerHour.Least()},
		{"TENANT_USER_CHANGES_PER_HOUR", d.UserChanges, 0},
	} {
		if v.value < v.least {
			errs = append(errs, fmt.Errorf("%s is %d, want %d or more", v.name, v.value, v.least))
		}
	}
	return errors.Join(errs...)
}

// Limits are the limits that the operator has set for one tenant. An absent limit is the default.
type Limits map[Limit]int64

// Of returns the tenant's limit, or the default.
func (l Limits) Of(name Limit, standard int64) int64 {
	if chosen, ok := l[name]; ok {
		return chosen
	}
	return standard
}

// LimitError says that a tenant has reached one of its limits.
type LimitError struct {
	Limit Limit
	Max   int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the tenant's limit %s of %d is reached", e.Limit, e.Max)
}
