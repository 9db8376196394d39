package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Cobra's and pflag's errors in our words. They say what is wrong, and where; the line "See … --help" is what to do next.

// flagError returns an error of the parser of flags in our words.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	var malformed *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &unknown):
		name := "--" + unknown.GetSpecifiedName()
		if letters := unknown.GetSpecifiedShortnames(); letters != "" {
			name = "-" + letters
		}
		return fmt.Errorf("%s is not a flag of %s", name, cmd.CommandPath())
	case errors.As(err, &missing):
		return fmt.Errorf("--%s has no value: write --%[1]s=VALUE", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s %s, not %q", invalid.GetFlag().Name, wanted(invalid), invalid.GetValue())
	case errors.As(err, &malformed):
		return fmt.Errorf("%q is not a flag: write --NAME=VALUE", malformed.GetSpecifiedFlag())
	}
	return err
}

// wanted says what the value of a flag must be.
func wanted(err *pflag.InvalidValueError) string {
	switch kind := err.GetFlag().Value.Type(); {
	case errors.Is(err, strconv.ErrRange):
		return "must be a number that fits into 64 bits"
	case kind == "bool":
		return "must be true or false"
	case kind == "int", kind == "int64":
		return "must be a whole number"
	case kind == "float64":
		return "must be a number"
	case kind == "duration":
		return "must be a duration, such as 90s or 1h30m"
	case kind == "stringToString":
		return "must be NAME=VALUE"
	case kind == "stringSlice":
		return "must be a list with commas"
	}
	return err.Unwrap().Error() // a type of ours
}

// errInCommand returns what is wrong with the name of a command that does not exist, or nil.
func errInCommand(root *cobra.Command, args []string) error {
	if _, _, err := root.Find(args); err == nil {
		return nil
	}
	name := ""
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			name = arg
			break
		}
	}
	return noCommand(root, name)
}

// noCommand is the error of a command that does not exist.
func noCommand(parent *cobra.Command, name string) error {
	parent.SuggestionsMinimumDistance = 2 // letters that differ
	next := "use one of " + strings.Join(subcommands(parent), ", ")
	if similar := parent.SuggestionsFor(name); len(similar) > 0 {
		next = "did you mean " + strings.Join(similar, " or ") + "?"
	}
	return fmt.Errorf("%q is not a command of %s: %s", name, parent.CommandPath(), next)
}

func subcommands(cmd *cobra.Command) (names []string) {
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// noArguments is for commands without arguments, and for those that only group subcommands.
func noArguments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasAvailableSubCommands():
		return noCommand(cmd, args[0])
	}
	return fmt.Errorf("leave out %q: %s takes no arguments", strings.Join(args, " "), cmd.CommandPath())
}

// oneArgument is for commands that take exactly one argument.
func oneArgument(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("leave out %q: %s takes one argument, not %d", strings.Join(args[1:], " "), cmd.CommandPath(), len(args))
	}
	return someArguments(cmd, args)
}

// someArguments is for commands that take one argument or more.
func someArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("an argument is missing: write %s", strings.TrimSuffix(cmd.UseLine(), " [flags]"))
	}
	return nil
}

// require makes flags required.
func require(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		_ = cmd.MarkFlagRequired(name) // fails only for a flag that does not exist
	}
}

// errInRequired returns an error that names the required flags that are missing, or nil.
func errInRequired(cmd *cobra.Command) error {
	if cmd.HasAvailableSubCommands() {
		return nil // it says which one is missing
	}
	var missing, examples []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if slices.Contains(f.Annotations[cobra.BashCompOneRequiredFlag], "true") && !f.Changed {
			missing = append(missing, "--"+f.Name)
			examples = append(examples, f.Usage)
		}
	})
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s is missing: give the %s", missing[0], examples[0])
	}
	return fmt.Errorf("%s are missing", strings.Join(missing, " and "))
}

// The errors of names that several commands take.

// noTenant is the error of a tenant that does not exist.
func noTenant(id string) error {
	return fmt.Errorf("there is no tenant %s: orderbell tenant list shows all", id)
}

// noUser is the error of a user who does not exist.
func noUser(tenantID, who string) error {
	return fmt.Errorf("tenant %s has no user %s: check the address; a user is added on the page, under Staff", tenantID, who)
}

// fileError says which flag names a file that cannot be used, and why.
func fileError(flag, name string, err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err // the message has the name already
	}
	return fmt.Errorf("--%s: the file %q cannot be used: %w; check the path", flag, name, err)
}
