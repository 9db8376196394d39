//go:build cluster

package cluster_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// podState is the state of a pod after a change.
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

// milestones are the times at which a pod reached each state, by this machine's clock.
type milestones struct {
	name, program                     string
	created, scheduled, ready, leaves time.Time
}

// podWatch watches the pods of the namespace.
type podWatch struct {
	mu      sync.Mutex
	pods    map[string]podState
	seen    map[string]*milestones
	samples []sample
	changed chan struct{}
}

// sample is the number of ready pods of each function at one time.
type sample struct {
	at    time.Time
	ready map[string]int
}

// watchPods watches pods until ctx ends.
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
	defer func() { _ = resp.Body.Close() }()
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
			return errors.New("the watch has expired")
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
		m = &milestones{name: name, program: p.program(), created: now}
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
		if isFunction(p) && p.is("Ready") && p.Metadata.DeletionTimestamp == nil {
			ready[p.program()]++
		}
	}
	w.samples = append(w.samples, sample{at: now, ready: ready})
	close(w.changed)
	w.changed = make(chan struct{})
}

// until waits until cond is true of the pods, and returns how long that took.
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

// of returns the name of a pod of a revision, or "".
func (w *podWatch) of(revision string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, p := range w.pods {
		if p.Metadata.Labels["serving.knative.dev/revision"] == revision {
			return name
		}
	}
	return ""
}

// isFunction says whether a pod belongs to a Knative Service.
func isFunction(p podState) bool { return p.Metadata.Labels["serving.knative.dev/service"] != "" }

// noFunctions says whether every function is scaled to zero.
func noFunctions(pods []podState) bool { return !slices.ContainsFunc(pods, isFunction) }

// started returns the milestones of the first pod of program that got ready, of those created after since.
func (w *podWatch) started(program string, since time.Time) (milestones, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var first *milestones
	for _, m := range w.seen {
		if m.program == program && m.created.After(since) && !m.ready.IsZero() && (first == nil || m.ready.Before(first.ready)) {
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
