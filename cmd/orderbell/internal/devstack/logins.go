package devstack

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"

	"orderbell/internal/store/database"
)

// roles maps each program to its PostgreSQL role.
func roles() map[string]string {
	return map[string]string{
		orderAPI: "orderbell_order_api", userAPI: "orderbell_user_api", outboxRelay: "orderbell_outbox_relay",
		deliverySweeper: "orderbell_delivery_sweeper", orderCreated: "orderbell_functions", orderPaid: "orderbell_functions",
		orderStatusUpdated: "orderbell_functions", sseGateway: "orderbell_sse_gateway",
	}
}

// logins lets each program log in with its own role, under a password of this run, and returns the programs' addresses of
// the database. A server of the environment keeps its roles unchanged: there every program uses DATABASE_URL.
func (s *stores) logins(ctx context.Context, cfg database.Config) (map[string]string, error) {
	if !s.ownPostgres {
		return nil, nil
	}
	passwords := map[string]string{}
	for _, role := range roles() {
		passwords[role] = rand.Text()
	}
	if err := database.SetLogins(ctx, cfg, passwords); err != nil {
		return nil, err
	}
	address, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("address of PostgreSQL: %w", err)
	}
	addresses := map[string]string{}
	for program, role := range roles() {
		own := *address
		own.User = url.UserPassword(role, passwords[role])
		addresses[program] = own.String()
	}
	return addresses, nil
}
