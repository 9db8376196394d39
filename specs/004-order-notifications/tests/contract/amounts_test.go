package contract_test

import (
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"orderbell/internal/text/texttest"
)

// TestTheRuleOfAmountsIsOne holds the schema of events to the cases that API, events and page are tested with.
func TestTheRuleOfAmountsIsOne(t *testing.T) {
	t.Parallel()
	schema := readDocument(t).schema(t, "#/components/schemas/OrderData")
	valid := func(amount string) error {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"order_id":"6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10","tenant_id":"demo","status":"paid",
			"total_amount":` + amount + `,"currency":"IDR","version":2,"timestamp":"2026-11-24T10:00:00Z"}`))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(value)
	}
	cases := texttest.ReadAmounts(t)
	for written := range cases.Accepted {
		if err := valid(written); err != nil {
			t.Errorf("%s: %v", written, err)
		}
	}
	for _, written := range cases.Refused {
		if valid(written) == nil {
			t.Errorf("%s is valid by the schema", written)
		}
	}
}
