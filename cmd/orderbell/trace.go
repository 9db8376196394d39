package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/devstack"
	"orderbell/cmd/orderbell/internal/traces"
	"orderbell/internal/audit"
	"orderbell/internal/store/database"
	"orderbell/internal/text"
	"orderbell/internal/tracing"
)

func newTraceCommand() *cobra.Command {
	var tenantID, data, address string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "trace ORDER",
		Short: "Print the traces of an order: each hop of its changes, with a bar",
		Long: `Print the traces of an order: each hop of its changes, with a bar.

ORDER is the id of an order, or its reference. If several orders have the reference, the command uses the newest. Each change of an order
has a trace of its own, from the request to the frames in the browsers.

orderbell dev keeps the spans of some thousand changes in memory, and this command asks it for them. Elsewhere it prints the ids of
the traces, which the tracing backend finds. It reads the database of DATABASE_URL or, if that is not set, of the orderbell dev
that runs on the data directory.`,
		Example: `  orderbell trace A-1042
  orderbell trace 0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f --json`,
		Args: oneArgument,
		RunE: work(func(cmd *cobra.Command, args []string) error {
			found, err := tracesOf(cmd.Context(), data, address, tenantID, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), found)
			}
			return printTraces(cmd.OutOrStdout(), found)
		}),
	}
	cmd.Flags().StringVar(&tenantID, "tenant", "", "the tenant of a reference")
	cmd.Flags().StringVar(&address, "traces", "", "where the spans are (default: the orderbell dev of the data directory)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&data, "data", defaultData, "data directory of orderbell dev")
	return cmd
}

// changeTrace is the trace of one change of an order.
type changeTrace struct {
	EventID   string        `json:"event_id"`
	Type      string        `json:"type"`
	TenantID  string        `json:"tenant_id"`
	OrderID   string        `json:"order_id"`
	Reference string        `json:"reference,omitempty"`
	TraceID   string        `json:"trace_id,omitempty"`
	Spans     []traces.Span `json:"spans"` // in the order of their start; empty: not sampled, or no longer kept
}

func tracesOf(ctx context.Context, data, address, tenantID, name string) (found []changeTrace, err error) {
	if address == "" {
		if state, err := devstack.ReadState(data); err == nil && os.Getenv("DATABASE_URL") == "" {
			address = state.TracesURL
		}
	}
	var events []audit.Traced
	err = withDatabase(ctx, data, "orderbell-trace", func(pool *database.Pool) error {
		events, err = eventsOf(ctx, auditstore.New(pool), tenantID, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		change := changeTrace{
			EventID: e.EventID, Type: string(e.Type), TenantID: e.TenantID, OrderID: e.OrderID, Reference: e.Reference,
			TraceID: tracing.ID(e.TraceParent), Spans: []traces.Span{},
		}
		if address != "" && change.TraceID != "" {
			if change.Spans, err = spansOf(ctx, address, change.TraceID); err != nil {
				return nil, err
			}
		}
		found = append(found, change)
	}
	return found, nil
}

// spansTimeout is long for a program on the same machine.
const spansTimeout = 10 * time.Second

func spansOf(ctx context.Context, address, traceID string) ([]traces.Span, error) {
	ctx, cancel := context.WithTimeout(ctx, spansTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/traces/"+traceID, nil)
	if err != nil {
		return nil, fmt.Errorf("read spans of orderbell dev: %w", err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("read spans of orderbell dev: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read spans of orderbell dev: %s answers %s", address, response.Status)
	}
	spans := []traces.Span{}
	if err := json.NewDecoder(response.Body).Decode(&spans); err != nil {
		return nil, fmt.Errorf("read spans of orderbell dev: %s answers with something else: %w", address, err)
	}
	return spans, nil
}

func printTraces(out io.Writer, found []changeTrace) error {
	for i, c := range found {
		if i > 0 {
			_, _ = fmt.Fprintln(out)
		}
		name := c.OrderID
		if c.Reference != "" {
			name = c.Reference + " (" + c.OrderID + ")"
		}
		said := "its event names no trace"
		if c.TraceID != "" {
			said = "trace " + c.TraceID
		}
		if c.TraceID != "" && len(c.Spans) == 0 {
			said += ", of which no spans are here: it was not sampled, it is no longer kept, or a tracing backend has it"
		}
		if _, err := fmt.Fprintln(out, text.Terminal(fmt.Sprintf("%s of order %s, tenant %s: %s", c.Type, name, c.TenantID, said))); err != nil {
			return err //nolint:wrapcheck // the terminal
		}
		if err := traces.Print(out, c.Spans); err != nil {
			return err
		}
	}
	return nil
}
