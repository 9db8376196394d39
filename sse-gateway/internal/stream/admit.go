package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/problem"
	"orderbell/internal/text"
	"orderbell/internal/user"
	"orderbell/sse-gateway/internal/fanout"
	"orderbell/sse-gateway/internal/frame"
	"orderbell/sse-gateway/internal/tenantlog"
)

// grant is the content of a ticket: the token's claims.
type grant struct {
	UserID   string      `json:"sub"`
	TenantID string      `json:"tenant_id"`
	Roles    []user.Role `json:"roles"`
	Expires  time.Time   `json:"exp"`
	Issued   time.Time   `json:"iat"`
	Checked  time.Time   `json:"checked"` // when the roles were read
	TokenID  string      `json:"jti,omitempty"`
	Device   string      `json:"device,omitempty"`
}

// principal returns the caller who opens a stream, by token or by ticket.
func (h *Handler) principal(r *http.Request, asked wishes) (auth.Principal, error) {
	if asked.ticket == "" || r.Header.Get("Authorization") != "" {
		p, err := h.deps.Verifier.Authenticate(r)
		if err != nil {
			return auth.Principal{}, err
		}
		return p, h.admissible(r, p)
	}
	claims, err := h.deps.Tickets.RedeemTicket(r.Context(), asked.ticket)
	if errors.Is(err, h.deps.NoTicket) {
		return auth.Principal{}, auth.InvalidToken(h.deps.NoTicket.Error())
	}
	if err != nil {
		return auth.Principal{}, err
	}
	var g grant
	if err := json.Unmarshal(claims, &g); err != nil || !user.IsTenantID(g.TenantID) {
		return auth.Principal{}, fmt.Errorf("ticket of no known form: %w", err)
	}
	p := auth.Principal{
		UserID: g.UserID, TenantID: g.TenantID, Roles: g.Roles, Expires: g.Expires, Issued: g.Issued, TokenID: g.TokenID, Checked: g.Checked,
		Device: g.Device,
	}
	if _, revoked := h.deps.Revoked.Find(p); revoked { // the roles have changed since the ticket was issued
		err := auth.InvalidToken("the ticket was revoked: sign in again")
		h.deps.Verifier.Refused(r, p, err)
		return auth.Principal{}, err
	}
	current, err := h.deps.Rights.Current(r.Context(), p)
	if err != nil {
		h.deps.Verifier.Refused(r, p, err)
		return auth.Principal{}, err
	}
	return current, h.admissible(r, current)
}

// admissible refuses callers without a role. Every role may watch orders.
func (h *Handler) admissible(r *http.Request, p auth.Principal) (err error) {
	switch {
	case !p.Has(user.Roles()...):
		err = problem.New(http.StatusForbidden, "this request needs one of the roles %s", text.List(user.Roles()))
	case !p.Expires.After(time.Now()): // still within the verifier's leeway, but a stream would end at once
		err = auth.InvalidToken("the token has expired: sign in again")
	default:
		return nil
	}
	h.deps.Verifier.Refused(r, p, err)
	return err
}

// ticket issues a ticket to the bearer of a token.
func (h *Handler) ticket(w http.ResponseWriter, r *http.Request) error {
	p, err := h.deps.Verifier.Authenticate(r)
	if err != nil {
		return err
	}
	if err := h.admissible(r, p); err != nil {
		return err
	}
	if wait := h.ticketsOfUser.Take(p.TenantID + " " + p.UserID); wait > 0 {
		return problem.New(http.StatusTooManyRequests, "tickets were requested too often: request one for each stream").With("Retry-After", "1")
	}
	claims, err := json.Marshal(grant{
		UserID: p.UserID, TenantID: p.TenantID, Roles: p.Roles, Expires: p.Expires, Issued: p.Issued, TokenID: p.TokenID, Checked: p.Checked,
		Device: p.Device,
	})
	if err != nil {
		return fmt.Errorf("encode ticket: %w", err)
	}
	ticket, err := h.deps.Tickets.IssueTicket(r.Context(), claims)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return problem.WriteJSON(w, http.StatusCreated, map[string]any{"ticket": ticket, "expires_in": ticketSeconds})
}

// ticketSeconds is the lifetime in the contract.
const ticketSeconds = 30

// Reconnection time of refused clients: a full instance needs time, a draining one has a successor that is ready.
const (
	fullMin  = 5 * time.Second
	fullMax  = 30 * time.Second
	drainMin = time.Second
	drainMax = 4 * time.Second
)

// refuse rejects a client. A browser's EventSource stops permanently on any status but 200, so it gets an event; other
// clients get the status. The answer names the tenant's limit that is reached.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, asked wishes, why Refusal, reached ...user.LimitError) error {
	h.refusals[why].Add(1)
	after := fanout.Retry(fullMin, fullMax)
	if why == Draining {
		after = fanout.Retry(drainMin, drainMax)
	}
	if !strings.Contains(r.Header.Get("Accept"), frame.ContentType) {
		status := http.StatusServiceUnavailable
		if why == TenantFull || why == UserFull {
			status = http.StatusTooManyRequests
		}
		refusal := problem.New(status, "no stream can be opened now (%s): try again after the time in Retry-After", why)
		for _, l := range reached {
			refusal = problem.Limited(status, string(l.Limit), l.Max)
		}
		return refusal.With("Retry-After", strconv.Itoa(int(after.Round(time.Second).Seconds())))
	}
	streamHeaders(w.Header())
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(overloaded(why, after, asked.lastEventID, reached)) // a client that has gone needs no answer
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler) // not a complete body: some clients would stop permanently
}

// overloaded is the frame for refused clients. It does not change their last id.
func overloaded(why Refusal, after time.Duration, lastEventID string, reached []user.LimitError) []byte {
	if lastEventID == "" || !frame.Clean(lastEventID) {
		lastEventID = tenantlog.StartID
	}
	data := fmt.Appendf(nil, `{"reason":%q,"retry_ms":%d`, why, after.Milliseconds())
	for _, l := range reached {
		data = fmt.Appendf(data, `,"limit":%q`, l.Limit)
	}
	return frame.Append(nil, frame.Event{Retry: after, ID: lastEventID, Name: "overloaded", Data: append(data, '}')})
}

// allowOrigin lets pages of the allowed origins read answers (CORS). They send a token or a ticket, never cookies.
func (h *Handler) allowOrigin(header http.Header, r *http.Request) {
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	allowed := slices.Contains(h.cfg.AllowedOrigins, "*") || slices.Contains(h.cfg.AllowedOrigins, origin)
	if origin == "" || !allowed {
		return
	}
	header.Set("Access-Control-Allow-Origin", origin)
	if r.Method == http.MethodOptions {
		header.Set("Access-Control-Allow-Methods", "GET, POST")
		header.Set("Access-Control-Allow-Headers", "Authorization, Cache-Control, Content-Type, Last-Event-ID")
		header.Set("Access-Control-Max-Age", "600")
	}
}
