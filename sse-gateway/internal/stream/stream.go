// Package stream is the gateway's HTTP handler: it decides who may watch which tenant's log, from which position, and
// passes the connection to the pool.
//
// The contract is specs/004-order-notifications/contracts/sse-contract.md. The token names the tenant. Places are
// reserved before a stream is accepted. No value of Last-Event-ID leads to an error.
package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"orderbell/internal/auth"
	"orderbell/internal/guard"
	"orderbell/internal/paths"
	"orderbell/internal/problem"
	"orderbell/internal/user"
	"orderbell/sse-gateway/internal/fanout"
	"orderbell/sse-gateway/internal/frame"
	"orderbell/sse-gateway/internal/tenantlog"
)

// Config has the limits of streams and the allowed origins.
type Config struct {
	MaxClients     int      `envconfig:"SSE_MAX_CLIENTS_PER_INSTANCE" default:"15000"`
	MaxPerTenant   int      `envconfig:"SSE_MAX_CLIENTS_PER_TENANT" default:"5000"`
	MaxPerUser     int      `envconfig:"SSE_MAX_CLIENTS_PER_USER" default:"50"` // tabs and tills of one account
	AllowedOrigins []string `envconfig:"SSE_ALLOWED_ORIGINS"`                   // of pages on other origins, separated by commas; * is any
}

// Tickets issues and redeems stream tickets: a browser's EventSource cannot send a token.
type Tickets interface {
	IssueTicket(ctx context.Context, claims []byte) (string, error)
	RedeemTicket(ctx context.Context, ticket string) ([]byte, error)
}

// Verifier checks tokens.
type Verifier interface {
	Authenticate(r *http.Request) (auth.Principal, error)
	// Refused records in the audit trail that err refuses a request.
	Refused(r *http.Request, p auth.Principal, err error)
}

// Revocations finds revocations.
type Revocations interface {
	// Find returns the revocation that covers p, if there is one.
	Find(p auth.Principal) (auth.Revocation, bool)
}

// Deps are the dependencies of a [Handler].
type Deps struct {
	Verifier Verifier    // with Rights
	Rights   auth.Rights // for tickets
	Tickets  Tickets
	NoTicket error // the error of RedeemTicket for an invalid ticket
	Revoked  Revocations
	Limits   TenantLimits // nil: the limits of the configuration apply to every tenant
	Logs     *tenantlog.Logs
	Messages Messages
	Visible  Visible
	Log      *slog.Logger
}

// Handler serves the stream and its tickets.
type Handler struct {
	cfg      Config
	lifetime fanout.Config
	deps     Deps
	snapshot string
	ledger   *ledger
	chosen   *chosen
	pool     *fanout.Pool
	mux      *http.ServeMux
	routes   []string
	draining atomic.Bool

	ticketsOfUser *guard.Guard // Redis keeps unused tickets for 30 seconds

	// Receipts are a sample, and each costs Redis two look-ups.
	receiptsOfUser *guard.Guard
	receiptsOfAll  *rate.Limiter

	resumes  atomic.Int64
	resyncs  map[tenantlog.Reason]*atomic.Int64
	refusals map[Refusal]*atomic.Int64
}

// warmTimeout is how long a client waits for its tenant's log to be read from Redis.
const warmTimeout = 5 * time.Second

// New returns a handler. Drain it, then Close it.
func New(cfg Config, lifetime fanout.Config, logs tenantlog.Config, deps Deps) (*Handler, error) {
	for _, limit := range []struct {
		name  string
		value int
	}{
		{"SSE_MAX_CLIENTS_PER_INSTANCE", cfg.MaxClients},
		{"SSE_MAX_CLIENTS_PER_TENANT", cfg.MaxPerTenant},
		{"SSE_MAX_CLIENTS_PER_USER", cfg.MaxPerUser},
	} {
		if limit.value < 1 {
			return nil, fmt.Errorf("%s is %d, want 1 or more", limit.name, limit.value)
		}
	}
	if most := fanout.MaxStreams(); cfg.MaxClients > most {
		deps.Log.Warn("SSE_MAX_CLIENTS_PER_INSTANCE is more than the limit of open files allows",
			"wanted", cfg.MaxClients, "allowed", most)
		cfg.MaxClients = most
	}
	h := &Handler{
		cfg: cfg, lifetime: lifetime, deps: deps, snapshot: logs.SnapshotURL, mux: http.NewServeMux(),
		ledger:         newLedger(Limits{Instance: cfg.MaxClients, Tenant: cfg.MaxPerTenant, User: cfg.MaxPerUser}),
		chosen:         newChosen(deps.Limits, deps.Log),
		ticketsOfUser:  guard.New(2*cfg.MaxPerUser, ticketSeconds*time.Second),
		receiptsOfUser: guard.New(5, 5*time.Second), receiptsOfAll: rate.NewLimiter(50, 100),
		resyncs: map[tenantlog.Reason]*atomic.Int64{}, refusals: map[Refusal]*atomic.Int64{},
	}
	for _, r := range tenantlog.Reasons() {
		h.resyncs[r] = new(atomic.Int64)
	}
	for _, r := range refusals() {
		h.refusals[r] = new(atomic.Int64)
	}
	var err error
	if h.pool, err = fanout.New(lifetime, h, deps.Logs.Budget); err != nil {
		return nil, err
	}
	h.route(paths.Stream, http.MethodGet, h.notifications)
	h.route(paths.SSE+"/tickets", http.MethodPost, h.ticket)
	h.route(paths.SSE+"/receipts", http.MethodPost, h.receipts)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem.New(http.StatusNotFound, "there is no resource at %s: check the path", r.URL.Path).Write(w)
	})
	return h, nil
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Routes returns the routes, each as "GET /api/things", sorted.
func (h *Handler) Routes() []string { return slices.Sorted(slices.Values(h.routes)) }

