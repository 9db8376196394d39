package orderapi

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
)

// amount is an integer as JSON Schema has it: 125000, and 125000.0 or 1.25e5 as well, which programs without integers
// write.
type amount int64

// UnmarshalJSON implements [json.Unmarshaler].
func (a *amount) UnmarshalJSON(text []byte) error {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		*a = amount(n)
		return nil
	}
	const exact = 1 << 53 // from there on a float64 may be another integer than the one that was written
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) >= exact {
		return &json.UnmarshalTypeError{Value: kind(text), Type: reflect.TypeFor[int64]()}
	}
	*a = amount(n)
	return nil
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
