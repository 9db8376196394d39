package eventfunction_test

import (
	"bufio"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"orderbell/internal/order"
)

// TestBadEvents sends invalid events to the running program: each gets its status and its reason, and writes nothing.
func TestBadEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.start(t)
	files, err := filepath.Glob("../receiver/testdata/events/4*.http") // named for the status they get
	if err != nil || len(files) < 50 {
		t.Fatalf("%d bad events, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
			code, _, _ := strings.Cut(filepath.Base(file), "-")
			want, err := strconv.Atoi(code)
			if err != nil {
				t.Fatal(err)
			}
			status, reason, wantReason := f.send(t, file)
			if status != want || !strings.Contains(reason, wantReason) || reason == "" {
				t.Errorf("status %d with kne-reason %q, want %d and %q in it", status, reason, want, wantReason)
			}
		})
	}
	for name, tt := range map[string]struct {
		at   time.Time
		want string
	}{
		"of the future": {time.Now().Add(2 * time.Hour), "is more than an hour ahead of"},
		"of last year":  {time.Now().AddDate(-1, 0, 0), "is before"},
	} {
		t.Run("an event "+name, func(t *testing.T) {
			ce := newEvent(t, order.Paid)
			ce.SetTime(tt.at)
			if status, reason := f.post(t, ce); status != http.StatusBadRequest || !strings.Contains(reason, tt.want) {
				t.Errorf("status %d with kne-reason %q, want 400 and %q in it", status, reason, tt.want)
			}
		})
	}
	if n := b.count("SELECT count(*) FROM event_records"); n != 0 {
		t.Errorf("%d of them were applied", n)
	}
	t.Run("another payload with an id that was used before", func(t *testing.T) {
		ce := newEvent(t, order.Paid)
		f.assertPost(t, ce, http.StatusAccepted)
		if err := ce.SetData("application/json", []byte(strings.Replace(string(ce.Data()), "125000", "1", 1))); err != nil {
			t.Fatal(err)
		}
		if status, reason := f.post(t, ce); status != http.StatusBadRequest || !strings.Contains(reason, "id was used before with another") {
			t.Errorf("status %d with kne-reason %q", status, reason)
		}
		b.assertOnce(t)
	})
}

// send sends a file of the corpus.
func (f *function) send(t *testing.T, file string) (status int, reason, wantReason string) {
	t.Helper()
	content, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close() //nolint:errcheck // only read
	r, err := http.ReadRequest(bufio.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	wantReason = r.Header.Get("Want-Reason")
	r.Header.Del("Want-Reason")
	address, err := url.Parse(f.URL + r.RequestURI)
	if err != nil {
		t.Fatal(err)
	}
	r.URL, r.RequestURI = address, ""
	r.Header.Set("Authorization", "Bearer "+f.secret)
	resp, err := http.DefaultClient.Do(r.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // its header says all
	return resp.StatusCode, resp.Header.Get("Kne-Reason"), wantReason
}