// Drain refuses new streams and closes the open ones, spread over the drain window.
func (h *Handler) Drain(ctx context.Context) {
	h.draining.Store(true)
	h.pool.Drain(ctx)
	check := time.NewTicker(drainCheck)
	defer check.Stop()
	for !h.ledger.empty() { // streams that had entered and were not yet in the pool
		select {
		case <-ctx.Done():
			return
		case <-check.C:
		}
	}
}

// drainCheck is how soon the end of a drain is noticed.
const drainCheck = 10 * time.Millisecond

// Close ends every stream at once.
func (h *Handler) Close() {
	h.draining.Store(true)
	h.pool.Close()
}

// Left implements [fanout.Owner].
func (h *Handler) Left(log *tenantlog.Log, userID string, _ fanout.Reason) {
	h.ledger.giveBack(log.TenantID, userID)
	h.ledger.leave()
	h.deps.Logs.Release(log)
}

func (h *Handler) route(path, method string, serve func(http.ResponseWriter, *http.Request) error) {
	h.routes = append(h.routes, method+" "+path)
	inner := problem.Handler(h.deps.Log, serve)
	h.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		h.allowOrigin(w.Header(), r)
		switch r.Method {
		case method:
			inner.ServeHTTP(w, r)
		case http.MethodOptions:
			w.Header().Set("Allow", method+", OPTIONS")
			w.WriteHeader(http.StatusNoContent)
		default:
			problem.New(http.StatusMethodNotAllowed, "%s is not a method of %s: use %s", r.Method, path, method).
				With("Allow", method+", OPTIONS").Write(w)
		}
	})
}

// notifications opens a stream.
func (h *Handler) notifications(w http.ResponseWriter, r *http.Request) error {
	if !acceptsStream(r) {
		return problem.New(http.StatusNotAcceptable, "Accept must allow %s; it is %q", frame.ContentType, r.Header.Get("Accept"))
	}
	wishes, err := readWishes(r)
	if err != nil {
		return err
	}
	if h.draining.Load() {
		return h.refuse(w, r, wishes, Draining)
	}
	if !h.ledger.enter() {
		return h.refuse(w, r, wishes, InstanceFull)
	}
	accepted := false
	defer func() {
		if !accepted {
			h.ledger.leave()
		}
	}()
	if h.draining.Load() { // again, now that Drain waits for us
		return h.refuse(w, r, wishes, Draining)
	}
	p, err := h.principal(r, wishes)
	if errors.As(err, new(*problem.Problem)) {
		return err
	}
	if err != nil {
		h.deps.Log.WarnContext(r.Context(), "client not known", "err", err)
		return h.refuse(w, r, wishes, Unavailable)
	}
	limits := h.chosen.of(r.Context(), p.TenantID)
	most := limits.Of(user.MaxStreams, int64(h.cfg.MaxPerTenant))
	refusal := h.ledger.take(p.TenantID, p.UserID, most)
	if refusal == TenantFull {
		return h.refuse(w, r, wishes, refusal, user.LimitError{Limit: user.MaxStreams, Max: most})
	}
	if refusal != "" {
		return h.refuse(w, r, wishes, refusal)
	}
	log, sub, err := h.join(r, p, wishes, int(limits.Of(user.LogBytes, 0)))
	if err != nil {
		h.ledger.giveBack(p.TenantID, p.UserID)
		if r.Context().Err() != nil {
			return nil
		}
		h.deps.Log.WarnContext(r.Context(), "stream not opened", "tenant_id", p.TenantID, "err", err)
		return h.refuse(w, r, wishes, Unavailable)
	}
	accepted = true // from here on Left releases everything
	h.open(w, r, log, sub)
	return nil
}

