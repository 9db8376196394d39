package deadletter

import (
	"net/url"
	"strings"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
)

// Limits of a dead letter from an outbox row, so that it fits into the topic. Longer values are cut.
const (
	deadData = 512 << 10 // bytes of data
	deadText = 1 << 10   // bytes of an attribute
)

// FromOutbox converts o, which failed with err, to a dead letter. The topic accepts it, whatever o contains.
func FromOutbox(o event.Outgoing, err error) cloudevent.Event {
	raw := o.Raw
	reason := err.Error()
	if len(raw) > deadData {
		raw = raw[:deadData]
		reason += " (data cut to its first bytes)"
	}
	ce := cloudevent.Empty()
	ce.SetID(o.ID)
	ce.SetSource(event.Source)
	if source := cut(o.Source); isURIReference(source) {
		ce.SetSource(source)
	}
	ce.SetType("unknown")
	if o.Type != "" {
		ce.SetType(cut(string(o.Type)))
	}
	ce.SetSubject(o.OrderID)
	ce.SetTime(o.Time)
	ce.SetExtension(cloudevent.ExtPartitionKey, o.OrderID)
	ce.SetExtension(cloudevent.ExtTenantID, cut(o.TenantID))
	if o.TraceParent != "" {
		ce.SetExtension(cloudevent.ExtTraceParent, cut(o.TraceParent))
		if o.TraceState != "" {
			ce.SetExtension(cloudevent.ExtTraceState, cut(o.TraceState))
		}
	}
	ce.SetExtension(ExtReason, cut(reason))
	ce.DataEncoded = raw // unchanged, even if it is not JSON
	ce.SetDataContentType(cloudevent.JSON)
	return ce
}

func isURIReference(s string) bool {
	_, err := url.Parse(s)
	return err == nil && s != ""
}

// cut returns s as a valid attribute, shortened if necessary.
func cut(s string) string {
	if len(s) > deadText {
		s = strings.ToValidUTF8(s[:deadText], "")
	}
	return event.Printable(s)
}
