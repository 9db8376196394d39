//go:build manifests

package manifests_test

import (
	"regexp"
	"slices"
	"testing"
)

// hashed is a name that kustomize has put the hash of a content behind.
var hashed = regexp.MustCompile(`-[a-z0-9]{10}$`)

// TestReleases holds objects to what they meet when they are there already: the next release must get through, and undo
// nothing that the cluster has decided since.
func TestReleases(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, all []object) {
		for _, o := range all {
			switch o.Kind {
			case "Broker":
				var spec struct{ Config struct{ Name string } }
				decode(t, o, &spec)
				if hashed.MatchString(spec.Config.Name) {
					t.Errorf("Broker %s names ConfigMap %s: the name changes with the content, and a Broker's spec.config must not", o.Metadata.Name, spec.Config.Name)
				}
			case "HorizontalPodAutoscaler":
				var spec struct {
					Target struct{ Kind, Name string } `yaml:"scaleTargetRef"`
				}
				decode(t, o, &spec)
				if n := replicas(t, all, spec.Target.Kind, spec.Target.Name); n != nil {
					t.Errorf("%s sets %d replicas, and so takes back what HorizontalPodAutoscaler %s has done", spec.Target.Name, *n, o.Metadata.Name)
				}
			case "Deployment":
				for _, term := range apart(t, o) {
					if !slices.Contains(term.Keys, "pod-template-hash") {
						t.Errorf("Deployment %s keeps its new pods from its old ones: a rollout needs a node more than there are pods", o.Metadata.Name)
					}
					if scaled(t, all, o.Metadata.Name) {
						t.Errorf("Deployment %s has an autoscaler, and no more pods than there are nodes", o.Metadata.Name)
					}
				}
			}
		}
	})
}

func decode(t *testing.T, o object, into any) {
	t.Helper()
	if err := o.Spec.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// replicas is what an object says of its number of pods; nil if it says nothing.
func replicas(t *testing.T, all []object, kind, name string) *int {
	t.Helper()
	o := find(all, kind, name)
	if o == nil {
		t.Fatalf("there is no %s %s", kind, name)
	}
	var spec struct{ Replicas *int }
	decode(t, *o, &spec)
	return spec.Replicas
}

// term is a pods' anti-affinity that the scheduler must obey.
type term struct {
	Keys []string `yaml:"matchLabelKeys"`
}

func apart(t *testing.T, o object) []term {
	t.Helper()
	var spec struct {
		Template struct {
			Spec struct {
				Affinity struct {
					Pods struct {
						Required []term `yaml:"requiredDuringSchedulingIgnoredDuringExecution"`
					} `yaml:"podAntiAffinity"`
				}
			}
		}
	}
	decode(t, o, &spec)
	return spec.Template.Spec.Affinity.Pods.Required
}

// scaled says whether a HorizontalPodAutoscaler is for the Deployment called name.
func scaled(t *testing.T, all []object, name string) bool {
	t.Helper()
	for _, o := range all {
		if o.Kind != "HorizontalPodAutoscaler" {
			continue
		}
		var spec struct {
			Target struct{ Kind, Name string } `yaml:"scaleTargetRef"`
		}
		decode(t, o, &spec)
		if spec.Target.Name == name {
			return true
		}
	}
	return false
}
