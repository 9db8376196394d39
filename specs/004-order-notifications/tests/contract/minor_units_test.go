package contract_test

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"orderbell/internal/order"
)

// TestMinorUnits holds order.MinorDigits to the written table, for every combination of three letters.
func TestMinorUnits(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../contracts/minor-units.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Digits map[string][]string `json:"digits"`
	}
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	for text, lines := range table.Digits {
		digits, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			for code := range strings.FieldsSeq(line) {
				if was, twice := want[code]; twice {
					t.Errorf("%s has %d decimals and %d", code, was, digits)
				}
				want[code] = digits
			}
		}
	}
	if len(want) < 150 {
		t.Fatalf("the table has %d currencies", len(want))
	}
	for i := range 26 * 26 * 26 {
		code := string([]byte{byte('A' + i/26/26), byte('A' + i/26%26), byte('A' + i%26)})
		digits, known := order.MinorDigits(code)
		if listed, ok := want[code]; known != ok || digits != listed {
			t.Errorf("%s: %d decimals, known %t; the table says %d, %t", code, digits, known, listed, ok)
		}
	}
	for _, code := range []string{"", "EU", "eur", "R E", "UR ", "EURO"} {
		if _, known := order.MinorDigits(code); known {
			t.Errorf("%q is known", code)
		}
	}
}
