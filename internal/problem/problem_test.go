package problem_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/problem"
)

type away struct{}

func (away) Error() string   { return "dial 127.0.0.1:5432: secret detail" }
func (away) Temporary() bool { return true }

func TestHandler(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		status int
		detail string
	}{
		"a problem is written unchanged":          {problem.New(http.StatusConflict, "already paid"), 409, "already paid"},
		"a temporary error is 503":                {away{}, 503, "the service is temporarily unavailable: try again in a second"},
		"an unexpected error keeps its secret":    {errors.New("secret detail"), 500, "an unexpected error occurred: report this request_id, under which the log has the cause"},
		"a field's problem names the field twice": {problem.Field("currency", "is missing"), 422, "currency is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := problem.Handler(slog.New(slog.DiscardHandler), func(http.ResponseWriter, *http.Request) error { return tt.err })
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			if w.Code != tt.status || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("got %d %s, want %d application/problem+json", w.Code, w.Header().Get("Content-Type"), tt.status)
			}
			var got problem.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.detail, got.Detail); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		media  string
		body   io.Reader
		status int // 0: fine
	}{
		"JSON is read":                    {"application/json; charset=utf-8", strings.NewReader("{}"), 0},
		"a body of the largest size":      {"application/json", strings.NewReader(strings.Repeat(" ", problem.MaxBody)), 0},
		"a body over the limit is 413":    {"application/json", strings.NewReader(strings.Repeat(" ", problem.MaxBody+1)), 413},
		"a form is 415":                   {"application/x-www-form-urlencoded", strings.NewReader("a=b"), 415},
		"no media type is 415":            {"", strings.NewReader("{}"), 415},
		"a body that breaks off is a 400": {"application/json", io.MultiReader(strings.NewReader("{"), broken{}), 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", tt.body)
			r.Header.Set("Content-Type", tt.media)
			_, err := problem.ReadBody(httptest.NewRecorder(), r)
			checkStatus(t, err, tt.status)
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func checkStatus(t *testing.T, err error, want int) {
	t.Helper()
	var p *problem.Problem
	errors.As(err, &p)
	if (want == 0) != (err == nil) || (p != nil && p.Status != want) {
		t.Errorf("got %v, want status %d", err, want)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	type request struct {
		Amount int64 `json:"total_amount"`
	}
	for name, tt := range map[string]struct {
		body   string
		status int
		want   string // in the detail
	}{
		"an object":                     {`{"total_amount": 1}`, 0, ""},
		"a field of the wrong type":     {`{"total_amount": "1"}`, 422, "total_amount must be an integer; it is a JSON string"},
		"a field twice":                 {`{"total_amount": 1, "total_amount": 2}`, 422, "total_amount occurs more than once"},
		"a field in capitals":           {`{"TOTAL_AMOUNT": 1}`, 422, "names are case-sensitive"},
		"half a character":              {`{"tip": "\ud83d"}`, 422, "tip contains half of a surrogate pair"},
		"an unknown field is named":     {`{"tip": 1}`, 422, "tip is not a field"},
		"a field that is null":          {`{"total_amount": null}`, 422, "total_amount must not be null"},
		"null":                          {`null`, 400, "must be a JSON object, not null"},
		"an array":                      {`[]`, 400, "it is a JSON array"},
		"nothing":                       {``, 400, "empty or ends within"},
		"half an object":                {`{"total_amount":`, 400, "empty or ends within"},
		"no JSON":                       {`total_amount=1`, 400, "not valid JSON"},
		"two objects":                   {`{}{}`, 400, "remove what follows"},
		"an object with an odd byte":    {"{\"\xff\": 1}", 400, "must be UTF-8"},
		"a number larger than an int64": {`{"total_amount": 9223372036854775808}`, 422, "total_amount"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got request
			err := problem.Decode([]byte(tt.body), &got)
			checkStatus(t, err, tt.status)
			if err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want %q in it", err, tt.want)
			}
		})
	}
}
