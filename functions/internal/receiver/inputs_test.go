package receiver_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/functions/internal/receiver"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/text"
	"orderbell/internal/text/texttest"
	"orderbell/internal/tracing"
)

// whole is an event with every attribute and every field.
const whole = `{"specversion":"1.0","id":"01a20cfd-a840-7a10-8c11-2f0e6a7b4c01","source":"/s","type":"order_status_updated",
	"subject":"6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10","time":"2026-11-24T10:00:00Z","tenantid":"demo",
	"partitionkey":"6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10","sequence":"2","datacontenttype":"application/json","dataschema":"https://a.example/",
	"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","tracestate":"vendor=1","data":` + wholeData + `}`

const wholeData = `{"order_id":"6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10","tenant_id":"demo","status":"paid","reference":"A-1","total_amount":1250,
	"currency":"IDR","version":2,"timestamp":"2026-11-24T10:00:00Z","undone":"preparing","actor":{"user_id":"u-1","name":"Ana"}}`

// post sends an event to a function, in structured mode or with its attributes in headers, and returns what the function
// handles, or the refusal.
func post(t *testing.T, header http.Header, body string) (handled *event.Event, refusal string) {
	t.Helper()
	rc, err := receiver.New(time.Minute, anyone{}, slog.New(slog.DiscardHandler), noop.NewMeterProvider().Meter(""),
		receiver.Only(event.OrderStatusUpdated, func(_ context.Context, e event.Event) error { handled = &e; return nil }))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header = header
	got := answer(rc, r)
	if said := got.Body.String(); (handled == nil) != (got.Code == http.StatusBadRequest || got.Code == http.StatusUnsupportedMediaType) || len(said) > 2048 {
		t.Errorf("%.300s of %v: handled %t, status %d, %.300s", body, header, handled != nil, got.Code, said)
	}
	return handled, got.Body.String()
}

// structured is the header of an event that is JSON as a whole.
func structured() http.Header {
	return http.Header{"Content-Type": {cloudevent.StructuredJSON}}
}

// binary returns the header that has the attributes of whole.
func binary(t *testing.T) http.Header {
	t.Helper()
	header := http.Header{"Content-Type": {"application/json"}}
	for name, value := range attributes(t) {
		if name != "datacontenttype" {
			header.Set("Ce-"+name, value)
		}
	}
	return header
}

func attributes(t *testing.T) map[string]string {
	t.Helper()
	var event map[string]json.RawMessage
	if err := json.Unmarshal([]byte(whole), &event); err != nil {
		t.Fatal(err)
	}
	delete(event, "data")
	all := map[string]string{}
	for name, value := range event {
		all[name] = strings.Trim(string(value), `"`)
	}
	return all
}

