package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/uuid"

	"orderbell/internal/order"
)

// The extensions of the contract.
const (
	ExtTenantID     = "tenantid"
	ExtPartitionKey = "partitionkey" // the Kafka key too: an order's events stay in one partition
	ExtSequence     = "sequence"     // the order's version
	ExtTraceParent  = "traceparent"
)

// MaxData bounds an event's data; an order needs some 300 bytes.
const MaxData = 64 << 10

// InvalidError is an event that breaks the contract. A function answers it with 400 and Reason in the header
// kne-reason; the broker then puts it on the dead-letter topic without a retry.
type InvalidError struct {
	Field  string // the attribute, extension or data field, "" where it is the event as a whole
	Reason string
}

func (e *InvalidError) Error() string {
	if e.Field == "" {
		return "invalid event: " + e.Reason
	}
	return "invalid event: " + e.Field + " " + e.Reason
}

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

var tenantPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

var traceParentPattern = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// IsTenantID says whether s may name a tenant: 1 to 64 letters, digits, dots, dashes and underscores. Braces are out,
// since the id is a Redis hash tag.
func IsTenantID(s string) bool { return tenantPattern.MatchString(s) }

// CloudEvent returns e in the form of the topic.
func (e Event) CloudEvent() (cloudevents.Event, error) {
	data := e.Raw
	if data == nil {
		var err error
		if data, err = json.Marshal(e.Data); err != nil {
			return cloudevents.Event{}, fmt.Errorf("encode event data: %w", err)
		}
	}
	ce := cloudevents.NewEvent()
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
	}
	if err := ce.SetData(cloudevents.ApplicationJSON, data); err != nil {
		return cloudevents.Event{}, fmt.Errorf("encode event data: %w", err)
	}
	ce.DataBase64 = false // it is JSON: an event written as one JSON document shows it as it is
	if err := ce.Validate(); err != nil {
		return cloudevents.Event{}, fmt.Errorf("encode event: %w", err)
	}
	return ce, nil
}

// FromCloudEvent reads an event of the topic and checks all of the contract, extensions included. Its error is always
// an *[InvalidError] that names the field.
func FromCloudEvent(ce cloudevents.Event) (Event, error) {
	if err := ce.Validate(); err != nil {
		return Event{}, invalid("", "%s", strings.Join(strings.Fields(err.Error()), " "))
	}
	e := Event{ID: ce.ID(), Source: ce.Source(), Type: Type(ce.Type()), Time: ce.Time().UTC(), Raw: ce.Data()}
	id, err := uuid.Parse(e.ID)
	switch {
	case err != nil || id.String() != e.ID:
		return Event{}, invalid("id", "%q is not a lower-case UUID", clip(e.ID))
	case id.Version() != 7:
		return Event{}, invalid("id", "is a UUID of version %d, want 7", id.Version())
	case len(e.Source) > 255:
		return Event{}, invalid("source", "has %d bytes, want at most 255", len(e.Source))
	case !e.Type.Valid():
		return Event{}, invalid("type", "%q is unknown, want one of %v", clip(ce.Type()), Types())
	case ce.Time().IsZero():
		return Event{}, invalid("time", "is missing")
	case ce.DataMediaType() != cloudevents.ApplicationJSON:
		return Event{}, invalid("datacontenttype", "is %q, want application/json", clip(ce.DataContentType()))
	}
	if e.Data, err = ParseData(ce.Data()); err != nil {
		return Event{}, err
	}
	if err := checkExtensions(ce, e); err != nil {
		return Event{}, err
	}
	if TypeFor(e.Data.Status) != e.Type {
		return Event{}, invalid("data.status", "%q does not go with type %s", e.Data.Status, e.Type)
	}
	if s, ok := extension(ce, ExtTraceParent); ok && traceParentPattern.MatchString(s) {
		e.TraceParent = s // a malformed one is dropped, as W3C Trace Context says, and the event is served all the same
	}
	return e, nil
}

