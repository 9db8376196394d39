package compat_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderbell/tools/contracts/internal/compat"
)

// The contracts of a small business API: what the tests change.
const contracts = "testdata/contract"

func today() time.Time { return time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC) }

// changed returns a copy of the contracts in which each old text of a file is a new one. Each old text must occur.
func changed(t *testing.T, file string, replacements ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(contracts)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, file)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(string(raw), replacements[i]) {
			t.Fatalf("%s does not have %q", file, replacements[i])
		}
	}
	if err := os.WriteFile(path, []byte(strings.NewReplacer(replacements...).Replace(string(raw))), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func breaking(t *testing.T, old, new string) string {
	t.Helper()
	broken, err := compat.Breaking(old, new, today())
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(broken, "\n")
}

const (
	openAPI  = "openapi.yaml"
	asyncAPI = "asyncapi-orders-events.yaml"
	frames   = "sse-frames.schema.json"
)

func TestChangesThatBreakUsersAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file         string
		replacements []string
		want         string
	}{
		"a field of an answer is renamed":           {openAPI, []string{"total_amount: {type: integer, maximum: 1000}", "amount: {type: integer, maximum: 1000}"}, "removed the required property `total_amount`"},
		"a field of a request is renamed":           {openAPI, []string{"reference: {type: string, maxLength: 64}", "ref: {type: string, maxLength: 64}"}, "removed the request property `reference`"},
		"the type of a request's field narrows":     {openAPI, []string{"new_total: {type: number}", "new_total: {type: integer}"}, "`new_total` request property `type` changed from `number` to `integer`"},
		"the length of a request's field narrows":   {openAPI, []string{"maxLength: 64", "maxLength: 32"}, "maxLength was decreased to `32`"},
		"the type of an answer's field widens":      {openAPI, []string{"total_amount: {type: integer, maximum: 1000}", "total_amount: {type: number, maximum: 1000}"}, "was widened from `integer` to `number`"},
		"the range of an answer's field widens":     {openAPI, []string{"total_amount: {type: integer, maximum: 1000}", "total_amount: {type: integer, maximum: 2000}"}, "`total_amount` response property's max was increased from `1000.00` to `2000.00`"},
		"a good status of an answer is removed":     {openAPI, []string{`"201": {description: The order.`, `"202": {description: The order.`}, "removed the success response with the status `201`"},
		"a bad status of an answer is removed":      {openAPI, []string{`"409": {description: It is another order.}`, `x-none: 0`}, "removed the non-success response with the status `409`"},
		"an optional field of an answer is renamed": {openAPI, []string{"reference_of: {type: string}", "same_as: {type: string}"}, "removed the optional property `reference_of`"},
		"an optional header of an answer is gone":   {openAPI, []string{"headers: {ETag: {schema: {type: string}}}, ", ""}, "optional response header `ETag` removed"},
		"a status of an order is removed":           {openAPI, []string{"[submitted, paid, refunded]", "[submitted, paid]"}, "removed the `refunded` enum value"},
		"a route is removed":                        {openAPI, []string{"/api/orders/{id}:", "/api/order/{id}:"}, "API path removed"},
		"a request needs one field more":            {openAPI, []string{"required: [new_total]", "required: [new_total, reference]"}, "request property `reference` became required"},

		"an answer has a new status of an order": {openAPI, []string{"[submitted, paid, refunded]", "[submitted, paid, refunded, lost]"}, "added the new `lost` enum value"},

		"a field of an event is renamed":          {asyncAPI, []string{"total_amount:", "amount:", "total_amount,", "amount,"}, "message order_paid: payload.total_amount: is gone"},
		"the type of an event's field narrows":    {asyncAPI, []string{"total_amount: {type: number", "total_amount: {type: integer"}, "payload.total_amount: type: was number, is integer"},
		"the range of an event's field narrows":   {asyncAPI, []string{"maximum: 1000", "maximum: 999"}, "payload.total_amount: maximum: was 1000, is 999"},
		"an event's field gets a pattern":         {asyncAPI, []string{"reference: {type: string}", "reference: {type: string, pattern: a}"}, "payload.reference: pattern: was <nil>, is a"},
		"a status of an event is removed":         {asyncAPI, []string{"[paid, refunded]", "[paid]"}, "payload.status: refunded is no longer a value"},
		"a status of an event is added":           {asyncAPI, []string{"[paid, refunded]", "[paid, refunded, lost]"}, "payload.status: lost is a new value"},
		"an event needs one field more":           {asyncAPI, []string{"required: [total_amount, status]", "required: [total_amount, status, reference]"}, "payload: reference is required now"},
		"an event may lack a field":               {asyncAPI, []string{"required: [total_amount, status]", "required: [total_amount]"}, "payload: status is no longer always there"},
		"an event's header is renamed":            {asyncAPI, []string{"ce_sequence", "ce_version"}, "headers.ce_sequence: is gone"},
		"an event is removed":                     {asyncAPI, []string{"      order_created: {$ref: '#/components/messages/order_created'}", ""}, "message order_created: is gone"},
		"a topic is renamed":                      {asyncAPI, []string{"address: orders.events", "address: orders.changes"}, "channel orders: address: was orders.events, is orders.changes"},
		"the key of a topic's records is changed": {asyncAPI, []string{"key: {type: string}", "key: {type: integer}"}, "message order_paid: bindings: was"},

		"a field of a frame is renamed":        {frames, []string{"heartbeat_ms", "heartbeat"}, "ready.data.heartbeat_ms: is gone"},
		"the type of a frame's field is other": {frames, []string{`"heartbeat_ms": {"type": "integer"}`, `"heartbeat_ms": {"type": "string"}`}, "ready.data.heartbeat_ms: type: was integer, is string"},
		"a frame may lack a field":             {frames, []string{`"required": ["heartbeat_ms"]`, `"required": []`}, "ready.data: heartbeat_ms is no longer always there"},
		"a frame is removed":                   {frames, []string{`"order_paid": {`, `"order_settled": {`}, "order_paid: is gone"},
		"a reason of a frame is removed":       {frames, []string{`["too_old", "unreadable"]`, `["too_old"]`}, "resync.data.reason: unreadable is no longer a value"},
		"an event that a frame has is changed": {asyncAPI, []string{"maximum: 1000", "maximum: 999"}, frames + ": order_paid.data.total_amount: maximum"},
		"a field is deprecated for too short":  {asyncAPI, []string{"reference: {type: string}", "reference: {type: string, deprecated: true, x-sunset: 2027-05-01}"}, "payload.reference: is deprecated with x-sunset"},
		"a field is deprecated without an end": {asyncAPI, []string{"reference: {type: string}", "reference: {type: string, deprecated: true}"}, "payload.reference: is deprecated with x-sunset <nil>"},
		"a route is deprecated for too short":  {openAPI, []string{"operationId: getOrder", "operationId: getOrder\n      deprecated: true\n      x-sunset: '2026-12-24'"}, "sunset"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := breaking(t, contracts, changed(t, c.file, c.replacements...)); !strings.Contains(got, c.want) {
				t.Errorf("found\n%s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAdditionsBreakNoUser(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file         string
		replacements []string
	}{
		"nothing":                         {openAPI, nil},
		"a field of an answer":            {openAPI, []string{"total_amount: {type: integer, maximum: 1000}", "total_amount: {type: integer, maximum: 1000}\n        note: {type: string}"}},
		"an optional field of a request":  {openAPI, []string{"reference: {type: string, maxLength: 64}", "reference: {type: string, maxLength: 64}\n        note: {type: string}"}},
		"a route":                         {openAPI, []string{"  /api/orders/{id}:", "  /api/counts:\n    get: {responses: {'200': {description: They.}}}\n  /api/orders/{id}:"}},
		"a bad status":                    {openAPI, []string{`"409": {description: It is another order.}`, `"409": {description: It is another order.}` + "\n        \"410\": {description: It is gone.}"}},
		"a description":                   {openAPI, []string{"The order.", "The order as it is."}},
		"an optional field of an event":   {asyncAPI, []string{"reference: {type: string}", "reference: {type: string}\n        note: {type: string}"}},
		"an optional header":              {asyncAPI, []string{"ce_sequence: {type: string}", "ce_sequence: {type: string}\n        ce_tracestate: {type: string}"}},
		"an event":                        {asyncAPI, []string{"      order_created: {$ref: '#/components/messages/order_created'}", "      order_created: {$ref: '#/components/messages/order_created'}\n      order_lost: {$ref: '#/components/messages/order_created'}"}},
		"a wider type of a request":       {openAPI, []string{"reference: {type: string, maxLength: 64}", "reference: {type: string, maxLength: 128}"}},
		"a value of a request":            {openAPI, []string{"[cash, card]", "[cash, card, voucher]"}},
		"a narrower type of an answer":    {openAPI, []string{"maximum: 1000}", "maximum: 999}"}},
		"a description of an event":       {asyncAPI, []string{"The order after the change.", "The order as it is."}},
		"a field that a frame always has": {frames, []string{`"heartbeat_ms": {"type": "integer"}`, `"heartbeat_ms": {"type": "integer"}, "live": {"type": "boolean"}`, `"required": ["heartbeat_ms"]`, `"required": ["heartbeat_ms", "live"]`}},
		"a frame":                         {frames, []string{`"order_paid": {`, `"order_lost": {"type": "object"}, "order_paid": {`}},
		"a reason":                        {frames, []string{`["too_old", "unreadable"]`, `["too_old", "unreadable", "lost"]`}},
		"a field deprecated long enough":  {asyncAPI, []string{"reference: {type: string}", "reference: {type: string, deprecated: true, x-sunset: 2027-05-28}"}},
		"a route deprecated long enough":  {openAPI, []string{"operationId: getOrder", "operationId: getOrder\n      deprecated: true\n      x-sunset: '9999-12-24'"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := breaking(t, contracts, changed(t, c.file, c.replacements...)); got != "" {
				t.Errorf("found\n%s", got)
			}
		})
	}
}

func TestADeprecatedFieldGoesAfterItsSunset(t *testing.T) {
	t.Parallel()
	gone := changed(t, asyncAPI, "        reference: {type: string}\n", "")
	for sunset, want := range map[string]string{"2026-11-29": "", "2026-11-30": "message order_paid: payload.reference: is gone before its x-sunset"} {
		old := changed(t, asyncAPI, "reference: {type: string}", "reference: {type: string, deprecated: true, x-sunset: "+sunset+"}")
		if got := breaking(t, old, gone); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("x-sunset %s: found %q, want %q", sunset, got, want)
		}
	}
}

func TestADeprecatedFieldOfAnAnswerGoesAfterItsSunset(t *testing.T) {
	t.Parallel()
	const field = "reference_of: {type: string"
	gone := changed(t, openAPI, "        "+field+"}\n", "")
	for sunset, want := range map[string]string{"2026-11-29": "", "2026-11-30": "removed the optional property"} {
		old := changed(t, openAPI, field, field+", deprecated: true, x-sunset: '"+sunset+"'")
		if got := breaking(t, old, gone); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("x-sunset %s: found %q, want %q", sunset, got, want)
		}
	}
}
