//go:build cluster

// Package cluster_test tests Orderbell on a real Kubernetes with Knative: starts from zero, a spike, killed pods and rolled
// releases. test/cluster/run starts what it needs.
package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCluster(t *testing.T) {
	w := newWorld(t.Context(), t)
	letters := readDeadLetters(t)
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"everything becomes ready", w.testReady},
		{"images are small, run without root and list their content", w.testImages},
		{"a program with a missing dependency names it", w.testBadInput},
		{"one order reaches a watcher from zero", w.testFirstOrder},
		{"every function starts from zero, several times", w.testStarts},
		{"a spike of payments is neither lost nor duplicated", w.testSpike},
		{"a rollout of the gateway loses no event of its watchers", w.testRollout},
		{"a bridge and a relay that are killed lose no event", w.testKills},
		{"verify, redrive and status find no fault", w.testJobs},
		{"a release that never gets ready takes no event", w.testUnreadyRelease(letters)},
		{"a release that fails is rolled back without loss", w.testBadRelease(letters)},
		{"an invalid event becomes a dead letter and blocks nothing", w.testInvalidEvent(letters)},
		{"a pod of another namespace cannot send events", w.testForeignPod},
		{"due mails are swept", w.testSweep},
		{"what is stored is consistent", w.consistent},
	} {
		// Each step needs the one before, so stop at the first failure.
		if !t.Run(step.name, step.run) {
			return
		}
	}
}

func (w *world) testReady(t *testing.T) {
	w.report.figure(t, "cluster up", "%s s", env(t, "CLUSTER_UP_SECONDS"))
	w.report.figure(t, "manifests applied and schema migrated", "%s s", env(t, "CLUSTER_DEPLOY_SECONDS"))
	began := time.Now()
	const eventing = "/apis/eventing.knative.dev/v1/namespaces/" + namespace
	for _, list := range []string{
		strings.TrimSuffix(services, "/"), eventing + "/brokers", eventing + "/triggers",
		"/apis/sources.knative.dev/v1/namespaces/" + namespace + "/pingsources",
	} {
		for _, name := range w.names(t, list) {
			w.ready(t, list+"/"+name)
		}
	}
	deployments := "/apis/apps/v1/namespaces/" + namespace + "/deployments"
	for _, name := range w.names(t, deployments) {
		if strings.Contains(name, "-deployment") {
			continue // a Deployment of a revision: Knative scales it to zero
		}
		eventually(t, 3*time.Minute, "deployment "+name, func() error {
			status, message, err := w.kube.condition(t.Context(), deployments+"/"+name, "Available")
			if err == nil && status != "True" {
				err = errors.New(message)
			}
			return err
		})
	}
	w.report.figure(t, "every program, Broker, Trigger and source ready after", "%s", seconds(time.Since(began)))
	w.report.figure(t, "broker", "%s", w.broker(t))
}

// broker names the broker that the tests run on, as the cluster describes it.
func (w *world) broker(t *testing.T) string {
	t.Helper()
	type labelled struct {
		Metadata struct{ Labels, Annotations map[string]string }
		Status   struct{ Annotations map[string]string }
	}
	var broker, eventing labelled
	var version struct{ GitVersion string }
	for path, out := range map[string]any{
		"/apis/eventing.knative.dev/v1/namespaces/" + namespace + "/brokers/orders": &broker,
		"/api/v1/namespaces/knative-eventing":                                       &eventing, "/version": &version,
	} {
		if err := w.kube.get(t.Context(), path, out); err != nil {
			t.Fatal(err)
		}
	}
	class := broker.Metadata.Annotations["eventing.knative.dev/broker.class"]
	if class == "" {
		t.Fatal("the Broker names no class")
	}
	if kind := broker.Status.Annotations["knative.dev/channelKind"]; kind != "" {
		class += " on " + kind
	}
	return fmt.Sprintf("%s, Knative Eventing %s, Kubernetes %s", class, eventing.Metadata.Labels["app.kubernetes.io/version"], version.GitVersion)
}

func (w *world) names(t *testing.T, list string) []string {
	t.Helper()
	var objects struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	if err := w.kube.get(t.Context(), list, &objects); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range objects.Items {
		names = append(names, o.Metadata.Name)
	}
	if len(names) == 0 {
		t.Fatalf("nothing at %s", list)
	}
	return names
}

func (w *world) testRollout(t *testing.T) {
	const watchers, perSecond = 1000, 10
	ctx, stop := context.WithCancel(t.Context())
	var all []*watcher
	var mu sync.Mutex
	err := inParallel(watchers, 50, func(i int) error {
		v := watch(ctx, w.browser, w.gateway, w.token(t, w.users[i%len(w.users)]), false)
		mu.Lock()
		all = append(all, v)
		mu.Unlock()
		select {
		case <-v.ready:
			return nil
		case <-time.After(time.Minute):
			return errors.New("the stream is not ready after a minute")
		}
	})
	defer func() {
		stop()
		for _, v := range all {
			<-v.ended
		}
	}()
	if err != nil {
		t.Fatal(err)
	}
	ids := w.paidOrders(t, 1500)
	since := w.now(t)
	publishing, enough := context.WithCancel(ctx)
	var published sync.WaitGroup
	published.Go(func() {
		tick := time.NewTicker(time.Second / perSecond)
		defer tick.Stop()
		for _, id := range ids {
			select {
			case <-tick.C:
			case <-publishing.Done():
				return
			}
			if err := w.till.status(ctx, id, "preparing"); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
		t.Error("the load ended before the rollout did")
	})
	began := time.Now()
	const deployment = "/apis/apps/v1/namespaces/" + namespace + "/deployments/sse-gateway"
	restart := map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{"orderbell.example/rolled": began.Format(time.RFC3339)},
	}}}}
	if err := w.kube.merge(t.Context(), deployment, restart); err != nil {
		t.Fatal(err)
	}
	rolled := w.pods.until(t, 4*time.Minute, "old gateways to be gone and new ones to be ready", func(pods []podState) bool {
		fresh, old := 0, 0
		for _, p := range pods {
			if p.program() != "sse-gateway" {
				continue
			}
			if p.Metadata.CreationTimestamp.Before(began.Add(-2 * time.Second)) {
				old++
			} else if p.is("Ready") {
				fresh++
			}
		}
		return old == 0 && fresh >= 2
	})
	enough()
	published.Wait()
	want := w.events(t, "order_status_updated", since)
	eventually(t, 2*time.Minute, "every watcher to have every event", func() error {
		missing := 0
		for _, v := range all {
			missing += v.misses(want)
		}
		if missing > 0 {
			return fmt.Errorf("%d of %d × %d events are missing", missing, len(want), watchers)
		}
		return nil
	})
	opens, again, resyncs := 0, 0, 0
	for _, v := range all {
		_, a, r := v.has()
		again, resyncs, opens = again+a, resyncs+r, opens+v.opens
	}
	w.report.figure(t, "gateway rolled under 1,000 watchers", "%s, %d events, %d reconnects, 0 lost, %d sent again, %d resyncs",
		seconds(rolled), len(want), opens-watchers, again, resyncs)
	if resyncs > 0 {
		t.Errorf("%d streams sent resync, want none: the replay has the missed events", resyncs)
	}
}

// misses returns how many of the events did not arrive.
func (w *watcher) misses(ids []string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, id := range ids {
		if w.events[id] == 0 {
			n++
		}
	}
	return n
}
