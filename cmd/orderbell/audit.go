package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// audited is the JSON form of an audit trail record.
type audited struct {
	TenantID string       `json:"tenant_id"`
	At       time.Time    `json:"at"`
	Actor    string       `json:"actor"`
	Action   string       `json:"action"`
	Target   string       `json:"target"`
	Address  string       `json:"address"`
	Outcome  user.Outcome `json:"outcome"`
	Detail   string       `json:"detail"`
	Times    int64        `json:"times"`
}

func newAuditCommand() *cobra.Command {
	var tenant, data string
	var most int
	var asJSON bool
	since := newMoment()
	cmd := &cobra.Command{
		Use:   "audit [--tenant TENANT]",
		Short: "Show who changed users, roles, tokens, limits, mails and dead letters, and who was refused",
		Long: `Show the audit trail: who changed users, roles, tokens, limits, mails and dead letters, and whose tokens and requests were
refused, from where and with what outcome, the newest first. Records stay when the user or the tenant is removed, for
AUDIT_RETENTION_DAYS of the sweeper. Equal refusals of a day are one record with their number. --tenant - shows the records
without a tenant: refused tokens without a valid signature, and addresses that were removed from the list of suppressed ones.

` + whichDatabase,
		Example: `  orderbell audit --tenant demo
  orderbell audit --since 24h --json`,
		Args: noArguments,
		PreRunE: func(*cobra.Command, []string) error {
			if most < 1 {
				return fmt.Errorf("--limit must be 1 or more, not %d", most)
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			var found []user.Record
			err := withUsers(cmd.Context(), data, func(store *userstore.Store) (err error) {
				found, err = store.Records(cmd.Context(), tenant, since.Time, most)
				return err
			})
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return fmt.Errorf("the audit trail has no records of %s", whose(tenant))
			}
			if asJSON {
				all := make([]audited, len(found))
				for i, r := range found {
					r.At = r.At.UTC()
					all[i] = audited(r)
				}
				return printJSON(cmd.OutOrStdout(), all)
			}
			return table(cmd, func(w io.Writer) {
				row(w, "TIME", "TENANT", "WHO", "FROM", "DID", "TO", "OUTCOME", "TIMES", "DETAIL")
				for _, r := range found {
					row(w, r.At.UTC().Format(time.RFC3339), r.TenantID, r.Actor, r.Address, r.Action, r.Target, string(r.Outcome), number(r.Times), r.Detail)
				}
			})
		}),
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this tenant")
	cmd.Flags().Var(since, "since", "only records since then: a duration, such as 2h, or an RFC 3339 time")
	cmd.Flags().IntVar(&most, "limit", 100, "number of records to show")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&data, "data", defaultData, "data directory of orderbell dev")
	return cmd
}

func whose(tenant string) string {
	if tenant == "" {
		return "any tenant"
	}
	return "tenant " + tenant
}
