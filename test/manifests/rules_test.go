//go:build manifests

package manifests_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"orderbell/internal/store/eventstore"
)

var variable = regexp.MustCompile("envconfig:\"([A-Z0-9_]+)\"([^`]*)`")

// unused are variables of packages of which a program does not use that part: delivery-sweeper shares only mails with the
// functions. The cluster test starts it without them.
var unused = map[string][]string{ //nolint:gochecknoglobals // a table; Go has no constant ones
	"functions/delivery-sweeper": {"REDIS_URL"},
}

// declared returns the variables that the program in dir reads, and whether each is required.
func declared(t *testing.T, dir string) map[string]bool {
	t.Helper()
	once, _ := lists.LoadOrStore(dir, sync.OnceValue(func() map[string]bool { return list(t, dir) }))
	return once.(func() map[string]bool)()
}

var lists sync.Map //nolint:gochecknoglobals // by folder: go list is slow, and parallel tests need the same lists

func list(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, file := range compiled(t, dir) {
		if path.Ext(file) != ".go" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range variable.FindAllStringSubmatch(string(content), -1) {
			names[m[1]] = strings.Contains(m[2], `required:"true"`)
		}
	}
	for _, name := range unused[dir] {
		names[name] = false
	}
	return names
}

func TestVariables(t *testing.T) {
	t.Parallel()
	runtime := []string{"SSL_CERT_DIR", "GOMEMLIMIT"} // read by Go itself
	byImage := []string{"KO_DATA_PATH"}               // set in the image
	byStatus := []string{"SMTP_URL"}                  // orderbell status asks the server itself
	each(t, func(t *testing.T, all []object) {
		for _, w := range workloads(t, all) {
			if !w.ours() {
				continue
			}
			image := w.pod.Containers[0].Image
			reads, got := declared(t, folder(image)), settings(t, all, w)
			arguments := strings.Join(w.pod.Containers[0].Args, " ")
			for name := range got {
				if image == "orderbell" && (slices.Contains(byStatus, name) || strings.Contains(arguments, "$("+name+")")) {
					continue
				}
				if _, ok := reads[name]; !ok && !slices.Contains(runtime, name) {
					t.Errorf("%s sets %s, which the program does not read", w.Metadata.Name, name)
				}
			}
			for name, required := range reads {
				if _, ok := got[name]; !ok && required && image != "orderbell" && !slices.Contains(byImage, name) {
					t.Errorf("%s does not set %s, which the program requires", w.Metadata.Name, name)
				}
			}
		}
	})
}

// reserved is the number of connections for superusers, a migration and an operator with psql.
const reserved = 10

// jobConnections is the most connections of a CronJob: the default of DATABASE_MAX_CONNS, or less.
const jobConnections = 4

// TestConnections counts the connections of all programs at full scale, during the rollout of one of them, which then has twice
// as many.
func TestConnections(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, all []object) {
		sum, most := 0, 0
		for _, w := range workloads(t, all) {
			if !w.ours() || w.Kind == "Job" {
				continue
			}
			if _, uses := declared(t, folder(w.pod.Containers[0].Image))["DATABASE_URL"]; !uses {
				continue
			}
			if w.Kind == "CronJob" {
				sum += jobConnections
				continue
			}
			pool, err := strconv.Atoi(settings(t, all, w)["DATABASE_MAX_CONNS"])
			if err != nil {
				t.Errorf("%s does not set DATABASE_MAX_CONNS", w.Metadata.Name)
				continue
			}
			instances := w.replicas
			if w.Kind == "Service" {
				if instances, err = strconv.Atoi(w.annotations["autoscaling.knative.dev/max-scale"]); err != nil {
					t.Errorf("%s has no max-scale", w.Metadata.Name)
					continue
				}
			}
			sum += pool * instances
			most = max(most, pool*instances)
		}
		limit := connections(t, all)
		t.Logf("all at full scale: %d connections, and %d more while one is rolled, of %d", sum, most, limit)
		if sum == 0 || sum+most+reserved > limit {
			t.Errorf("programs may open %d + %d connections and %d are reserved, but the server allows %d", sum, most, reserved, limit)
		}
	})
}

