//go:build cluster

package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

const strangers = "orderbell-strangers"

// testForeignPod checks that everything that takes events refuses a forged payment from a pod of another namespace.
func (w *world) testForeignPod(t *testing.T) {
	core := "/api/v1/namespaces"
	// The namespace may exist from an earlier run. The pod below has a new name.
	_ = w.kube.do(t.Context(), http.MethodPost, core, "application/json", []byte(`{"metadata":{"name":"`+strangers+`"}}`), nil)
	t.Cleanup(func() {
		if err := w.kube.do(context.WithoutCancel(t.Context()), http.MethodDelete, core+"/"+strangers, "", nil, nil); err != nil {
			t.Log(err)
		}
	})
	id, order, at := uuid.Must(uuid.NewV7()).String(), uuid.NewString(), time.Now().UTC().Format(time.RFC3339Nano)
	const tokens = "/tokens/"
	targets := []struct{ address, audience, file string }{
		{"http://order-paid.orderbell.svc.cluster.local/", "orderbell/order-paid", "function"},
		{"http://broker-ingress.knative-eventing.svc.cluster.local/orderbell/orders", "eventing.knative.dev/broker/orderbell/orders", "broker"},
		{"http://kafka-bridge.orderbell.svc.cluster.local/dead-letters", "orderbell/kafka-bridge", "bridge"},
	}
	var arguments []string
	var projected []any
	for _, target := range targets {
		arguments = append(arguments, target.address+"|"+tokens+"none", target.address+"|"+tokens+target.file)
		projected = append(projected, map[string]any{"serviceAccountToken": map[string]any{"path": target.file, "audience": target.audience}})
	}
	headers := strings.Join([]string{
		"Ce-Specversion: 1.0", "Ce-Id: " + id, "Ce-Source: /orderbell/order-api", "Ce-Type: order_paid", "Ce-Subject: " + order, "Ce-Time: " + at,
		"Ce-Partitionkey: " + order, "Ce-Tenantid: " + tenant, "Ce-Sequence: 2", "Content-Type: application/json",
	}, "\n")
	data := fmt.Sprintf(`{"order_id":%q,"tenant_id":%q,"status":"paid","reference":"FORGED","total_amount":999999999,"currency":"IDR","version":2,"timestamp":%q}`,
		order, tenant, at)
	pod, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"generateName": "stranger-"},
		"spec": map[string]any{
			"restartPolicy": "Never",
			"containers": []any{map[string]any{
				"name": "stranger", "image": image(t, "stranger"), "args": arguments,
				"env":          []any{map[string]string{"name": "EVENT_HEADERS", "value": headers}, map[string]string{"name": "EVENT_DATA", "value": data}},
				"volumeMounts": []any{map[string]any{"name": "tokens", "mountPath": strings.TrimSuffix(tokens, "/")}},
			}},
			"volumes": []any{map[string]any{"name": "tokens", "projected": map[string]any{"sources": projected}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ Metadata struct{ Name string } }
	pods := core + "/" + strangers + "/pods"
	eventually(t, time.Minute, "the foreign pod to be created", func() error { // the service account of its namespace is created a little later
		return w.kube.do(t.Context(), http.MethodPost, pods, "application/json", pod, &made)
	})
	var log string
	eventually(t, 4*time.Minute, "the foreign pod to get its answers", func() error {
		if log, err = w.kube.text(t.Context(), pods+"/"+made.Metadata.Name+"/log"); err == nil && !strings.HasSuffix(log, "done\n") {
			err = fmt.Errorf("its log is\n%s", log)
		}
		return err
	})
	t.Logf("the log of the foreign pod:\n%s", log)
	// An error means that a NetworkPolicy dropped the request.
	refused := regexp.MustCompile(`(?m)^(http://\S+) token=(true|false) (status 40[13] |error )`)
	if got := len(refused.FindAllString(log, -1)); got != 2*len(targets) {
		t.Errorf("%d of %d requests were refused", got, 2*len(targets))
	}
	for _, want := range []string{targets[0].address + " token=false status 401 ", targets[0].address + " token=true status 403 "} {
		if !strings.Contains(log, want) {
			t.Errorf("not in the log: %s", want)
		}
	}
	policies := "enforced: kafka-bridge is unreachable for the pod"
	if regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(targets[2].address) + ` token=\w+ status `).MatchString(log) {
		policies = "not enforced: kafka-bridge answered the pod"
	}
	w.report.figure(t, "NetworkPolicies", "%s", policies)
	if n := w.count(t, `SELECT (SELECT count(*) FROM event_records WHERE event_id = $1) + (SELECT count(*) FROM notifications WHERE event_id = $1)`, id); n != 0 {
		t.Errorf("the forged payment created %d rows", n)
	}
	w.report.figure(t, "a forged payment from a pod of another namespace", "refused by function, broker and dead-letter address, with and without a token of its own")
}

// text returns a response's body as a string.
func (k *kube) text(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.server+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	return string(answer), err
}
