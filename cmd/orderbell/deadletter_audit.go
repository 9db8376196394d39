package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// record writes an action on dead letters to the audit trail, one record per tenant. The other subcommands need no database, so
// without one it prints a warning; the notes are still on the topic of dead letters.
func (s *databaseOfLetters) record(ctx context.Context, note io.Writer, action string, outcome user.Outcome, letters []deadletter.Letter) error {
	byTenant := map[string][]string{}
	for _, l := range letters {
		tenant := l.TenantID
		if !user.IsTenantID(tenant) {
			tenant = user.NoTenant
		}
		byTenant[tenant] = append(byTenant[tenant], l.ID)
	}
	if len(byTenant) == 0 {
		return nil
	}
	if os.Getenv("DATABASE_URL") == "" {
		_, err := fmt.Fprintln(note, "not written to the audit trail: DATABASE_URL is not set")
		return err
	}
	all := make([]user.Record, 0, len(byTenant))
	for tenant, ids := range byTenant {
		all = append(all, user.Record{
			TenantID: tenant, Actor: operator(), Action: action, Outcome: outcome, Times: int64(len(ids)),
			Target: "deadletter:" + ids[0], Detail: strings.Join(ids, " "),
		})
	}
	slices.SortFunc(all, func(a, b user.Record) int { return strings.Compare(a.TenantID, b.TenantID) })
	if err := s.open(ctx); err != nil {
		return fmt.Errorf("%d dead letters were changed without a record in the audit trail: %w", len(letters), err)
	}
	if err := userstore.New(s.pool).Record(ctx, all...); err != nil {
		return fmt.Errorf("%d dead letters were changed without a record in the audit trail: %w", len(letters), err)
	}
	return nil
}
