// Package cloudevent reads and writes the events of package event as CloudEvents, the form of topic orders.events.
package cloudevent

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	sdk "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"

	"orderbell/internal/event"
	"orderbell/internal/text"
	"orderbell/internal/tracing"
)

// The extensions of the contract.
const (
	ExtTenantID     = "tenantid"
	ExtPartitionKey = "partitionkey" // the Kafka key too: an order's events stay in one partition
	ExtSequence     = "sequence"     // the order's version
	ExtTraceParent  = "traceparent"  // CloudEvents' distributed tracing extension: the span that sent the event
	ExtTraceState   = "tracestate"
)

// Event is a CloudEvent: the SDK's type, under the one name by which the other packages use it.
type Event = sdk.Event

const (
	Version        = sdk.CloudEventsVersionV1
	JSON           = sdk.ApplicationJSON            // the media type of data
	StructuredJSON = sdk.ApplicationCloudEventsJSON // the media type of a whole event
)

// Empty returns an event of Version without any other attribute.
func Empty() Event { return sdk.New(Version) }

// New converts e to a CloudEvent of the topic.
func New(e event.Event) (Event, error) {
	data := e.Raw
	if data == nil {
		var err error
		if data, err = json.Marshal(e.Data); err != nil {
			return Event{}, fmt.Errorf("encode event data: %w", err)
		}
	}
	ce := Empty()
	ce.SetID(e.ID)
	ce.SetSource(e.Source)
	ce.SetType(string(e.Type))
	ce.SetSubject(e.Data.OrderID)
	ce.SetTime(e.Time)
	ce.SetExtension(ExtTenantID, e.Data.TenantID)
	ce.SetExtension(ExtPartitionKey, e.Data.OrderID)
	ce.SetExtension(ExtSequence, strconv.FormatInt(e.Data.Version, 10))
	if e.TraceParent != "" {
		ce.SetExtension(ExtTraceParent, e.TraceParent)
		if e.TraceState != "" {
			ce.SetExtension(ExtTraceState, e.TraceState)
		}
	}
	if err := ce.SetData(JSON, data); err != nil {
		return Event{}, fmt.Errorf("encode event data: %w", err)
	}
	ce.DataBase64 = false // it is JSON, so it is not base64-encoded in structured mode
	if err := ce.Validate(); err != nil {
		return Event{}, fmt.Errorf("encode event: %w", err)
	}
	return ce, nil
}

// FromOutbox converts o to a CloudEvent of the topic. Its error is an *[event.InvalidError]: such an event would reach
// no function, or reach it out of order.
func FromOutbox(o event.Outgoing) (Event, error) {
	if !o.Type.Valid() {
		return Event{}, event.Invalid("type", "%q is unknown: use one of %s", event.Clip(string(o.Type)), text.List(event.Types()))
	}
	data, err := event.ParseData(o.Raw)
	switch {
	case err != nil:
		return Event{}, err
	case data.OrderID != o.OrderID:
		return Event{}, event.Invalid("data.order_id", "is %s, but the row is of order %s", data.OrderID, o.OrderID)
	case data.TenantID != o.TenantID:
		return Event{}, event.Invalid("data.tenant_id", "is %s, but the row is of tenant %s", data.TenantID, o.TenantID)
	}
	e := event.Event{ID: o.ID, Source: o.Source, Type: o.Type, Time: o.Time, TraceParent: o.TraceParent, TraceState: o.TraceState, Data: data, Raw: o.Raw}
	ce, err := New(e)
	if err != nil {
		return Event{}, event.Invalid("", "%s", err)
	}
	return ce, nil
}

// Parse reads an event of the topic and checks the whole contract, extensions included. Its error is always an
// *[event.InvalidError] that names the field.
func Parse(ce Event) (event.Event, error) {
	for _, required := range []struct{ name, value string }{{"id", ce.ID()}, {"source", ce.Source()}, {"type", ce.Type()}} {
		if required.value == "" {
			return event.Event{}, event.Invalid(required.name, "is missing")
		}
	}
	if err := ce.Validate(); err != nil {
		return event.Event{}, event.Invalid("", "%s", strings.Join(strings.Fields(err.Error()), " "))
	}
	e := event.Event{ID: ce.ID(), Source: ce.Source(), Type: event.Type(ce.Type()), Time: ce.Time().UTC(), Raw: ce.Data()}
	id, err := uuid.Parse(e.ID)
	switch {
	case err != nil || id.String() != e.ID:
		return event.Event{}, event.Invalid("id", "%q is not a lower-case UUID", event.Clip(e.ID))
	case id.Version() != 7:
		return event.Event{}, event.Invalid("id", "is a UUID of version %d, want 7", id.Version())
	case len(e.Source) > event.MaxSource:
		return event.Event{}, event.Invalid("source", "has %d bytes, want at most %d", len(e.Source), event.MaxSource)
	case !e.Type.Valid():
		return event.Event{}, event.Invalid("type", "%q is unknown: use one of %s", event.Clip(ce.Type()), text.List(event.Types()))
	case ce.Time().IsZero():
		return event.Event{}, event.Invalid("time", "is missing")
	case ce.DataMediaType() != JSON:
		return event.Event{}, event.Invalid("datacontenttype", "is %q, want application/json", event.Clip(ce.DataContentType()))
	}
	if e.Data, err = event.ParseData(ce.Data()); err != nil {
		return event.Event{}, err
	}
	if err := checkExtensions(ce, e); err != nil {
		return event.Event{}, err
	}
	if e.Data.Undone != "" && e.Type != event.OrderStatusUpdated {
		return event.Event{}, event.Invalid("data.undone", "needs the type %s, not %s", event.OrderStatusUpdated, e.Type)
	}
	if e.Data.Type() != e.Type {
		return event.Event{}, event.Invalid("data.status", "%q needs the type %s, not %s", e.Data.Status, e.Data.Type(), e.Type)
	}
	if s, ok := Extension(ce, ExtTraceParent); ok && tracing.IsParent(s) {
		e.TraceParent = s // a malformed one is ignored, as W3C Trace Context requires
		if s, ok := Extension(ce, ExtTraceState); ok && tracing.IsState(s) {
			e.TraceState = s
		}
	}
	return e, nil
}

func checkExtensions(ce Event, e event.Event) error {
	for _, want := range []struct{ name, value, field string }{
		{"subject", e.Data.OrderID, "order_id"},
		{ExtPartitionKey, e.Data.OrderID, "order_id"},
		{ExtTenantID, e.Data.TenantID, "tenant_id"},
		{ExtSequence, strconv.FormatInt(e.Data.Version, 10), "version"},
	} {
		got, ok := ce.Subject(), ce.Subject() != ""
		if want.name != "subject" {
			got, ok = Extension(ce, want.name)
		}
		if !ok {
			return event.Invalid(want.name, "is missing")
		}
		if got != want.value {
			return event.Invalid(want.name, "is %q, but data.%s is %q", event.Clip(got), want.field, want.value)
		}
	}
	return nil
}

func Extension(ce Event, name string) (string, bool) {
	v, ok := ce.Extensions()[name]
	if !ok {
		return "", false
	}
	return fmt.Sprint(v), true
}
