//go:build cluster

package cluster_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// kube speaks to the API server of the cluster under test.
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
	defer resp.Body.Close()
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

// kill deletes a pod without any grace.
func (k *kube) kill(ctx context.Context, name string) error {
	return k.do(ctx, http.MethodDelete, "/api/v1/namespaces/"+namespace+"/pods/"+name+"?gracePeriodSeconds=0", "", nil, nil)
}

// logs returns the last lines of a container.
func (k *kube) logs(ctx context.Context, name, container string) (string, error) {
	path := "/api/v1/namespaces/" + namespace + "/pods/" + name + "/log?tailLines=200&container=" + container
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.server+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return string(answer), err
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

// podState is a pod as one of its changes showed it.
type podState struct {
	Metadata struct {
		Name              string
		Labels            map[string]string
		CreationTimestamp time.Time
		DeletionTimestamp *time.Time
		ResourceVersion   string
	}
	Status struct {
		Phase      string
		Conditions []struct{ Type, Status string }
		Containers []struct {
			Name  string
			State struct {
				Running *struct{ StartedAt time.Time }
			}
		} `json:"containerStatuses"`
	}
}

func (p podState) is(condition string) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == condition {
			return c.Status == "True"
		}
	}
	return false
}

func (p podState) program() string { return p.Metadata.Labels["app.kubernetes.io/name"] }

// milestones are when a pod came to each state, by this machine's clock.
type milestones struct {
	program                           string
	created, scheduled, ready, leaves time.Time
}

// podWatch follows the pods of the namespace.
type podWatch struct {
	mu      sync.Mutex
	pods    map[string]podState
	seen    map[string]*milestones
	samples []sample
	changed chan struct{}
}

// sample is how many pods of each program were ready at a time.
type sample struct {
	at    time.Time
	ready map[string]int
}

// watchPods follows pods until ctx ends.
func (k *kube) watchPods(ctx context.Context, t *testing.T) *podWatch {
	t.Helper()
	w := &podWatch{pods: map[string]podState{}, seen: map[string]*milestones{}, changed: make(chan struct{})}
	version, err := w.list(ctx, k)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for ctx.Err() == nil {
			if err := w.follow(ctx, k, version); err != nil && ctx.Err() == nil {
				t.Logf("watch pods: %v; again", err)
			}
			if next, err := w.list(ctx, k); err == nil {
				version = next
			}
		}
	}()
	return w
}

const podsPath = "/api/v1/namespaces/" + namespace + "/pods"

func (w *podWatch) list(ctx context.Context, k *kube) (version string, err error) {
	var list struct {
		Metadata struct{ ResourceVersion string }
		Items    []podState
	}
	if err := k.get(ctx, podsPath, &list); err != nil {
		return "", err
	}
	w.mu.Lock()
	w.pods = map[string]podState{}
	w.mu.Unlock()
	for _, p := range list.Items {
		w.apply("ADDED", p)
	}
	return list.Metadata.ResourceVersion, nil
}

func (w *podWatch) follow(ctx context.Context, k *kube, version string) error {
	path := podsPath + "?watch=1&timeoutSeconds=600&resourceVersion=" + url.QueryEscape(version)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.server+path, nil)
	if err != nil {
		return err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var event struct {
			Type   string
			Object podState
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return err
		}
		if event.Type == "ERROR" {
			return errors.New("the watch is too old")
		}
		w.apply(event.Type, event.Object)
	}
	return lines.Err()
}

func (w *podWatch) apply(kind string, p podState) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	name := p.Metadata.Name
	if kind == "DELETED" {
		delete(w.pods, name)
	} else {
		w.pods[name] = p
	}
	m := w.seen[name]
	if m == nil {
		m = &milestones{program: p.program(), created: now}
		w.seen[name] = m
	}
	mark := func(at *time.Time, when bool) {
		if when && at.IsZero() {
			*at = now
		}
	}
	mark(&m.scheduled, p.is("PodScheduled"))
	mark(&m.ready, p.is("Ready"))
	mark(&m.leaves, p.Metadata.DeletionTimestamp != nil || kind == "DELETED")
	ready := map[string]int{}
	for _, p := range w.pods {
		if p.is("Ready") && p.Metadata.DeletionTimestamp == nil {
			ready[p.program()]++
		}
	}
	w.samples = append(w.samples, sample{at: now, ready: ready})
	close(w.changed)
	w.changed = make(chan struct{})
}

// until waits for cond over the pods, and returns how long that took.
func (w *podWatch) until(t *testing.T, patience time.Duration, what string, cond func([]podState) bool) time.Duration {
	t.Helper()
	began := time.Now()
	timeout := time.After(patience)
	for {
		w.mu.Lock()
		changed := w.changed
		pods := make([]podState, 0, len(w.pods))
		for _, p := range w.pods {
			pods = append(pods, p)
		}
		w.mu.Unlock()
		if cond(pods) {
			return time.Since(began)
		}
		select {
		case <-changed:
		case <-timeout:
			var names []string
			for _, p := range pods {
				names = append(names, p.Metadata.Name)
			}
			t.Fatalf("waited %s for %s; pods: %s", patience, what, strings.Join(names, " "))
		}
	}
}

// isFunction says whether a pod is of a Knative Service.
func isFunction(p podState) bool { return p.Metadata.Labels["serving.knative.dev/service"] != "" }

// noFunctions is the condition of zero.
func noFunctions(pods []podState) bool { return !slices.ContainsFunc(pods, isFunction) }

// started returns the milestones of the first pod of program that was created after since.
func (w *podWatch) started(program string, since time.Time) (milestones, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var first *milestones
	for _, m := range w.seen {
		if m.program == program && m.created.After(since) && (first == nil || m.created.Before(first.created)) {
			first = m
		}
	}
	if first == nil {
		return milestones{}, false
	}
	return *first, true
}

// between returns the samples of a span of time.
func (w *podWatch) between(from, to time.Time) []sample {
	w.mu.Lock()
	defer w.mu.Unlock()
	var some []sample
	for _, s := range w.samples {
		if !s.at.Before(from) && !s.at.After(to) {
			some = append(some, s)
		}
	}
	return some
}
