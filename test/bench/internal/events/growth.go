package events

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	bench "orderbell/test/bench/internal/report"
)

// sizes are what [Growth] measures.
type sizes struct {
	rows, tenants []int
	hot           int // tenants, of which one is hot
}

// resting is how many rows a database has in which something else than rows grows.
func (s sizes) resting() int { return min(100_000, slices.Max(s.rows)) }

// Growth measures order-paid with more and more rows in its tables, with more and more tenants, and with one hot tenant among many.
// It writes the document and its plot.
func Growth(ctx context.Context, args []string, log io.Writer) error {
	o := Options{Command: "make bench-growth"}
	of := sizes{rows: []int{1000, 100_000, 1_000_000}, tenants: []int{1, 100, 10_000}, hot: 100}
	short, long := false, false
	flags := flag.NewFlagSet("growth", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.IntVar(&o.Rounds, "rounds", 3, "alternating rounds")
	flags.DurationVar(&o.For, "for", 10*time.Second, "length of each measurement")
	flags.IntVar(&o.InFlight, "in-flight", 20, "concurrent events")
	flags.IntVar(&o.Conns, "conns", 3, "connections of a function to PostgreSQL")
	flags.StringVar(&o.Bin, "bin", "bin", "folder of the programs")
	flags.StringVar(&o.Out, "out", filepath.Join(".report", "bench-growth.md"), "document to write")
	flags.BoolVar(&short, "short", false, "small sizes, once")
	flags.BoolVar(&long, "long", false, "also 5 million rows and 100,000 tenants")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // the flag is named
	}
	switch {
	case short:
		o.Rounds, o.For, of = 1, 2*time.Second, sizes{rows: []int{1000, 20_000}, tenants: []int{1, 100}, hot: 10}
	case long:
		of.rows, of.tenants = append(of.rows, 5_000_000), append(of.tenants, 100_000)
		o.Command += ` GROWTH_ARGS="-long"`
	}
	s, err := serversOf(os.Getenv)
	if err != nil {
		return err
	}
	var found []figure
	for round := range o.Rounds {
		_, _ = fmt.Fprintf(log, "round %d of %d\n", round+1, o.Rounds)
		for _, grow := range []func(context.Context, servers, Options, sizes, func(...figure)) error{growRows, growTenants, oneHot} {
			err := grow(ctx, s, o, of, func(figures ...figure) {
				for _, f := range figures {
					_, _ = fmt.Fprintf(log, "  %-34s %-32s %s\n", f.what, f.of, f.show())
				}
				found = append(found, figures...)
			})
			if err != nil {
				return err
			}
			all := panels(found)
			for i, p := range all {
				for j := range p.Bars {
					all[i].Bars[j].Colour = bench.Ours
				}
			}
			if err := write(o.Out, growthDocument(found, o, of), all); err != nil { // a run that is ended keeps what it has
				return err
			}
		}
	}
	return nil
}

// history writes the records number $1 to $2, each with a notification, over the last 45 days and all users in turn. The ids begin
// with the time, as those of events do.
const history = `
WITH reader AS MATERIALIZED (
	SELECT row_number() OVER (ORDER BY id) - 1 AS nth, count(*) OVER () AS readers, id, tenant_id FROM users
), past AS MATERIALIZED (
	SELECT n, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || substr(md5(n::text), 13))::uuid AS event_id, md5('order' || n)::uuid AS order_id,
		jsonb_build_object('order_id', md5('order' || n), 'status', 'paid', 'reference', 'A-1042', 'total_amount', 125000, 'currency', 'IDR', 'version', 2) AS data
	FROM generate_series($1::bigint, $2::bigint) n, LATERAL (SELECT now() - n % 45 * interval '1 day' - n % 1000 * interval '1 second' AS at) t
), of AS MATERIALIZED (
	SELECT past.*, tenant_id, id AS user_id FROM past JOIN reader ON nth = n % readers
), records AS (
	INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at)
	SELECT (at AT TIME ZONE 'UTC')::date, '/orderbell/order-api', event_id, 'order_paid', tenant_id, order_id, 2, sha256(n::text::bytea), data, at FROM of
)
INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, created_at, read_at)
SELECT event_id, tenant_id, user_id, '/orderbell/order-api', event_id, 'order_paid', order_id, data, at, CASE WHEN n % 10 > 0 THEN at END FROM of`

