//go:build manifests

package manifests_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestBrokerSettings runs the part of k8s/kafka-broker/settings that edits the ConfigMap, on the text of Knative's release.
func TestBrokerSettings(t *testing.T) {
	t.Parallel()
	const release = `data:
  config-kafka-broker-consumer.properties: |
    key.deserializer=org.apache.kafka.common.serialization.StringDeserializer
    auto.offset.reset=latest
    max.poll.records=50
    max.poll.interval.ms=300000
`
	cmd := exec.CommandContext(t.Context(), "bash", "-c", "source k8s/kafka-broker/settings && wanted")
	cmd.Dir = root
	cmd.Stdin = strings.NewReader(release)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := strings.NewReplacer("=latest", "=earliest", "records=50\n", "records=500\n").Replace(release)
	if string(out) != want {
		t.Errorf("the settings are\n%s\nwant\n%s", out, want)
	}
}

// The CPU requests of a kind cluster, in thousandths of a core. Those of Knative are the releases' that k8s/kind/up applies;
// Kubernetes' own are kubeadm's and kind's defaults. docs/deploy.md has the sum.
const (
	laptop     = 4000
	kubernetes = 950
	knative    = 600 + 400 + 325 + 125 + 120 + 150 + 200 // Serving, Kourier, Eventing, PingSource, Kafka control plane, broker (lowered), two pods of the sink (halved)
	function   = 50 + 25                                 // a pod and its queue-proxy
)

// TestKindFitsALaptop adds up the CPU requests of overlay kind: the pods that always run and six functions must fit on four
// cores.
func TestKindFitsALaptop(t *testing.T) {
	t.Parallel()
	always := 0
	for _, o := range load(t, "kind") {
		if o.Kind != "Deployment" && o.Kind != "StatefulSet" {
			continue
		}
		var spec struct {
			Replicas *int
			Template struct{ Spec pod }
		}
		o.decode(t, &spec)
		for _, c := range spec.Template.Spec.Containers {
			cpu, isMilli := strings.CutSuffix(c.Resources.Requests["cpu"], "m")
			n, err := strconv.Atoi(cpu)
			if err != nil {
				t.Fatalf("%s %s requests cpu %q", o.Kind, o.Metadata.Name, c.Resources.Requests["cpu"])
			}
			if !isMilli {
				n *= 1000
			}
			if spec.Replicas != nil {
				n *= *spec.Replicas
			}
			always += n
		}
	}
	if always == 0 {
		t.Fatal("overlay kind requests nothing")
	}
	if sum := kubernetes + knative + always + 6*function; sum > laptop {
		t.Errorf("Kubernetes %d + Knative %d + Orderbell %d + six functions %d = %d thousandths of a core, want at most %d",
			kubernetes, knative, always, 6*function, sum, laptop)
	}
	t.Logf("overlay kind requests %d thousandths of a core", always)
}

// TestDeadLettersAreRedriven checks that every overlay has the CronJob that redrives dead letters of outages.
func TestDeadLettersAreRedriven(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, all []object) {
		job := find(all, "CronJob", "redrive")
		if job == nil {
			t.Fatal("the overlay has no CronJob redrive")
		}
		var spec struct {
			Schedule    string
			JobTemplate struct {
				Spec struct {
					Template struct {
						Spec struct {
							Containers []struct {
								Args []string
								Env  []struct {
									Name      string
									ValueFrom struct {
										ConfigMapKeyRef struct{ Name, Key string } `yaml:"configMapKeyRef"`
									} `yaml:"valueFrom"`
								}
							}
						}
					}
				}
			} `yaml:"jobTemplate"`
		}
		job.decode(t, &spec)
		containers := spec.JobTemplate.Spec.Template.Spec.Containers
		if len(containers) != 1 || spec.Schedule != "* * * * *" {
			t.Fatalf("schedule %q with %d containers, want one every minute", spec.Schedule, len(containers))
		}
		if args := strings.Join(containers[0].Args, " "); !strings.HasPrefix(args, "deadletter redrive --auto --rate ") || !strings.HasSuffix(args, " --groups $(RELAY_LAG_GROUPS)") {
			t.Errorf("it runs %q", args)
		}
		groups := ""
		for _, e := range containers[0].Env {
			if from := e.ValueFrom.ConfigMapKeyRef; e.Name == "RELAY_LAG_GROUPS" {
				groups = find(all, "ConfigMap", from.Name).Data[from.Key]
			}
		}
		if groups == "" {
			t.Error("RELAY_LAG_GROUPS names no group")
		}
	})
}

// TestDeadLettersAreTakenByTwoPods checks that every sink of dead letters has two pods and a disruption budget. A dead letter that
// the sink does not take within 25 s is dropped, and its event is delivered minutes later.
func TestDeadLettersAreTakenByTwoPods(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, all []object) {
		sinks := 0
		for _, o := range all {
			if o.Kind != "Trigger" {
				continue
			}
			var spec struct {
				Delivery struct {
					DeadLetterSink struct {
						Ref struct{ Kind, Name string }
					} `yaml:"deadLetterSink"`
				}
			}
			o.decode(t, &spec)
			sinks++
			sink := spec.Delivery.DeadLetterSink.Ref
			if sink.Kind == "KafkaSink" {
				continue // its pods are Knative's: k8s/kafka-broker/settings
			}
			d := find(all, "Deployment", sink.Name)
			if d == nil {
				t.Fatalf("Trigger %s has the dead-letter sink %+v, want a KafkaSink or the Service of a Deployment", o.Metadata.Name, sink)
			}
			var pods struct{ Replicas int }
			d.decode(t, &pods)
			if pods.Replicas < 2 || find(all, "PodDisruptionBudget", sink.Name) == nil {
				t.Errorf("Deployment %s has %d replicas, want two and a PodDisruptionBudget", sink.Name, pods.Replicas)
			}
		}
		if sinks == 0 {
			t.Error("the overlay has no Triggers")
		}
	})
}

// TestTheSinkGetsASecondPod runs that part of k8s/kafka-broker/settings with a fake kubectl that prints its arguments.
func TestTheSinkGetsASecondPod(t *testing.T) {
	t.Parallel()
	for replicas, want := range map[string]bool{"1": true, "2": false, "5": false} {
		script := `kubectl() { case "$*" in *jsonpath*) echo ` + replicas + ` ;; *) echo "$*" ;; esac; }
source k8s/kafka-broker/settings && dead_letter_sink --context kind`
		cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		const scale = "--namespace knative-eventing --context kind scale deployment kafka-sink-receiver --replicas 2\n"
		if got := strings.Contains(string(out), scale); got != want {
			t.Errorf("with %s pods it runs\n%s", replicas, out)
		}
		if !strings.Contains(string(out), "apply --filename k8s/kafka-broker/dead-letter-sink.yaml\n") {
			t.Errorf("it runs\n%s", out)
		}
	}
}
