package order_test

import (
	"encoding/json"
	"testing"

	"orderbell/internal/order"
)

func TestAnIntegerIsExactOrRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "0.0": 0, "0e999999999999999999999": 0, "0e-9": 0, "1": 1, "-1": -1, "1250.0": 1250, "1.25e3": 1250,
		"1.25E+3": 1250, "125000e-2": 1250, "1250.000000000000000000000": 1250, "9007199254740993": 9007199254740993,
		"9007199254740993.0": 9007199254740993, "-1250.0": -1250, "1e18": 1e18, "9223372036854775807.0": 9223372036854775807, "-9223372036854775808.0": -9223372036854775808, "9223372036854775807": 9223372036854775807, "999999999999e0": 999999999999,
	} {
		var got order.Integer
		if err := json.Unmarshal([]byte(text), &got); err != nil || int64(got) != want {
			t.Errorf("%s is read as %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"0.9999999999999999999999", "999999999999.99999999", "0.5", "1e-1", "1250.01", "9223372036854775808", "1e19", "1e999999999999999999999",
		"9223372036854775808.0", "-9223372036854775809.0", "1e-999999999999999999999", `"1"`, "true", "[]", "{}",
	} {
		var got order.Integer
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is read as %d, want an error", text, got)
		}
	}
}

// TestANullIsLeft is encoding/json's rule for every type.
func TestANullIsLeft(t *testing.T) {
	t.Parallel()
	got := order.Integer(7)
	if err := got.UnmarshalJSON([]byte("null")); err != nil || got != 7 {
		t.Errorf("null makes 7 %d, %v", got, err)
	}
}
