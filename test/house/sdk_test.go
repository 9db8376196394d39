package house_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	// sdk begins the import paths of the CloudEvents SDK.
	sdk = "github.com/cloudevents/sdk-go/"
	// tags are the build tags of tests: with them, go list sees every file.
	tags = "alerts,chaos,cluster,collector,conformance,manifests,real,record,tenants"
)

// sdkParts are the packages that import the CloudEvents SDK, each with the parts that its job needs. The SDK's event type has one
// importer, and every other package uses cloudevent.Event.
var sdkParts = map[string][]string{ //nolint:gochecknoglobals // a table
	"internal/event/cloudevent": {"v2/event"},
	// Events as Kafka messages.
	"internal/bus": {"protocol/kafka_sarama/v2", "v2/binding"},
	// Events as HTTP requests and answers.
	"cmd/orderbell/internal/devstack":    {"v2/binding", "v2/protocol/http"},
	"cmd/orderbell/internal/localbroker": {"v2/binding", "v2/protocol/http"},
	"functions/internal/receiver":        {"v2/binding", "v2/protocol/http", "v2/types"}, // types reads times as the SDK does
	"kafka-bridge/internal/bridge":       {"v2/binding", "v2/protocol/http"},
}

func TestSDK(t *testing.T) {
	t.Parallel()
	imports := func(t *testing.T, fields ...string) map[string][]string {
		t.Helper()
		format := "{{$p := .ImportPath}}"
		for _, field := range fields {
			format += "{{range ." + field + "}}{{$p}} {{.}}\n{{end}}"
		}
		found := map[string][]string{}
		for line := range strings.Lines(string(output(t, "go", "list", "-tags", tags, "-f", format, "./..."))) {
			importer, imported, _ := strings.Cut(strings.TrimSpace(line), " ")
			if part, ok := strings.CutPrefix(imported, sdk); ok {
				importer = strings.TrimPrefix(importer, "orderbell/")
				found[importer] = append(found[importer], part)
			}
		}
		return found
	}
	t.Run("each part is imported by the packages that need it", func(t *testing.T) {
		t.Parallel()
		if diff := cmp.Diff(sdkParts, imports(t, "Imports")); diff != "" {
			t.Errorf("importers of %s (-want +got):\n%s", sdk, diff)
		}
	})
	t.Run("tests use cloudevent.Event too", func(t *testing.T) {
		t.Parallel()
		for importer, parts := range imports(t, "TestImports", "XTestImports") {
			for _, part := range parts {
				if part == "v2" || part == "v2/event" {
					t.Errorf("a test of %s imports %s%s: use internal/event/cloudevent", importer, sdk, part)
				}
			}
		}
	})
}
