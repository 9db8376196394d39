package orderapi_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/orderapi"
	"orderbell/internal/order"
	"orderbell/internal/user"
)

// steps are the states that an order may change to, with the roles that may do it.
type steps map[order.Status][]user.Role

func TestTheTableOfTransitionsIsTheRule(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../../specs/004-order-notifications/contracts/order-transitions.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Transitions map[order.Status]steps `json:"transitions"`
	}
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	rule := map[order.Status]steps{}
	for _, from := range order.Statuses() {
		rule[from] = steps{}
		for _, to := range from.Next() {
			rule[from][to] = orderapi.Movers(to)
		}
	}
	if diff := cmp.Diff(rule, table.Transitions); diff != "" {
		t.Errorf("the rule (-) and the table (+): %s", diff)
	}
}
