// Package report measures servers and writes the figures as a table and a plot.
package report

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"orderbell/test/bench/internal/peer"
	"orderbell/test/bench/internal/trial"
)

// Main measures as args say and writes the report.
func Main(ctx context.Context, args []string, progress io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	short := flags.Bool("short", false, "every server and figure once, in less than three minutes")
	rounds := flags.Int("rounds", 0, "number of rounds; 0 means the default of the size")
	binary := flags.String("gateway", "bin/sse-gateway", "the gateway's program")
	crowds := flags.Int("crowds", 2, "number of client processes: a process can open about 20,000 files")
	only := flags.String("only", "", "the servers to measure, comma-separated; empty means all")
	out := flags.String("out", ".report/bench-gateway", "path of the report without .md and .svg; the rounds' figures go to .report/")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // it names the flag
	}
	t := trial.Trial{Size: trial.Full(), Binary: *binary, Crowds: *crowds}
	if *short {
		t.Size = trial.Short()
	}
	if *rounds > 0 {
		t.Rounds = *rounds
	}
	names := append([]string{trial.Gateway}, peer.Names()...)
	if *only != "" {
		names = strings.Split(*only, ",")
	}
	found, err := t.Run(ctx, names, func(line string) { _, _ = fmt.Fprintln(progress, line) })
	if err != nil {
		return err
	}
	command := "make bench-gateway"
	if *short {
		command += "-short"
	}
	if err := write(*out, collect(found), t.Size, command); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(progress, "the report is in %s.md\n", *out)
	for _, f := range found {
		if f.Name == trial.Gateway && f.Missing+f.Repeated+f.Closed > 0 {
			return fmt.Errorf("the gateway lost or duplicated messages: %s", f)
		}
	}
	return nil
}

// write writes the report's files.
func write(name string, r rounds, size trial.Size, command string) error {
	raw, err := json.MarshalIndent(r.byName, "", "  ")
	if err != nil {
		return fmt.Errorf("encode figures: %w", err)
	}
	for file, content := range map[string][]byte{
		filepath.Join(".report", filepath.Base(name)+".json"): raw,
		name + ".svg": r.svg(),
		name + ".md":  r.markdown(size, command, name+".svg"),
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil { //nolint:gosec // for everybody to read
			return fmt.Errorf("write report: %w", err)
		}
	}
	return nil
}
