package contract_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/google/go-cmp/cmp"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
)

// refused is an example of an event that every function answers with 400.
type refused struct {
	Why           string          `json:"why"`
	SchemaRefuses bool            `json:"schema_refuses"` // false: what only the code can see, such as two fields that differ
	Status        int             `json:"status"`
	Reason        string          `json:"reason"`
	Event         json.RawMessage `json:"event"`
}

func parse(t *testing.T, raw []byte) cloudevent.Event {
	t.Helper()
	var ce cloudevent.Event
	if err := json.Unmarshal(raw, &ce); err != nil {
		t.Fatal(err)
	}
	return ce
}

// sent returns a structured event in the form of the topic: the headers and the value of a Kafka record.
func sent(t *testing.T, ce cloudevent.Event) (headers, data map[string]any) {
	t.Helper()
	headers, value := rawSent(t, ce)
	return headers, generic(t, value)
}

// rawSent is sent for data that need not be JSON.
func rawSent(t *testing.T, ce cloudevent.Event) (headers map[string]any, value []byte) {
	t.Helper()
	var m sarama.ProducerMessage
	if err := kafka_sarama.WriteProducerMessage(t.Context(), binding.ToMessage(&ce), &m); err != nil {
		t.Fatal(err)
	}
	headers = map[string]any{}
	for _, h := range m.Headers {
		headers[string(h.Key)] = string(h.Value)
	}
	value, err := m.Value.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return headers, value
}

// asWritten is record for events that the SDK would not take: it moves the fields as they are.
func asWritten(t *testing.T, raw []byte) (headers, data map[string]any) {
	t.Helper()
	headers, data = map[string]any{}, map[string]any{}
	for name, value := range generic(t, raw) {
		switch name {
		case "data":
			object, ok := value.(map[string]any)
			if !ok {
				t.Fatalf("data is %v, want an object", value)
			}
			data = object
		case "datacontenttype":
			headers["content-type"] = value
		default:
			headers["ce_"+name] = value
		}
	}
	return headers, data
}

// inUTC writes the field in UTC: the code keeps an event's instant, not the offset that it was written with.
func inUTC(t *testing.T, object map[string]any, field string) {
	t.Helper()
	text, _ := object[field].(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("%s: %v", field, err)
	}
	object[field] = at.UTC().Format(time.RFC3339Nano)
}

func TestEventExamples(t *testing.T) {
	t.Parallel()
	doc := readDocument(t)
	seen := map[event.Type]bool{}
	for name, raw := range golden(t, eventsDir) {
		ce := parse(t, raw)
		seen[event.Type(ce.Type())] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			declared, ok := doc.Components.Messages[ce.Type()]
			if !ok {
				t.Fatalf("the document has no message %q", ce.Type())
			}
			headers, data := sent(t, ce)
			checkEmitted(t, doc.schema(t, declared.Headers.Ref), headers)
			checkEmitted(t, doc.schema(t, declared.Payload.Ref), data)
		})
	}
	for _, typ := range event.Types() {
		if !seen[typ] {
			t.Errorf("%s has no example of type %s", eventsDir, typ)
		}
	}
}

func TestEventExamplesThroughTheGoTypes(t *testing.T) {
	t.Parallel()
	for name, raw := range golden(t, eventsDir) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := cloudevent.Parse(parse(t, raw))
			if err != nil {
				t.Fatal(err)
			}
			e.Raw = nil // encode the data again: a field that has another name in the code comes out different
			ce, err := cloudevent.New(e)
			if err != nil {
				t.Fatal(err)
			}
			want, got := generic(t, raw), generic(t, ce)
			inUTC(t, want, "time")
			inUTC(t, got, "time")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			m, err := message.New(e, []event.Recipient{{UserID: "u", NotificationID: "n"}})
			if err != nil {
				t.Fatal(err)
			}
			published := generic(t, m)
			if diff := cmp.Diff(generic(t, raw)["data"], published["data"]); diff != "" {
				t.Errorf("the feed's message carries other data: %s", diff)
			}
		})
	}
}

func TestEventExamplesOfTheDocument(t *testing.T) {
	t.Parallel()
	doc := readDocument(t)
	files := golden(t, eventsDir)
	for _, typ := range event.Types() {
		t.Run(string(typ), func(t *testing.T) {
			t.Parallel()
			examples := doc.Components.Messages[string(typ)].Examples
			if len(examples) != 1 {
				t.Fatalf("message %s has %d examples, want 1", typ, len(examples))
			}
			headers, data := sent(t, parse(t, files[string(typ)]))
			want := map[string]any{"headers": headers, "payload": data}
			got := generic(t, map[string]any{"headers": examples[0].Headers, "payload": examples[0].Payload})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s/%s.json and the document's example differ: %s", eventsDir, typ, diff)
			}
		})
	}
	for _, name := range []string{"dead_letter", "dead_letter_redriven", "dead_letter_closed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			letter := doc.Components.Messages[name]
			for _, example := range letter.Examples {
				if err := doc.schema(t, letter.Headers.Ref).Validate(generic(t, example.Headers)); err != nil {
					t.Error(err)
				}
			}
			if len(letter.Examples) == 0 {
				t.Errorf("message %s has no example", name)
			}
		})
	}
}

