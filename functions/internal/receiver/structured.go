package receiver

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/cloudevents/sdk-go/v2/types"

	"orderbell/internal/event"
	"orderbell/internal/strictjson"
)

// checkStructured returns the specversion of a structured event, or its first fault. Faults are JSON that other parsers read
// differently although the SDK accepts it, and values that the SDK refuses with an error about Go types.
func checkStructured(body []byte) (specversion string, fault *strictjson.Fault) {
	if fault := strictjson.Check(body, nil); fault != nil {
		return "", fault
	}
	var attributes map[string]json.RawMessage
	if err := json.Unmarshal(body, &attributes); err != nil {
		fault := strictjson.Explain(err)
		return "", &strictjson.Fault{Field: "the event", Detail: fault.Detail}
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if name == "data" || name == "data_base64" {
			continue
		}
		var value any
		if err := json.Unmarshal(attributes[name], &value); err != nil {
			return "", strictjson.Explain(err)
		}
		said, isText := value.(string)
		switch name {
		case "specversion":
			specversion = said
		case "time":
			if _, err := types.ParseTime(said); err != nil {
				return "", &strictjson.Fault{Field: name, Detail: fmt.Sprintf("%q is not an RFC 3339 time", event.Clip(said))}
			}
		case "id", "source", "type", "subject", "datacontenttype", "dataschema":
			if !isText && value != nil {
				return "", &strictjson.Fault{Field: name, Detail: "must be a string"}
			}
		default:
			switch value.(type) {
			case map[string]any, []any:
				return "", &strictjson.Fault{Field: name, Detail: "must be a string, an integer, true or false"}
			}
		}
	}
	if specversion == "" {
		return "", &strictjson.Fault{Field: "specversion", Detail: "is missing"}
	}
	return specversion, nil
}
