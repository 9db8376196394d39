package ordermail_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"orderbell/functions/internal/mail/ordermail"
	"orderbell/internal/dev/goldentest"
	"orderbell/internal/event"
	"orderbell/internal/mail"
	"orderbell/internal/order"
	"orderbell/internal/wording"
)

func due() mail.Due {
	return mail.Due{
		ID: "0193b5a2-1c1e-8c3a-9d55-0a1b2c3d4e5f", Attempt: 1, MessageID: "0193b5a2-1c1e-8c3a-9d55-0a1b2c3d4e5f@orderbell.example",
		Source: event.Source, EventID: "0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f", Type: event.OrderPaid,
		Data: event.Data{
			OrderID: "0193b5a2-0000-7000-8000-000000001042", TenantID: "demo", Status: order.Paid, Reference: "A-1042",
			TotalAmount: 125000, Currency: "IDR", Version: 2, Timestamp: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
		},
		TenantName: "Kopi & Co", Locale: "en", Email: "owner@demo.example", Name: "Ayu", TimeZone: "UTC",
	}
}

func write(t *testing.T, links func(mail.Due) ordermail.Links, d mail.Due) mail.Mail {
	t.Helper()
	w, err := ordermail.New(links)
	if err != nil {
		t.Fatal(err)
	}
	l, err := w.Write(d)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	goldentest.Compare(t, filepath.Join("testdata", name), got)
}

func TestWrite(t *testing.T) {
	t.Parallel()
	t.Run("a paid order", func(t *testing.T) {
		t.Parallel()
		l := write(t, nil, due())
		golden(t, "order_paid.golden.txt", "Subject: "+l.Subject+"\n\n"+l.Text)
		golden(t, "order_paid.golden.html", l.HTML)
		l.Subject, l.Text, l.HTML = "", "", ""
		want := mail.Mail{MessageID: due().MessageID, To: "owner@demo.example", ToName: "Ayu"}
		if diff := cmp.Diff(want, l); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a paid order without reference, to someone without a name, who can unsubscribe", func(t *testing.T) {
		t.Parallel()
		d := due()
		d.Name, d.Data.Reference = "", ""
		l := write(t, links, d)
		golden(t, "order_paid_bare.golden.txt", "Subject: "+l.Subject+"\n\n"+l.Text)
		golden(t, "order_paid_bare.golden.html", l.HTML)
		if l.Unsubscribe != links(d).Unsubscribe {
			t.Errorf("unsubscribe is %q", l.Unsubscribe)
		}
	})
	t.Run("a paid order in Indonesian, by the clock of Jakarta", func(t *testing.T) {
		t.Parallel()
		d := due()
		d.Locale, d.TenantName, d.TimeZone = "id-ID", "Kopi Senja", "Asia/Jakarta"
		l := write(t, links, d)
		golden(t, "order_paid_id.golden.txt", "Subject: "+l.Subject+"\n\n"+l.Text)
		golden(t, "order_paid_id.golden.html", l.HTML)
	})
	t.Run("a refunded order", func(t *testing.T) {
		t.Parallel()
		d := due()
		d.Data.Status, d.Type, d.Data.TotalAmount, d.Data.Currency = order.Refunded, event.OrderStatusUpdated, 1990, "EUR"
		golden(t, "order_refunded.golden.html", write(t, links, d).HTML)
	})
	t.Run("every other state, in every language", func(t *testing.T) {
		t.Parallel()
		words, err := wording.Load()
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, locale := range words.Languages() {
			for _, status := range order.Statuses() {
				d := due()
				d.Locale, d.Data.Status, d.Type = locale, status, event.TypeFor(status)
				l := write(t, links, d)
				_, said, _ := strings.Cut(l.Text, "\n\n")
				said, _, _ = strings.Cut(said, "\n\n"+words.For(locale).Say("mail.label.order")+": ")
				fmt.Fprintf(&all, "%s %s\n%s\n%s\n\n", locale, status, l.Subject, said)
				if strings.Contains(l.Text+l.HTML+l.Subject, "mail.") || strings.ContainsAny(l.Text+l.Subject, "{}") {
					t.Errorf("%s %s has words that are missing: %s", locale, status, l.Text)
				}
			}
		}
		golden(t, "states.golden.txt", all.String())
	})
	t.Run("a state without words is an error", func(t *testing.T) {
		t.Parallel()
		w, err := ordermail.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		d := due()
		d.Data.Status = "eaten"
		if _, err := w.Write(d); err == nil || !strings.Contains(err.Error(), "eaten") {
			t.Errorf("got %v", err)
		}
	})
}

