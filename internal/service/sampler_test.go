package service_test

import (
	"strings"
	"testing"

	"orderbell/internal/service"
)

func TestSamplers(t *testing.T) { //nolint:paralleltest // sets the environment
	for name, test := range map[string]struct{ sampler, arg, want string }{
		"the default":             {},
		"a ratio":                 {"parentbased_traceidratio", "0.01", ""},
		"a ratio without a share": {"traceidratio", "", ""},
		"unknown": {
			"sometimes", "", `OTEL_TRACES_SAMPLER is "sometimes", want one of always_on, always_off, traceidratio, ` +
				`parentbased_always_on, parentbased_always_off, parentbased_traceidratio`,
		},
		"no number":       {"traceidratio", "1%", `OTEL_TRACES_SAMPLER_ARG is "1%", want a share from 0 to 1`},
		"more than all":   {"parentbased_traceidratio", "1.5", `OTEL_TRACES_SAMPLER_ARG is "1.5", want a share from 0 to 1`},
		"not a number":    {"traceidratio", "NaN", `OTEL_TRACES_SAMPLER_ARG is "NaN", want a share from 0 to 1`},
		"an unused share": {"always_on", "much", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_TRACES_SAMPLER", test.sampler)
			t.Setenv("OTEL_TRACES_SAMPLER_ARG", test.arg)
			var cfg service.Config
			err := service.Load(&cfg)
			if got := errorText(err); (test.want == "") != (err == nil) || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
