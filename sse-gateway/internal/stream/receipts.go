package stream

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/feed/message"
	"orderbell/internal/order"
	"orderbell/internal/problem"
	"orderbell/internal/tracing"
	"orderbell/sse-gateway/internal/visible"
)

// Messages finds what was published to a tenant within the replay time.
type Messages interface {
	Find(ctx context.Context, tenantID, eventID string) (message.Message, bool, error)
}

// Visible records receipts.
type Visible interface {
	Painted(tenantID string, m message.Message, receipt visible.Receipt) bool
}

// receipt is a page's report about a frame with a trace. Ages are relative to the request, so the page's clock does not matter.
type receipt struct {
	EventID     string         `json:"event_id"`
	TraceParent string         `json:"traceparent"`
	Arrived     *order.Integer `json:"arrived_ms_ago"`
	Painted     *order.Integer `json:"painted_ms_ago"` // before the arrival: taken as at the arrival
}

const (
	maxReceipts = 10               // in one request
	maxAge      = 30 * time.Second // of a receipt
)

// receipts takes the receipts of sampled changes. It drops those of changes that are no longer known.
func (h *Handler) receipts(w http.ResponseWriter, r *http.Request) error {
	p, err := h.deps.Verifier.Authenticate(r)
	if err != nil {
		return err
	}
	if err := h.admissible(r, p); err != nil {
		return err
	}
	body, err := problem.ReadBody(w, r)
	if err != nil {
		return err
	}
	now := time.Now()
	var asked struct {
		Receipts []receipt `json:"receipts"`
	}
	if err := problem.Decode(body, &asked); err != nil {
		return err
	}
	if err := check(asked.Receipts); err != nil {
		return err
	}
	if h.receiptsOfUser.Take(p.TenantID+" "+p.UserID) > 0 || !h.receiptsOfAll.Allow() {
		return problem.New(http.StatusTooManyRequests, "receipts came too often: send them at most once a second").With("Retry-After", "1")
	}
	for _, one := range asked.Receipts {
		m, found, err := h.deps.Messages.Find(r.Context(), p.TenantID, one.EventID)
		if err != nil {
			return err
		}
		if found {
			h.deps.Visible.Painted(p.TenantID, m, visible.Receipt{
				TraceParent: one.TraceParent, Arrived: ago(now, *one.Arrived), Painted: ago(now, min(*one.Arrived, *one.Painted)),
			})
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func ago(now time.Time, ms order.Integer) time.Time {
	return now.Add(-time.Duration(ms) * time.Millisecond)
}

func check(receipts []receipt) error {
	if len(receipts) < 1 || len(receipts) > maxReceipts {
		return problem.Field("receipts", "must have 1 to %d entries; it has %d", maxReceipts, len(receipts))
	}
	var wrong []problem.FieldError
	for i, r := range receipts {
		add := func(field, detail string) {
			wrong = append(wrong, problem.FieldError{Field: "receipts[" + strconv.Itoa(i) + "]." + field, Detail: detail})
		}
		if _, err := uuid.Parse(r.EventID); err != nil || len(r.EventID) != 36 {
			add("event_id", "must be a UUID")
		}
		if !tracing.IsParent(r.TraceParent) {
			add("traceparent", "must be a W3C traceparent")
		}
		for _, age := range []struct {
			field string
			ms    *order.Integer
		}{{"arrived_ms_ago", r.Arrived}, {"painted_ms_ago", r.Painted}} {
			if age.ms == nil || *age.ms < 0 || int64(*age.ms) > maxAge.Milliseconds() {
				add(age.field, "must be an integer from 0 to "+strconv.FormatInt(maxAge.Milliseconds(), 10))
			}
		}
	}
	if len(wrong) > 0 {
		return problem.Fields(wrong)
	}
	return nil
}
