package main

import (
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/schema"
)

func newMigrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Migrate the schema of the database in DATABASE_URL",
		Example: `  orderbell migrate up
  orderbell migrate status --json
  orderbell migrate down 1`,
		Args: noArguments,
		RunE: missingSubcommand,
	}
	cmd.AddCommand(newMigrateUpCommand(), newMigrateDownCommand(), newMigrateStatusCommand())
	return cmd
}

func databaseConfig() (database.Config, error) {
	var cfg database.Config
	err := service.Load(&cfg)
	return cfg, err
}

func newMigrateUpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Apply all pending steps",
		Long: `Apply all pending steps. DATABASE_URL connects as the owner of the tables.

The programs' roles get the passwords of DATABASE_ROLES, ROLE:PASSWORD with commas between them. A role that is not
named keeps its password; a new one cannot log in.`,
		Example: "  DATABASE_URL=postgres://orderbell@db/orderbell orderbell migrate up",
		Args:    noArguments,
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			cfg, err := databaseConfig()
			if err != nil {
				return err
			}
			var roles database.RolesConfig
			if err := service.Load(&roles); err != nil {
				return err
			}
			steps := 0
			err = schema.Up(cmd.Context(), cfg, func(m database.Migration) {
				steps++
				cmd.Printf("applied %06d %s\n", m.Version, m.Name)
			})
			if err == nil && steps == 0 {
				cmd.Printf("nothing to do: the schema is at version %d\n", database.Latest())
			}
			if err != nil || len(roles.Passwords) == 0 {
				return err
			}
			if err := database.SetLogins(cmd.Context(), cfg, roles.Passwords); err != nil {
				return err
			}
			cmd.Printf("%d roles can log in\n", len(roles.Passwords))
			return nil
		}),
	}
}

func newMigrateDownCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down [N]",
		Short: "Undo the last N steps (default 1), including the data in their tables",
		Example: `  orderbell migrate down      # the last step
  orderbell migrate down 3    # the last three`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("give one number of steps, not %d", len(args))
			}
			_, err := stepsDown(args)
			return err
		},
		RunE: work(func(cmd *cobra.Command, args []string) error {
			cfg, err := databaseConfig()
			if err != nil {
				return err
			}
			n, err := stepsDown(args)
			if err != nil {
				return err
			}
			return schema.Down(cmd.Context(), cfg, n, func(m database.Migration) {
				cmd.Printf("took back %06d %s\n", m.Version, m.Name)
			})
		}),
	}
}

func stepsDown(args []string) (int, error) {
	if len(args) == 0 {
		return 1, nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 {
		return 0, fmt.Errorf("the number of steps must be 1 or more, not %q", args[0])
	}
	return n, nil
}

// schemaStatus is the output of migrate status.
type schemaStatus struct {
	Version uint         `json:"version"` // 0: no step was applied
	Needs   uint         `json:"needs"`
	Dirty   bool         `json:"dirty"` // a step was interrupted; it may be complete or not
	Steps   []schemaStep `json:"steps"`
}

type schemaStep struct {
	Version uint   `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

func newMigrateStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the applied and the pending steps",
		Example: `  orderbell migrate status
  orderbell migrate status --json | jq .version`,
		Args: noArguments,
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			cfg, err := databaseConfig()
			if err != nil {
				return err
			}
			found, err := database.MigrationStatus(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			status := schemaStatus{Version: found.Version, Needs: database.Latest(), Dirty: found.Dirty}
			for _, m := range database.Migrations() {
				status.Steps = append(status.Steps, schemaStep{Version: m.Version, Name: m.Name, Applied: m.Version <= found.Version})
			}
			show := printStatus
			if asJSON {
				show = func(cmd *cobra.Command, status schemaStatus) error { return printJSON(cmd.OutOrStdout(), status) }
			}
			if err := show(cmd, status); err != nil || !status.Dirty {
				return err
			}
			return fmt.Errorf("step %d was cut off: run orderbell migrate up, which completes it", status.Version)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printStatus(cmd *cobra.Command, status schemaStatus) error {
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, step := range status.Steps {
		state := "pending"
		switch {
		case step.Applied && step.Version == status.Version && status.Dirty:
			state = "cut off: run migrate up"
		case step.Applied:
			state = "applied"
		}
		_, _ = fmt.Fprintf(table, "%06d\t%s\t%s\n", step.Version, step.Name, state) // kept until Flush
	}
	return table.Flush()
}
