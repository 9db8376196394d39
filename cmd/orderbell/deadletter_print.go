package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/text"
)

func printLetters(cmd *cobra.Command, letters []deadletter.Letter) error {
	if len(letters) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "no dead letters")
		return err
	}
	return table(cmd, func(w io.Writer) {
		row(w, "ID", "BURIED", "TENANT", "TYPE", "EVENT", "RECORD", "ANSWER", "STATE", "REASON")
		for _, l := range letters {
			row(w, l.ID, l.BuriedAt.Format(time.RFC3339), l.TenantID, l.Type, l.EventID, l.Record, cmp.Or(l.Status, "none"), state(l), l.Reason)
		}
	})
}

func state(l deadletter.Letter) string {
	switch {
	case l.RedrivenAt != nil:
		return "redriven " + l.RedrivenAt.Format(time.RFC3339)
	case l.ClosedAt != nil:
		return "closed " + l.ClosedAt.Format(time.RFC3339)
	case l.SameAs != "":
		return "duplicate of " + l.SameAs
	case l.Obstacle != "":
		return "invalid"
	}
	return "open"
}

func printExhibits(cmd *cobra.Command, found []deadletter.Exhibit) error {
	return table(cmd, func(w io.Writer) {
		line := func(name, value string) {
			if value != "" {
				row(w, name, value)
			}
		}
		for i, x := range found {
			if i > 0 {
				_, _ = fmt.Fprintln(w)
			}
			line("letter", x.ID)
			line("buried", x.BuriedAt.Format(time.RFC3339Nano))
			line("state", state(x.Letter))
			line("reason", x.Reason)
			line("obstacle", x.Obstacle)
			line("record", x.Record)
			line("closed by", x.ClosedBy)
			line("closed because", x.ClosedFor)
			line("subscriber", x.Subscriber)
			line("status", x.Status)
			line("answer", x.Answer)
			line("event", x.EventID)
			line("source", x.Source)
			line("type", x.Type)
			line("subject", x.Subject)
			line("time", x.Time)
			for _, name := range slices.Sorted(maps.Keys(x.Extensions)) {
				line("  "+name, fmt.Sprint(x.Extensions[name]))
			}
			line("data", x.Data)
			if x.DataBase64 != nil {
				line("data, hex", fmt.Sprintf("%x", x.DataBase64))
			}
		}
	})
}

func printResult(cmd *cobra.Command, r deadletter.Result) error {
	did := "redriven"
	if r.DryRun {
		did = "to be redriven"
	}
	return table(cmd, func(w io.Writer) {
		for _, l := range r.Redriven {
			row(w, did, l.ID, l.EventID, l.Type)
		}
		for _, l := range r.Refused {
			row(w, "refused", l.ID, l.EventID, l.Obstacle)
		}
		for _, d := range r.Repaired {
			row(w, "repaired", "", d.EventID, d.Type, d.Reason)
		}
		_, _ = fmt.Fprintf(w, "%d %s, %d refused", len(r.Redriven), did, len(r.Refused))
		if len(r.Repaired) > 0 {
			_, _ = fmt.Fprintf(w, ", %d repaired", len(r.Repaired))
		}
		_, _ = fmt.Fprintln(w)
	})
}

// table aligns the cells that rows writes. It returns a write error at the end.
func table(cmd *cobra.Command, rows func(io.Writer)) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	rows(w)
	return w.Flush()
}

// row writes cells with untrusted text: terminal control characters are shown as their code points. An empty cell is
// shown as a dash.
func row(w io.Writer, cells ...string) {
	for i, cell := range cells {
		cells[i] = cmp.Or(text.Terminal(cell), "-")
	}
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // kept until Flush
}
