// Package service runs one Orderbell program: it reads the configuration, sets up log, metrics and traces, serves
// health beside the program's own handler, and on SIGTERM drains before it stops.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/kelseyhightower/envconfig"
	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/problem"
	"orderbell/internal/server"
	"orderbell/internal/tracing"
)

// Config is the configuration of every program. Mains embed it together with the Configs of the packages that they use.
type Config struct {
	ListenHost      string        `envconfig:"LISTEN_HOST"` // empty: all interfaces
	Port            int           `envconfig:"PORT" default:"8080"`
	LogLevel        slog.Level    `envconfig:"LOG_LEVEL" default:"INFO"`
	LogFormat       string        `envconfig:"LOG_FORMAT" default:"json" oneof:"json,text"`
	ShutdownTimeout time.Duration `envconfig:"SHUTDOWN_TIMEOUT" default:"20s"`
	OTLPEndpoint    string        `envconfig:"OTEL_EXPORTER_OTLP_ENDPOINT"` // empty: nothing is pushed
	HTTP            server.Config
	// The SDK reads these two itself. They are listed here for .env.example.
	TracesSampler    string `envconfig:"OTEL_TRACES_SAMPLER" default:"parentbased_always_on"`
	TracesSamplerArg string `envconfig:"OTEL_TRACES_SAMPLER_ARG"`
}

// Load fills cfg, a pointer to a struct of Configs, from the environment, and calls the method Check() error of those
// that have one. Its error names the variable. A main calls it once and passes the parts on.
func Load(cfg any) error {
	if err := envconfig.Process("", cfg); err != nil {
		var parse *envconfig.ParseError
		if errors.As(err, &parse) {
			return fmt.Errorf("environment variable %s: %q is not a %s: %w", parse.KeyName, parse.Value, parse.TypeName, parse.Err)
		}
		return fmt.Errorf("environment: %w", err)
	}
	return check(reflect.ValueOf(cfg).Elem())
}

// check rejects a required variable that is set but empty, such as from a missing key of a Secret; envconfig accepts
// it. It also rejects a value that the tag oneof does not list, and values that a Config's own Check rejects.
func check(v reflect.Value) error {
	for i := range v.NumField() {
		f, t := v.Field(i), v.Type().Field(i)
		if f.Kind() == reflect.Struct {
			if err := check(f); err != nil {
				return err
			}
		} else if t.Tag.Get("required") == "true" && f.IsZero() {
			return fmt.Errorf("environment variable %s is empty", t.Tag.Get("envconfig"))
		}
		if allowed := t.Tag.Get("oneof"); allowed != "" && !slices.Contains(strings.Split(allowed, ","), f.String()) {
			return fmt.Errorf("environment variable %s is %q, want one of %s", t.Tag.Get("envconfig"), f.String(),
				strings.ReplaceAll(allowed, ",", ", "))
		}
	}
	if c, ok := v.Addr().Interface().(interface{ Check() error }); ok {
		return c.Check()
	}
	return nil
}

// Service is a running program.
type Service struct {
	Name  string
	Log   *slog.Logger
	Meter metric.Meter

	cfg       Config
	telemetry *telemetry
	readiness readiness
	draining  atomic.Bool
}

// Main runs the program called name until run returns or SIGTERM or SIGINT ends run's context. An error is logged in
// one line and the process exits with 1.
func Main(name string, run func(context.Context, *Service) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := start(ctx, name, run)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

func start(ctx context.Context, name string, run func(context.Context, *Service) error) error {
	s := &Service{Name: name, Log: newLogger(name, Config{LogFormat: "json"})}
	err := Load(&s.cfg)
	if err == nil {
		s.Log = newLogger(name, s.cfg)
		limitMemory(ctx, s.Log)
		s.telemetry, err = newTelemetry(ctx, name, s.cfg)
	}
	if err == nil {
		s.Meter = s.telemetry.meter
		err = run(tracing.Into(ctx, s.telemetry.tracer), s)
		err = errors.Join(err, s.telemetry.shutdown(context.WithoutCancel(ctx)))
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "stopped", "err", err)
	}
	return err
}

// limitMemory sets GOMEMLIMIT to nine tenths of the container's limit, unless it is set: near it the garbage collector
// works harder, so that the kernel does not kill the program. The rest is for memory outside of Go, such as socket
// buffers.
func limitMemory(ctx context.Context, log *slog.Logger) {
	limit, err := memlimit.Set(memlimit.WithRatio(0.9))
	switch {
	case err != nil:
		log.WarnContext(ctx, "memory limit not set", "err", err)
	case limit < math.MaxInt64:
		log.InfoContext(ctx, "memory is limited", "bytes", limit)
	}
}

func newLogger(name string, cfg Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	var handler slog.Handler = slog.NewJSONHandler(os.Stderr, options)
	if cfg.LogFormat == "text" {
		handler = slog.NewTextHandler(os.Stderr, options)
	}
	return slog.New(limitRepeated(handler)).With("service", name)
}

// Draining reports whether the program is about to stop: it is not ready and refuses new streams.
func (s *Service) Draining() bool { return s.draining.Load() }

// handler adds the health routes to h and, unless the port is public, the metrics routes.
func (s *Service) handler(h http.Handler, public bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/live", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /healthz/ready", s.serveReady)
	if !public {
		mux.Handle("GET /metrics", s.telemetry.scrape)
		mux.Handle("GET /metrics/list", s.telemetry.catalog)
	}
	mux.Handle("/", s.measured(h))
	return problem.Recover(s.Log, mux)
}

// Serve listens on PORT and serves h, health and metrics until ctx ends or a [Check] fails permanently. Then it becomes
// unready, runs drain (may be nil) within SHUTDOWN_TIMEOUT, waits for the requests under way, and returns.
func (s *Service) Serve(ctx context.Context, h http.Handler, drain func(context.Context)) error {
	return s.serve(ctx, s.handler(h, false), server.Internal(), drain)
}

// ServePublic is [Service.Serve] for a public port: without metrics, and with shorter timeouts.
func (s *Service) ServePublic(ctx context.Context, h http.Handler) error {
	return s.serve(ctx, s.handler(h, true), server.Public(), nil)
}

func (s *Service) serve(ctx context.Context, h http.Handler, t server.Timeouts, drain func(context.Context)) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort(s.cfg.ListenHost, strconv.Itoa(s.cfg.Port)))
	if err != nil {
		return fmt.Errorf("listen on PORT: %w", err)
	}
	limits := server.NewLimits(s.cfg.HTTP)
	if err := s.observe(limits); err != nil {
		return errors.Join(err, listener.Close())
	}
	listener = limits.Listen(listener)
	server := server.New(h, t, limits, slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn))
	s.Log.InfoContext(ctx, "serving", "address", listener.Addr().String())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	refused := make(chan error, 1)
	go s.becomeReady(ctx, refused)
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case err := <-refused:
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.Log.InfoContext(ctx, "draining", "timeout", s.cfg.ShutdownTimeout)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
	defer cancel()
	if drain != nil {
		drain(stopping)
	}
	if err := server.Shutdown(stopping); err != nil {
		return fmt.Errorf("drain: %w", errors.Join(err, server.Close()))
	}
	return nil
}
