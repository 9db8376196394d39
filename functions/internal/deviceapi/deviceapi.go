// Package deviceapi is the HTTP API of paired devices: tills and screens that sign in as themselves.
//
// A till without a user begins a pairing without a token and shows its code. A manager types the code on a phone and gives the
// device a name and a role. The till polls until then. Its token consists of the secret that it got at the beginning
// (docs/adr/0018). Every error is a problem (RFC 9457).
package deviceapi

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"orderbell/functions/internal/route"
	"orderbell/internal/auth"
	"orderbell/internal/guard"
	"orderbell/internal/paths"
	"orderbell/internal/problem"
	"orderbell/internal/server"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

// Store keeps devices and pairings. Its errors are package user's outcomes or failures of the store.
type Store interface {
	BeginPairing(ctx context.Context, code, secretHash string) error
	Pairing(ctx context.Context, secretHash string) (user.Pairing, error)
	Pair(ctx context.Context, d user.Device, code string, most int64, by user.Act, userID string) (user.Device, error)
	RefusePairing(ctx context.Context, tenantID string, by user.Act) error
	Devices(ctx context.Context, tenantID string) ([]user.Device, error)
	RevokeDevice(ctx context.Context, tenantID, id string, by user.Act) (user.Device, error)
	SeeDevice(ctx context.Context, tenantID, id string) (user.Device, error)
}

// Revoker tells every program that a device's token is revoked.
type Revoker interface {
	Revoke(ctx context.Context, r auth.Revocation) error
}

// Device is a device in the API's JSON.
type Device struct {
	DeviceID string    `json:"device_id"` // UUID
	TenantID string    `json:"tenant_id"`
	Name     string    `json:"name"`
	Role     user.Role `json:"role"`

	PairedAt time.Time `json:"paired_at"`           // RFC 3339, UTC
	PairedBy string    `json:"paired_by,omitempty"` // the name of a user

	Connected      bool       `json:"connected"` // its page is open, or was within the last minutes
	ConnectedSince *time.Time `json:"connected_since,omitempty"`
	LastSeenAt     *time.Time `json:"last_seen_at,omitempty"`
}

func fromDevice(d user.Device, now time.Time) Device {
	is := Device{DeviceID: d.ID, TenantID: d.TenantID, Name: d.Name, Role: d.Role, PairedAt: d.PairedAt, PairedBy: d.PairedBy}
	if !d.LastSeen.IsZero() {
		is.LastSeenAt = &d.LastSeen
		is.Connected = now.Sub(d.LastSeen) < user.DeviceAway
	}
	if is.Connected {
		is.ConnectedSince = &d.ConnectedSince
	}
	return is
}

// List is the answer to GET /api/devices.
type List struct {
	Devices []Device `json:"devices"` // by name; never null
}

// Approval is the body of POST /api/devices.
type Approval struct {
	UserCode *string    `json:"user_code"` // as the till shows it; case and hyphen do not matter
	Name     *string    `json:"name"`
	Role     *user.Role `json:"role"` // cashier, kitchen or viewer
}

// NewPairing is the answer to POST /api/pairings.
type NewPairing struct {
	DeviceCode string `json:"device_code"` // the till's secret
	UserCode   string `json:"user_code"`   // what it shows
	ExpiresIn  int    `json:"expires_in"`  // seconds
	Interval   int    `json:"interval"`    // seconds between two questions
}

// Question is the body of POST /api/pairings/state.
type Question struct {
	DeviceCode *string `json:"device_code"`
}

// State is the answer to a [Question].
type State struct {
	State      string  `json:"state"` // pending or approved
	Token      string  `json:"token,omitempty"`
	TenantName string  `json:"tenant_name,omitempty"`
	Device     *Device `json:"device,omitempty"`
}

const (
	pending, approved = "pending", "approved"
	interval          = 3 * time.Second
	// revokedKept is how long programs keep a revocation: longer than they cache anything. The row stays revoked.
	revokedKept = 24 * time.Hour
)

type api struct {
	log   *slog.Logger
	store Store
	told  Revoker
	most  int64

	begun, asked *guard.Guard // by the client's network
	guesses      *guard.Guard // by tenant
}

