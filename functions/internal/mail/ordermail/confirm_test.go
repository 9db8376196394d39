package ordermail_test

import (
	"strings"
	"testing"
	"time"

	"orderbell/functions/internal/mail/ordermail"
	"orderbell/internal/mail"
	"orderbell/internal/user"
)

func TestAConfirmation(t *testing.T) {
	t.Parallel()
	const link = "https://orders.example/api/users/confirmation/abc"
	w, err := ordermail.New(func(mail.Due) ordermail.Links { return ordermail.Links{Confirm: link} })
	if err != nil {
		t.Fatal(err)
	}
	due := mail.Due{
		MessageID: "1@x.example", Type: user.AddressConfirmation, TenantID: "demo", TenantName: "Kopi <Senja>", Locale: "en", Email: "ana@x.example",
		Name: "Buy now at http://evil.example", TimeZone: "UTC", LinkEnds: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC),
	}
	got, err := w.Write(due)
	if err != nil {
		t.Fatal(err)
	}
	if got.To != "ana@x.example" || got.ToName != "" || got.Subject != "Confirm your address for Kopi <Senja>" || got.Unsubscribe != "" || got.MessageID != due.MessageID {
		t.Errorf("the mail is %+v", got)
	}
	for part, wants := range map[string][]string{
		got.Text: {link, "Kopi <Senja> uses Orderbell", "1 December 2026, 10:00 UTC"},
		got.HTML: {`href="` + link + `"`, "Kopi &lt;Senja&gt; uses Orderbell", "1 December 2026, 10:00 UTC"},
	} {
		for _, want := range wants {
			if !strings.Contains(part, want) {
				t.Errorf("no %q in\n%s", want, part)
			}
		}
		if strings.Contains(part, "evil.example") {
			t.Errorf("it has the name, which the inviting user chose:\n%s", part)
		}
	}
	none, err := ordermail.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.Write(due); err == nil {
		t.Error("a confirmation without a link is written")
	}
}
