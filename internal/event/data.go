package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"orderbell/internal/order"
	"orderbell/internal/strictjson"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

// MaxData bounds an event's data. An order needs about 300 bytes.
const MaxData = 64 << 10

// The years of a timestamp, in UTC.
const (
	FirstYear = 1970
	LastYear  = 9999
)

// ParseData reads and checks an event's data. Its error is always an *[InvalidError].
func ParseData(raw []byte) (Data, error) {
	if len(raw) > MaxData {
		return Data{}, Invalid("data", "has %d bytes, want at most %d", len(raw), MaxData)
	}
	if !utf8.Valid(raw) {
		return Data{}, Invalid("data", "is not UTF-8")
	}
	var wire struct {
		Data

		TotalAmount *order.Integer `json:"total_amount"`
		Version     order.Integer  `json:"version"`
		Timestamp   *string        `json:"timestamp"` // its own error would not name the field
	}
	if fault := strictjson.Check(raw, &wire); fault != nil {
		return Data{}, Invalid("data."+fault.Field, "%s", Clip(fault.Detail))
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&wire); err != nil {
		fault := strictjson.Explain(err)
		return Data{}, Invalid(strings.TrimSuffix("data."+fault.Field, "."), "%s", Clip(fault.Detail))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Data{}, Invalid("data", "has more than one JSON value")
	}
	if wire.TotalAmount == nil {
		return Data{}, Invalid("data.total_amount", "is missing")
	}
	d := wire.Data
	if wire.Timestamp == nil {
		return Data{}, Invalid("data.timestamp", "is missing")
	}
	if err := d.Timestamp.UnmarshalText([]byte(*wire.Timestamp)); err != nil {
		return Data{}, Invalid("data.timestamp", "%q is not an RFC 3339 time", Clip(*wire.Timestamp))
	}
	d.TotalAmount, d.Version = int64(*wire.TotalAmount), int64(wire.Version)
	if d.Actor == (Actor{}) && hasActor(raw) {
		return Data{}, Invalid("data.actor.user_id", "is missing")
	}
	return d, d.check()
}

// hasActor reports whether the actor is present, even without a user.
func hasActor(raw []byte) bool {
	if !bytes.Contains(raw, []byte(`"actor"`)) {
		return false
	}
	var data struct {
		Actor *json.RawMessage `json:"actor"`
	}
	return json.Unmarshal(raw, &data) == nil && data.Actor != nil
}

func (d Data) check() error {
	id, err := uuid.Parse(d.OrderID)
	switch {
	case err != nil || id.String() != d.OrderID:
		return Invalid("data.order_id", "%q is not a lower-case UUID", Clip(d.OrderID))
	case !user.IsTenantID(d.TenantID):
		return Invalid("data.tenant_id", "%q is not 1 to 64 letters, digits, dots, dashes or underscores", Clip(d.TenantID))
	case !d.Status.Valid():
		return Invalid("data.status", "%q is unknown: use one of %s", Clip(string(d.Status)), text.List(order.Statuses()))
	case utf8.RuneCountInString(d.Reference) > order.MaxReference:
		return Invalid("data.reference", "is longer than %d characters", order.MaxReference)
	case text.Fault(d.Reference) != "":
		return Invalid("data.reference", "%s", text.Fault(d.Reference))
	case d.TotalAmount < 0 || d.TotalAmount > order.MaxAmount:
		return Invalid("data.total_amount", "is %d, want 0 to %d", d.TotalAmount, int64(order.MaxAmount))
	case !order.IsCurrency(d.Currency):
		return Invalid("data.currency", "%q is not three capital letters", Clip(d.Currency))
	case d.Version < 1 || d.Version > 1<<31-1:
		return Invalid("data.version", "is %d, want 1 to %d", d.Version, 1<<31-1)
	case d.Timestamp.UTC().Year() < FirstYear || d.Timestamp.UTC().Year() > LastYear: // no time zone may make it a year that RFC 3339 cannot represent
		return Invalid("data.timestamp", "is %s, want one of the years %d to %d", d.Timestamp.Format(time.RFC3339), FirstYear, LastYear)
	case d.Undone != "" && !d.Undone.CanBeUndone():
		return Invalid("data.undone", "%q cannot be undone: use one of %s", Clip(string(d.Undone)), text.List(order.Undoable()))
	case d.Undone != "" && !d.Status.CanBecome(d.Undone):
		return Invalid("data.undone", "is %s, but an order that is %s cannot become %s", d.Undone, d.Status, d.Undone)
	}
	return d.Actor.check()
}

// Limits of an actor, in characters.
const (
	maxActorID   = 255
	maxActorName = 200
)

func (a Actor) check() error {
	switch {
	case a == (Actor{}):
		return nil
	case a.UserID == "":
		return Invalid("data.actor.user_id", "is missing")
	case utf8.RuneCountInString(a.UserID) > maxActorID:
		return Invalid("data.actor.user_id", "is longer than %d characters", maxActorID)
	case utf8.RuneCountInString(a.Name) > maxActorName:
		return Invalid("data.actor.name", "is longer than %d characters", maxActorName)
	case text.Fault(a.UserID) != "":
		return Invalid("data.actor.user_id", "%s", text.Fault(a.UserID))
	case text.Fault(a.Name) != "":
		return Invalid("data.actor.name", "%s", text.Fault(a.Name))
	}
	return nil
}
