package bridge

import (
	"net/http"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/internal/problem"
)

// mostBody bounds a dead letter: the largest data as base64 in a structured event, and the answer.
const mostBody = 2*event.MaxData + 64<<10

// ServeHTTP takes a dead letter from the broker and answers 202 once Kafka has it. After any other answer the broker
// answers with an error too, and the event is delivered again.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		problem.New(http.StatusMethodNotAllowed, "dead letters come by POST").With("Allow", http.MethodPost).Write(w)
		return
	}
	if p := b.senders.Check(r); p != nil {
		b.log.WarnContext(r.Context(), "dead letter refused", "status", p.Status, "reason", p.Detail)
		p.Write(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostBody)
	message := cehttp.NewMessageFromHttpRequest(r)
	defer func() { _ = message.Finish(nil) }()
	e, err := binding.ToEvent(r.Context(), message)
	if err == nil {
		err = e.Validate()
	}
	if err != nil {
		problem.New(http.StatusBadRequest, "not a CloudEvent: %s", err).Write(w)
		return
	}
	giveReason(e)
	if err := b.bury(r.Context(), *e); err != nil {
		b.log.WarnContext(r.Context(), "dead letter not written", "event_id", e.ID(), "err", err)
		problem.New(http.StatusServiceUnavailable, "Kafka does not take the dead letter now").Write(w)
		return
	}
	b.log.WarnContext(r.Context(), "dead letter written", "event_id", e.ID(), "event_type", e.Type(),
		"code", e.Extensions()[deadletter.ExtErrorCode], "dest", e.Extensions()[deadletter.ExtErrorDest])
	b.count(r.Context(), "dead_letter")
	w.WriteHeader(http.StatusAccepted)
}

// giveReason sets the reason that Knative's Kafka Broker takes from a function's header kne-reason. The channel's broker
// drops such headers.
func giveReason(e *cloudevent.Event) {
	if reason := deadletter.Reason(*e); reason != "" {
		e.SetExtension(deadletter.ExtReason, reason)
	}
}
