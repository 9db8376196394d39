package cloudevent_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/order"
)

const (
	eventID = "0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f"
	orderID = "0193b5a2-0000-7000-8000-000000001042"
)

func paid() event.Event {
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	return event.Event{
		ID: eventID, Source: event.Source, Type: event.OrderPaid, Time: at,
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "vendor=1",
		Data: event.Data{
			OrderID: orderID, TenantID: "demo", Status: order.Paid, Reference: "A-1042",
			TotalAmount: 125000, Currency: "IDR", Version: 2, Timestamp: at,
		},
	}
}

func cloudEvent(t *testing.T) cloudevent.Event {
	t.Helper()
	ce, err := cloudevent.New(paid())
	if err != nil {
		t.Fatal(err)
	}
	return ce
}

func TestNew(t *testing.T) {
	t.Parallel()
	t.Run("an event is the same after encoding and decoding", func(t *testing.T) {
		t.Parallel()
		got, err := cloudevent.Parse(cloudEvent(t))
		if err != nil {
			t.Fatal(err)
		}
		want := paid()
		want.Raw, err = json.Marshal(want.Data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the received bytes are sent unchanged", func(t *testing.T) {
		t.Parallel()
		e := paid()
		e.Raw = []byte(`{"order_id":"` + orderID + `", "later_field": 1}`)
		ce, err := cloudevent.New(e)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(e.Raw), string(ce.Data())); diff != "" {
			t.Error(diff)
		}
	})
}

func TestParse(t *testing.T) {
	t.Parallel()
	data := func(change func(map[string]any)) func(*cloudevent.Event) {
		return func(ce *cloudevent.Event) {
			var d map[string]any
			_ = json.Unmarshal(ce.Data(), &d)
			change(d)
			_ = ce.SetData(cloudevent.JSON, d)
		}
	}
	field := func(name string, value any) func(*cloudevent.Event) {
		return data(func(d map[string]any) { d[name] = value })
	}
	for name, tt := range map[string]struct {
		damage func(*cloudevent.Event)
		want   string // in the error
	}{
		"an id that is not a UUID":           {func(ce *cloudevent.Event) { ce.SetID("42") }, `id "42"`},
		"an id of another UUID version":      {func(ce *cloudevent.Event) { ce.SetID("7f1c2f0e-66a4-4b7e-9f7e-3c1d2e4f5a6b") }, "id is a UUID of version 4"},
		"an id in capitals":                  {func(ce *cloudevent.Event) { ce.SetID(strings.ToUpper(eventID)) }, "lower-case"},
		"an unknown type":                    {func(ce *cloudevent.Event) { ce.SetType("order_eaten") }, `type "order_eaten"`},
		"a long source":                      {func(ce *cloudevent.Event) { ce.SetSource("/" + strings.Repeat("s", 255)) }, "source has 256 bytes"},
		"no time":                            {func(ce *cloudevent.Event) { ce.SetTime(time.Time{}) }, "time is missing"},
		"another media type":                 {func(ce *cloudevent.Event) { ce.SetDataContentType("text/plain") }, "datacontenttype"},
		"no subject":                         {func(ce *cloudevent.Event) { ce.SetSubject("") }, "subject is missing"},
		"another order as subject":           {func(ce *cloudevent.Event) { ce.SetSubject("x") }, `subject is "x", but data.order_id`},
		"another tenant in tenantid":         {func(ce *cloudevent.Event) { ce.SetExtension("tenantid", "kopi") }, `tenantid is "kopi", but data.tenant_id`},
		"no tenantid":                        {func(ce *cloudevent.Event) { ce.SetExtension("tenantid", nil) }, "tenantid is missing"},
		"no partitionkey":                    {func(ce *cloudevent.Event) { ce.SetExtension("partitionkey", nil) }, "partitionkey is missing"},
		"a sequence that is not the version": {func(ce *cloudevent.Event) { ce.SetExtension("sequence", "1") }, `sequence is "1", but data.version is "2"`},
		"a status of another type":           {field("status", "ready"), "data.status"},
		"an unknown status":                  {field("status", "eaten"), `data.status "eaten"`},
		"an amount as text":                  {field("total_amount", "125000"), "data.total_amount must be an integer; it is a JSON string"},
		"an amount with a fraction":          {field("total_amount", 1250.5), "data.total_amount must be an integer; it is a JSON number"},
		"a negative amount":                  {field("total_amount", -1), "data.total_amount is -1"},
		"a made-up currency":                 {field("currency", "Rp"), "data.currency"},
		"version zero":                       {field("version", 0), "data.version is 0"},
		"no timestamp":                       {data(func(d map[string]any) { delete(d, "timestamp") }), "data.timestamp is missing"},
		"a tenant with braces":               {field("tenant_id", "{demo}"), "data.tenant_id"},
		"a reference of two lines":           {field("reference", "A\n1"), "data.reference contains U+000A"},
		"a reference that is too long":       {field("reference", strings.Repeat("é", 65)), "data.reference is longer"},
		"an order id that is not a UUID":     {field("order_id", "42"), `data.order_id "42"`},
		"data that is an array":              {func(ce *cloudevent.Event) { ce.DataEncoded = []byte("[]") }, "data must be a JSON object"},
		"data with something after it":       {func(ce *cloudevent.Event) { ce.DataEncoded = append(ce.DataEncoded, "{}"...) }, "more than one JSON value"},
		"data that is not UTF-8":             {func(ce *cloudevent.Event) { ce.DataEncoded = []byte("\"\xff\"") }, "not UTF-8"},
		"data that is too large":             {func(ce *cloudevent.Event) { ce.DataEncoded = make([]byte, event.MaxData+1) }, "data has 65537 bytes"},
		"no data":                            {func(ce *cloudevent.Event) { ce.DataEncoded = nil }, "data is empty"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			t.Parallel()
			ce := cloudEvent(t)
			tt.damage(&ce)
			_, err := cloudevent.Parse(ce)
			var invalid *event.InvalidError
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an InvalidError with %q", err, tt.want)
			}
		})
	}
	t.Run("a malformed traceparent is dropped", func(t *testing.T) {
		t.Parallel()
		ce := cloudEvent(t)
		ce.SetExtension("traceparent", "00-\x00")
		got, err := cloudevent.Parse(ce)
		if err != nil || got.TraceParent != "" {
			t.Errorf("got %q, %v", got.TraceParent, err)
		}
	})
	t.Run("a field of a later contract is ignored", func(t *testing.T) {
		t.Parallel()
		ce := cloudEvent(t)
		field("table", 7)(&ce)
		if _, err := cloudevent.Parse(ce); err != nil {
			t.Error(err)
		}
	})
}
