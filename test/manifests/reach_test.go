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

// networkPolicy is the specification of one.
type networkPolicy struct {
	PodSelector labelSelector `yaml:"podSelector"`
	PolicyTypes []string      `yaml:"policyTypes"`
	Ingress     []struct {
		From  []peer
		Ports []port
	}
	Egress []struct {
		To    []peer
		Ports []port
	}
}

type peer struct {
	PodSelector       *labelSelector `yaml:"podSelector"`
	NamespaceSelector *labelSelector `yaml:"namespaceSelector"`
	IPBlock           *struct {
		CIDR   string   `yaml:"cidr"`
		Except []string `yaml:"except"`
	} `yaml:"ipBlock"`
}

type port struct {
	Port string
	End  string `yaml:"endPort"`
}

// lets returns the permitted sources with their ports, such as "8080 from anywhere".
func (p networkPolicy) lets(t *testing.T) (all []string) {
	t.Helper()
	for _, rule := range p.Ingress {
		all = append(all, rules(t, rule.Ports, " from ", rule.From)...)
	}
	return all
}

// letsOut returns the permitted destinations with their ports, such as "5432 to anywhere".
func (p networkPolicy) letsOut(t *testing.T) (all []string) {
	t.Helper()
	for _, rule := range p.Egress {
		all = append(all, rules(t, rule.Ports, " to ", rule.To)...)
	}
	return all
}

func rules(t *testing.T, given []port, direction string, peers []peer) (all []string) {
	t.Helper()
	ports, others := []string{}, []string{}
	for _, port := range given {
		if port.Port == "" || port.End != "" {
			t.Fatalf("this test does not know the port %+v", port)
		}
		ports = append(ports, port.Port)
	}
	if len(ports) == 0 {
		ports = []string{"any port"}
	}
	for _, f := range peers {
		switch {
		case f.IPBlock != nil && f.PodSelector == nil && f.NamespaceSelector == nil && len(f.IPBlock.Except) == 0:
			others = append(others, f.IPBlock.CIDR)
		case f.IPBlock != nil || f.PodSelector != nil && f.NamespaceSelector != nil:
			t.Fatalf("this test does not know the peer %+v", f)
		case f.NamespaceSelector != nil:
			others = append(others, "namespaces "+f.NamespaceSelector.String())
		default:
			others = append(others, strings.TrimSpace("own pods "+f.PodSelector.String()))
		}
	}
	if len(others) == 0 {
		others = []string{"anywhere"}
	}
	for _, f := range others {
		all = append(all, strings.Join(ports, " ")+direction+f)
	}
	return all
}

// permitted returns what the NetworkPolicies of one type permit each workload, and whether one of them denies all else.
func permitted(t *testing.T, all []object, kind string, lets func(networkPolicy) []string) (by map[string][]string, denied bool) {
	t.Helper()
	by = map[string][]string{}
	for _, o := range all {
		if o.Kind != "NetworkPolicy" {
			continue
		}
		var policy networkPolicy
		o.decode(t, &policy)
		some := lets(policy)
		if !slices.Contains(policy.PolicyTypes, kind) {
			if len(some) > 0 {
				t.Errorf("NetworkPolicy %s has rules of %s, and does not name it: they count for nothing", o.Metadata.Name, kind)
			}
			continue
		}
		denied = denied || policy.PodSelector.String() == "" && len(some) == 0
		for _, w := range workloads(t, all) {
			labels := maps.Clone(w.labels)
			if w.group() == "serving.knative.dev" {
				labels["serving.knative.dev/service"] = w.Metadata.Name // Knative sets it
			}
			if policy.PodSelector.selects(t, labels) {
				by[w.Metadata.Name] = append(by[w.Metadata.Name], some...)
			}
		}
	}
	return by, denied
}

// compare returns the difference of two lists by workload. An empty one counts as missing.
func compare(want, got map[string][]string) string {
	for _, lines := range []map[string][]string{want, got} {
		for name, some := range lines {
			if lines[name] = slices.Sorted(slices.Values(some)); len(some) == 0 {
				delete(lines, name)
			}
		}
	}
	return cmp.Diff(want, got)
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
			want := maps.Clone(programs)
			maps.Copy(want, more[overlay])
			got, denied := permitted(t, all, "Ingress", func(p networkPolicy) []string { return p.lets(t) })
			if !denied {
				t.Error("no NetworkPolicy denies ingress by default")
			}
			if diff := compare(want, got); diff != "" {
				t.Errorf("needed (-) and permitted (+): %s", diff)
			}
		})
	}
}

// TestWhatPodsReach lists the egress that the NetworkPolicies of each overlay permit: only what is needed.
func TestWhatPodsReach(t *testing.T) {
	t.Parallel()
	const (
		postgres, redis, smtp, kafka = "5432 6432 to anywhere", "6379 to anywhere", "25 465 587 1025 to anywhere", "9092 9093 to anywhere"
		provider, apiServer          = "443 to anywhere", "443 6443 to anywhere"
		knative                      = "any port to namespaces knative-serving knative-ingress kourier-system istio-system contour-internal contour-external"
	)
	every := []string{"53 53 to namespaces kube-system", "53 53 to 169.254.20.10/32", "4318 to anywhere"}
	programs := map[string][]string{
		"frontend": {"8080 to own pods sse-gateway", knative}, "sse-gateway": {postgres, redis, provider}, "outbox-relay": {postgres, redis, kafka},
		"order-api": {postgres, redis, provider}, "user-api": {postgres, redis, provider},
		"delivery-sweeper": {postgres, smtp, apiServer}, "migrate": {postgres}, "redrive": {postgres, redis, kafka}, "verify": {postgres, redis},
		"status": {postgres, redis, smtp, kafka, "8080 to own pods sse-gateway outbox-relay frontend kafka-bridge", knative},
	}
	for _, name := range []string{"order-created", "order-paid", "order-status-updated"} {
		programs[name] = []string{postgres, redis, smtp, apiServer}
	}
	more := map[string]map[string][]string{
		"channel":    {"kafka-bridge": {kafka, apiServer, "any port to namespaces knative-eventing"}},
		"kind":       {"kafka": {kafka}, "topics": {kafka}},
		"production": {"pgbouncer": {"5432 to anywhere"}},
	}
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()
			all := load(t, overlay)
			want := maps.Clone(programs)
			maps.Copy(want, more[overlay])
			for _, w := range workloads(t, all) {
				want[w.Metadata.Name] = append(slices.Clone(want[w.Metadata.Name]), every...)
			}
			got, denied := permitted(t, all, "Egress", func(p networkPolicy) []string { return p.letsOut(t) })
			if !denied {
				t.Error("no NetworkPolicy denies egress by default")
			}
			if diff := compare(want, got); diff != "" {
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