// put returns a JSON object with another JSON value in a field. The field is a dotted path.
func put(t *testing.T, object, field, value string) string {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &all); err != nil {
		t.Fatal(err)
	}
	name, inner, nested := strings.Cut(field, ".")
	if _, known := all[name]; !known {
		t.Fatalf("the sample has no %s", field)
	}
	if nested {
		value = put(t, string(all[name]), inner, value)
	}
	parts := make([]string, 0, len(all))
	for _, n := range slices.Sorted(maps.Keys(all)) {
		if v := string(all[n]); n == name {
			parts = append(parts, texttest.JSON(n)+":"+value)
		} else {
			parts = append(parts, texttest.JSON(n)+":"+v)
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// dataFields returns the paths of the fields of a struct with their kinds.
func dataFields(prefix string, of reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for f := range of.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all[prefix+name] = f.Type
		if f.Type == reflect.TypeFor[event.Actor]() {
			maps.Copy(all, dataFields(prefix+name+".", f.Type))
		}
	}
	return all
}

// TestEveryFieldOfAnEventIsReadOrRefused sends hostile text, and values of other types, in every field of the data.
func TestEveryFieldOfAnEventIsReadOrRefused(t *testing.T) {
	t.Parallel()
	for mode, handled := range map[string]func() (*event.Event, string){
		"structured": func() (*event.Event, string) { return post(t, structured(), whole) },
		"binary":     func() (*event.Event, string) { return post(t, binary(t), wholeData) },
	} {
		if e, refusal := handled(); e == nil {
			t.Fatalf("the %s event is refused: %s", mode, refusal)
		}
	}
	cases := texttest.Read(t)
	for field, is := range dataFields("", reflect.TypeFor[event.Data]()) {
		values := map[string]string{
			"null": "null", "a list": "[]", "a list of null": "[null]", "a number": "7", "a fraction": "1.5", "an exponent": "1e400", "true": "true",
			"an empty object": "{}", "a number in quotes": `"2"`, "digits": strings.Repeat("9", 5000), "below 0": "-1", "long": `"` + strings.Repeat("A", 20_000) + `"`,
			"deep": strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "year 0": `"0000-01-01T00:00:00Z"`, "year 10000": `"9999-12-31T23:59:59-12:00"`,
			"no leap day": `"2026-02-29T10:00:00Z"`, "before 1970": `"1969-12-31T23:59:59Z"`,
		}
		for _, bad := range cases.Refused {
			values[bad.Text] = texttest.JSON(bad.Text)
		}
		switch is.Kind() { //nolint:exhaustive // the others take none of them
		case reflect.String:
			for _, fine := range []string{"a number in quotes", "year 0", "year 10000", "no leap day", "before 1970"} {
				delete(values, fine) // text like any other
			}
		case reflect.Int64:
			delete(values, "a number")
		}
		for what, value := range values {
			if e, refusal := post(t, binary(t), put(t, wholeData, field, value)); e != nil || !strings.Contains(refusal, "data."+field) {
				t.Errorf("%s as %.60q: %.300s, want a refusal that names it", field, what, refusal)
			}
			if e, _ := post(t, structured(), put(t, whole, "data."+field, value)); e != nil {
				t.Errorf("%s as %.60q is taken in a structured event", field, what)
			}
		}
	}
}

// TestEveryAttributeOfAnEventIsCleanOrRefused sends hostile text in every attribute and extension.
func TestEveryAttributeOfAnEventIsCleanOrRefused(t *testing.T) {
	t.Parallel()
	cases := texttest.Read(t)
	values := slices.Concat(cases.Accepted, []string{"", "0001-01-01T00:00:00Z", "2026-02-29T10:00:00Z", "vendor=1,vendor=2", "vendor=a\x00b", strings.Repeat("A", 20_000)})
	for _, bad := range cases.Refused {
		values = append(values, bad.Text)
	}
	check := func(attribute, value string, e *event.Event) {
		if e == nil {
			return
		}
		for name, got := range map[string]string{"id": e.ID, "source": e.Source, "type": string(e.Type), "traceparent": e.TraceParent, "tracestate": e.TraceState} {
			if text.Fault(got) != "" || len(got) > tracing.MaxState {
				t.Errorf("%s %.50q is taken, and %s is %.50q", attribute, value, name, got)
			}
		}
	}
	for attribute := range attributes(t) {
		for _, value := range values {
			e, _ := post(t, structured(), put(t, whole, attribute, texttest.JSON(value)))
			check(attribute, value, e)
			header := binary(t)
			header["Ce-"+strings.ToUpper(attribute[:1])+attribute[1:]] = []string{value}
			e, _ = post(t, header, wholeData)
			check(attribute, value, e)
		}
	}
}

// TestNoEventIsReadAsWhatItIsNot sends events that say they are compressed, or not UTF-8.
func TestNoEventIsReadAsWhatItIsNot(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"Content-Encoding": "gzip", "Content-Type": "application/json; charset=iso-8859-1"} {
		header := binary(t)
		header.Set(name, value)
		if e, refusal := post(t, header, wholeData); e != nil || !strings.Contains(refusal, `"status":415`) {
			t.Errorf("%s: %s is handled, or %s, want 415", name, value, refusal)
		}
	}
}
