//go:build manifests

// Package manifests_test checks rules of the rendered overlays that no schema can express: the programs read every variable that
// is set, there are enough database connections, every dead letter has a sink. `make manifests` renders the overlays and runs it.
package manifests_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const root = "../.."

var overlays = []string{"channel", "kind", "production"} //nolint:gochecknoglobals // constant; Go has no such arrays

// object is one Kubernetes object.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name        string            `yaml:"name"`
		Annotations map[string]string `yaml:"annotations"`
		Labels      map[string]string `yaml:"labels"`
	} `yaml:"metadata"`
	Data map[string]string `yaml:"data"`
	Spec yaml.Node         `yaml:"spec"`
	raw  string
}

// group is the API group without its version.
func (o object) group() string {
	group, _, ok := strings.Cut(o.APIVersion, "/")
	if !ok {
		return ""
	}
	return group
}

// decode decodes the object's specification.
func (o object) decode(t *testing.T, into any) {
	t.Helper()
	if err := o.Spec.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// pod is the part of a pod's specification that the tests check.
type pod struct {
	ServiceAccountName string           `yaml:"serviceAccountName"`
	AutomountToken     *bool            `yaml:"automountServiceAccountToken"`
	GraceSeconds       int              `yaml:"terminationGracePeriodSeconds"`
	TimeoutSeconds     int              `yaml:"timeoutSeconds"`
	Concurrency        int              `yaml:"containerConcurrency"`
	SecurityContext    security         `yaml:"securityContext"`
	Spread             []map[string]any `yaml:"topologySpreadConstraints"`
	Affinity           affinity         `yaml:"affinity"`
	Containers         []container      `yaml:"containers"`
}

type affinity struct {
	Apart struct {
		Required []struct {
			Keys []string `yaml:"matchLabelKeys"`
		} `yaml:"requiredDuringSchedulingIgnoredDuringExecution"`
	} `yaml:"podAntiAffinity"`
}

type container struct {
	Name    string   `yaml:"name"`
	Image   string   `yaml:"image"`
	Args    []string `yaml:"args"`
	EnvFrom []struct {
		ConfigMapRef *struct{ Name string } `yaml:"configMapRef"`
		SecretRef    *struct{ Name string } `yaml:"secretRef"`
	} `yaml:"envFrom"`
	Env []struct {
		Name      string `yaml:"name"`
		Value     string `yaml:"value"`
		ValueFrom *struct {
			SecretKeyRef *struct {
				Name, Key string
				Optional  bool
			} `yaml:"secretKeyRef"`
			ConfigMapKeyRef *struct{ Name, Key string } `yaml:"configMapKeyRef"`
		} `yaml:"valueFrom"`
	} `yaml:"env"`
	SecurityContext security       `yaml:"securityContext"`
	Readiness       map[string]any `yaml:"readinessProbe"`
	Lifecycle       struct {
		PreStop struct {
			Sleep struct{ Seconds int } `yaml:"sleep"`
		} `yaml:"preStop"`
	} `yaml:"lifecycle"`
	Resources struct {
		Requests, Limits map[string]string
	} `yaml:"resources"`
}

type security struct {
	RunAsNonRoot *bool `yaml:"runAsNonRoot"`
	RunAsUser    int   `yaml:"runAsUser"`
	Escalation   *bool `yaml:"allowPrivilegeEscalation"`
	ReadOnlyRoot bool  `yaml:"readOnlyRootFilesystem"`
	Capabilities struct{ Drop []string }
	Seccomp      struct{ Type string } `yaml:"seccompProfile"`
}

// nonRoot says whether s forbids to run as root.
func (s security) nonRoot() bool { return s.RunAsNonRoot != nil && *s.RunAsNonRoot }

// workload is an object that creates pods.
type workload struct {
	object
	replicas    int
	numbered    bool              // replicas are set
	annotations map[string]string // of the pods
	labels      map[string]string // of the pods
	pod         pod
}

// job says whether the pods are those of a job, which ends.
func (w workload) job() bool { return w.Kind == "Job" || w.Kind == "CronJob" }

// ours says whether the pods run one of Orderbell's programs.
func (w workload) ours() bool {
	name := w.pod.Containers[0].Image
	return name == "orderbell" || slices.Contains(programs(), name)
}

// programs returns the deployables by name: the folders with a main that a cluster runs.
func programs() []string {
	names := []string{"frontend", "kafka-bridge", "outbox-relay", "sse-gateway"}
	return append(names, functions()...)
}

func functions() []string {
	mains, _ := filepath.Glob(filepath.Join(root, "functions", "*", "main.go")) // the pattern is well-formed
	var names []string
	for _, m := range mains {
		names = append(names, filepath.Base(filepath.Dir(m)))
	}
	return names
}

// folder returns the folder of the program's main.
func folder(name string) string {
	switch {
	case name == "orderbell":
		return "cmd/orderbell"
	case slices.Contains(functions(), name):
		return "functions/" + name
	}
	return name
}

// each runs test for each overlay.
func each(t *testing.T, test func(*testing.T, []object)) {
	t.Helper()
	for _, name := range overlays {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, load(t, name))
		})
	}
}

