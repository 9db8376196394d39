package opspage

import (
	"slices"
	"strings"
	"time"

	"orderbell/cmd/orderbell/internal/traces"
	"orderbell/internal/tracing"
)

// The hops of an event, in their order. Mails leave from the function.
const (
	hopOrder    = "order"
	hopOutbox   = "outbox"
	hopKafka    = "kafka"
	hopFunction = "function"
	hopRedis    = "redis"
	hopGateway  = "gateway"
	hopBrowser  = "browser"
	hopMail     = "mail"
)

// Leg is the time that one event spent at a hop.
type Leg struct {
	Hop    string  `json:"hop"`
	Start  float64 `json:"start_ms"` // since the request for the change
	Took   float64 `json:"took_ms"`
	Failed string  `json:"failed,omitempty"` // why its last try failed
	Tries  int     `json:"tries"`
}

// Trace is the path of one event.
type Trace struct {
	ID     string    `json:"trace_id"`
	Change string    `json:"change"` // the request
	Tenant string    `json:"tenant_id,omitempty"`
	At     time.Time `json:"at"`
	Took   float64   `json:"took_ms"` // from the request to the end of its last leg
	Legs   []Leg     `json:"legs"`    // in the order of the hops; those that are known so far
}

// traceOf returns the path of an event from its spans, which are in the order of their start. arrived is when a client received
// the frame, zero if none did.
func traceOf(spans []traces.Span, arrived time.Time) Trace {
	began := spans[0].Start
	t := Trace{ID: spans[0].TraceID, At: began, Legs: []Leg{}}
	end := began
	add := func(hop string, from, to time.Time, tries int, failed string) {
		if from.Before(began) { // the change's time is taken within its request; clocks of browsers differ
			from = began
		}
		if to.Before(from) {
			to = from
		}
		if to.After(end) {
			end = to
		}
		t.Legs = append(t.Legs, Leg{Hop: hop, Start: millis(from.Sub(began)), Took: millis(to.Sub(from)), Tries: tries, Failed: failed})
	}
	span := func(hop, name string) *traces.Span {
		all := named(spans, name)
		if len(all) == 0 {
			return nil
		}
		last := all[len(all)-1]
		add(hop, last.Start, last.End, len(all), last.Error)
		return &last
	}
	if request := slices.IndexFunc(spans, func(s traces.Span) bool { return strings.HasPrefix(s.Name, "POST ") }); request >= 0 {
		s := spans[request]
		t.Change = s.Name
		add(hopOrder, s.Start, s.End, 1, s.Error)
	}
	send := span(hopOutbox, tracing.SpanSend)
	if process := named(spans, tracing.SpanProcess); len(process) > 0 && send != nil {
		add(hopKafka, send.End, process[0].Start, 1, "")
		t.Tenant = process[0].Attributes[string(tracing.AttrTenant)]
	}
	span(hopFunction, tracing.SpanApply)
	span(hopRedis, tracing.SpanPublish)
	write := span(hopGateway, tracing.SpanWrite)
	switch paint := named(spans, tracing.SpanPaint); {
	case len(paint) > 0:
		add(hopBrowser, paint[0].Start, paint[0].End, 1, paint[0].Error)
	case write != nil && !arrived.IsZero():
		add(hopBrowser, write.End, arrived, 1, "")
	}
	if mails := named(spans, tracing.SpanMail); len(mails) > 0 { // one of each user; the last one shows when all were tried
		last := mails[len(mails)-1]
		add(hopMail, last.Start, last.End, 1, last.Error)
	}
	t.Took = millis(end.Sub(began))
	return t
}

func named(spans []traces.Span, name string) []traces.Span {
	return slices.DeleteFunc(slices.Clone(spans), func(s traces.Span) bool { return s.Name != name })
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
