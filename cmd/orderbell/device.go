package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderbell/internal/store/userstore"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

func newDeviceCommand() *cobra.Command {
	var data, tenant string
	cmd := &cobra.Command{
		Use:   "device",
		Short: "List and revoke a tenant's paired tills and screens",
		Long: `List and revoke a tenant's paired tills and screens. A device is paired on the page: it shows a code, and an owner or a
manager approves it (docs/adr/0018). A revocation is written to the audit trail, and every program refuses the device within
AUTH_ROLES_CACHE. To end its open stream at once too, use DELETE /api/devices/{id}, or orderbell revoke --subject with its id.

` + whichDatabase,
		Example: `  orderbell device list --tenant corner-shop
  orderbell device revoke "Bar" --tenant corner-shop`,
		Args: noArguments,
		RunE: missingSubcommand,
	}
	cmd.PersistentFlags().StringVar(&data, "data", defaultData, "the data directory of orderbell dev")
	cmd.PersistentFlags().StringVar(&tenant, "tenant", "", "id of the tenant, such as demo")
	_ = cmd.MarkPersistentFlagRequired("tenant") // fails only for a flag that does not exist
	cmd.AddCommand(newDeviceListCommand(&data, &tenant), newDeviceRevokeCommand(&data, &tenant))
	return cmd
}

// devicesOf calls do with the store and the devices of the tenant.
func devicesOf(ctx context.Context, data, tenant string, do func(store *userstore.Store, found []user.Device) error) error {
	return withUsers(ctx, data, func(store *userstore.Store) error {
		if err := store.HasTenant(ctx, tenant); errors.Is(err, user.ErrNoTenant) {
			return noTenant(tenant)
		} else if err != nil {
			return err
		}
		found, err := store.Devices(ctx, tenant)
		if err != nil {
			return err
		}
		return do(store, found)
	})
}

func newDeviceListCommand(data, tenant *string) *cobra.Command {
	return &cobra.Command{
		Use:   "list --tenant TENANT",
		Short: "List the devices of a tenant",
		Args:  noArguments,
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			return devicesOf(cmd.Context(), *data, *tenant, func(_ *userstore.Store, found []user.Device) error {
				return table(cmd, func(w io.Writer) {
					row(w, "NAME", "ROLE", "PAIRED", "LAST SEEN", "ID")
					for _, d := range found {
						seen := "never"
						if !d.LastSeen.IsZero() {
							seen = d.LastSeen.Format(time.RFC3339)
						}
						row(w, text.Line(d.Name), string(d.Role), d.PairedAt.Format(time.RFC3339), seen, d.ID)
					}
				})
			})
		}),
	}
}

func newDeviceRevokeCommand(data, tenant *string) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME --tenant TENANT",
		Short: "Revoke a device by its name",
		Args:  oneArgument,
		RunE: work(func(cmd *cobra.Command, args []string) error {
			return devicesOf(cmd.Context(), *data, *tenant, func(store *userstore.Store, found []user.Device) error {
				for _, d := range found {
					if !strings.EqualFold(d.Name, text.Normal(args[0])) {
						continue
					}
					if _, err := store.RevokeDevice(cmd.Context(), *tenant, d.ID, user.Act{Actor: operator()}); err != nil {
						return err
					}
					_, err := fmt.Fprintf(cmd.OutOrStdout(), "revoked %s (%s)\n", text.Line(d.Name), d.ID)
					return err
				}
				return fmt.Errorf("%s has no device %q: orderbell device list --tenant %s shows all", *tenant, args[0], *tenant)
			})
		}),
	}
}