// Revoked implements [fanout.Owner].
func (h *Handler) Revoked(p auth.Principal) (auth.Revocation, bool) { return h.deps.Revoked.Find(p) }

// Revoke ends the streams whose tokens r covers.
func (h *Handler) Revoke(r auth.Revocation) { h.pool.Revoke(r) }

// join finds the client's position. logBytes bounds the tenant's log; 0 stands for the configuration's value.
func (h *Handler) join(r *http.Request, p auth.Principal, w wishes, logBytes int) (*tenantlog.Log, fanout.Subscriber, error) {
	ctx, cancel := context.WithTimeout(r.Context(), warmTimeout)
	defer cancel()
	log, err := h.deps.Logs.Acquire(ctx, p.TenantID, logBytes)
	if err != nil {
		return nil, fanout.Subscriber{}, err
	}
	joined := h.deps.Logs.Join(ctx, log, w.lastEventID)
	beat := h.lifetime.Beat(w.heartbeat)
	return log, fanout.Subscriber{
		Log: log, Who: p, Cursor: joined.Cursor, Head: h.greeting(p.TenantID, joined, beat), Heartbeat: beat,
	}, nil
}

// greeting renders the frames that come before the log's.
func (h *Handler) greeting(tenantID string, j tenantlog.Joined, heartbeat time.Duration) []byte {
	// Every client gets a random reconnection time, in case this instance dies with all of its streams.
	ready := frame.Event{ID: j.ID, Name: "ready", Retry: fanout.Retry(retryMin, retryMax)}
	live := j.Degraded.Since.IsZero()
	ready.Data = fmt.Appendf(nil, `{"tenant_id":%q,"resumed":%t,"live":%t,"heartbeat_ms":%d}`,
		tenantID, j.Resumed, live, heartbeat.Milliseconds()) // a tenant id needs no escapes
	head := frame.Append(nil, ready)
	if j.Resumed {
		h.resumes.Add(1)
	}
	if j.Resync != "" {
		h.resyncs[j.Resync].Add(1)
		head = frame.Append(head, tenantlog.Resync(j.Tail, j.Resync, h.snapshot))
	}
	if !live {
		head = frame.Append(head, j.Degradation())
	}
	return head
}

// Reconnection time after a cut.
const (
	retryMin = time.Second
	retryMax = 5 * time.Second
)

// open sends the headers and passes the connection to the pool, or serves it here until it ends.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, log *tenantlog.Log, sub fanout.Subscriber) {
	streamHeaders(w.Header())
	if fanout.CanTake && r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.TLS == nil {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			if err = h.pool.Take(conn, headerBytes(w.Header()), sub); err != nil {
				h.Left(log, sub.Who.UserID, fanout.Gone)
				h.deps.Log.ErrorContext(r.Context(), "connection not taken over", "err", err)
			}
			return
		}
		if !errors.Is(err, http.ErrNotSupported) {
			h.Left(log, sub.Who.UserID, fanout.Gone)
			return
		}
	}
	// The read deadline of the request would end the stream. A connection that was taken over no longer has it.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // some writers have none
	w.WriteHeader(http.StatusOK)
	if h.pool.Serve(r.Context(), w, sub) != fanout.Gone {
		panic(http.ErrAbortHandler) // net/http's way to end a response without completing it
	}
}

func streamHeaders(header http.Header) {
	header.Set("Content-Type", frame.ContentType+"; charset=utf-8") // otherwise some clients assume Latin-1
	header.Set("Cache-Control", "no-store, no-transform")           // compressing proxies would delay frames
	header.Set("X-Accel-Buffering", "no")                           // as nginx would
	header.Set("Incremental", "?1")                                 // and proxies that know the standard header of the HTTP working group
}

func headerBytes(header http.Header) []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\nDate: ")
	b.WriteString(time.Now().UTC().Format(http.TimeFormat))
	b.WriteString("\r\nTransfer-Encoding: chunked\r\n")
	_ = header.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
}

// acceptsStream reports whether the Accept header allows an event stream: by name, by a wildcard, or because it is
// absent.
func acceptsStream(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if accept == "" {
		return true
	}
	for part := range strings.SplitSeq(accept, ",") {
		media, params, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case frame.ContentType, "text/*", "*/*":
			if q := strings.ReplaceAll(params, " ", ""); q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000" {
				return true
			}
		}
	}
	return false
}