// New returns the handlers of [paths.Devices] and [paths.Pairings], with the paths below them. most is the limit of devices for a
// tenant without a limit of its own.
func New(log *slog.Logger, verifier *auth.Verifier, store Store, told Revoker, most int64) (devices route.API, pairings http.Handler) {
	a := api{
		log: log, store: store, told: told, most: most,
		begun: guard.New(20, 10*time.Minute), asked: guard.New(300, time.Minute), guesses: guard.New(10, 10*time.Minute),
	}
	devices = route.New(log, verifier, map[string]route.Methods{
		paths.Devices: {
			"GET":  {Roles: user.Leaders(), Handle: a.list},
			"POST": {Roles: user.Leaders(), Handle: a.approve},
		},
		paths.Devices + "/{id}":    {"DELETE": {Roles: user.Leaders(), Handle: a.revoke}},
		paths.Devices + "/me/seen": {"POST": {Roles: user.Roles(), Handle: a.seen}},
	})
	mux := http.NewServeMux()
	wrongMethod := problem.Handler(log, func(_ http.ResponseWriter, r *http.Request) error {
		return problem.New(http.StatusMethodNotAllowed, "%s is not a method of %s: use POST", r.Method, r.URL.Path).With("Allow", "POST")
	})
	for path, handle := range map[string]func(http.ResponseWriter, *http.Request) error{ // without a token
		paths.Pairings: a.begin, paths.Pairings + "/state": a.state,
	} {
		mux.Handle("POST "+path, problem.Handler(log, handle))
		mux.Handle(path, wrongMethod)
	}
	mux.Handle("/", problem.Handler(log, func(_ http.ResponseWriter, r *http.Request) error {
		return problem.New(http.StatusNotFound, "there is no resource at %s: check the path", r.URL.Path)
	}))
	return devices, mux
}

// letters of codes: no vowels, so that no code is a word, and none that looks like a digit (RFC 8628 §6.1).
const letters = "BCDFGHJKLMNPQRSTVWXZ"

const half = 4 // letters before and after the hyphen: 20^8 codes

func newCode() (string, error) {
	var code strings.Builder
	for i := range 2 * half {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", fmt.Errorf("make a code: %w", err)
		}
		if i == half {
			code.WriteByte('-')
		}
		code.WriteByte(letters[n.Int64()])
	}
	return code.String(), nil
}

// normalCode returns a typed code in the form that tills show, or false if it cannot be a code.
func normalCode(typed string) (string, bool) {
	typed = strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(typed))
	if len(typed) != 2*half || strings.Trim(typed, letters) != "" {
		return "", false
	}
	return typed[:half] + "-" + typed[half:], true
}

func (a api) begin(w http.ResponseWriter, r *http.Request) error {
	if wait := a.begun.Take(server.ClientNetwork(r)); wait > 0 {
		return tooMany("too many pairings were begun from this address", wait)
	}
	if _, err := problem.OptionalBody(w, r); err != nil {
		return err
	}
	code, err := newCode()
	if err != nil {
		return err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return fmt.Errorf("make a secret: %w", err)
	}
	deviceCode := base64.RawURLEncoding.EncodeToString(secret)
	if err := a.store.BeginPairing(r.Context(), code, user.HashSecret(deviceCode)); err != nil {
		return refusal(err)
	}
	return route.Answer(w, http.StatusCreated, "", NewPairing{
		DeviceCode: deviceCode, UserCode: code, ExpiresIn: int(user.PairingLife / time.Second), Interval: int(interval / time.Second),
	})
}

func (a api) state(w http.ResponseWriter, r *http.Request) error {
	if wait := a.asked.Take(server.ClientNetwork(r)); wait > 0 {
		return tooMany("too many requests came from this address", wait)
	}
	question, err := body[Question](w, r)
	if err != nil {
		return err
	}
	if question.DeviceCode == nil {
		return problem.Field("device_code", "is missing")
	}
	p, err := a.store.Pairing(r.Context(), user.HashSecret(*question.DeviceCode))
	if errors.Is(err, user.ErrNoCode) {
		unknown := problem.New(http.StatusNotFound, "the pairing does not exist or has expired: begin a new one")
		unknown.Errors = []problem.FieldError{{Field: "device_code", Detail: "is not the code of a pairing"}}
		return unknown
	}
	if err != nil {
		return err
	}
	if p.Device == nil {
		return route.Answer(w, http.StatusOK, "", State{State: pending})
	}
	d := fromDevice(*p.Device, time.Now())
	return route.Answer(w, http.StatusOK, "", State{
		State: approved, TenantName: p.TenantName, Device: &d, Token: auth.DeviceToken(d.TenantID, d.DeviceID, *question.DeviceCode),
	})
}

func (a api) list(w http.ResponseWriter, r *http.Request) error {
	who, err := auth.Who(r)
	if err != nil {
		return err
	}
	found, err := a.store.Devices(r.Context(), who.TenantID)
	if err != nil {
		return err
	}
	answer, now := List{Devices: []Device{}}, time.Now()
	for _, d := range found {
		answer.Devices = append(answer.Devices, fromDevice(d, now))
	}
	return route.Serve(w, r, "", answer)
}