// fill makes a database's records and notifications from so many to so many.
func fill(ctx context.Context, address string, from, to int) error {
	pool, err := open(ctx, address, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	const step = 10_000 // a statement's, far below the time limit of one
	for ; from < to; from += step {
		if _, err := pool.Exec(ctx, history, from+1, min(from+step, to)); err != nil {
			return fmt.Errorf("fill the tables: %w", err)
		}
	}
	return nil
}

// growthKinds are the figures that are kept.
var growthKinds = []string{perSecond, answerP99, postgresCPU} //nolint:gochecknoglobals // a constant

// grown measures order-paid on a database after a checkpoint.
func grown(ctx context.Context, s servers, o Options, address, kind, label string, tenant func(int) int) ([]figure, error) {
	pool, err := open(ctx, address, 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, "CHECKPOINT"); err != nil { // writing the filled pages is no work of the function
		return nil, fmt.Errorf("write the pages: %w", err)
	}
	measured, err := program{name: "order-paid", bin: o.Bin, label: label}.measure(ctx, s, o, address, tenant)
	if err != nil {
		return nil, fmt.Errorf("order-paid, %s: %w", label, err)
	}
	measured = slices.DeleteFunc(measured, func(f figure) bool { return !slices.Contains(growthKinds, f.what) })
	for i := range measured {
		measured[i].what = kind + ": " + measured[i].what
	}
	return measured, nil
}

func growRows(ctx context.Context, s servers, o Options, of sizes, found func(...figure)) error {
	address, err := s.empty(ctx, o.Bin)
	if err != nil {
		return err
	}
	have := 0
	for _, rows := range of.rows {
		if err := fill(ctx, address, have, rows); err != nil {
			return err
		}
		have = rows
		measured, err := grown(ctx, s, o, address, "with more rows", count(rows), inTurn(tenants))
		if err != nil {
			return err
		}
		found(measured...)
	}
	return nil
}

func growTenants(ctx context.Context, s servers, o Options, of sizes, found func(...figure)) error {
	for _, many := range of.tenants {
		address, err := s.with(ctx, o.Bin, many)
		if err != nil {
			return err
		}
		if err := fill(ctx, address, 0, of.resting()); err != nil {
			return err
		}
		measured, err := grown(ctx, s, o, address, "with more tenants", count(many), scattered(many))
		if err != nil {
			return err
		}
		found(measured...)
	}
	return nil
}

// oneHot compares events of all tenants in turn with three of four events of one tenant, and samples who waits for a lock.
func oneHot(ctx context.Context, s servers, o Options, of sizes, found func(...figure)) error {
	for _, hot := range []bool{false, true} {
		label, tenant := "all tenants alike", scattered(of.hot)
		if hot {
			label, tenant = "one has three of four events", func(n int) int {
				if n%4 > 0 {
					return 1
				}
				return scattered(of.hot)(n)
			}
		}
		address, err := s.with(ctx, o.Bin, of.hot)
		if err != nil {
			return err
		}
		if err := fill(ctx, address, 0, of.resting()); err != nil {
			return err
		}
		var measured []figure
		waits, err := lockWaits(ctx, address, func() (err error) {
			measured, err = grown(ctx, s, o, address, "with a hot tenant", label, tenant)
			return err
		})
		if err != nil {
			return err
		}
		found(append(measured, figure{"with a hot tenant: connections that wait for a lock", label, waits, "on average"})...)
	}
	return nil
}

// scattered gives events to many tenants, neighbours far apart.
func scattered(many int) func(int) int {
	return func(n int) int { return n*7919%many + 1 } // a prime, so that each tenant has its turn
}

// lockWaits returns how many connections to the database wait for a lock on average while do runs.
func lockWaits(ctx context.Context, address string, do func() error) (float64, error) {
	pool, err := open(ctx, address, 1)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	samples, waiting := 0, 0
	var failed error
	done, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for failed == nil {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			n := 0
			failed = pool.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
			samples, waiting = samples+1, waiting+n
		}
	}()
	err = do()
	close(done)
	<-sampled
	if err := errors.Join(err, failed); err != nil {
		return 0, err
	}
	return float64(waiting) / float64(max(samples, 1)), nil
}

func count(n int) string {
	if n >= 1_000_000 {
		return fmt.Sprintf("%d M", n/1_000_000)
	}
	if n >= 1000 {
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	return fmt.Sprint(n)
}

// growthDocument returns a table with each figure, and its ratio to that of the smallest size.
func growthDocument(found []figure, o Options, of sizes) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `# The event path as it grows

Written by `+"`%s`"+` on %s.

order-paid with %d events in flight over %d connections, and real PostgreSQL (fsync on) and Redis. The rows are event records and as many
notifications, of the last 45 days. With more tenants, and with a hot one, the tables have %s rows each. A cell is the median of %d alternating
round(s) of %s each and, in brackets, the least and the most; the ratio is the median's to that of the first line of its kind.

![The same figures as bars, with the least and the most](%s)

| | | median (least–most) | ratio |
|---|---|---:|---:|
`, o.Command, bench.Machine(), o.InFlight, o.Conns, count(of.resting()), o.Rounds, o.For, filepath.Base(plotOf(o.Out)))
	first := map[string]float64{}
	for _, l := range lines(found) {
		if _, ok := first[l.what]; !ok {
			first[l.what] = l.median()
		}
		ratio := ""
		if first[l.what] > 0 {
			ratio = fmt.Sprintf("%.2f", l.median()/first[l.what])
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", l.what, l.of, l.cell(), ratio)
	}
	return []byte(b.String())
}
