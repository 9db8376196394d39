package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// Explain converts an error of encoding/json to a fault, in words without Go types. Its Field is "" for the whole value.
func Explain(err error) *Fault {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		value := strings.Replace(wrong.Value, "bool", "boolean", 1)
		if wrong.Field == "" {
			return &Fault{"", "must be a JSON object; it is a JSON " + value}
		}
		return &Fault{jsonPath(wrong.Field), fmt.Sprintf("must be %s; it is a JSON %s", jsonType(wrong.Type), value)}
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Error() != "unexpected end of JSON input" {
		return &Fault{"", fmt.Sprintf("is not valid JSON: %s at byte %d", syntax.Error(), syntax.Offset)}
	}
	if syntax != nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Fault{"", "is empty or ends within its JSON"}
	}
	return &Fault{"", fmt.Sprintf("is not valid JSON: %s", err)}
}

// jsonType names the JSON that a Go type is decoded from.
func jsonType(t reflect.Type) string {
	switch t.Kind() { //nolint:exhaustive // the kinds that requests have
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "an array"
	default:
		return "an object"
	}
}

// jsonPath returns a field's path without the embedded structs that encoding/json names in it by their Go names: our own
// fields are in lower case.
func jsonPath(field string) string {
	steps := slices.DeleteFunc(strings.Split(field, "."), func(step string) bool {
		return step != "" && step[0] >= 'A' && step[0] <= 'Z'
	})
	return strings.Join(steps, ".")
}