func (a api) approve(w http.ResponseWriter, r *http.Request) error {
	who, err := auth.Who(r)
	if err != nil {
		return err
	}
	asked, err := body[Approval](w, r)
	if err != nil {
		return err
	}
	if wrong := asked.wrong(); len(wrong) > 0 {
		return problem.Fields(wrong)
	}
	if wait := a.guesses.Wait(who.TenantID); wait > 0 {
		return tooMany("too many wrong codes were entered", wait)
	}
	act := user.Act{Actor: who.Actor(), Address: server.ClientAddress(r)}
	by, _ := route.ID(who.UserID)
	code, ok := normalCode(*asked.UserCode)
	err = user.ErrNoCode
	var made user.Device
	if ok {
		d := user.Device{TenantID: who.TenantID, Name: text.Normal(*asked.Name), Role: *asked.Role}
		made, err = a.store.Pair(r.Context(), d, code, a.most, act, by)
	}
	if errors.Is(err, user.ErrNoCode) {
		a.guesses.Take(who.TenantID)
		if err := a.store.RefusePairing(r.Context(), who.TenantID, act); err != nil {
			return err
		}
		unknown := problem.New(http.StatusNotFound, "no till shows this code: compare it with the till; a code expires after %d minutes", int(user.PairingLife/time.Minute))
		unknown.Errors = []problem.FieldError{{Field: "user_code", Detail: "is not the code of a till"}}
		return unknown
	}
	if err != nil {
		return refusal(err)
	}
	w.Header().Set("Location", paths.Devices+"/"+made.ID)
	return route.Answer(w, http.StatusCreated, "", fromDevice(made, time.Now()))
}

// wrong returns the errors of the fields.
func (p Approval) wrong() (wrong []problem.FieldError) {
	add := func(field, detail string) { wrong = append(wrong, problem.FieldError{Field: field, Detail: detail}) }
	if p.UserCode == nil {
		add("user_code", "is missing")
	}
	switch {
	case p.Name == nil || strings.TrimSpace(*p.Name) == "":
		add("name", "is missing")
	case max(utf8.RuneCountInString(*p.Name), utf8.RuneCountInString(text.Normal(*p.Name))) > user.MaxName:
		add("name", fmt.Sprintf("is longer than %d characters", user.MaxName))
	case text.Fault(*p.Name) != "":
		add("name", text.Fault(*p.Name))
	}
	if p.Role == nil || !slices.Contains(user.DeviceRoles(), *p.Role) {
		add("role", fmt.Sprintf("must be one of %s", text.List(user.DeviceRoles())))
	}
	return wrong
}

func (a api) revoke(w http.ResponseWriter, r *http.Request) error {
	who, err := auth.Who(r)
	if err != nil {
		return err
	}
	id, ok := route.PathID(r)
	if !ok {
		return refusal(user.ErrNotFound)
	}
	if _, err := a.store.RevokeDevice(r.Context(), who.TenantID, id, user.Act{Actor: who.Actor(), Address: server.ClientAddress(r)}); err != nil {
		return refusal(err)
	}
	now := time.Now()
	revocation := auth.Revocation{TenantID: who.TenantID, UserID: id, At: now, Until: now.Add(revokedKept)}
	if err := a.told.Revoke(r.Context(), revocation); err != nil { // the row is revoked: APIs see it within seconds
		a.log.ErrorContext(r.Context(), "revocation of a device not announced: its open streams go on until they end", "device_id", id, "err", err)
		return problem.New(http.StatusServiceUnavailable, "the device is revoked, but its open stream could not be ended: repeat the request").With("Retry-After", "1")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a api) seen(w http.ResponseWriter, r *http.Request) error {
	who, err := auth.Who(r)
	if err != nil {
		return err
	}
	if _, err := problem.OptionalBody(w, r); err != nil {
		return err
	}
	if who.Device == "" {
		return refusal(user.ErrNotFound)
	}
	d, err := a.store.SeeDevice(r.Context(), who.TenantID, who.UserID)
	if err != nil {
		return refusal(err)
	}
	return route.Answer(w, http.StatusOK, "", fromDevice(d, time.Now()))
}

func body[T any](w http.ResponseWriter, r *http.Request) (v T, err error) {
	raw, err := problem.ReadBody(w, r)
	if err == nil {
		err = problem.Decode(raw, &v)
	}
	return v, err
}

// refusal converts the store's outcomes to problems. It returns other errors unchanged.
func refusal(err error) error {
	limit := new(user.LimitError)
	switch {
	case errors.As(err, &limit):
		return problem.New(http.StatusConflict, "the limit max_devices of %d is reached: revoke a device first", limit.Max)
	case errors.Is(err, user.ErrDeviceName):
		p := problem.New(http.StatusConflict, "name belongs to another device: choose another one")
		p.Errors = []problem.FieldError{{Field: "name", Detail: "belongs to another device: choose another one"}}
		return p
	case errors.Is(err, user.ErrNotFound):
		return problem.New(http.StatusNotFound, "there is no such device")
	case errors.Is(err, user.ErrNoTenant):
		return problem.New(http.StatusForbidden, "the token's tenant does not exist")
	case errors.Is(err, user.ErrManyCodes):
		return tooMany(user.ErrManyCodes.Error(), user.PairingLife/2)
	}
	return err
}

func tooMany(detail string, wait time.Duration) error {
	return problem.New(http.StatusTooManyRequests, "%s: try again in %s", detail, wait.Round(time.Second)).With("Retry-After", route.Seconds(wait))
}
