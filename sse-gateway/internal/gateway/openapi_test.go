package gateway_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

func TestTheOpenAPIDocumentHasTheGatewaysRoutes(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../../specs/004-order-notifications/contracts/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	var written []string
	for path, methods := range doc.Paths {
		for method := range methods {
			if strings.HasPrefix(path, "/api/sse/") {
				written = append(written, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(written)
	if diff := cmp.Diff(setup(t).gateway.Routes(), written); diff != "" {
		t.Errorf("served (-) and written (+): %s", diff)
	}
}
