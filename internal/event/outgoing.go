package event

import (
	"net/url"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// Outgoing is an event of the outbox on its way to the topic. Nothing of it has been checked since it was written.
type Outgoing struct {
	Position    int64 // rises with each event of an order
	ID          string
	Source      string
	Type        Type
	TenantID    string
	OrderID     string
	Time        time.Time
	TraceParent string
	Raw         []byte // the data
}

// CloudEvent returns o in the form of the topic. Its error is an *[InvalidError]: such an event would reach no function,
// or not in its order's order.
func (o Outgoing) CloudEvent() (cloudevents.Event, error) {
	if !o.Type.Valid() {
		return cloudevents.Event{}, invalid("type", "%q is unknown, want one of %v", clip(string(o.Type)), Types())
	}
	data, err := ParseData(o.Raw)
	switch {
	case err != nil:
		return cloudevents.Event{}, err
	case data.OrderID != o.OrderID:
		return cloudevents.Event{}, invalid("data.order_id", "is %s, but the event is order %s's", data.OrderID, o.OrderID)
	case data.TenantID != o.TenantID:
		return cloudevents.Event{}, invalid("data.tenant_id", "is %s, but the event is tenant %s's", data.TenantID, o.TenantID)
	}
	e := Event{ID: o.ID, Source: o.Source, Type: o.Type, Time: o.Time, TraceParent: o.TraceParent, Data: data, Raw: o.Raw}
	ce, err := e.CloudEvent()
	if err != nil {
		return cloudevents.Event{}, invalid("", "%s", err)
	}
	ce.DataEncoded = o.Raw // byte for byte, not compacted
	return ce, nil
}

// The topic of dead letters has a limit too: what a row may hold beyond it is cut.
const (
	deadData = 512 << 10 // bytes of data
	deadText = 1 << 10   // bytes of an attribute
)

// DeadLetter returns o, which failed with err, in the form of the topic of dead letters. Whatever o holds, the topic
// can hold the dead letter.
func (o Outgoing) DeadLetter(err error) cloudevents.Event {
	raw := o.Raw
	reason := err.Error()
	if len(raw) > deadData {
		raw = raw[:deadData]
		reason += " (data cut to its first bytes)"
	}
	ce := cloudevents.NewEvent()
	ce.SetID(o.ID)
	ce.SetSource(Source)
	if source := cut(o.Source); isURIReference(source) {
		ce.SetSource(source)
	}
	ce.SetType("unknown")
	if o.Type != "" {
		ce.SetType(cut(string(o.Type)))
	}
	ce.SetSubject(o.OrderID)
	ce.SetTime(o.Time)
	ce.SetExtension(ExtPartitionKey, o.OrderID)
	ce.SetExtension(ExtTenantID, cut(o.TenantID))
	if o.TraceParent != "" {
		ce.SetExtension(ExtTraceParent, cut(o.TraceParent))
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
	return Printable(s)
}
