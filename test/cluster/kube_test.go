//go:build cluster

package cluster_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"

	"gopkg.in/yaml.v3"
)

// kube is a client of the API server of the cluster under test.
type kube struct {
	server string
	client *http.Client
}

func newKube(t *testing.T) *kube {
	t.Helper()
	content, err := os.ReadFile(env(t, "KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string
				CA     string `yaml:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Certificate string `yaml:"client-certificate-data"`
				Key         string `yaml:"client-key-data"`
			}
		}
	}
	if err := yaml.Unmarshal(content, &config); err != nil || len(config.Clusters) == 0 || len(config.Users) == 0 {
		t.Fatalf("KUBECONFIG: %v", err)
	}
	decode := func(s string) []byte {
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatalf("KUBECONFIG: %v", err)
		}
		return raw
	}
	pair, err := tls.X509KeyPair(decode(config.Users[0].User.Certificate), decode(config.Users[0].User.Key))
	if err != nil {
		t.Fatalf("KUBECONFIG: %v", err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(decode(config.Clusters[0].Cluster.CA))
	return &kube{
		server: config.Clusters[0].Cluster.Server,
		client: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: authorities, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		}},
	}
}

// do sends a request and decodes the answer into out, unless that is nil.
func (k *kube) do(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, k.server+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %.300s", method, path, resp.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

const (
	namespace = "orderbell"
	services  = "/apis/serving.knative.dev/v1/namespaces/" + namespace + "/services/"
)

func (k *kube) get(ctx context.Context, path string, out any) error {
	return k.do(ctx, http.MethodGet, path, "", nil, out)
}

// merge patches the object at path with a JSON merge patch.
func (k *kube) merge(ctx context.Context, path string, patch any) error {
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	return k.do(ctx, http.MethodPatch, path, "application/merge-patch+json", body, nil)
}

// patch applies JSON patch operations to the object at path.
func (k *kube) patch(ctx context.Context, path string, operations ...map[string]any) error {
	body, err := json.Marshal(operations)
	if err != nil {
		return err
	}
	return k.do(ctx, http.MethodPatch, path, "application/json-patch+json", body, nil)
}

// kill deletes a pod with a grace period of zero.
func (k *kube) kill(ctx context.Context, name string) error {
	return k.do(ctx, http.MethodDelete, "/api/v1/namespaces/"+namespace+"/pods/"+name+"?gracePeriodSeconds=0", "", nil, nil)
}

// logs returns the last lines of a container.
func (k *kube) logs(ctx context.Context, name, container string) (string, error) {
	path := "/api/v1/namespaces/" + namespace + "/pods/" + name + "/log?tailLines=200&container=" + container
	return k.text(ctx, path)
}

// clusterIP returns a Service's address.
func (k *kube) clusterIP(t *testing.T, namespace, name string) string {
	t.Helper()
	var service struct{ Spec struct{ ClusterIP string } }
	if err := k.get(t.Context(), "/api/v1/namespaces/"+namespace+"/services/"+name, &service); err != nil {
		t.Fatal(err)
	}
	return service.Spec.ClusterIP
}

// condition returns the status and the message of an object's condition.
func (k *kube) condition(ctx context.Context, path, kind string) (status, message string, err error) {
	var o struct {
		Status struct {
			ObservedGeneration int64
			Conditions         []struct{ Type, Status, Message string }
		}
		Metadata struct{ Generation int64 }
	}
	if err := k.get(ctx, path, &o); err != nil {
		return "", "", err
	}
	if o.Status.ObservedGeneration < o.Metadata.Generation {
		return "Unknown", "not observed yet", nil
	}
	for _, c := range o.Status.Conditions {
		if c.Type == kind {
			return c.Status, c.Message, nil
		}
	}
	return "Unknown", "no condition " + kind, nil
}
