package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/text/language"

	"orderbell/internal/address"
	"orderbell/internal/order"
	"orderbell/internal/store/database"
	"orderbell/internal/store/userstore"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

func newTenantCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tenant",
		Short: "Create a business and its owner, or list the businesses",
		Example: `  orderbell tenant create --name "Corner Shop" --owner-email ana@shop.example
  orderbell tenant list --json`,
		Args: noArguments,
		RunE: missingSubcommand,
	}
	cmd.AddCommand(newTenantCreateCommand(), newTenantListCommand(), newTenantLimitsCommand())
	return cmd
}

// whichDatabase is the help text about the database.
const whichDatabase = `The command uses the database of DATABASE_URL or, if that is not set, of the orderbell dev that runs on the data directory.
DATABASE_URL must connect as the role orderbell_operator, or as the owner of the tables.`

type tenantOptions struct {
	id, name, locale, email, ownerName, data string
	currency, timeZone                       string
	asJSON                                   bool
}

func newTenantCreateCommand() *cobra.Command {
	var o tenantOptions
	cmd := &cobra.Command{
		Use:   "create --name NAME --owner-email ADDRESS",
		Short: "Create a business and its owner, and print their ids",
		Long: `Create a business and its owner, and print their ids. The owner adds the other users with POST /api/users.

The name and the id of a business are unique. Without --id, the id is derived from the name. Tokens carry the id in the claim
AUTH_TENANT_CLAIM; it cannot change later. The currency is the default of the business's orders, and the time zone defines its days.
Owners and managers can change both, and the language, with PATCH /api/tenant. One address may belong to users of several businesses.

` + whichDatabase,
		Example: `  orderbell tenant create --name "Corner Shop" --owner-email ana@shop.example
  orderbell tenant create --name "Kopi Senja" --id kopi --locale id --currency IDR --time-zone Asia/Jakarta \
      --owner-email sari@kopi.example --owner-name Sari`,
		Args:    noArguments,
		PreRunE: func(*cobra.Command, []string) error { return o.check() },
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			var owner user.User
			err := withUsers(cmd.Context(), o.data, func(store *userstore.Store) (err error) {
				owner, err = o.create(cmd.Context(), store)
				return err
			})
			if err != nil {
				return err
			}
			if o.asJSON {
				return printJSON(cmd.OutOrStdout(), map[string]string{"tenant_id": owner.TenantID, "owner_id": owner.ID})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "tenant %s\nowner  %s\n", owner.TenantID, owner.ID)
			return err
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.name, "name", "", "name of the business, as its mails show it")
	flags.StringVar(&o.email, "owner-email", "", "mail address of the owner")
	flags.StringVar(&o.ownerName, "owner-name", "", "name of the owner")
	flags.StringVar(&o.id, "id", "", "id of the tenant, such as corner-shop (default: derived from the name)")
	flags.StringVar(&o.locale, "locale", "en", "language of its mails (BCP 47), such as en or id")
	flags.StringVar(&o.currency, "currency", user.UsualCurrency, "currency of its orders (ISO 4217), such as EUR or IDR")
	flags.StringVar(&o.timeZone, "time-zone", user.UsualTimeZone, "its time zone (IANA), such as Asia/Jakarta")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	flags.StringVar(&o.data, "data", defaultData, "data directory of orderbell dev")
	require(cmd, "name", "owner-email")
	return cmd
}

// check validates the flags and sets the id.
func (o *tenantOptions) check() error {
	if fault := nameFault(o.name); fault != "" {
		return fmt.Errorf("--name is %+q: it %s", o.name, fault)
	}
	if o.id == "" {
		if o.id = user.TenantID(o.name); o.id == "" {
			return fmt.Errorf("no id can be made of --name %q: give one by --id", o.name)
		}
	}
	email, emailErr := address.Parse(o.email)
	switch {
	case !user.IsTenantID(o.id):
		return fmt.Errorf("--id must be 1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit, not %q", o.id)
	case emailErr != nil:
		return fmt.Errorf("--owner-email is %q: %w", o.email, emailErr)
	case o.ownerName != "" && nameFault(o.ownerName) != "":
		return fmt.Errorf("--owner-name is %+q: it %s", o.ownerName, nameFault(o.ownerName))
	}
	o.email = email
	if _, known := order.MinorDigits(o.currency); !known {
		return fmt.Errorf("--currency must be a currency of ISO 4217 such as EUR or IDR, not %q", o.currency)
	}
	if !user.IsTimeZone(o.timeZone) {
		return fmt.Errorf("--time-zone must be a zone of the IANA database such as Asia/Jakarta, not %q", o.timeZone)
	}
	tag, err := language.Parse(o.locale)
	if err != nil {
		return fmt.Errorf("--locale must be a language such as en or id, not %q", o.locale)
	}
	o.locale = tag.String()
	return nil
}

