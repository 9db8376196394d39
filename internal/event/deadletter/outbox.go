package deadletter

import (
	"net/url"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
)

// The topic of dead letters has a limit too: what a row may hold beyond it is cut.
const (
	deadData = 512 << 10 // bytes of data
	deadText = 1 << 10   // bytes of an attribute
)

// FromOutbox returns o, which failed with err, in the form of the topic of dead letters. Whatever o holds, the topic
// can hold the dead letter.
func FromOutbox(o event.Outgoing, err error) cloudevents.Event {
	raw := o.Raw
	reason := err.Error()
	if len(raw) > deadData {
		raw = raw[:deadData]
		reason += " (data cut to its first bytes)"
	}
	ce := cloudevents.NewEvent()
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
	}
	ce.SetExtension(ExtReason, cut(reason))
	ce.DataEncoded = raw // as it is, be it JSON or not
	ce.SetDataContentType(cloudevents.ApplicationJSON)
	return ce
}

func isURIReference(s string) bool {
	_, err := url.Parse(s)
	return err == nil && s != ""
}

// cut returns s as an attribute may hold it.
func cut(s string) string {
	if len(s) > deadText {
		s = strings.ToValidUTF8(s[:deadText], "")
	}
	return event.Printable(s)
}
