package check_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"orderbell/cmd/orderbell/internal/check"
	"orderbell/cmd/orderbell/internal/seed"
	"orderbell/internal/audit"
	"orderbell/internal/auth"
	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
	"orderbell/internal/user"
)

// fault is one fault of a shop.
type fault = string

const (
	none                   fault = "nothing is wrong"
	relayAsleep            fault = "the relay sleeps"
	functionDeaf           fault = "a function gets no event"
	frameTwice             fault = "a frame is repeated"
	redeliveryShown        fault = "a redelivery is shown"
	redeliveryIgnored      fault = "a redelivery is not handled"
	wrongOrder             fault = "a version is skipped"
	kitchenNotified        fault = "the kitchen is notified"
	notificationOfAnother  fault = "the notification is of another event"
	viewerMailed           fault = "a viewer gets an e-mail"
	mailTwice              fault = "a mail is sent twice"
	mailAgain              fault = "a redelivery sends an e-mail again"
	mailDue                fault = "an e-mail stays due"
	mailFailed             fault = "an e-mail fails"
	recordTwice            fault = "an event is recorded twice"
	notificationRowMissing fault = "a notification row is missing"
	entryTwice             fault = "an event is published twice"
	entryMissing           fault = "an event is not in Redis"
	listStale              fault = "the order list is stale"
	tagIgnored             fault = "the ETag is ignored"
	resumeForgets          fault = "a returning client gets nothing"
	resumeRepeats          fault = "a returning client gets frames again"
)

const orderID = "11111111-1111-4111-8111-111111111111"

type frame struct {
	id, event, data string
	owner           bool // for the owner alone
	live            bool // not for returning clients
}

// shop stands for everything that the origin serves, in memory.
type shop struct {
	fault    fault
	business seed.Business
	verifier *auth.Verifier
	arrivals *check.Arrivals
	closing  <-chan struct{}

	mu          sync.Mutex
	events      []event.Outgoing
	frames      []frame
	more        chan struct{} // closed and replaced at each frame
	redelivered bool
}

func (s *shop) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/orders", s.change(order.Submitted))
	mux.HandleFunc("POST /api/orders/{id}/pay", s.change(order.Paid))
	mux.HandleFunc("POST /api/orders/{id}/status", s.change(order.Completed))
	mux.HandleFunc("GET /api/orders/snapshot", s.snapshot)
	mux.HandleFunc("GET /api/sse/notifications", s.stream)
	return mux
}

func (s *shop) change(status order.Status) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		version := int64(len(s.events) + 1)
		data, _ := json.Marshal(event.Data{
			OrderID: orderID, TenantID: s.business.Tenant.ID, Status: status, Currency: "EUR", Version: version, Timestamp: time.Now(),
		})
		o := event.Outgoing{
			ID: fmt.Sprintf("01a2b3c4-0000-7000-8000-0000000000e%d", version), Source: event.Source, Type: event.TypeFor(status),
			TenantID: s.business.Tenant.ID, OrderID: orderID, Time: time.Now(), Raw: data,
		}
		s.events = append(s.events, o)
		if s.fault == wrongOrder && version == 2 {
			version = 3
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"order_id": orderID, "version": version, "status": status})
		if s.fault == relayAsleep || s.fault == functionDeaf {
			return
		}
		s.arrivals.Published("", message.Published{Message: message.Message{ID: o.ID}})
		if o.Type == event.OrderPaid {
			of := o.ID
			if s.fault == notificationOfAnother {
				of = s.events[0].ID
			}
			s.show(frame{
				id: o.ID + ".n", event: "notification", owner: s.fault != kitchenNotified,
				data: fmt.Sprintf(`{"notification_id":"n1","event_id":%q,"event":"order_paid"}`, of),
			})
		}
		s.show(frame{id: o.ID, event: string(o.Type), data: string(data)})
		if s.fault == frameTwice && o.Type == event.OrderPaid {
			s.show(frame{id: o.ID, event: string(o.Type), data: string(data), live: true})
		}
	}
}

// show adds a frame; the caller holds the lock.
func (s *shop) show(f frame) {
	s.frames = append(s.frames, f)
	close(s.more)
	s.more = make(chan struct{})
}

func (s *shop) snapshot(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("If-None-Match") == `"3"` && s.fault != tagIgnored {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("ETag", `"3"`)
	version := 3
	if s.fault == listStale {
		version = 2
	}
	_, _ = fmt.Fprintf(w, `{"orders":[{"order_id":%q,"tenant_id":%q,"status":"completed","version":%d,"total_amount":1250}]}`,
		orderID, s.business.Tenant.ID, version)
}

func (s *shop) stream(w http.ResponseWriter, r *http.Request) {
	who, err := s.verifier.Authenticate(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprint(w, "id: 0\nevent: ready\ndata: {}\n\n")
	last := r.Header.Get("Last-Event-ID")
	next := 0
	for {
		_ = http.NewResponseController(w).Flush()
		s.mu.Lock()
		frames, more := slices.Clone(s.frames), s.more
		s.mu.Unlock()
		if last != "" && next == 0 {
			next = 1 + slices.IndexFunc(frames, func(f frame) bool { return f.id == last })
			switch s.fault {
			case resumeForgets:
				next = len(frames)
			case resumeRepeats:
				next--
			}
		}
		for ; next < len(frames); next++ {
			if f := frames[next]; (!f.owner || who.Has(user.Owner)) && (!f.live || last == "") {
				_, _ = fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", f.id, f.event, f.data)
			}
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-more:
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		}
	}
}

// mailpit answers a search for an address.
func (s *shop) mailpit() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		query := r.URL.Query().Get("query")
		is := func(role user.Role) bool { return strings.Contains(query, `to:"`+string(role)+"@check-1.example") }
		n := 0
		if is(user.Owner) || is(user.Manager) || is(user.Cashier) || is(user.Viewer) && s.fault == viewerMailed {
			n++
		}
		if is(user.Owner) && (s.fault == mailTwice || s.fault == mailAgain && s.redelivered) {
			n++
		}
		_, _ = fmt.Fprintf(w, `{"messages_count":%d}`, n)
	})
}

// Outgoing is the outbox.
func (s *shop) Outgoing(context.Context, string) ([]event.Outgoing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events), nil
}

// Trail is what the tables have.
func (s *shop) Trail(_ context.Context, eventID string) (audit.Trail, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := audit.Trail{SentAt: time.Now(), Records: 1, ReceivedAt: time.Now(), Notified: []string{}}
	switch s.fault {
	case relayAsleep:
		return audit.Trail{}, nil
	case functionDeaf:
		return audit.Trail{SentAt: time.Now()}, nil
	case recordTwice:
		t.Records = 2
	}
	if len(s.events) < 2 || s.events[1].ID != eventID {
		return t, nil
	}
	for _, p := range s.business.Users[:3] { // owner, manager, cashier
		t.Notified = append(t.Notified, p.ID)
		t.Mails = append(t.Mails, audit.Delivery{UserID: p.ID, Status: "sent", Attempt: 1, SentAt: time.Now()})
	}
	switch s.fault {
	case mailDue:
		t.Mails[1].Status, t.Mails[1].Reason, t.Mails[1].Attempt = "due", "451 later", 3
	case mailFailed:
		t.Mails[1].Status, t.Mails[1].Reason = "failed", "550 no"
	case notificationRowMissing:
		t.Notified = t.Notified[1:]
	}
	return t, nil
}