// nameFault returns what is wrong with the name of a tenant or of its owner, or "".
func nameFault(name string) string {
	if fault := text.Fault(name); fault != "" {
		return fault
	}
	if !user.IsTenantName(name) {
		return fmt.Sprintf("is not 1 to %d characters with single spaces between words", user.MaxName)
	}
	if normal := text.Normal(name); normal != name {
		return "is not in Unicode's form NFC, want " + normal
	}
	return ""
}

func (o *tenantOptions) create(ctx context.Context, store *userstore.Store) (user.User, error) {
	owner, err := store.Found(ctx, user.Tenant{
		ID: o.id, Name: o.name, Locale: o.locale, Currency: o.currency, TimeZone: o.timeZone,
	}, user.User{
		Email: o.email, Name: o.ownerName, Roles: []user.Role{user.Owner}, EmailEnabled: true, InAppEnabled: true,
	}, operator())
	switch {
	case errors.Is(err, user.ErrNameTaken):
		return owner, fmt.Errorf("a tenant called %s already exists: choose another --name", o.name)
	case errors.Is(err, user.ErrTenantTaken):
		return owner, fmt.Errorf("a tenant with the id %s already exists: choose another --id", o.id)
	}
	return owner, err
}

// listed is a business in JSON.
type listed struct {
	TenantID  string    `json:"tenant_id"`
	Name      string    `json:"name"`
	Locale    string    `json:"locale"`
	Currency  string    `json:"currency"`
	TimeZone  string    `json:"time_zone"`
	Owners    []string  `json:"owners"` // addresses
	Users     int       `json:"users"`  // owners included
	CreatedAt time.Time `json:"created_at"`
}

func newTenantListCommand() *cobra.Command {
	var data string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the businesses with their owners, oldest first",
		Long:  "List the businesses with their owners, oldest first.\n\n" + whichDatabase,
		Example: `  orderbell tenant list
  orderbell tenant list --json | jq -r '.[].tenant_id'`,
		Args: noArguments,
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			var found []user.Business
			err := withUsers(cmd.Context(), data, func(store *userstore.Store) (err error) {
				found, err = store.Tenants(cmd.Context())
				return err
			})
			if err != nil {
				return err
			}
			return printBusinesses(cmd, found, asJSON)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&data, "data", defaultData, "data directory of orderbell dev")
	return cmd
}

func printBusinesses(cmd *cobra.Command, found []user.Business, asJSON bool) error {
	if asJSON {
		all := make([]listed, len(found)) // never null
		for i, b := range found {
			all[i] = listed{
				TenantID: b.ID, Name: b.Name, Locale: b.Locale, Currency: b.Currency, TimeZone: b.TimeZone,
				Owners: b.Owners, Users: b.Users, CreatedAt: b.CreatedAt,
			}
		}
		return printJSON(cmd.OutOrStdout(), all)
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TENANT\tNAME\tLANGUAGE\tCURRENCY\tTIME ZONE\tUSERS\tSINCE\tOWNERS") // kept until Flush
	for _, b := range found {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", b.ID, text.Terminal(b.Name), b.Locale, b.Currency, b.TimeZone, b.Users,
			b.CreatedAt.Format(time.DateOnly), strings.Join(b.Owners, ", "))
	}
	return table.Flush()
}

func withUsers(ctx context.Context, data string, do func(*userstore.Store) error) error {
	return withDatabase(ctx, data, "orderbell-tenant", func(pool *database.Pool) error { return do(userstore.New(pool)) })
}

// withDatabase calls do with the database, after a check of its schema. name is the application_name of the connection.
func withDatabase(ctx context.Context, data, name string, do func(*database.Pool) error) error {
	if err := adoptDevStack(data, "DATABASE_URL"); err != nil {
		return err
	}
	cfg, err := databaseConfig()
	if err != nil {
		return err
	}
	cfg.MaxConns = 1
	pool, err := database.Open(ctx, cfg, name)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := database.Check(ctx, pool); err != nil {
		return err
	}
	return do(pool)
}
