package event

import (
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

// deadData bounds the data of a dead letter, since the topic of dead letters has a limit too.
const deadData = 512 << 10

// DeadLetter returns o, which failed with err, in the form of the topic of dead letters.
func (o Outgoing) DeadLetter(err error) cloudevents.Event {
	raw := o.Raw
	reason := err.Error()
	if len(raw) > deadData {
		raw = raw[:deadData]
		reason += " (data cut to its first bytes)"
	}
	ce := cloudevents.NewEvent()
	ce.SetID(o.ID)
	ce.SetSource(orElse(o.Source, Source))
	ce.SetType(orElse(string(o.Type), "unknown"))
	ce.SetSubject(o.OrderID)
	ce.SetTime(o.Time)
	ce.SetExtension(ExtPartitionKey, o.OrderID)
	ce.SetExtension(ExtTenantID, o.TenantID)
	ce.SetExtension(ExtReason, Printable(reason))
	ce.DataEncoded = raw // as it is, be it JSON or not
	ce.SetDataContentType(cloudevents.ApplicationJSON)
	return ce
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