func TestDeadLetterOfTheOutbox(t *testing.T) {
	t.Parallel()
	doc := readDocument(t)
	row := event.Outgoing{ID: "not a UUID", Raw: []byte("not JSON")}
	_, err := cloudevent.FromOutbox(row)
	if err == nil {
		t.Fatal("CloudEvent accepts a row that is not an event")
	}
	headers, _ := rawSent(t, deadletter.FromOutbox(row, err))
	if err := doc.schema(t, doc.Components.Messages["dead_letter"].Headers.Ref).Validate(headers); err != nil {
		t.Error(err)
	}
}

func TestRedrivenNote(t *testing.T) {
	t.Parallel()
	doc := readDocument(t)
	declared := doc.Components.Messages["dead_letter_redriven"]
	example := declared.Examples[0]
	at := time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC)
	note := deadletter.Redriven{Partition: 3, Offset: 42, EventID: "01a20cff-7d02-7d21-9a44-5b1e8c9d3f02", At: at}
	ce, err := note.CloudEvent("01a20cff-9d02-7d21-9a44-5b1e8c9d3f02", []byte("6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10"))
	if err != nil {
		t.Fatal(err)
	}
	headers, raw := rawSent(t, ce)
	payload := generic(t, raw)
	want := generic(t, map[string]any{"headers": example.Headers, "payload": example.Payload})
	if diff := cmp.Diff(want, generic(t, map[string]any{"headers": headers, "payload": payload})); diff != "" {
		t.Errorf("the document's example and what is written differ: %s", diff)
	}
	if err := doc.schema(t, declared.Payload.Ref).Validate(payload); err != nil {
		t.Error(err)
	}
	if got, ok := deadletter.ParseRedriven(ce); !ok || got != note {
		t.Errorf("read back it is %+v, %t", got, ok)
	}
}

func TestClosedNote(t *testing.T) {
	t.Parallel()
	doc := readDocument(t)
	declared := doc.Components.Messages["dead_letter_closed"]
	example := declared.Examples[0]
	note := deadletter.Closed{
		Partition: 3, Offset: 42, EventID: "01a20cff-7d02-7d21-9a44-5b1e8c9d3f02", At: time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC),
		By: "operator:ana@laptop", Reason: "a test event of the till's maker",
	}
	ce, err := note.CloudEvent("01a20cff-9d02-7d21-9a44-5b1e8c9d3f03", []byte("6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10"))
	if err != nil {
		t.Fatal(err)
	}
	headers, raw := rawSent(t, ce)
	payload := generic(t, raw)
	want := generic(t, map[string]any{"headers": example.Headers, "payload": example.Payload})
	if diff := cmp.Diff(want, generic(t, map[string]any{"headers": headers, "payload": payload})); diff != "" {
		t.Errorf("the document's example and what is written differ: %s", diff)
	}
	if err := doc.schema(t, declared.Payload.Ref).Validate(payload); err != nil {
		t.Error(err)
	}
	if got, ok := deadletter.ParseClosed(ce); !ok || got != note {
		t.Errorf("read back it is %+v, %t", got, ok)
	}
}

func TestRefusedEvents(t *testing.T) {
	t.Parallel()
	doc := readDocument(t)
	for name, raw := range golden(t, eventsDir+"/invalid") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want refused
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			_, err := cloudevent.Parse(parse(t, want.Event))
			var invalid *event.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("error is %v, want an *event.InvalidError", err)
			}
			if diff := cmp.Diff(want.Reason, err.Error()); diff != "" {
				t.Error(diff)
			}
			headers, data := asWritten(t, want.Event)
			typ, _ := headers["ce_type"].(string)
			declared, ok := doc.Components.Messages[typ]
			if !ok {
				declared = doc.Components.Messages[string(event.OrderPaid)]
			}
			refusal := errors.Join(doc.schema(t, declared.Headers.Ref).Validate(headers),
				doc.schema(t, declared.Payload.Ref).Validate(data))
			if (refusal != nil) != want.SchemaRefuses {
				t.Errorf("schema_refuses is %v, but the document's schemas say: %v", want.SchemaRefuses, refusal)
			}
		})
	}
}

func TestVocabulary(t *testing.T) {
	t.Parallel()
	doc := readDocument(t)
	enum := func(ref, property string) []string {
		schema := doc.schema(t, ref).Properties[property]
		if schema == nil || schema.Enum == nil {
			t.Fatalf("%s has no enum of %s", ref, property)
		}
		var names []string
		for _, v := range schema.Enum.Values {
			name, _ := v.(string)
			names = append(names, name)
		}
		return names
	}
	t.Run("the statuses of the document are those of the code", func(t *testing.T) {
		var want []string
		for _, s := range order.Statuses() {
			want = append(want, string(s))
		}
		if diff := cmp.Diff(want, enum("#/components/schemas/OrderData", "status")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the types of the document are those of the code", func(t *testing.T) {
		var want []string
		for _, typ := range event.Types() {
			want = append(want, string(typ))
		}
		if diff := cmp.Diff(want, enum("#/components/schemas/OrderHeaders", "ce_type")); diff != "" {
			t.Error(diff)
		}
		messages := slices.DeleteFunc(slices.Sorted(maps.Keys(doc.Components.Messages)),
			func(name string) bool { return !strings.HasPrefix(name, "order_") })
		if diff := cmp.Diff(want, messages); diff != "" {
			t.Error(diff)
		}
	})
}
