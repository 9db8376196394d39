//go:build manifests

package manifests_test

import (
	"regexp"
	"slices"
	"testing"
)

// hashed matches a name to which kustomize has appended the hash of the content.
var hashed = regexp.MustCompile(`-[a-z0-9]{10}$`)

// TestReleases checks that a release can be applied over an earlier one: no immutable field changes, and nothing that an
// autoscaler has set is overwritten.
func TestReleases(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, all []object) {
		scaled := map[string]bool{} // Deployments by name
		for _, o := range all {
			switch o.Kind {
			case "Broker":
				var spec struct{ Config struct{ Name string } }
				o.decode(t, &spec)
				if hashed.MatchString(spec.Config.Name) {
					t.Errorf("Broker %s names ConfigMap %s: the name changes with the content, and a Broker's spec.config must not", o.Metadata.Name, spec.Config.Name)
				}
			case "HorizontalPodAutoscaler":
				var spec struct {
					Target struct{ Kind, Name string } `yaml:"scaleTargetRef"`
				}
				o.decode(t, &spec)
				if spec.Target.Kind != "Deployment" || find(all, spec.Target.Kind, spec.Target.Name) == nil {
					t.Errorf("HorizontalPodAutoscaler %s scales %+v, which is not a Deployment of the overlay", o.Metadata.Name, spec.Target)
				}
				scaled[spec.Target.Name] = true
			}
		}
		for _, w := range workloads(t, all) {
			if w.Kind != "Deployment" {
				continue
			}
			name := w.Metadata.Name
			if scaled[name] && w.numbered {
				t.Errorf("Deployment %s sets %d replicas, which overwrites the number that its autoscaler has set", name, w.replicas)
			}
			for _, term := range w.pod.Affinity.Apart.Required {
				if !slices.Contains(term.Keys, "pod-template-hash") {
					t.Errorf("the anti-affinity of Deployment %s also applies between old and new pods: a rollout needs one node more than pods", name)
				}
				if scaled[name] {
					t.Errorf("Deployment %s has an autoscaler, but cannot have more pods than there are nodes", name)
				}
			}
		}
	})
}
