package optout_test

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/mail/optout"
)

const (
	userID = "01a2b3c4-0000-7000-8000-000000000001"
	mailID = "0193b5a2-1c1e-8c3a-9d55-0a1b2c3d4e5f"
)

func config() optout.Config {
	return optout.Config{PublicURL: "https://orders.example.com/", Secret: strings.Repeat("s", 32), Life: 24 * time.Hour}
}

func open(t *testing.T, cfg optout.Config) *optout.Links {
	t.Helper()
	l, err := optout.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func token(t *testing.T, l *optout.Links, now time.Time) string {
	t.Helper()
	link := l.URL("demo", userID, mailID, now)
	token, ok := strings.CutPrefix(link, "https://orders.example.com"+optout.Path)
	if !ok || url.PathEscape(token) != token {
		t.Fatalf("the link is %q", link)
	}
	return token
}

func TestRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	l := open(t, config())
	good := token(t, l, now)
	want := optout.Claim{TenantID: "demo", UserID: userID, MailID: mailID, Expires: now.Add(24 * time.Hour)}
	got, err := l.Read(good, now.Add(24*time.Hour-time.Second))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got, err := l.Read(good, now.Add(24*time.Hour)); !errors.Is(err, optout.ErrExpired) || got != want {
		t.Errorf("a day later: %+v, %v", got, err)
	}
	if l.URL("demo", "me", mailID, now) != "" || l.URL("demo", userID, "letter", now) != "" {
		t.Error("there is a link for an id that is not a UUID")
	}

	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		forged := append([]byte{}, raw...)
		forged[i] ^= 1
		if _, err := l.Read(base64.RawURLEncoding.EncodeToString(forged), now); !errors.Is(err, optout.ErrForged) {
			t.Errorf("with another byte %d: %v", i, err)
		}
	}
	for _, bad := range []string{"", "x", good[:len(good)-1], good + "A", good + "=", " " + good, strings.Repeat("A", 4*len(good))} {
		if _, err := l.Read(bad, now); !errors.Is(err, optout.ErrForged) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestReadAfterTheSecretChanged(t *testing.T) {
	t.Parallel()
	now := time.Now()
	old := token(t, open(t, config()), now)
	cfg := config()
	cfg.Secret, cfg.OldSecret = strings.Repeat("n", 40), cfg.Secret
	both := open(t, cfg)
	if _, err := both.Read(old, now); err != nil {
		t.Errorf("a link of the old secret: %v", err)
	}
	if _, err := open(t, config()).Read(token(t, both, now), now); !errors.Is(err, optout.ErrForged) {
		t.Errorf("a new link was signed with the old secret: %v", err)
	}
	cfg.OldSecret = ""
	if _, err := open(t, cfg).Read(old, now); !errors.Is(err, optout.ErrForged) {
		t.Errorf("a link of a secret that is gone: %v", err)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*optout.Config)
		want   string // "" is valid
	}{
		"this machine":      {func(c *optout.Config) { c.PublicURL = "http://localhost:8080" }, ""},
		"this machine's IP": {func(c *optout.Config) { c.PublicURL = "http://127.0.0.1:8080" }, ""},
		"no TLS":            {func(c *optout.Config) { c.PublicURL = "http://orders.example.com" }, "PUBLIC_URL"},
		"no scheme":         {func(c *optout.Config) { c.PublicURL = "orders.example.com" }, "PUBLIC_URL"},
		"another scheme":    {func(c *optout.Config) { c.PublicURL = "javascript://orders.example.com" }, "PUBLIC_URL"},
		"a path":            {func(c *optout.Config) { c.PublicURL += "page" }, "PUBLIC_URL"},
		"a query":           {func(c *optout.Config) { c.PublicURL += "?x=1" }, "PUBLIC_URL"},
		"a short secret":    {func(c *optout.Config) { c.Secret = c.Secret[1:] }, "UNSUBSCRIBE_SECRET has 31 bytes"},
		"a short old one":   {func(c *optout.Config) { c.OldSecret = "x" }, "UNSUBSCRIBE_OLD_SECRET has 1 bytes"},
		"no life":           {func(c *optout.Config) { c.Life = 0 }, "UNSUBSCRIBE_LIFE"},
	} {
		cfg := config()
		test.change(&cfg)
		_, err := optout.New(cfg)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	l, err := optout.New(config())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.TrimPrefix(l.URL("demo", userID, mailID, time.Now()), "https://orders.example.com"+optout.Path))
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := l.Read(token, time.Time{})
		if err == nil && l.URL(c.TenantID, c.UserID, c.MailID, c.Expires.Add(-24*time.Hour)) != "https://orders.example.com"+optout.Path+token {
			t.Errorf("%q is read as %+v, which is written in another way", token, c)
		}
	})
}
