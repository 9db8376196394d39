package gateway_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/openapitest"
	"orderbell/internal/problem"
	"orderbell/internal/text"
	"orderbell/internal/text/texttest"
	"orderbell/internal/tracing/tracingtest"
	"orderbell/sse-gateway/internal/tenantlog"
)

const streamPath = "/api/sse/notifications"

// raw opens a stream as no client does: with any bytes in its header lines. It returns the status, and the first frames or a
// problem.
func (b *bundle) raw(t *testing.T, target string, lines ...string) (status int, frames []frame, p problem.Problem) {
	t.Helper()
	conn, err := net.Dial("tcp", b.server.Listener.Addr().String()) //nolint:noctx // this machine's
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // only read
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	head := append([]string{"GET " + target + " HTTP/1.1", "Host: gateway.example", "Accept: text/event-stream"}, lines...)
	if _, err := conn.Write([]byte(strings.Join(head, "\r\n") + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.200q: %v", head, err)
	}
	defer func() {
		_ = conn.Close() // first: to close the body of a stream is to read to its end
		_ = response.Body.Close()
	}()
	if response.StatusCode != http.StatusOK {
		_ = json.NewDecoder(response.Body).Decode(&p) // net/http's own answer is text
		return response.StatusCode, nil, p
	}
	c := &client{Response: response, lines: bufio.NewReader(response.Body)}
	for len(frames) == 0 || len(frames) == 1 && frames[0].ID == tenantlog.StartID { // a resync follows such a ready
		f, err := c.next()
		if err != nil {
			t.Fatalf("%.200q: %v", head, err)
		}
		if f.Event != "degraded" && f.Event != "live" {
			frames = append(frames, f)
		}
	}
	return response.StatusCode, frames, p
}

// hostileValues are the cases of text.json and shapes of ids, which no client sends.
func hostileValues(t *testing.T) []string {
	t.Helper()
	cases := texttest.Read(t)
	values := []string{
		"A-1042", "שולחן 12", "☕", "null", "-1", "0-0", "$", ">", "*", "%00", "{other}:1", "A\xff", "A\xed\xa0\x80", strings.Repeat("a", 5000), uuid.Nil.String(), uuid.Max.String(),
		strings.ToUpper("01a2b3c4-0000-7000-8000-000000000abc"), "{01a2b3c4-0000-7000-8000-000000000001}", "urn:uuid:01a2b3c4-0000-7000-8000-000000000001",
		"01a2b3c4-0000-7000-8000-000000000001" + tenantlog.NotificationSuffix + tenantlog.NotificationSuffix, tenantlog.NotificationSuffix,
	}
	for i, bad := range cases.Refused {
		if i%4 == 0 { // a stream takes a while to open
			values = append(values, bad.Text)
		}
	}
	return values
}

// TestEveryParameterOfTheStreamIsReadOrRefused sends hostile values in every header and parameter of the stream that the OpenAPI
// document has, and in those that clients add or misspell.
func TestEveryParameterOfTheStreamIsReadOrRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.publish(t, 1)
	bearer := "Authorization: Bearer " + b.token(t, "u-1")
	document := openapitest.Read(t, "../../../specs/004-order-notifications/contracts/openapi.yaml")
	tried := 0
	for _, in := range document.Inputs() {
		if in.Path != streamPath {
			continue
		}
		for _, p := range in.Parameters {
			for _, value := range hostileValues(t) {
				tried++
				what := fmt.Sprintf("%s %+.100q", p.Name, value)
				target, lines := streamPath, []string{bearer}
				switch p.In {
				case "query":
					target += "?" + url.Values{p.Name: {value}}.Encode()
				case "header":
					if strings.ContainsAny(value, "\r\n") { // another line
						continue
					}
					lines = append(lines, p.Name+": "+value)
				default:
					t.Fatalf("%s is in %s", p.Name, p.In)
				}
				status, frames, said := b.raw(t, target, lines...)
				isID := strings.EqualFold(strings.ReplaceAll(p.Name, "-", ""), "lastEventId")
				switch {
				case status == http.StatusOK && isID && strings.TrimSpace(value) == "": // no id
				case status == http.StatusOK && isID:
					mustResync(t, what, frames)
				case p.In == "header" && status == http.StatusBadRequest && strings.ContainsFunc(value, isControl):
				case p.In == "query" && status == http.StatusBadRequest && !isID && names(said, p.Name):
				default:
					t.Errorf("%s: %d %+v", what, status, said)
				}
			}
		}
	}
	if tried < 80 {
		t.Errorf("%d values were tried", tried)
	}
	for _, value := range hostileValues(t) {
		if status, _, said := b.raw(t, streamPath+"?"+url.Values{"ticket": {value}}.Encode()); status != http.StatusUnauthorized {
			t.Errorf("the ticket %+.100q: %d %+v, want 401", value, status, said)
		}
	}
}

// isControl reports what net/http refuses in a header line.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// mustResync fails the test unless the client is sent to the snapshot, and no frame repeats what it sent.
func mustResync(t *testing.T, what string, frames []frame) {
	t.Helper()
	if len(frames) == 0 || frames[len(frames)-1].Event != "resync" {
		t.Errorf("%s: %+v, want a resync", what, frames)
	}
	for _, f := range frames {
		if fault := text.Fault(f.ID); fault != "" {
			t.Errorf("%s: a frame has the id %+q", what, f.ID)
		}
	}
}

func names(p problem.Problem, field string) bool {
	return slices.ContainsFunc(p.Errors, func(e problem.FieldError) bool { return e.Field == field })
}

