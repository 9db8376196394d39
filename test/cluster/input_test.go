//go:build cluster

package cluster_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// testBadInput starts programs whose dependencies are missing, and checks what they log.
func (w *world) testBadInput(t *testing.T) {
	w.exec(t, `DROP DATABASE IF EXISTS empty`)
	w.exec(t, `CREATE DATABASE empty`)
	empty := strings.Replace(env(t, "DATABASE_URL"), "/orderbell?", "/empty?", 1)
	host := env(t, "CLUSTER_ADDRESS")
	nowhere, noRedis := "postgres://orderbell@"+host+":1/orderbell?sslmode=disable", "redis://"+host+":1/0"
	for _, tc := range []struct {
		name, program string
		env           map[string]string
		want          []string
		exits         bool
	}{
		{"no-secret", "order-paid", map[string]string{}, []string{"DATABASE_URL"}, true},
		{"no-database", "order-api", map[string]string{"DATABASE_URL": nowhere, "REDIS_URL": noRedis, "AUTH_DEV_SECRET": env(t, "AUTH_DEV_SECRET")}, []string{"not ready", host}, false},
		{"no-redis", "sse-gateway", map[string]string{"REDIS_URL": noRedis, "AUTH_DEV_SECRET": env(t, "AUTH_DEV_SECRET")}, []string{"not ready", host}, false},
		{"old-schema", "order-api", map[string]string{"DATABASE_URL": empty, "REDIS_URL": noRedis, "AUTH_DEV_SECRET": env(t, "AUTH_DEV_SECRET")}, []string{"orderbell migrate up"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name := "bad-" + tc.name
			w.startPod(t, name, tc.program, tc.env)
			var line string
			eventually(t, 2*time.Minute, "the log line that names what is missing", func() error {
				log, err := w.kube.logs(t.Context(), name, "program")
				if err != nil {
					return err
				}
				for l := range strings.Lines(log) {
					if containsAll(l, tc.want) {
						line = strings.TrimSpace(l)
						return nil
					}
				}
				return fmt.Errorf("the log has no line with %v:\n%s", tc.want, log)
			})
			t.Log(line)
			var pod podState
			if err := w.kube.get(t.Context(), podsPath+"/"+name, &pod); err != nil {
				t.Fatal(err)
			}
			if pod.is("Ready") {
				t.Error("the pod is ready")
			}
			if tc.exits {
				eventually(t, time.Minute, "the program to end", func() error {
					if err := w.kube.get(t.Context(), podsPath+"/"+name, &pod); err != nil {
						return err
					}
					if pod.Status.Phase != "Failed" {
						return fmt.Errorf("the pod is %s", pod.Status.Phase)
					}
					return nil
				})
			}
			if err := w.kube.kill(t.Context(), name); err != nil {
				t.Error(err)
			}
		})
	}
	w.report.figure(t, "missing Secret, unreachable PostgreSQL and Redis, empty schema", "each named in one line of the log, never ready")
}

func containsAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

func (w *world) startPod(t *testing.T, name, program string, variables map[string]string) {
	t.Helper()
	var list []map[string]string
	for k, v := range variables {
		list = append(list, map[string]string{"name": k, "value": v})
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod", // The label is the program's, so that NetworkPolicies let it out as they let the program out.
		"metadata": map[string]any{"name": name, "labels": map[string]string{"app.kubernetes.io/name": program}},
		"spec": map[string]any{
			"restartPolicy": "Never", "automountServiceAccountToken": false,
			"containers": []map[string]any{{
				"name": "program", "image": image(t, program), "env": list,
				"readinessProbe": map[string]any{"httpGet": map[string]any{"path": "/healthz/ready", "port": 8080}, "periodSeconds": 1},
				"securityContext": map[string]any{
					"runAsNonRoot": true, "runAsUser": 65532, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
					"capabilities": map[string]any{"drop": []string{"ALL"}}, "seccompProfile": map[string]string{"type": "RuntimeDefault"},
				},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = w.kube.kill(t.Context(), name) // of an earlier run
	eventually(t, time.Minute, "pod "+name+" to be created", func() error {
		return w.kube.do(t.Context(), http.MethodPost, podsPath, "application/json", body, nil)
	})
}
