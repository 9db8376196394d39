//go:build cluster

package cluster_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// testJobs runs the CronJobs now, each as its own service account, database role and NetworkPolicies let it: verify saves the
// verdict that status reads, and redrive has nothing to send.
func (w *world) testJobs(t *testing.T) {
	for _, name := range []string{"verify", "redrive", "status"} {
		began := time.Now()
		log := w.runJob(t, name)
		t.Logf("%s:\n%s", name, log)
		w.report.figure(t, "CronJob "+name, "succeeded in %s", seconds(time.Since(began)))
	}
}

// runJob starts a Job of a CronJob's template, waits for its end, and returns the log of its pod.
func (w *world) runJob(t *testing.T, cron string) string {
	t.Helper()
	const batch = "/apis/batch/v1/namespaces/" + namespace
	var template struct {
		Spec struct {
			JobTemplate struct{ Spec json.RawMessage }
		}
	}
	if err := w.kube.get(t.Context(), batch+"/cronjobs/"+cron, &template); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"generateName": cron + "-test-"}, "spec": template.Spec.JobTemplate.Spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	var job struct{ Metadata struct{ Name string } }
	if err := w.kube.do(t.Context(), http.MethodPost, batch+"/jobs", "application/json", body, &job); err != nil {
		t.Fatal(err)
	}
	var failed string
	eventually(t, 5*time.Minute, "the end of Job "+job.Metadata.Name, func() error {
		var now struct { // a Job's status has no observedGeneration
			Status struct {
				Conditions []struct{ Type, Status, Message string }
			}
		}
		if err := w.kube.get(t.Context(), batch+"/jobs/"+job.Metadata.Name, &now); err != nil {
			return err
		}
		for _, c := range now.Status.Conditions {
			switch {
			case c.Type == "Failed" && c.Status == "True":
				failed = c.Message
				return nil
			case c.Type == "Complete" && c.Status == "True":
				return nil
			}
		}
		return errors.New("it runs")
	})
	log := w.jobLog(t, job.Metadata.Name, cron)
	if failed != "" {
		t.Fatalf("Job %s failed: %s\n%s", job.Metadata.Name, failed, log)
	}
	return log
}

// jobLog returns what the pods of a Job said.
func (w *world) jobLog(t *testing.T, job, container string) string {
	t.Helper()
	var all strings.Builder
	var pods struct{ Items []podState }
	if err := w.kube.get(t.Context(), podsPath+"?labelSelector=batch.kubernetes.io/job-name%3D"+job, &pods); err != nil {
		t.Fatal(err)
	}
	for _, p := range pods.Items {
		log, err := w.kube.logs(t.Context(), p.Metadata.Name, container)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(log)
	}
	return all.String()
}
