// Package problem writes HTTP errors as RFC 9457 problem details and reads JSON bodies strictly.
package problem

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"orderbell/internal/strictjson"
	"orderbell/internal/text"
)

// FieldError is an error of one field of a request.
type FieldError struct {
	Field  string `json:"field"` // dotted path in the body, or the parameter's name
	Detail string `json:"detail"`
}

// Problem is an RFC 9457 problem. It is an error, so handlers return it.
type Problem struct {
	Type   string       `json:"type"` // "about:blank": the status is sufficient
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Errors []FieldError `json:"errors,omitempty"`
	Limit  string       `json:"limit,omitempty"` // the name of the tenant's limit that is reached

	RequestID string `json:"request_id,omitempty"` // of an unexpected error, as in the log

	header http.Header
}

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Title, p.Detail) }

// New returns a problem of the HTTP status with a detail for users.
func New(status int, format string, args ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// Field returns 422 for one field.
func Field(field, format string, args ...any) *Problem {
	return Fields([]FieldError{{Field: field, Detail: fmt.Sprintf(format, args...)}})
}

// Fields returns 422 with every wrong field. There must be at least one.
func Fields(wrong []FieldError) *Problem {
	return named(http.StatusUnprocessableEntity, wrong)
}

// mostQuoted bounds, in characters, the names and details of fields: they may repeat what was sent.
const mostQuoted = 300

func named(status int, wrong []FieldError) *Problem {
	short := make([]FieldError, len(wrong))
	for i, e := range wrong {
		short[i] = FieldError{Field: text.ClipChars(e.Field, mostQuoted), Detail: text.ClipChars(e.Detail, mostQuoted)}
	}
	p := New(status, "%s %s", short[0].Field, short[0].Detail)
	p.Errors = short
	return p
}

// Limited returns a problem that names the tenant's limit that is reached.
func Limited(status int, limit string, most int64) *Problem {
	next := "remove what is no longer needed, or ask the operator for a higher limit"
	if status == http.StatusTooManyRequests {
		next = "wait and try again"
	}
	p := New(status, "the limit %s of %d is reached: %s", limit, most, next)
	p.Limit = limit
	return p
}

// With adds a response header, such as Retry-After or WWW-Authenticate, and returns p.
func (p *Problem) With(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// Write answers with p. It removes headers of another answer, such as its length.
func (p *Problem) Write(w http.ResponseWriter) {
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "Content-Language", "Etag", "Last-Modified"} {
		w.Header().Del(name)
	}
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client has gone if this fails
}

// Handler is an [http.Handler] that returns its error: a *[Problem] is written unchanged; any other error is logged and
// answered 500 (or 503 if Temporary() is true) without its text. It is within [Recover].
func Handler(log *slog.Logger, h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return Recover(log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := CheckQuery(r) // a handler that reads no parameter refuses a broken query too
		if err == nil {
			err = h(w, r)
		}
		if err == nil {
			return
		}
		var p *Problem
		if errors.As(err, &p) {
			p.Write(w)
			return
		}
		if r.Context().Err() != nil {
			return // the client is gone
		}
		log.ErrorContext(r.Context(), "request failed", "request_id", RequestID(r.Context()),
			"method", r.Method, "path", r.URL.Path, "err", err)
		var t interface{ Temporary() bool }
		if errors.As(err, &t) && t.Temporary() {
			New(http.StatusServiceUnavailable, "the service is temporarily unavailable: try again in a second").With("Retry-After", "1").Write(w)
			return
		}
		unexpected(r).Write(w)
	}))
}

// MaxBody bounds a request body. Orders and users need far less.
const MaxBody = 64 << 10

// OptionalBody returns the body of a request, or {} without one. An empty body of unknown length counts as no body,
// whatever its media type.
func OptionalBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(r.Body, first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, New(http.StatusBadRequest, "the body could not be read to its end: send the request again")
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first), r.Body), r.Body}
	body, err := ReadBody(w, r)
	if err != nil {
		return nil, err
	}
	return body, Decode(body, &struct{}{})
}

// CheckEncoding returns 415 for a body that is compressed, or in another character set than UTF-8, because its bytes would be
// misread. It returns nil for any other body.
func CheckEncoding(h http.Header) *Problem {
	if coding := strings.Join(h.Values("Content-Encoding"), ", "); coding != "" && !strings.EqualFold(coding, "identity") {
		return New(http.StatusUnsupportedMediaType, "Content-Encoding must be absent, not %q: send the body uncompressed", text.ClipChars(coding, mostQuoted)).With("Accept-Encoding", "identity")
	}
	types := h.Values("Content-Type")
	if len(types) > 1 {
		return New(http.StatusUnsupportedMediaType, "the header Content-Type must occur once")
	}
	if len(types) == 0 {
		return nil
	}
	if _, parameters, err := mime.ParseMediaType(types[0]); err == nil { // the caller reports what cannot be parsed
		if set, named := parameters["charset"]; named && !strings.EqualFold(set, "utf-8") && !strings.EqualFold(set, "us-ascii") {
			return New(http.StatusUnsupportedMediaType, "the charset of Content-Type must be utf-8, not %q", text.ClipChars(set, mostQuoted))
		}
	}
	return nil
}

// ReadBody returns a JSON request's body: 415 for another media type or encoding, 413 over [MaxBody].
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, New(http.StatusUnsupportedMediaType, "Content-Type must be application/json, not %q", text.ClipChars(r.Header.Get("Content-Type"), mostQuoted)).
			With("Accept", "application/json")
	}
	if refusal := CheckEncoding(r.Header); refusal != nil {
		return nil, refusal
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, New(http.StatusRequestEntityTooLarge, "the body must have at most %d bytes", MaxBody)
	}
	if err != nil {
		return nil, New(http.StatusBadRequest, "the body could not be read to its end: send the request again")
	}
	return body, nil
}

// Decode fills v from body: one JSON object in UTF-8, without unknown, duplicate or null fields; see
// [strictjson.Check]. Malformed JSON is 400, a wrong or unknown field 422 with its name.
func Decode(body []byte, v any) error {
	if !utf8.Valid(body) {
		return New(http.StatusBadRequest, "the body must be UTF-8")
	}
	if fault := strictjson.Check(body, v); fault != nil {
		return Field(fault.Field, "%s", fault.Detail)
	}
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return decodeProblem(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return New(http.StatusBadRequest, "the body must be one JSON object: remove what follows it")
	}
	if string(bytes.TrimSpace(body)) == "null" { // encoding/json takes it for an object without fields
		return New(http.StatusBadRequest, "the body must be a JSON object, not null")
	}
	return nil
}

func decodeProblem(err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return Field(strings.Trim(name, `"`), "is not a field of this request")
	}
	fault := strictjson.Explain(err)
	if fault.Field == "" {
		return New(http.StatusBadRequest, "the body %s", fault.Detail)
	}
	return Field(fault.Field, "%s", fault.Detail)
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client has gone if this fails
	return nil
}
