//go:build manifests

package manifests_test

import (
	"strings"
	"testing"
)

// TestSenders checks that each program that takes events expects the audience and the service accounts of its senders, and that
// everything else that takes events has an EventPolicy.
func TestSenders(t *testing.T) {
	t.Parallel()
	groups := map[string]string{"Trigger": "eventing.knative.dev", "PingSource": "sources.knative.dev"}
	each(t, func(t *testing.T, all []object) {
		programs := map[string]map[string]string{}
		for _, w := range workloads(t, all) {
			if w.ours() {
				programs[w.Metadata.Name] = settings(t, all, w)
			}
		}
		taken, triggers := 0, 0
		for _, o := range all {
			group, sends := groups[o.Kind]
			if !sends {
				continue
			}
			taken++
			var spec struct {
				Subscriber, Sink struct{ Audience string }
				Delivery         struct {
					DeadLetterSink struct {
						Ref      struct{ Kind, Name string }
						Audience string
					} `yaml:"deadLetterSink"`
				}
			}
			o.decode(t, &spec)
			audience := spec.Subscriber.Audience + spec.Sink.Audience
			// Knative's name for it (pkg/auth/serviceaccount.go). It would shorten a longer name and append a hash.
			account := o.Metadata.Name + "-oidc-" + group + "-" + strings.ToLower(o.Kind)
			if len(account) > 63 {
				t.Errorf("the service account %s is longer than 63 characters", account)
			}
			subject := "system:serviceaccount:orderbell:" + account
			of := programs[o.Metadata.Name]
			if audience == "" || of["EVENT_OIDC_AUDIENCE"] != audience || of["EVENT_OIDC_SUBJECTS"] != subject || of["EVENT_OIDC_ISSUER"] == "" {
				t.Errorf("%s %s sends to %q as %s, but the function takes %q of %q, issuer %q", o.Kind, o.Metadata.Name, audience, subject,
					of["EVENT_OIDC_AUDIENCE"], of["EVENT_OIDC_SUBJECTS"], of["EVENT_OIDC_ISSUER"])
			}
			if o.Kind != "Trigger" {
				continue
			}
			triggers++
			sink := spec.Delivery.DeadLetterSink
			if sink.Ref.Kind == "KafkaSink" {
				continue // its EventPolicy is checked below
			}
			to := programs[sink.Ref.Name]
			if sink.Audience == "" || to["EVENT_OIDC_AUDIENCE"] != sink.Audience || !strings.Contains(to["EVENT_OIDC_SUBJECTS"], subject) {
				t.Errorf("dead letters of %s go to %s for %q, which takes %q of %q", o.Metadata.Name, sink.Ref.Name, sink.Audience,
					to["EVENT_OIDC_AUDIENCE"], to["EVENT_OIDC_SUBJECTS"])
			}
		}
		if taken != 4 || triggers != 3 {
			t.Errorf("checked %d senders and %d Triggers, want 4 and 3", taken, triggers)
		}
		for _, kind := range []string{"Broker", "KafkaSink"} {
			for _, o := range all {
				if o.Kind == kind && !policed(t, all, kind, o.Metadata.Name) {
					t.Errorf("no EventPolicy says who may send to %s %s", kind, o.Metadata.Name)
				}
			}
		}
	})
}

// policed says whether an EventPolicy names the permitted senders of an object.
func policed(t *testing.T, all []object, kind, name string) bool {
	t.Helper()
	for _, o := range all {
		if o.Kind != "EventPolicy" {
			continue
		}
		var spec struct {
			To   []struct{ Ref struct{ Kind, Name string } }
			From []struct {
				Sub string
				Ref struct{ Kind, Name string }
			}
		}
		o.decode(t, &spec)
		for _, to := range spec.To {
			if to.Ref.Kind == kind && to.Ref.Name == name {
				return len(spec.From) > 0 && !strings.Contains(o.raw, "*")
			}
		}
	}
	return false
}
