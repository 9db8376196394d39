//go:build manifests

package manifests_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRestricted checks that every pod meets the restricted Pod Security Standard and some stricter rules.
func TestRestricted(t *testing.T) {
	t.Parallel()
	// Kafka's image writes its configuration when it starts.
	writesRoot := []string{"kafka", "topics"}
	each(t, func(t *testing.T, all []object) {
		for _, o := range all {
			if o.Kind == "Namespace" && o.Metadata.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
				t.Errorf("namespace %s admits pods that do not meet the standard", o.Metadata.Name)
			}
		}
		for _, w := range workloads(t, all) {
			name := w.Kind + " " + w.Metadata.Name
			if got := w.labels["app.kubernetes.io/name"]; got != w.Metadata.Name {
				t.Errorf("the pods of %s are labelled %q: no NetworkPolicy selects them", name, got)
			}
			account := find(all, "ServiceAccount", w.pod.ServiceAccountName)
			mounted := account == nil || !strings.Contains(account.raw, "automountServiceAccountToken: false")
			if w.pod.AutomountToken != nil { // it overrides the service account's setting
				mounted = *w.pod.AutomountToken
			}
			if mounted {
				t.Errorf("%s gets a token of the API server", name)
			}
			if len(w.pod.Containers) != 1 {
				t.Errorf("%s has %d containers", name, len(w.pod.Containers))
			}
			for _, shares := range []string{
				"hostNetwork:", "hostPID:", "hostIPC:", "hostPath:", "hostPort:", "hostUsers:", "privileged:", "procMount:", "initContainers:",
				"shareProcessNamespace:", "Unconfined", "runAsUser: 0", "runAsGroup: 0", "add:",
			} {
				if strings.Contains(w.raw, " "+shares) {
					t.Errorf("%s has %s", name, shares)
				}
			}
			c := w.pod.Containers[0]
			own, outer := c.SecurityContext, w.pod.SecurityContext
			if (!own.nonRoot() && !outer.nonRoot()) || own.RunAsUser+outer.RunAsUser == 0 {
				t.Errorf("%s may run as root", name)
			}
			if own.Escalation == nil || *own.Escalation || !slices.Equal(own.Capabilities.Drop, []string{"ALL"}) {
				t.Errorf("%s allows privilege escalation", name)
			}
			if own.Seccomp.Type != "RuntimeDefault" && outer.Seccomp.Type != "RuntimeDefault" {
				t.Errorf("%s has no seccomp profile", name)
			}
			if !own.ReadOnlyRoot && !slices.Contains(writesRoot, w.Metadata.Name) {
				t.Errorf("%s has a writable root file system", name)
			}
			if c.Resources.Requests["cpu"] == "" || c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" {
				t.Errorf("%s does not set its resources: %+v", name, c.Resources)
			}
			if len(c.Readiness) == 0 && !w.job() {
				t.Errorf("%s has no readiness probe", name)
			}
		}
	})
}

// TestSecrets checks that the manifests have no secrets, except those for development in overlay kind.
func TestSecrets(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, all []object) {
		for _, o := range all {
			if o.Kind == "Secret" && o.Metadata.Annotations["orderbell.example/for"] != "development" {
				t.Errorf("Secret %s is in the manifests", o.Metadata.Name)
			}
			for k, v := range o.Data {
				if o.Kind == "ConfigMap" && (strings.Contains(k, "SECRET") || strings.Contains(k, "PASSWORD") || strings.Contains(v, "://") && strings.Contains(v, "@")) {
					t.Errorf("ConfigMap %s holds %s", o.Metadata.Name, k)
				}
			}
		}
		for _, w := range workloads(t, all) {
			if !w.ours() {
				continue
			}
			for _, e := range w.pod.Containers[0].Env {
				switch {
				case e.Name == "STATUS_PROGRAMS" || e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil:
				case e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil:
					t.Errorf("%s has %s as a literal, want a ConfigMap or a Secret", w.Metadata.Name, e.Name)
				case !e.ValueFrom.SecretKeyRef.Optional:
					t.Errorf("%s does not start without the Secret of %s: make it optional, so that the program can log that it is missing", w.Metadata.Name, e.Name)
				}
			}
		}
	})
}

// TestGateway checks the settings with which a rollout of the gateway loses no event.
func TestGateway(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, all []object) {
		var gateway workload
		for _, w := range workloads(t, all) {
			if w.Metadata.Name == "sse-gateway" {
				gateway = w
			}
		}
		if find(all, "PodDisruptionBudget", "sse-gateway") == nil || find(all, "HorizontalPodAutoscaler", "sse-gateway") == nil {
			t.Error("sse-gateway has no PodDisruptionBudget or no HorizontalPodAutoscaler")
		}
		if len(gateway.pod.Spread) == 0 {
			t.Error("sse-gateway is not spread over nodes")
		}
		got := settings(t, all, gateway)
		drain, err := strconv.Atoi(got["SSE_DRAIN_SECONDS"])
		if err != nil {
			t.Fatal(err)
		}
		shutdown, err := time.ParseDuration(got["SHUTDOWN_TIMEOUT"])
		if err != nil {
			t.Fatal(err)
		}
		sleep := gateway.pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds
		if int(shutdown.Seconds()) <= drain || sleep == 0 || sleep+int(shutdown.Seconds()) > gateway.pod.GraceSeconds {
			t.Errorf("preStop %d s + SHUTDOWN_TIMEOUT %s (above SSE_DRAIN_SECONDS %d) must fit into the grace of %d s",
				sleep, shutdown, drain, gateway.pod.GraceSeconds)
		}
	})
}
