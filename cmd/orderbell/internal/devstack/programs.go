package devstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"orderbell/cmd/orderbell/internal/supervise"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/origin"
	"orderbell/internal/paths"
)

// grace is longer than the programs' own SHUTDOWN_TIMEOUT, so that a kill is the exception.
const (
	grace           = 10 * time.Second
	shutdownTimeout = "8s"
	// startPatience allows for a slow machine. A program is usually ready within 100 ms.
	startPatience = time.Minute
)

// Names of the programs. Their folders, binaries and logs have the same names.
const (
	orderAPI           = "order-api"
	userAPI            = "user-api"
	orderCreated       = "order-created"
	orderPaid          = "order-paid"
	orderStatusUpdated = "order-status-updated"
	deliverySweeper    = "delivery-sweeper"
	outboxRelay        = "outbox-relay"
	sseGateway         = "sse-gateway"
)

// names returns the programs in the order in which they stop: producers of events before consumers.
func names() []string {
	return []string{orderAPI, userAPI, outboxRelay, deliverySweeper, orderCreated, orderPaid, orderStatusUpdated, sseGateway}
}

// programs are the running binaries.
type programs struct {
	running []*supervise.Running // in the order of names
	urls    map[string]*url.URL
}

// checkPrograms returns an error that names a missing binary.
func checkPrograms(binDir string) error {
	for _, name := range names() {
		if _, err := os.Stat(filepath.Join(binDir, name)); err != nil {
			return fmt.Errorf("program %s is not beside orderbell in %s: run make build", name, binDir)
		}
	}
	return nil
}

// startPrograms starts the binaries beside our own and waits until all are ready. changed is called when one starts or
// ends. On an error it stops what it has started.
func startPrograms(ctx context.Context, opts Options, origin string, spans []string, databaseURLs map[string]string, changed func()) (*programs, error) {
	p := &programs{urls: map[string]*url.URL{}}
	for _, name := range names() {
		addr, err := embedded.FreeAddr()
		if err != nil {
			return nil, err
		}
		p.urls[name] = &url.URL{Scheme: "http", Host: addr}
	}
	env := append(environment(origin), spans...)
	for _, name := range names() {
		address := p.urls[name]
		env := env
		if own := databaseURLs[name]; own != "" {
			env = append(slices.Clip(env), "DATABASE_URL="+own)
		}
		p.running = append(p.running, supervise.Start(supervise.Program{
			Name: name, Path: filepath.Join(opts.BinDir, name),
			Env:   append(slices.Clip(env), "LISTEN_HOST="+address.Hostname(), "PORT="+address.Port()),
			Ready: ready(address), Grace: grace, Log: voice(opts.Console, name),
		}, changed))
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range p.running {
		group.Go(func() error {
			return opts.Console.Time(r.Name(), "waiting for /healthz/ready", func() error { return r.WaitReady(ctx) })
		})
	}
	if err := group.Wait(); err != nil {
		return p, err
	}
	return p, nil
}

// ready probes a program as Kubernetes does.
func ready(address *url.URL) func(context.Context) error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.JoinPath(paths.Ready).String(), nil)
		if err != nil {
			return fmt.Errorf("probe: %w", err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err //nolint:wrapcheck // it names the address
		}
		defer resp.Body.Close() //nolint:errcheck // nothing was written
		if resp.StatusCode >= http.StatusMultipleChoices {
			said := make([]byte, 200)
			n, _ := resp.Body.Read(said)
			return fmt.Errorf("%s answers %s: %s", paths.Ready, resp.Status, strings.TrimSpace(string(said[:n])))
		}
		return nil
	}
}

func (p *programs) routes() []origin.Route {
	var routes []origin.Route
	for _, name := range names() {
		for _, path := range paths.Of(name) {
			routes = append(routes, origin.Route{Path: path, Target: p.urls[name]})
		}
	}
	return routes
}

// named returns a program by its name, which is one of names.
func (p *programs) named(name string) *supervise.Running {
	return p.running[slices.Index(names(), name)]
}

func (p *programs) states() map[string]Program {
	states := map[string]Program{}
	for _, r := range p.running {
		states[r.Name()] = Program{URL: p.urls[r.Name()].String(), PID: r.PID()}
	}
	return states
}

// environment returns the variables of every program except PORT: our own environment, and defaults for one machine.
// origin is the address of the page.
func environment(origin string) []string {
	env := append(os.Environ(), "SHUTDOWN_TIMEOUT="+shutdownTimeout)
	for name, value := range map[string]string{
		"LOG_FORMAT": "text",
		// The origin passes on the client's address.
		"TRUSTED_PROXIES": "127.0.0.0/8,::1",
		// Service accounts of the commands tail and load.
		"AUTH_SERVICE_ACCOUNTS": "*/orderbell-tail:viewer,*/orderbell-load:cashier",
		// No limit: orderbell load measures what the machine can do.
		"TENANT_ORDERS_PER_SECOND":     "100000",
		"TENANT_MAILS_PER_HOUR":        "100000000",
		"TENANT_USER_CHANGES_PER_HOUR": "0",
		"TENANT_REQUESTS_AT_ONCE":      "1000",
		"MAIL_FROM":                    "Orderbell <orders@orderbell.example>",
		"PUBLIC_URL":                   origin,
		"RELAY_LAG_GROUPS":             strings.Join(Groups(), ","),
		"SSE_DRAIN_SECONDS":            "1", // one machine: reconnects need no spread
	} {
		if os.Getenv(name) == "" {
			env = append(env, name+"="+value)
		}
	}
	return env // the last value of a repeated name holds (os/exec)
}

// makers are the programs that create events. They stop first, so that their events are still delivered.
func makers() []string { return []string{orderAPI, outboxRelay, deliverySweeper} }

// stop ends the named programs, or all that still run.
func (p *programs) stop(names []string) error {
	var errs []error
	for _, r := range p.running {
		if names == nil || slices.Contains(names, r.Name()) {
			errs = append(errs, r.Stop())
		}
	}
	return errors.Join(errs...)
}
