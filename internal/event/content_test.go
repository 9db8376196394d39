package event_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/event"
)

func TestContent(t *testing.T) {
	t.Parallel()
	const (
		id    = `0193b5a2-0000-7000-8000-000000001042`
		plain = `{"order_id":"` + id + `","tenant_id":"demo","status":"paid","reference":"A-1","total_amount":1250,` +
			`"currency":"EUR","version":2,"timestamp":"2026-11-24T10:00:00Z"`
	)
	for name, tt := range map[string]struct{ raw, want string }{
		"data of the contract stays as it is": {plain + "}", plain + "}"},
		"a later field follows, as it came":   {plain + `, "table": {"no": 1.50e1}}`, plain + `,"table":{"no":1.50e1}}`},
		"later fields are sorted by name":     {plain + `,"z":null,"b":"<"}`, plain + `,"b":"\u003c","z":null}`},
		"spaces and line breaks are removed":  {"\n" + plain + ",\n\t\"tip\": [ 1,\n 2 ]\n}\n", plain + `,"tip":[1,2]}`},
		"optional fields are not repeated": {
			strings.Replace(plain, "paid", "preparing", 1) + `,"undone":"ready","actor":{"user_id":"` + id + `","name":"Ana"}}`,
			strings.Replace(plain, "paid", "preparing", 1) + `,"undone":"ready","actor":{"user_id":"` + id + `","name":"Ana"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := event.ParseData([]byte(tt.raw))
			if err != nil {
				t.Fatal(err)
			}
			got, err := event.Event{Data: data, Raw: []byte(tt.raw)}.Content()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("every field of the data is known by name", func(t *testing.T) {
		t.Parallel()
		raw, err := json.Marshal(event.Data{Reference: "A-1", Undone: "ready", Actor: event.Actor{UserID: "u-1"}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := event.Event{Raw: raw}.Content()
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(got, &fields); err != nil || fields["reference"] != nil || fields["undone"] != nil || fields["actor"] != nil {
			t.Errorf("%s takes its fields from the raw data: %v", got, err)
		}
	})
}
