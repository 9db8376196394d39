package main_test

import (
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"orderbell/internal/dev/programtest"
	"orderbell/internal/feed/feedtest"
)

// A publisher may have sent any text before the rule existed: what tail prints steers no terminal and turns nothing
// around.
func TestTailOfHostileText(t *testing.T) {
	t.Parallel()
	redis, addr, tenant := miniredis.RunT(t), "127.0.0.1:"+programtest.Port(t), feedtest.Tenant()
	feed := feedtest.Open(t, feedtest.Config("redis://"+redis.Addr()))
	gateway(t, redis, addr)
	first := feedtest.Message(tenant, 0)
	for i, m := range []struct{ reference string }{{"A"}, {"A\u202e000,521\u009b31m\u2028"}, {"שולחן 12"}, {"\U00016fe4Z" + strings.Repeat("\u0301", 40)}} {
		sent := feedtest.Refer(feedtest.Message(tenant, i), m.reference)
		if i == 0 {
			first = sent
		}
		if err := feed.Publish(t.Context(), tenant, sent); err != nil {
			t.Fatal(err)
		}
	}
	for _, how := range []string{"", "--json"} {
		args := []string{"tail", "--tenant", tenant, "--url", "http://" + addr, "--from", first.ID, "--count", "3"}
		if how != "" {
			args = append(args, how)
		}
		stdout, stderr, status := run(t, []string{streamSecret}, args...)
		if status != 0 {
			t.Fatalf("exit status %d: %s", status, stderr)
		}
		if strings.ContainsAny(stdout+stderr, "\u202e\u009b\u2028") {
			t.Errorf("tail %s prints %+q", how, stdout)
		}
		want := []string{"<U+202E>000,521<U+009B>31m<U+2028>", "\u2068שולחן 12\u2069", "<U+16FE4>Z" + strings.Repeat("\u0301", 6) + " "}
		if how != "" {
			want = []string{`A\u202e000,521\u009b31m\u2028`, `"שולחן 12"`, `"\ud81b\udfe4Z` + strings.Repeat("\u0301", 40) + `"`}
		}
		for _, w := range want {
			if !strings.Contains(stdout, w) {
				t.Errorf("tail %s prints %+q, want %+q in it", how, stdout, w)
			}
		}
	}
}
