package event

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// isField reports whether [Data] has a field with the JSON name, ignoring case.
func isField(name string) bool {
	data := reflect.TypeFor[Data]()
	for i := range data.NumField() {
		ours, _, _ := strings.Cut(data.Field(i).Tag.Get("json"), ",")
		if strings.EqualFold(name, ours) {
			return true
		}
	}
	return false
}

// Content returns the event's data as compact JSON for streams and inboxes: first the validated fields of [Data] in
// canonical form, then unknown fields of later contract versions, unchanged.
func (e Event) Content() ([]byte, error) {
	content, err := json.Marshal(e.Data)
	if err != nil {
		return nil, fmt.Errorf("encode event data: %w", err)
	}
	if len(e.Raw) == 0 {
		return content, nil
	}
	var later map[string]json.RawMessage
	if err := json.Unmarshal(e.Raw, &later); err != nil {
		return nil, fmt.Errorf("decode event data: %w", err)
	}
	for name := range later {
		if isField(name) {
			delete(later, name) // a field of Data, in another case
		}
	}
	if len(later) == 0 {
		return content, nil
	}
	rest, err := json.Marshal(later)
	if err != nil {
		return nil, fmt.Errorf("encode event data: %w", err)
	}
	content[len(content)-1] = ','
	return append(content, rest[1:]...), nil
}