func checkExtensions(ce cloudevents.Event, e Event) error {
	for _, want := range []struct{ name, value, field string }{
		{"subject", e.Data.OrderID, "order_id"},
		{ExtPartitionKey, e.Data.OrderID, "order_id"},
		{ExtTenantID, e.Data.TenantID, "tenant_id"},
		{ExtSequence, strconv.FormatInt(e.Data.Version, 10), "version"},
	} {
		got, ok := ce.Subject(), ce.Subject() != ""
		if want.name != "subject" {
			got, ok = extension(ce, want.name)
		}
		if !ok {
			return invalid(want.name, "is missing")
		}
		if got != want.value {
			return invalid(want.name, "is %q, but data.%s is %q", clip(got), want.field, want.value)
		}
	}
	return nil
}

func extension(ce cloudevents.Event, name string) (string, bool) {
	v, ok := ce.Extensions()[name]
	if !ok {
		return "", false
	}
	return fmt.Sprint(v), true
}

// ParseData reads and checks an event's data alone. Its error is always an *[InvalidError].
func ParseData(raw []byte) (Data, error) {
	if len(raw) > MaxData {
		return Data{}, invalid("data", "has %d bytes, want at most %d", len(raw), MaxData)
	}
	if !utf8.Valid(raw) {
		return Data{}, invalid("data", "is not UTF-8")
	}
	var d Data
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&d); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return Data{}, invalid("data."+wrong.Field, "is a JSON %s, want %s", wrong.Value, wrong.Type)
		}
		var notTime *time.ParseError
		if errors.As(err, &notTime) {
			return Data{}, invalid("data.timestamp", "%q is not an RFC 3339 time", clip(notTime.Value))
		}
		return Data{}, invalid("data", "is not the JSON object of the contract: %s", clip(err.Error()))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Data{}, invalid("data", "has more than one JSON value")
	}
	if d.TotalAmount == 0 && !hasAmount(raw) {
		return Data{}, invalid("data.total_amount", "is missing")
	}
	return d, d.check()
}

// hasAmount tells an amount of 0 from none: of all required fields it is the one whose zero value is good.
func hasAmount(raw []byte) bool {
	var data struct {
		TotalAmount *int64 `json:"total_amount"`
	}
	return json.Unmarshal(raw, &data) == nil && data.TotalAmount != nil
}

func (d Data) check() error {
	id, err := uuid.Parse(d.OrderID)
	switch {
	case err != nil || id.String() != d.OrderID:
		return invalid("data.order_id", "%q is not a lower-case UUID", clip(d.OrderID))
	case !IsTenantID(d.TenantID):
		return invalid("data.tenant_id", "%q is not 1 to 64 letters, digits, dots, dashes or underscores", clip(d.TenantID))
	case !d.Status.Valid():
		return invalid("data.status", "%q is unknown, want one of %v", clip(string(d.Status)), order.Statuses())
	case utf8.RuneCountInString(d.Reference) > order.MaxReference:
		return invalid("data.reference", "is longer than %d characters", order.MaxReference)
	case strings.ContainsFunc(d.Reference, isControl):
		return invalid("data.reference", "contains a control character")
	case d.TotalAmount < 0 || d.TotalAmount > order.MaxAmount:
		return invalid("data.total_amount", "is %d, want 0 to %d", d.TotalAmount, int64(order.MaxAmount))
	case !order.IsCurrency(d.Currency):
		return invalid("data.currency", "%q is not three capital letters", clip(d.Currency))
	case d.Version < 1 || d.Version > 1<<31-1:
		return invalid("data.version", "is %d, want 1 or more", d.Version)
	case d.Timestamp.IsZero():
		return invalid("data.timestamp", "is missing")
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// CheckAge refuses an event whose time lies before the oldest kept day of event_records, where a late replay could run
// twice, or further in the future than a wrong clock explains.
func (e Event) CheckAge(now time.Time, keepDays int) error {
	if oldest := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -keepDays); e.Day().Before(oldest) {
		return invalid("time", "%s is before %s, the oldest day kept", e.Time.Format(time.RFC3339), oldest.Format(time.DateOnly))
	}
	if e.Time.After(now.Add(MaxSkew)) {
		return invalid("time", "%s is more than %s ahead of %s", e.Time.Format(time.RFC3339), MaxSkew, now.UTC().Format(time.RFC3339))
	}
	return nil
}

// MaxSkew is how far ahead a publisher's clock may run: an hour forgives a wrong time zone rule, not a wrong year.
const MaxSkew = time.Hour

func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