// TestParametersOfTheStreamThatAreRepeatedOrMisspelled sends parameters that two programs on the way would read differently.
func TestParametersOfTheStreamThatAreRepeatedOrMisspelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := b.publish(t, 1), b.publish(t, 2)
	bearer := "Authorization: Bearer " + b.token(t, "u-1")
	for query, field := range map[string]string{
		"lastEventId=1&lastEventId=2": "lastEventId", "lastEventID=1": "lastEventID", "LASTEVENTID=": "LASTEVENTID", "heartbeat=2&heartbeat=2": "heartbeat",
		"ticket=a&ticket=a": "ticket", "Ticket=a": "Ticket", "heartbeat=": "heartbeat", "heartbeat=1e1": "heartbeat", "heartbeat=%202": "heartbeat",
		"heartbeat=99999999999999999999": "heartbeat", "heartbeat=0": "heartbeat",
	} {
		if status, _, said := b.raw(t, streamPath+"?"+query, bearer); status != http.StatusBadRequest || !names(said, field) {
			t.Errorf("%s: %d %+v, want 400 and %s", query, status, said, field)
		}
	}
	if status, _, _ := b.raw(t, streamPath+"?tenant=%zz", bearer); status != http.StatusBadRequest {
		t.Errorf("a query that cannot be parsed: %d", status)
	}
	if status, _, _ := b.raw(t, streamPath, bearer, bearer); status != http.StatusUnauthorized {
		t.Errorf("two tokens: %d, want 401", status)
	}
	_, frames, _ := b.raw(t, streamPath, bearer, "Last-Event-ID: "+first.ID, "Last-Event-ID: "+second.ID)
	mustResync(t, "two ids", frames)
	if status, frames, _ := b.raw(t, streamPath+"?tenant=other&tenant_id=other&stream=other", bearer); status != http.StatusOK || !strings.Contains(frames[0].Data, b.tenant) {
		t.Errorf("the tenant of a parameter: %d %+v, want that of the token", status, frames)
	}
}

// TestEveryFieldOfAReceiptIsReadOrRefused sends hostile text, and values of other types, in every field of the body.
func TestEveryFieldOfAReceiptIsReadOrRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := map[string]string{
		"event_id": texttest.JSON(uuid.NewString()), "traceparent": texttest.JSON(tracingtest.Given), "arrived_ms_ago": "20", "painted_ms_ago": "10",
	}
	values := []string{
		"null", "true", "{}", "[]", "[null]", `""`, `"20"`, "1.5", "-1", "30001", "1e400", "1e-400", strings.Repeat("9", 5000), strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		`"\ud800"`, `"` + strings.Repeat("A", 50_000) + `"`, `"urn:uuid:01a2b3c4-0000-7000-8000-000000000001"`, `"{01a2b3c4-0000-7000-8000-000000000001"`,
		`"00-00000000000000000000000000000000-b7ad6b7169203331-01"`, `"00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01"`, `"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"`,
	}
	for _, value := range hostileValues(t) {
		values = append(values, texttest.JSON(value))
	}
	document := openapitest.Read(t, "../../../specs/004-order-notifications/contracts/openapi.yaml")
	tried := 0
	for _, in := range document.Inputs() {
		if in.Path != "/api/sse/receipts" {
			continue
		}
		for _, f := range in.Fields {
			for _, value := range values {
				body, want := `{"receipts":`+value+`}`, "receipts"
				switch name, inner := strings.CutPrefix(f.Name, "receipts[]."); {
				case inner:
					if good[name] == "" {
						t.Fatalf("the sample has no %s", name)
					}
					body, want = `{"receipts":[`+receiptWith(good, name, value)+`]}`, "receipts[0]."+name
				case f.Name == "receipts[]":
					body = `{"receipts":[` + value + `]}`
				}
				tried++
				status, said := b.receipts(t, "u-"+strconv.Itoa(tried), body)
				if status == http.StatusNoContent && (len(value) == 38 && uuid.Validate(strings.Trim(value, `"`)) == nil || isTraceparent.MatchString(value)) {
					continue // of no change: it is dropped
				}
				var p problem.Problem
				if err := json.Unmarshal([]byte(said), &p); err != nil || status < 400 || status >= 500 || len(said) > 4096 ||
					!slices.ContainsFunc(p.Errors, func(e problem.FieldError) bool {
						at := strings.ReplaceAll(e.Field, "[0]", "") // a value of another type is named without its place in the list
						all := strings.ReplaceAll(want, "[0]", "")
						return at != "" && (strings.HasPrefix(all, at) || strings.HasPrefix(at, all))
					}) {
					t.Errorf("%s as %.80s: %d %.300s, want a problem that names %s", f.Name, value, status, said, want)
				}
			}
		}
	}
	if tried < 150 {
		t.Errorf("%d values were tried", tried)
	}
	for _, body := range []string{"", "null", "[]", "{", "{}{}", `{"receipts":[],"receipts":[]}`, `{"RECEIPTS":[]}`, "\ufeff{}"} {
		if status, said := b.receipts(t, "u-1", body); status < 400 || status >= 500 || len(said) > 4096 {
			t.Errorf("the body %q: %d %s", body, status, said)
		}
	}
}

// isTraceparent is the pattern of the contract.
var isTraceparent = regexp.MustCompile(`^"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"$`)

func receiptWith(good map[string]string, name, value string) string {
	var fields []string
	for n, v := range good {
		if n == name {
			v = value
		}
		fields = append(fields, texttest.JSON(n)+":"+v)
	}
	return "{" + strings.Join(fields, ",") + "}"
}
