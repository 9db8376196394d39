//go:build manifests

package manifests_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// labelSelector is Kubernetes's label selector. An empty one selects everything.
type labelSelector struct {
	MatchLabels      map[string]string `yaml:"matchLabels"`
	MatchExpressions []struct {
		Key, Operator string
		Values        []string
	} `yaml:"matchExpressions"`
}

func (s labelSelector) selects(t *testing.T, labels map[string]string) bool {
	t.Helper()
	for key, value := range s.MatchLabels {
		if labels[key] != value {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		value, has := labels[e.Key]
		switch e.Operator {
		case "In":
			has = slices.Contains(e.Values, value)
		case "Exists":
		default:
			t.Fatalf("this test does not know the operator %s", e.Operator)
		}
		if !has {
			return false
		}
	}
	return true
}

func (s labelSelector) String() string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		all = append(all, s.MatchLabels[key])
	}
	for _, e := range s.MatchExpressions {
		all = append(all, e.Values...)
	}
	return strings.Join(all, " ")
}

// networkPolicy is the ingress part of the specification.
type networkPolicy struct {
	PodSelector labelSelector `yaml:"podSelector"`
	PolicyTypes []string      `yaml:"policyTypes"`
	Ingress     []struct {
		From []struct {
			PodSelector       *labelSelector `yaml:"podSelector"`
			NamespaceSelector *labelSelector `yaml:"namespaceSelector"`
			IPBlock           map[string]any `yaml:"ipBlock"`
		}
		Ports []struct{ Port string }
	}
}

// lets returns the permitted sources with their ports, such as "8080 from anywhere".
func (p networkPolicy) lets(t *testing.T) (all []string) {
	t.Helper()
	for _, rule := range p.Ingress {
		ports, from := []string{}, []string{}
		for _, port := range rule.Ports {
			ports = append(ports, port.Port)
		}
		if len(ports) == 0 {
			ports = []string{"any port"}
		}
		for _, f := range rule.From {
			switch {
			case f.IPBlock != nil || f.PodSelector != nil && f.NamespaceSelector != nil:
				t.Fatalf("this test does not know the peer %+v", f)
			case f.NamespaceSelector != nil:
				from = append(from, "namespaces "+f.NamespaceSelector.String())
			default:
				from = append(from, strings.TrimSpace("own pods "+f.PodSelector.String()))
			}
		}
		if len(from) == 0 {
			from = []string{"anywhere"}
		}
		for _, f := range from {
			all = append(all, strings.Join(ports, " ")+" from "+f)
		}
	}
	return all
}

// TestWhoReachesWhat lists the ingress that the NetworkPolicies of each overlay permit: only what is needed. Other sources cannot
// reach the programs' metrics, either.
func TestWhoReachesWhat(t *testing.T) {
	t.Parallel()
	const (
		public     = "8080 from anywhere" // the front end has no metrics; the routes of TestWhatIsPublic do not lead to the gateway's
		status     = "8080 from own pods status"
		monitoring = "8080 from namespaces monitoring"
		knative    = "8012 8112 8022 9090 9091 from namespaces knative-serving knative-ingress kourier-system istio-system contour-internal contour-external"
	)
	programs := map[string][]string{
		"frontend": {public, status}, "sse-gateway": {public, status, monitoring}, "outbox-relay": {status, monitoring},
	}
	for _, name := range functions() {
		programs[name] = []string{knative}
	}
	store := []string{"any port from own pods"}
	more := map[string]map[string][]string{
		"channel":    {"kafka-bridge": {"8080 from namespaces knative-eventing", status, monitoring}},
		"kind":       {"postgres": store, "redis": store, "mailpit": store, "kafka": append([]string{"9092 from namespaces knative-eventing"}, store...)},
		"production": {"pgbouncer": {"6432 from own pods"}},
	}
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()
			all := load(t, overlay)
			want, got := maps.Clone(programs), map[string][]string{}
			maps.Copy(want, more[overlay])
			denied := false
			for _, o := range all {
				if o.Kind != "NetworkPolicy" {
					continue
				}
				var policy networkPolicy
				o.decode(t, &policy)
				denied = denied || slices.Contains(policy.PolicyTypes, "Ingress") && policy.PodSelector.String() == "" && len(policy.Ingress) == 0
				for _, w := range workloads(t, all) {
					labels := maps.Clone(w.labels)
					if w.group() == "serving.knative.dev" {
						labels["serving.knative.dev/service"] = w.Metadata.Name // Knative sets it
					}
					if policy.PodSelector.selects(t, labels) {
						got[w.Metadata.Name] = append(got[w.Metadata.Name], policy.lets(t)...)
					}
				}
			}
			if !denied {
				t.Error("no NetworkPolicy denies ingress by default")
			}
			for _, lines := range []map[string][]string{want, got} {
				for name, some := range lines {
					if lines[name] = slices.Sorted(slices.Values(some)); len(some) == 0 {
						delete(lines, name)
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("needed (-) and permitted (+): %s", diff)
			}
		})
	}
}

// TestWhatIsPublic lists what is reachable from outside the cluster in each overlay: the page and the gateway's streams, but not
// its metrics.
func TestWhatIsPublic(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"production": {"/ to frontend", "/api/sse to sse-gateway"},
		"kind":       {"NodePort to frontend"},
		"channel":    nil,
	}
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, o := range load(t, overlay) {
				switch {
				case o.Kind == "Ingress":
					got = append(got, routed(t, o)...)
				case slices.Contains([]string{"HTTPRoute", "Gateway", "DomainMapping", "VirtualService"}, o.Kind):
					t.Errorf("this test does not know what %s %s makes public", o.Kind, o.Metadata.Name)
				case o.group() == "serving.knative.dev" && o.Kind == "Service":
					if o.Metadata.Labels["networking.knative.dev/visibility"] != "cluster-local" {
						got = append(got, "Knative's ingress to "+o.Metadata.Name)
					}
				case o.Kind == "Service":
					var spec struct {
						Type     string
						Selector map[string]string
						External []string `yaml:"externalIPs"`
					}
					o.decode(t, &spec)
					if spec.Type != "" && spec.Type != "ClusterIP" || len(spec.External) > 0 {
						got = append(got, fmt.Sprintf("%s to %s", spec.Type, spec.Selector["app.kubernetes.io/name"]))
					}
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(want[overlay], got); diff != "" {
				t.Errorf("public: expected (-) and actual (+): %s", diff)
			}
		})
	}
}

// routed returns the paths of an Ingress with their Services.
func routed(t *testing.T, o object) (all []string) {
	t.Helper()
	type backend struct {
		Service struct{ Name string }
	}
	var spec struct {
		DefaultBackend *backend `yaml:"defaultBackend"`
		Rules          []struct {
			HTTP struct {
				Paths []struct {
					Path, PathType string
					Backend        backend
				}
			} `yaml:"http"`
		}
	}
	o.decode(t, &spec)
	if spec.DefaultBackend != nil {
		all = append(all, "all else to "+spec.DefaultBackend.Service.Name)
	}
	for _, rule := range spec.Rules {
		for _, p := range rule.HTTP.Paths {
			all = append(all, p.Path+" to "+p.Backend.Service.Name)
		}
	}
	return all
}
