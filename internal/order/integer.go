package order

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// Integer is an integer of JSON, as JSON Schema has it: 125000, and 125000.0 or
// 1.25e5 as well, which programs without integers write. It is read exactly: 0.99999999999999999999 is not 1.
type Integer int64

// UnmarshalJSON implements [encoding/json.Unmarshaler]. It leaves a null as package json does.
func (a *Integer) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	n, ok := parseInteger(string(text))
	if !ok {
		return &json.UnmarshalTypeError{Value: kind(text), Type: reflect.TypeFor[int64]()}
	}
	*a = Integer(n)
	return nil
}

// parseInteger returns the value of a JSON number without rounding.
func parseInteger(text string) (int64, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		var err error
		mantissa = text[:i]
		if exponent, err = strconv.Atoi(strings.TrimPrefix(text[i+1:], "+")); err != nil {
			exponent = 1 << 20 // beyond every number but 0
			if strings.HasPrefix(text[i+1:], "-") {
				exponent = -exponent
			}
		}
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exponent -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	if trimmed == "" {
		return 0, strings.Trim(whole+fraction, "0") == "" && whole != ""
	}
	const most = 19 // digits of an int64
	if exponent < 0 || len(trimmed)+exponent > most {
		return 0, false
	}
	trimmed += strings.Repeat("0", exponent)
	if negative {
		trimmed = "-" + trimmed
	}
	n, err := strconv.ParseInt(trimmed, 10, 64)
	return n, err == nil
}

// kind says what the JSON value is, as package json does.
func kind(text []byte) string {
	switch text[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "bool"
	}
	return "number " + string(text)
}
