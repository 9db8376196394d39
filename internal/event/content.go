package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// fields returns the JSON names of [Data].
func fields() []string {
	return []string{"order_id", "tenant_id", "status", "reference", "total_amount", "currency", "version", "timestamp"}
}

// Content returns the event's data as compact JSON for everyone who is told of it: the fields of [Data], checked and in
// one form, then those that a later version of the contract may add, as they came.
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
		if slices.ContainsFunc(fields(), func(ours string) bool { return strings.EqualFold(name, ours) }) {
			delete(later, name) // Data has it, however its name is written
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