func links(d mail.Due) ordermail.Links {
	return ordermail.Links{
		Unsubscribe: "https://orderbell.example/unsubscribe?id=" + d.ID + "&x=1",
		Preferences: "https://orderbell.example/#/preferences",
	}
}

func TestWriteHostileNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Ayu\r\nBcc: everyone@example.com", "</title><script>alert(1)</script>", `" onmouseover="x`, "{{.Amount}}",
		"a\u2028b\u2029c\u0085d\ve\ff", "\u202egnp.exe\u2066", "\xff\xfe", "\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clean := write(t, nil, due())
			d := due()
			d.Name, d.TenantName, d.Data.Reference = name, name, name
			l := write(t, nil, d)
			for _, header := range []string{l.Subject, l.ToName} {
				if strings.ContainsAny(header, "\r\n\v\f\x00\u0085\u2028\u2029\u202e\u2066") {
					t.Errorf("a header could break or turn: %q", header)
				}
			}
			if diff := cmp.Diff(elements(t, clean.HTML), elements(t, l.HTML)); diff != "" {
				t.Errorf("a name changed the page's structure: %s", diff)
			}
			if want, got := strings.Count(clean.Text, "\n"), strings.Count(l.Text, "\n"); got != want {
				t.Errorf("the text has %d lines, want %d", got, want)
			}
		})
	}
}

// elements returns the tags and attribute names of a page, in order.
func elements(t *testing.T, page string) []string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		got = append(got, n.Data)
		for _, a := range n.Attr {
			got = append(got, n.Data+"."+a.Key)
		}
	}
	return got
}

// A right-to-left name must not change the order of the amount or the words after it.
// TestWriteNamesThatCoverOthers has names of the released contract's pattern that no reader should see as they are.
func TestWriteNamesThatCoverOthers(t *testing.T) {
	t.Parallel()
	const few = "Z\u0301\u0301\u0301\u0301\u0301\u0301"
	flood := few + strings.Repeat("\u0301", 40) + "\U0001d159"
	d := due()
	d.Name, d.TenantName, d.Data.Reference = flood, flood, flood
	l := write(t, nil, d)
	for what, body := range map[string]string{"subject": l.Subject, "recipient": l.ToName, "text": l.Text, "HTML": l.HTML} {
		if !strings.Contains(body, few) || strings.Contains(body, few+"\u0301") || strings.Contains(body, "\U0001d159") {
			t.Errorf("the %s is %+q", what, body)
		}
	}
	d.Data.Reference = "\U00016fe4\u0301"
	if l := write(t, nil, d); !strings.Contains(l.Subject, "…"+d.Data.OrderID[len(d.Data.OrderID)-6:]) {
		t.Errorf("an order whose reference cannot be seen is called %+q", l.Subject)
	}
}

func TestWriteNamesFromRightToLeft(t *testing.T) {
	t.Parallel()
	const name = "\u2068שולחן 12\u2069"
	d := due()
	d.Name, d.TenantName, d.Data.Reference = "שולחן 12", "שולחן 12", "שולחן 12"
	l := write(t, nil, d)
	if want := "Order " + name + " is paid: IDR 125,000 (" + name + ")"; strings.ReplaceAll(l.Subject, "\u00a0", " ") != want {
		t.Errorf("the subject is %+q, want %+q", l.Subject, want)
	}
	for what, body := range map[string]string{"text": l.Text, "HTML": l.HTML} {
		if all, isolated := strings.Count(body, "שולחן 12"), strings.Count(body, name); all < 4 || all != isolated {
			t.Errorf("%d of %d names in the %s are isolated", isolated, all, what)
		}
	}
}
