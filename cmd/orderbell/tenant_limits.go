package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	osuser "os/user"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"orderbell/internal/service"
	"orderbell/internal/store/userstore"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

func newTenantLimitsCommand() *cobra.Command {
	var data string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "limits TENANT [set LIMIT=VALUE… | unset LIMIT…]",
		Short: "Show or change what a tenant may use at most",
		Long: `Show or change what a tenant may use at most. Without set or unset the limits are shown.

  max_users          users of the tenant
  max_invitations    users whose address is not confirmed yet
  max_devices        paired tills and screens
  orders_per_second  orders created and changed over the API
  mails_per_hour     mails sent
  max_streams        streams open at once on one gateway
  log_bytes          bytes of events that one gateway keeps in memory for the tenant

A limit that is not set has its default: the value of TENANT_MAX_USERS and similar variables, and for the last two of the gateway's
SSE_MAX_CLIENTS_PER_TENANT and SSE_LOG_MAX_BYTES. Programs see a change within 30 seconds; open streams stay. The change is
written to the audit trail.

` + whichDatabase,
		Example: `  orderbell tenant limits demo
  orderbell tenant limits demo set max_users=2000 orders_per_second=200
  orderbell tenant limits demo unset max_users`,
		Args: someArguments,
		PreRunE: func(_ *cobra.Command, args []string) error {
			_, err := limitChanges(args)
			return err
		},
		RunE: work(func(cmd *cobra.Command, args []string) error {
			changes, err := limitChanges(args)
			if err != nil {
				return err
			}
			var defaults user.DefaultLimits
			if err := service.Load(&defaults); err != nil {
				return err
			}
			var chosen user.Limits
			err = withUsers(cmd.Context(), data, func(store *userstore.Store) (err error) {
				chosen, err = changeLimits(cmd, store, args[0], changes)
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), chosen)
			}
			return table(cmd, func(w io.Writer) { printLimits(w, chosen, defaults) })
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the limits that are set as JSON")
	cmd.Flags().StringVar(&data, "data", defaultData, "the data directory of orderbell dev")
	return cmd
}

func changeLimits(cmd *cobra.Command, store *userstore.Store, tenantID string, changes map[user.Limit]*int64) (chosen user.Limits, err error) {
	if len(changes) > 0 {
		chosen, err = store.SetLimits(cmd.Context(), tenantID, operator(), changes)
	} else if err = store.HasTenant(cmd.Context(), tenantID); err == nil {
		chosen, err = store.Limits(cmd.Context(), tenantID)
	}
	if errors.Is(err, user.ErrNoTenant) {
		err = noTenant(tenantID)
	}
	return chosen, err
}

// limitChanges reads the arguments of tenant limits.
func limitChanges(args []string) (map[user.Limit]*int64, error) {
	if !user.IsTenantID(args[0]) {
		return nil, fmt.Errorf("TENANT must be the id of a tenant, such as demo, not %q", args[0])
	}
	if len(args) == 1 {
		return nil, nil
	}
	changes := map[user.Limit]*int64{}
	if (args[1] != "set" && args[1] != "unset") || len(args) == 2 {
		return nil, fmt.Errorf("give TENANT, or TENANT set LIMIT=VALUE…, or TENANT unset LIMIT…, not TENANT %q", strings.Join(args[1:], " "))
	}
	for _, arg := range args[2:] {
		name, given, hasValue := strings.Cut(arg, "=")
		limit := user.Limit(name)
		if !limit.Valid() {
			return nil, fmt.Errorf("%q: LIMIT must be one of %s, not %q", arg, text.List(user.LimitNames()), name)
		}
		if hasValue != (args[1] == "set") {
			return nil, fmt.Errorf("%s %q: use set LIMIT=VALUE, or unset LIMIT", args[1], arg)
		}
		changes[limit] = nil
		if hasValue {
			value, err := strconv.ParseInt(given, 10, 64)
			if err != nil || value < limit.Least() {
				return nil, fmt.Errorf("%q: %s must be a whole number, %d or more, not %q", arg, limit, limit.Least(), given)
			}
			changes[limit] = &value
		}
	}
	return changes, nil
}

func printLimits(w io.Writer, chosen user.Limits, defaults user.DefaultLimits) {
	row(w, "LIMIT", "VALUE", "FROM")
	for _, l := range user.LimitNames() {
		if v, ok := chosen[l]; ok {
			row(w, string(l), number(v), "this tenant")
			continue
		}
		switch l {
		case user.MaxUsers:
			row(w, string(l), number(defaults.MaxUsers), "TENANT_MAX_USERS")
		case user.MaxDevices:
			row(w, string(l), number(defaults.MaxDevices), "TENANT_MAX_DEVICES")
		case user.MaxInvitations:
			row(w, string(l), number(defaults.MaxInvitations), "TENANT_MAX_INVITATIONS")
		case user.OrdersPerSecond:
			row(w, string(l), number(defaults.OrdersPerSecond), "TENANT_ORDERS_PER_SECOND")
		case user.MailsPerHour:
			row(w, string(l), number(defaults.MailsPerHour), "TENANT_MAILS_PER_HOUR")
		case user.MaxStreams:
			row(w, string(l), "default", "the gateway's SSE_MAX_CLIENTS_PER_TENANT")
		case user.LogBytes:
			row(w, string(l), "default", "the gateway's SSE_LOG_MAX_BYTES")
		case user.RequestsAtOnce: // not one of LimitNames
		}
	}
}

// operator names who runs this command, for the audit trail.
func operator() string {
	name := os.Getenv("SUDO_USER")
	if name == "" {
		if u, err := osuser.Current(); err == nil {
			name = u.Username
		}
	}
	host, _ := os.Hostname()
	return "operator:" + name + "@" + host
}