// connections returns the number of connections that PostgreSQL, or the PgBouncer in front of it, allows.
func connections(t *testing.T, all []object) int {
	t.Helper()
	for _, o := range all {
		for _, pattern := range []string{`max_connections=(\d+)`, `(?m)^\s*max_client_conn = (\d+)`} {
			if m := regexp.MustCompile(pattern).FindStringSubmatch(o.raw); m != nil {
				return number(t, m[1])
			}
		}
	}
	return number(t, find(all, "Namespace", "orderbell").Metadata.Annotations["orderbell.example/postgres-connections"])
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("number of connections: %v", err)
	}
	return n
}

// TestPool checks that PgBouncer's pools on all replicas and the direct connections do not exceed what the managed server allows.
func TestPool(t *testing.T) {
	t.Parallel()
	all := load(t, "production")
	raw := func(name string) string {
		for _, o := range all {
			if o.Kind == "ConfigMap" && strings.HasPrefix(o.Metadata.Name, "pgbouncer") {
				return regexp.MustCompile(`(?m)^\s*` + name + ` = (\d+)`).FindStringSubmatch(o.raw)[1]
			}
		}
		return ""
	}
	direct, bouncers := 0, 0
	for _, w := range workloads(t, all) {
		if w.Metadata.Name == "pgbouncer" {
			bouncers = w.replicas
		}
		if w.Kind == "CronJob" && w.ours() {
			direct += jobConnections // redrive, verify and status go around PgBouncer
		}
		for _, e := range w.pod.Containers[0].Env {
			if w.Kind == "Deployment" && e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && e.ValueFrom.SecretKeyRef.Key == "DATABASE_DIRECT_URL" {
				direct += 2 * w.replicas * number(t, settings(t, all, w)["DATABASE_MAX_CONNS"]) // twice while it is rolled
			}
		}
	}
	pooled := bouncers * (number(t, raw("default_pool_size")) + number(t, raw("reserve_pool_size")))
	limit := number(t, find(all, "Namespace", "orderbell").Metadata.Annotations["orderbell.example/postgres-connections"])
	t.Logf("PgBouncer may open %d connections, others %d directly, of %d", pooled, direct, limit)
	if bouncers == 0 || pooled+direct+reserved > limit {
		t.Errorf("%d pooled + %d direct connections and %d are reserved, but the server allows %d", pooled, direct, reserved, limit)
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	skaffold, err := os.ReadFile(filepath.Join(root, "skaffold.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, all []object) {
		triggered := map[string]string{} // function → what triggers it
		for _, o := range all {
			if o.Kind == "Trigger" || o.Kind == "PingSource" {
				triggered[o.Metadata.Name] = o.Kind
			}
		}
		scaled := map[string]workload{}
		for _, w := range workloads(t, all) {
			if w.Kind == "Service" {
				scaled[w.Metadata.Name] = w
			}
		}
		for _, name := range functions() {
			w, ok := scaled[name]
			if !ok {
				t.Errorf("%s has no Knative Service", name)
				continue
			}
			if got := w.annotations["autoscaling.knative.dev/min-scale"]; got != "0" {
				t.Errorf("%s has min-scale %q, want 0", name, got)
			}
			if w.pod.Concurrency < 1 {
				t.Errorf("%s has no containerConcurrency", name)
			}
			if waiting := 1 + eventstore.MaxWaiting; strings.HasPrefix(name, "order-") && name != "order-api" && w.pod.Concurrency < 2*waiting {
				t.Errorf("%s has containerConcurrency %d, of which %d may be events of businesses with many recipients, want at most half", name, w.pod.Concurrency, waiting)
			}
			if !strings.Contains(string(skaffold), "image: "+name+"\n") {
				t.Errorf("%s has no artifact in skaffold.yaml", name)
			}
			if _, mails := declared(t, folder(w.pod.Containers[0].Image))["SMTP_FINAL_TIMEOUT"]; mails && w.pod.TimeoutSeconds != 600 {
				// Knative gives a pod timeoutSeconds to stop: at most 600 unless the cluster allows more.
				t.Errorf("%s has timeoutSeconds %d, want 600: a mail server may answer as late as RFC 5321 allows, and the mail would be sent twice", name, w.pod.TimeoutSeconds)
			}
			want := "Trigger"
			switch {
			case strings.HasSuffix(name, "-api"):
				want = ""
			case name == "delivery-sweeper":
				want = "PingSource"
			}
			if triggered[name] != want {
				t.Errorf("%s is triggered by %q, want %q", name, triggered[name], want)
			}
		}
	})
}

// TestDelivery checks that each Trigger has a complete delivery specification, because Knative does not merge it with the Broker's.
func TestDelivery(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, all []object) {
		for _, o := range all {
			if o.Kind != "Trigger" && o.Kind != "Broker" {
				continue
			}
			var spec struct {
				Filter struct {
					Attributes map[string]string
				}
				Delivery struct {
					Retry          int
					BackoffPolicy  string `yaml:"backoffPolicy"`
					BackoffDelay   string `yaml:"backoffDelay"`
					Timeout        string
					DeadLetterSink struct {
						Ref struct{ Kind, Name string }
					} `yaml:"deadLetterSink"`
				}
			}
			o.decode(t, &spec)
			d := spec.Delivery
			if d.Retry < 5 || d.BackoffPolicy != "exponential" || d.BackoffDelay == "" || d.Timeout == "" {
				t.Errorf("%s %s has the delivery %+v, want retries, exponential backoff and a timeout", o.Kind, o.Metadata.Name, d)
			}
			// redrive --auto (cmd/orderbell/internal/deadletter) regards a function as healthy after 30 s without a dead letter.
			if waits := seconds(t, strings.TrimPrefix(d.BackoffDelay, "PT")) * (1<<(d.Retry+1) - 2); waits >= 30*time.Second {
				t.Errorf("%s %s retries for %s, want less than 30s: the redrive handles longer outages", o.Kind, o.Metadata.Name, waits)
			}
			if sink := d.DeadLetterSink.Ref; find(all, sink.Kind, sink.Name) == nil {
				t.Errorf("%s %s has the dead-letter sink %+v, which does not exist", o.Kind, o.Metadata.Name, sink)
			}
			if o.Kind == "Broker" {
				continue
			}
			if want := strings.ReplaceAll(o.Metadata.Name, "-", "_"); spec.Filter.Attributes["type"] != want {
				t.Errorf("Trigger %s filters %v, want type %s", o.Metadata.Name, spec.Filter.Attributes, want)
			}
			if order := o.Metadata.Annotations["kafka.eventing.knative.dev/delivery.order"]; order != "ordered" && order != "unordered" {
				t.Errorf("Trigger %s has delivery.order %q", o.Metadata.Name, order)
			}
			broker := seconds(t, strings.TrimPrefix(d.Timeout, "PT"))
			for _, w := range workloads(t, all) {
				if w.Metadata.Name != o.Metadata.Name {
					continue
				}
				event := seconds(t, settings(t, all, w)["EVENT_TIMEOUT"])
				if event >= broker || broker >= time.Duration(w.pod.TimeoutSeconds)*time.Second {
					t.Errorf("%s: EVENT_TIMEOUT %s < Trigger %s < timeoutSeconds %d does not hold", o.Metadata.Name, event, broker, w.pod.TimeoutSeconds)
				}
			}
		}
	})
}

func seconds(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(strings.ToLower(s))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
