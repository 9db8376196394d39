package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"orderbell/internal/event"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

func newSourceCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "source",
		Short: "Say which order services may send events for which tenants",
		Long: `Say which order services may send events for which tenants. An order service is known by the CloudEvents source of its
events. Orderbell's own, ` + event.Source + `, may send for all tenants. An event of another source becomes a dead letter,
unless the source is allowed for the event's tenant. A change is written to the audit trail.

` + whichDatabase,
		Example: `  orderbell source list
  orderbell source allow /corner-shop/tills --tenant corner-shop
  orderbell source remove /corner-shop/tills --tenant corner-shop`,
		Args: noArguments,
		RunE: missingSubcommand,
	}
	cmd.PersistentFlags().StringVar(&data, "data", defaultData, "the data directory of orderbell dev")
	cmd.AddCommand(newSourceListCommand(&data),
		newSourceChangeCommand(&data, "allow", "Let a source send events for a tenant", "allowed", (*userstore.Store).AllowSource),
		newSourceChangeCommand(&data, "remove", "No longer let a source send events for a tenant", "removed", (*userstore.Store).RemoveSource))
	return cmd
}

func newSourceListCommand(data *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the sources and their tenants",
		Args:  noArguments,
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			var found []user.Source
			err := withUsers(cmd.Context(), *data, func(store *userstore.Store) (err error) {
				found, err = store.Sources(cmd.Context())
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), append([]user.Source{}, found...)) // [] and never null
			}
			return table(cmd, func(w io.Writer) {
				row(w, "SOURCE", "TENANT", "ALLOWED", "BY")
				row(w, event.Source, "all", "always", "-")
				for _, s := range found {
					row(w, s.Source, s.TenantID, s.AllowedAt.UTC().Format(time.RFC3339), s.AllowedBy)
				}
			})
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// sourceChange is the function of allow and remove.
type sourceChange func(s *userstore.Store, ctx context.Context, source, tenantID, actor string) (changed bool, err error)

func newSourceChangeCommand(data *string, verb, short, done string, change sourceChange) *cobra.Command {
	var tenant string
	cmd := &cobra.Command{
		Use:   verb + " SOURCE --tenant TENANT",
		Short: short,
		Args:  oneArgument,
		PreRunE: func(_ *cobra.Command, args []string) error {
			switch _, err := url.Parse(args[0]); {
			case args[0] == event.Source:
				return fmt.Errorf("%s may send events for all tenants: that cannot be changed", event.Source)
			case err != nil || args[0] == "" || len(args[0]) > event.MaxSource:
				return fmt.Errorf("a CloudEvents source must be a URI reference of at most %d bytes, not %q", event.MaxSource, args[0])
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, args []string) error {
			var changed bool
			err := withUsers(cmd.Context(), *data, func(store *userstore.Store) (err error) {
				changed, err = change(store, cmd.Context(), args[0], tenant, operator())
				return err
			})
			switch {
			case errors.Is(err, user.ErrNoTenant):
				return noTenant(tenant)
			case err != nil:
				return err
			case !changed && verb == "allow":
				return fmt.Errorf("%s is already allowed for %s", args[0], tenant)
			case !changed:
				return fmt.Errorf("%s is not allowed for %s: nothing changed", args[0], tenant)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s for %s\n", done, args[0], tenant)
			return err
		}),
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "id of the tenant, such as demo")
	require(cmd, "tenant")
	return cmd
}
