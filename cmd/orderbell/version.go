package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit and the Go release of this program",
		Args:  noArguments,
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo()
			return printVersion(cmd.OutOrStdout(), info)
		}),
	}
}

// printVersion writes one line: the release, the commit with "+" if the tree had changes, its time, and Go's release.
// A program that was built outside of a checkout has "unknown" in place of what is missing. info may be nil.
func printVersion(out io.Writer, info *debug.BuildInfo) error {
	version, commit, at := "", "", ""
	if info != nil {
		version = info.Main.Version
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit = s.Value[:min(len(s.Value), 12)] + commit
			case "vcs.time":
				at = s.Value
			case "vcs.modified":
				if s.Value == "true" {
					commit += "+"
				}
			}
		}
	}
	_, err := fmt.Fprintf(out, "orderbell %s, commit %s, %s, %s %s/%s\n", cmp.Or(version, "unknown"), cmp.Or(commit, "unknown"),
		cmp.Or(at, "time unknown"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return fmt.Errorf("print the version: %w", err)
	}
	return nil
}