func load(t *testing.T, overlay string) []object {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, ".cache", "manifests", overlay+".yaml"))
	if err != nil {
		t.Fatalf("%v: run make manifests, which renders it", err)
	}
	var all []object
	for decoder := yaml.NewDecoder(bytes.NewReader(content)); ; {
		var node yaml.Node
		if err := decoder.Decode(&node); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		var o object
		if err := node.Decode(&o); err != nil {
			t.Fatal(err)
		}
		raw, err := yaml.Marshal(&node)
		if err != nil {
			t.Fatal(err)
		}
		o.raw = string(raw)
		all = append(all, o)
	}
	if len(all) == 0 {
		t.Fatalf("overlay %s is empty", overlay)
	}
	return all
}

func workloads(t *testing.T, all []object) []workload {
	t.Helper()
	var some []workload
	for _, o := range all {
		serving := o.group() == "serving.knative.dev" && o.Kind == "Service"
		if !serving && !slices.Contains([]string{"Deployment", "StatefulSet", "Job", "CronJob"}, o.Kind) {
			continue
		}
		var spec struct {
			Replicas *int `yaml:"replicas"`
			Template struct {
				Metadata struct{ Annotations, Labels map[string]string }
				Spec     pod
			} `yaml:"template"`
			JobTemplate struct{ Spec yaml.Node } `yaml:"jobTemplate"`
		}
		o.decode(t, &spec)
		if o.Kind == "CronJob" {
			if err := spec.JobTemplate.Spec.Decode(&spec); err != nil {
				t.Fatal(err)
			}
		}
		w := workload{object: o, replicas: 1, annotations: spec.Template.Metadata.Annotations, labels: spec.Template.Metadata.Labels, pod: spec.Template.Spec}
		if spec.Replicas != nil {
			w.replicas, w.numbered = *spec.Replicas, true
		}
		some = append(some, w)
	}
	return some
}

// find returns the object of kind called name, or nil.
func find(all []object, kind, name string) *object {
	for i := range all {
		if all[i].Kind == kind && all[i].Metadata.Name == name {
			return &all[i]
		}
	}
	return nil
}

// settings returns the environment of w's first container. Variables from Secrets have an empty value.
func settings(t *testing.T, all []object, w workload) map[string]string {
	t.Helper()
	got := map[string]string{}
	c := w.pod.Containers[0]
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef == nil {
			t.Errorf("%s takes a whole Secret into its environment", w.Metadata.Name)
			continue
		}
		m := find(all, "ConfigMap", from.ConfigMapRef.Name)
		if m == nil {
			t.Errorf("%s names ConfigMap %s, which does not exist", w.Metadata.Name, from.ConfigMapRef.Name)
			continue
		}
		for k, v := range m.Data {
			got[k] = v
		}
	}
	for _, e := range c.Env {
		got[e.Name] = e.Value
	}
	return got
}
