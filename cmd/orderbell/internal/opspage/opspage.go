// Package opspage is the operations page of `orderbell dev`: it shows the path of events, the queue at each hop, and the newest
// traces. It can break Redis, the mail server and a function for a limited time.
//
// It is for one machine: it only accepts requests for the names of this machine, and actions from its own page. Only
// `orderbell dev` serves it.
package opspage

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/cmd/orderbell/internal/load"
	"orderbell/cmd/orderbell/internal/status"
	"orderbell/cmd/orderbell/internal/traces"
	"orderbell/cmd/orderbell/internal/verify"
	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/audit"
	"orderbell/internal/origin"
	"orderbell/internal/problem"
)

// Config says what the page shows and what its actions do.
type Config struct {
	Origin  string // of the business's page, for a link
	Mailpit string // "" if the mail server is not known to be a Mailpit
	Tenants []string

	Stream  func(tenant string) watch.Options // of a client that counts what it sees
	Store   Store
	Traces  func(n int) [][]traces.Span // the newest traces of events; nil: spans are elsewhere
	Probes  []status.Probe              // of programs and queues; operations.js knows to which hop each belongs
	Letters Letters
	Verify  func(ctx context.Context, since time.Time) ([]verify.Report, error)
	Spike   func(ctx context.Context, payments int, progress load.Progress) (load.OrderReport, error)
	Parts   []Part        // that can be broken
	Most    time.Duration // how long a part may be broken
	Log     *slog.Logger
}

// Store counts events.
type Store interface {
	Clock(ctx context.Context) (now, firstDay time.Time, err error)
	Tally(ctx context.Context, w audit.Watched) (audit.Tally, error)
}

// Letters are the dead letters.
type Letters interface {
	List(ctx context.Context, f deadletter.Filter) ([]deadletter.Letter, error)
	Redrive(ctx context.Context, c deadletter.Choice, dryRun bool) (deadletter.Result, error)
}

//go:embed assets
var assets embed.FS

// Page serves the operations page. Until its first request it only holds its configuration.
type Page struct {
	cfg     Config
	handler http.Handler
	faults  *faults
	sight   *sight
	ctx     context.Context //nolint:containedctx // of work that outlives a request
	stop    context.CancelFunc
	work    sync.WaitGroup
	open    sync.Once

	counting sync.Mutex // held while counting begins

	mu      sync.Mutex
	spike   *Spike
	verdict *Verdict
	letters []deadletter.Letter
	read    time.Time // when the letters were read
}

// New returns a page that is served until [Page.Close].
func New(cfg Config) (*Page, error) {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err //nolint:wrapcheck // cannot happen: the folder is embedded
	}
	static, err := origin.NewFiles(files)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Page{cfg: cfg, ctx: ctx, stop: stop, faults: newFaults(cfg.Parts, cfg.Most, cfg.Log), sight: newSight(cfg.Tenants)}
	mux := http.NewServeMux()
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.Handle(pattern, problem.Handler(cfg.Log, h))
	}
	handle("GET /state", p.getState)
	handle("POST /break", p.postBreak)
	handle("POST /repair", p.postRepair)
	handle("POST /spike", p.postSpike)
	handle("POST /redrive", p.postRedrive)
	handle("POST /verify", p.postVerify)
	mux.Handle("/", static)
	p.handler = origin.New(origin.Config{Files: mux}) // for its headers and its compression
	return p, nil
}

// ServeHTTP implements [http.Handler].
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if refused := check(r); refused != nil {
		refused.Write(w)
		return
	}
	p.handler.ServeHTTP(w, r)
}

// check refuses what another site may have made a browser send: a request for a name that is not this machine's (DNS
// rebinding), and an action that does not come from the page itself.
func check(r *http.Request) *problem.Problem {
	host := (&url.URL{Host: r.Host}).Hostname()
	address, err := netip.ParseAddr(host)
	if !strings.EqualFold(host, "localhost") && (err != nil || !address.IsLoopback()) {
		return problem.New(http.StatusForbidden, "the operations page is for this machine alone, not for %q", r.Host)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if own := "http://" + r.Host; r.Header.Get("Origin") != own {
		return problem.New(http.StatusForbidden, "Origin is %q, want %q: only the page itself may act", r.Header.Get("Origin"), own)
	}
	return nil
}

// Close ends what runs, and repairs what is broken.
func (p *Page) Close() {
	p.stop()
	p.work.Wait()
	p.faults.close()
}

// begin starts to follow the streams, once.
func (p *Page) begin() {
	p.open.Do(func() {
		for _, tenant := range p.cfg.Tenants {
			p.work.Go(func() {
				if err := watch.Follow(p.ctx, p.cfg.Stream(tenant), func(f watch.Frame) { p.sight.saw(tenant, f) }); err != nil {
					p.cfg.Log.ErrorContext(p.ctx, "stream of the operations page", "tenant_id", tenant, "err", err)
					p.sight.fail(err)
				}
			})
		}
	})
}
