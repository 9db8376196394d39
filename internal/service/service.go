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

	"orderbell/internal/paths"
	"orderbell/internal/server"
	"orderbell/internal/tracing"
)

// Config is the configuration of every program. Mains embed it together with the Configs of the packages that they use.
type Config struct {
	ListenHost      string        `envconfig:"LISTEN_HOST"` // empty: all interfaces
	Port            int           `envconfig:"PORT" default:"8080"`
	LogLevel        slog.Level    `envconfig:"LOG_LEVEL" default:"INFO" oneof:"DEBUG,INFO,WARN,ERROR"`
	LogFormat       string        `envconfig:"LOG_FORMAT" default:"json" oneof:"json,text"`
	ShutdownTimeout time.Duration `envconfig:"SHUTDOWN_TIMEOUT" default:"20s"`
	OTLPEndpoint    string        `envconfig:"OTEL_EXPORTER_OTLP_ENDPOINT"` // empty: nothing is pushed
	HTTP            server.Config
	// The SDK reads these itself. They are listed here for .env.example.
	TracesSampler    string `envconfig:"OTEL_TRACES_SAMPLER" default:"parentbased_always_on" oneof:"always_on,always_off,traceidratio,parentbased_always_on,parentbased_always_off,parentbased_traceidratio"`
	TracesSamplerArg string `envconfig:"OTEL_TRACES_SAMPLER_ARG"`
	Resource         string `envconfig:"OTEL_RESOURCE_ATTRIBUTES"`
}

// Check rejects a share of traces that the SDK would replace by another.
func (c *Config) Check() error {
	if c.TracesSamplerArg == "" || !strings.HasSuffix(c.TracesSampler, "traceidratio") {
		return nil
	}
	if share, err := strconv.ParseFloat(c.TracesSamplerArg, 64); err != nil || !(share >= 0 && share <= 1) {
		return fmt.Errorf("environment variable OTEL_TRACES_SAMPLER_ARG is %q, want a number from 0 to 1", c.TracesSamplerArg)
	}
	return nil
}

// Load fills cfg, a pointer to a struct of Configs, from the environment, and calls the method Check() error of those
// that have one. Its error names the variable. A main calls it once and passes the parts on.
func Load(cfg any) error {
	if err := envconfig.Process("", cfg); err != nil {
		var parse *envconfig.ParseError
		if errors.As(err, &parse) {
			name, allowed, _ := variableOf(reflect.TypeOf(cfg).Elem(), parse)
			if allowed != "" {
				return notOneOf(name, parse.Value, allowed)
			}
			if kind := kinds()[parse.TypeName]; kind != "" {
				return fmt.Errorf("environment variable %s is %q, want %s (see .env.example)", name, parse.Value, kind)
			}
			return fmt.Errorf("environment variable %s is %q: %w (see .env.example)", name, parse.Value, parse.Err)
		}
		var missing string
		if _, no := fmt.Sscanf(err.Error(), "required key %s missing value", &missing); no == nil {
			return fmt.Errorf("environment variable %s is not set: .env.example explains it", missing)
		}
		return fmt.Errorf("environment: %w", err)
	}
	return check(reflect.ValueOf(cfg).Elem())
}

// kinds are the types of variables that Go parses by itself, in words.
func kinds() map[string]string {
	return map[string]string{"time.Duration": "a duration such as 30s", "int": "a whole number", "int64": "a whole number", "float64": "a number"}
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
			return fmt.Errorf("environment variable %s is empty: .env.example explains it", t.Tag.Get("envconfig"))
		}
		if allowed := t.Tag.Get("oneof"); allowed != "" && !slices.Contains(strings.Split(allowed, ","), fmt.Sprint(f.Interface())) {
			return notOneOf(t.Tag.Get("envconfig"), fmt.Sprint(f.Interface()), allowed)
		}
	}
	if c, ok := v.Addr().Interface().(interface{ Check() error }); ok {
		return c.Check()
	}
	return nil
}

// notOneOf is the error of a variable whose value the tag oneof does not list.
func notOneOf(name, value, allowed string) error {
	return fmt.Errorf("environment variable %s is %q, want one of %s", name, value, strings.ReplaceAll(strings.TrimPrefix(allowed, ","), ",", ", "))
}

// variableOf returns the name of the variable that could not be read, which envconfig puts after the names of structs, and its
// values as its tag lists them: oneof, or those of a truth value; "" for any other.
func variableOf(t reflect.Type, e *envconfig.ParseError) (name, allowed string, found bool) {
	for f := range t.Fields() {
		name = f.Tag.Get("envconfig")
		switch {
		case name != "" && f.Name == e.FieldName && (e.KeyName == name || strings.HasSuffix(e.KeyName, "_"+name)):
			if f.Type.Kind() == reflect.Bool {
				return name, "true,false", true
			}
			return name, f.Tag.Get("oneof"), true
		case f.Type.Kind() == reflect.Struct:
			if name, allowed, found = variableOf(f.Type, e); found {
				return name, allowed, true
			}
		}
	}
	return e.KeyName, "", false
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
	mux.HandleFunc("GET "+paths.Live, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET "+paths.Ready, s.serveReady)
	if !public {
		mux.Handle("GET /metrics", s.telemetry.scrape)
		mux.Handle("GET /metrics/list", s.telemetry.catalog)
	}
	mux.Handle("/", s.measured(h))
	return mux
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
	server := server.New(h, t, limits, s.Log)
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
