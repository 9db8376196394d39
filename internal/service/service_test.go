package service_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderbell/internal/dev/programtest"
	"orderbell/internal/duration"
	"orderbell/internal/service"
)

type storeConfig struct {
	Mode string           `envconfig:"STORE_MODE" default:"fast" oneof:"fast,safe"`
	URL  string           `envconfig:"STORE_URL" required:"true"`
	Keep duration.Seconds `envconfig:"KEEP_SECONDS" default:"60"`
}

// Check implements the method that Load calls.
func (c storeConfig) Check() error {
	if c.URL == "wrong" {
		return errors.New("STORE_URL is wrong")
	}
	return nil
}

type programConfig struct {
	Store storeConfig
}

func TestLoad(t *testing.T) { //nolint:paralleltest // the environment is the process's
	for name, tt := range map[string]struct {
		env  map[string]string
		want string // in the error, "" for none
	}{
		"everything is there":             {map[string]string{"STORE_URL": "x", "KEEP_SECONDS": "5"}, ""},
		"a value that is not listed":      {map[string]string{"STORE_URL": "x", "STORE_MODE": "true"}, `STORE_MODE is "true", want one of fast, safe`},
		"a required variable is missing":  {nil, "environment variable STORE_URL is not set: .env.example explains it"},
		"a required variable is empty":    {map[string]string{"STORE_URL": ""}, "STORE_URL is empty"},
		"a value that Check rejects":      {map[string]string{"STORE_URL": "wrong"}, "STORE_URL is wrong"},
		"a number of seconds with a unit": {map[string]string{"STORE_URL": "x", "KEEP_SECONDS": "5s"}, `variable KEEP_SECONDS is "5s": `},
		"a number of seconds below zero":  {map[string]string{"STORE_URL": "x", "KEEP_SECONDS": "-1"}, "KEEP_SECONDS"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			var cfg programConfig
			err := service.Load(&cfg)
			if tt.want == "" {
				if err != nil || cfg.Store.Keep.Duration() != 5*time.Second {
					t.Errorf("got %v and %s, want 5s", err, cfg.Store.Keep.Duration())
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestValuesThatEveryProgramLists(t *testing.T) { //nolint:paralleltest // the environment is the process's
	for name, c := range map[string]struct{ variable, value, want string }{
		"a level in small letters":   {"LOG_LEVEL", "debug", ""},
		"a level between two others": {"LOG_LEVEL", "INFO+2", `LOG_LEVEL is "INFO+2", want one of DEBUG, INFO, WARN, ERROR`},
		"an unknown level":           {"LOG_LEVEL", "VERBOSE", `LOG_LEVEL is "VERBOSE", want one of DEBUG, INFO, WARN, ERROR`},
		"an empty level":             {"LOG_LEVEL", "", `LOG_LEVEL is "", want one of DEBUG, INFO, WARN, ERROR`},
		"an unknown format":          {"LOG_FORMAT", "logfmt", `LOG_FORMAT is "logfmt", want one of json, text`},
		"an unknown sampler":         {"OTEL_TRACES_SAMPLER", "always", `OTEL_TRACES_SAMPLER is "always", want one of always_on, always_off, traceidratio, parent`},
		"a duration without a unit":  {"SHUTDOWN_TIMEOUT", "20", `SHUTDOWN_TIMEOUT is "20", want a duration such as 30s (see .env.example)`},
		"a port in words":            {"PORT", "http", `PORT is "http", want a whole number (see .env.example)`},
		"no truth value":             {"TEST_TLS", "maybe", `TEST_TLS is "maybe", want one of true, false`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(c.variable, c.value)
			var cfg struct {
				Service service.Config
				TLS     bool `envconfig:"TEST_TLS"`
			}
			if err := service.Load(&cfg); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	for arg, want := range map[string]bool{"": true, "0.01": true, "0": true, "1": true, "1.5": false, "-1": false, "NaN": false, "10%": false} {
		t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
		t.Setenv("OTEL_TRACES_SAMPLER_ARG", arg)
		if err := service.Load(&service.Config{}); (err == nil) != want {
			t.Errorf("OTEL_TRACES_SAMPLER_ARG=%s: %v", arg, err)
		}
	}
}

// TestMain lets the test binary be the program that TestService starts, so that real signals reach a real process.
func TestMain(m *testing.M) {
	if os.Getenv("SERVICE_TEST_PROGRAM") == "" {
		os.Exit(m.Run())
	}
	service.Main("bell", func(ctx context.Context, s *service.Service) error {
		s.Ready(service.Check{Name: "store", Probe: func(context.Context) error {
			content, err := os.ReadFile(os.Getenv("STORE_URL"))
			switch {
			case err != nil:
				return fmt.Errorf("the store is down: %w", err)
			case string(content) == "old":
				return tooOldError{}
			}
			return nil
		}})
		if os.Getenv("SERVICE_TEST_PUBLIC") != "" {
			return s.ServePublic(ctx, http.NotFoundHandler())
		}
		release := make(chan struct{})
		return s.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-release
			_, _ = fmt.Fprint(w, "whole")
		}), func(context.Context) { close(release) })
	})
}

// tooOldError is a permanent error.
type tooOldError struct{}

func (tooOldError) Error() string { return "the store is too old: migrate it" }

func (tooOldError) Permanent() bool { return true }

func TestRefusal(t *testing.T) {
	t.Parallel()
	store := t.TempDir() + "/store"
	if err := os.WriteFile(store, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // our own test binary
	cmd.Env = append(os.Environ(), "SERVICE_TEST_PROGRAM=1", "LISTEN_HOST=127.0.0.1", "PORT=0", "STORE_URL="+store)
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit: %v, want 1", err)
	}
	if !strings.Contains(string(out), "the store is too old: migrate it") {
		t.Errorf("log: %s, want what to do", out)
	}
}

func TestService(t *testing.T) {
	t.Parallel()
	store := t.TempDir() + "/store"
	p := programtest.Start(t, os.Args[0], bellEnvironment("STORE_URL="+store)...)
	base := p.URL
	if code := get(t, base+"/healthz/live"); code != http.StatusNoContent {
		t.Errorf("live without its store: %d", code)
	}
	if code := get(t, base+"/healthz/ready"); code != http.StatusServiceUnavailable {
		t.Errorf("ready without its store: %d", code)
	}
	if err := os.WriteFile(store, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.WaitReady(t)
	if code := get(t, base+"/metrics"); code != http.StatusOK {
		t.Errorf("metrics: %d", code)
	}

	// A request under way when SIGTERM comes is answered whole.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := syscall.Kill(p.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 5)
	if n, _ := res.Body.Read(body); string(body[:n]) != "whole" {
		t.Errorf("the drained request got %q, want all of it", body[:n])
	}
	<-p.Done()
	if err := p.Err(); err != nil {
		t.Errorf("exit: %v", err)
	}
	if n := strings.Count(p.Log(), "the store is down"); n != 1 {
		t.Errorf("the log says %d times that the store is down, want once:\n%s", n, p.Log())
	}
}

func TestAPublicProgramShowsNoMetrics(t *testing.T) {
	t.Parallel()
	base, stop := startBell(t, "SERVICE_TEST_PUBLIC=1")
	defer stop()
	for _, path := range []string{"/metrics", "/metrics/list"} {
		if code := get(t, base+path); code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, code)
		}
	}
}

func get(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0 // not up yet
	}
	_ = res.Body.Close()
	return res.StatusCode
}
