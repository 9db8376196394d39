package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"orderbell/internal/text"

	"github.com/spf13/cobra"
)

// Exit statuses. A script can tell a usage error from a failed command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// failure is an error of the command's work. Every other error that cobra returns is a usage error.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// work adapts a command's function to cobra.
func work(do func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := do(cmd, args); err != nil {
			return failure{err}
		}
		return nil
	}
}

// missingSubcommand is the function of a command that only groups subcommands.
func missingSubcommand(cmd *cobra.Command, _ []string) error {
	return fmt.Errorf("missing subcommand: use one of %s", strings.Join(subcommands(cmd), ", "))
}

// newRoot returns the whole command tree.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "orderbell",
		Short:         "Orderbell tells every till, phone and inbox that an order was created, paid or changed",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newDevCommand(), newMigrateCommand(), newTenantCommand(), newSourceCommand(), newDeviceCommand(), newTokenCommand(), newRevokeCommand(), newAuditCommand(), newTailCommand(),
		newLoadCommand(), newDeadLetterCommand(), newMailCommand(), newVerifyCommand(), newStatusCommand(), newExplainCommand(), newTraceCommand(), newPlanCommand(), newVersionCommand())
	root.InitDefaultHelpCmd()
	root.SetFlagErrorFunc(flagError)
	checkArguments(root)
	return root
}

func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	command, err := root, errInArguments(args)
	failed := false
	if err == nil {
		command, err = root.ExecuteContextC(ctx)
		failed = errors.As(err, new(failure))
		if unknown := errInCommand(root, args); !failed && unknown != nil {
			err = unknown
		}
	}
	if err == nil {
		return exitOK
	}
	for line := range strings.Lines("orderbell: " + err.Error() + "\n") { // an error may quote untrusted input
		_, _ = fmt.Fprintln(errOut, text.Terminal(strings.TrimSuffix(line, "\n")))
	}
	if failed {
		return exitFailed
	}
	_, _ = fmt.Fprintf(errOut, "See %s --help.\n", command.CommandPath())
	return exitUsage
}
