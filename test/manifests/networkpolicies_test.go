//go:build manifests

package manifests_test

import (
	"slices"
	"testing"
)

// TestStoresAreReached checks that NetworkPolicies let each program connect to the stores whose addresses it gets, and to no others.
func TestStoresAreReached(t *testing.T) {
	t.Parallel()
	policies := map[string]string{
		"DATABASE_URL": "to-postgres", "REDIS_URL": "to-redis", "SMTP_URL": "to-smtp", "KAFKA_BROKERS": "to-kafka",
	}
	each(t, func(t *testing.T, all []object) {
		for address, policy := range policies {
			allowed := selected(t, all, policy)
			for _, w := range workloads(t, all) {
				if !w.ours() {
					continue
				}
				_, given := settings(t, all, w)[address]
				if may := slices.Contains(allowed, w.Metadata.Name); may != given {
					t.Errorf("%s has the variable %s: %t; NetworkPolicy %s lets it connect: %t", w.Metadata.Name, address, given, policy, may)
				}
			}
		}
	})
}

// selected returns the programs that a NetworkPolicy selects.
func selected(t *testing.T, all []object, policy string) []string {
	t.Helper()
	o := find(all, "NetworkPolicy", policy)
	if o == nil {
		t.Fatalf("NetworkPolicy %s does not exist", policy)
	}
	var spec struct {
		PodSelector struct {
			MatchExpressions []struct {
				Key, Operator string
				Values        []string
			} `yaml:"matchExpressions"`
		} `yaml:"podSelector"`
	}
	o.decode(t, &spec)
	for _, e := range spec.PodSelector.MatchExpressions {
		if e.Key == "app.kubernetes.io/name" && e.Operator == "In" {
			return e.Values
		}
	}
	t.Fatalf("NetworkPolicy %s names no programs", policy)
	return nil
}
