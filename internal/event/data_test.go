package event_test

import (
	"strings"
	"testing"

	"orderbell/internal/event"
	"orderbell/internal/text/texttest"
)

const validData = `{"order_id":"6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10","tenant_id":"demo","status":"paid","total_amount":1250,` +
	`"currency":"IDR","version":2,"timestamp":"2026-11-24T10:00:00Z"}`

func TestParseData(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ old, with, want string }{
		"as the contract has it":             {"", "", ""},
		"an integer with a fraction of zero": {"1250", "1250.0", ""},
		"an integer with an exponent":        {"1250", "1.25e3", ""},
		"a version with a fraction of zero":  {`"version":2`, `"version":2.0`, ""},
		"a field that is not known":          {`"version"`, `"colour":{"x":null},"version"`, ""},
		"an amount that is 0 after rounding": {"1250", "0.9999999999999999999999", "data.total_amount"},
		"an amount with a small fraction":    {"1250", "999999999999.99999999", "data.total_amount"},
		"an amount that is missing":          {`"total_amount":1250,`, "", "data.total_amount is missing"},
		"an amount that is null":             {"1250", "null", "data.total_amount must not be null"},
		"an amount that occurs twice":        {`"version"`, `"total_amount":1,"version"`, "data.total_amount occurs more than once"},
		"an id that occurs twice":            {`"version"`, `"order_id":"x","version"`, "data.order_id occurs more than once"},
		"a name in capitals":                 {`"total_amount"`, `"TOTAL_AMOUNT"`, "data.TOTAL_AMOUNT must be spelled total_amount"},
		"half a character":                   {`"version"`, `"reference":"\ud83d","version"`, "data.reference contains half"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := event.ParseData([]byte(strings.Replace(validData, tt.old, tt.with, 1)))
			if tt.want == "" {
				if err != nil || d.TotalAmount != 1250 || d.Version != 2 || d.TenantID != "demo" {
					t.Errorf("got %+v, %v", d, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNamesOfAnEvent(t *testing.T) {
	t.Parallel()
	with := func(field, s string) error {
		value := texttest.JSON(s)
		added := map[string]string{
			"data.reference":     `"reference":` + value,
			"data.actor.user_id": `"actor":{"user_id":` + value + `}`,
			"data.actor.name":    `"actor":{"user_id":"u-1","name":` + value + `}`,
		}[field]
		_, err := event.ParseData([]byte(strings.Replace(validData, `"version"`, added+`,"version"`, 1)))
		return err
	}
	cases := texttest.Read(t)
	for _, field := range []string{"data.reference", "data.actor.user_id", "data.actor.name"} {
		for _, good := range cases.Accepted {
			if err := with(field, good); err != nil {
				t.Errorf("%s %+q: %v", field, good, err)
			}
		}
		for _, bad := range cases.Refused {
			if err := with(field, bad.Text); err == nil || !strings.Contains(err.Error(), field) || !bad.Named(err.Error()) {
				t.Errorf("%s %+q: %v, want an error that names %s", field, bad.Text, err, bad.Point)
			}
		}
	}
}

func TestAmountsOfAnEvent(t *testing.T) {
	t.Parallel()
	cases := texttest.ReadAmounts(t)
	for written, want := range cases.Accepted {
		if d, err := event.ParseData([]byte(strings.Replace(validData, "1250", written, 1))); err != nil || d.TotalAmount != want {
			t.Errorf("%s is read as %d, %v; want %d", written, d.TotalAmount, err, want)
		}
	}
	for _, written := range cases.Refused {
		if d, err := event.ParseData([]byte(strings.Replace(validData, "1250", written, 1))); err == nil || !strings.Contains(err.Error(), "data.total_amount") {
			t.Errorf("%s is read as %d, %v; want an error that names the field", written, d.TotalAmount, err)
		}
	}
}
