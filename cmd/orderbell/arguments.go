package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"orderbell/internal/text"
	"orderbell/internal/user"
)

// maxArgument is the longest argument in bytes: a path on Linux. Every other argument is shorter.
const maxArgument = 4096

// errInArguments returns the fault of the first argument that is not text. It runs before the arguments are parsed, because the
// parser of lists drops everything after a line break. [checkArguments] handles a joiner at the start of a value.
func errInArguments(args []string) error {
	for i, arg := range args {
		if fault := text.Fault("-" + arg); fault != "" {
			where := ""
			if i > 0 && strings.HasPrefix(args[i-1], "-") {
				where = " after " + args[i-1]
			}
			return fmt.Errorf("the argument %+q%s %s", text.ClipBytes(arg, mostQuoted), where, fault)
		}
	}
	return nil
}

// checkArguments makes every command below cmd check its arguments and flags before the command's own checks.
func checkArguments(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		checkArguments(sub)
		own := sub.Args
		if own == nil {
			own = cobra.ArbitraryArgs
		}
		if sub.Name() == "help" {
			own = topicExists
		}
		sub.Args = func(cmd *cobra.Command, args []string) error {
			if err := errInFlags(cmd); err != nil {
				return err
			}
			for _, arg := range args {
				if fault := argumentFault(arg); fault != "" {
					return fmt.Errorf("%s: the argument %+q %s", cmd.UseLine(), text.ClipBytes(arg, mostQuoted), fault)
				}
			}
			if err := own(cmd, args); err != nil {
				return err
			}
			return errInRequired(cmd)
		}
	}
}

// mostQuoted is how many bytes of an argument an error repeats.
const mostQuoted = 100

// argumentFault returns what is wrong with an argument or a value of a flag, or "".
//
// An empty value is refused because it comes from a variable that a script has not set: --tenant "$TENANT" would choose all
// tenants.
func argumentFault(value string) string {
	switch fault := text.Fault(value); {
	case value == "":
		return "is empty"
	case len(value) > maxArgument:
		return fmt.Sprintf("has %d bytes, want at most %d", len(value), maxArgument)
	default:
		return fault
	}
}

// errInFlags returns what is wrong with the first flag that has a faulty value, or nil.
func errInFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			if values = list.GetSlice(); len(values) == 0 {
				values = []string{""}
			}
		}
		for _, value := range values {
			switch fault := argumentFault(value); {
			case err != nil:
			case fault != "":
				err = fmt.Errorf("--%s %+q %s", f.Name, text.ClipBytes(value, mostQuoted), fault)
			case f.Name == "tenant" && !namesTenants(cmd, value):
				err = fmt.Errorf("--tenant must be the id of a tenant, such as demo, not %q", value)
			}
		}
	})
	return err
}

// namesTenants reports whether the command accepts value as --tenant.
func namesTenants(cmd *cobra.Command, value string) bool {
	ids := []string{value}
	switch cmd.CommandPath() {
	case "orderbell load orders":
		ids = strings.Split(value, ",")
	case "orderbell audit":
		return value == user.NoTenant || user.IsTenantID(value)
	}
	return !slices.ContainsFunc(ids, func(id string) bool { return !user.IsTenantID(id) })
}

// topicExists checks the arguments of help: cobra's own check prints them unchanged, and exits with 0. An argument that looks like a
// flag is not a topic either.
func topicExists(cmd *cobra.Command, args []string) error {
	if _, rest, err := cmd.Root().Find(args); err != nil || len(rest) > 0 {
		return fmt.Errorf("there is no help about %q: name a command", strings.Join(args, " "))
	}
	return nil
}
