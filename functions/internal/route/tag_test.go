package route_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"orderbell/functions/internal/route"
	"orderbell/internal/problem"
)

func TestIfMatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		headers []string
		version int64
		status  int // 0: none
	}{
		"nothing said":                  {nil, 0, 0},
		"whichever":                     {[]string{" * "}, 0, 0},
		"a version":                     {[]string{`"7"`}, 7, 0},
		"a version beside another":      {[]string{`"7-2"`}, 7, 0},
		"two of one version":            {[]string{`"7", "7-2"`}, 7, 0},
		"a pair spelled oddly":          {[]string{`"7-02"`}, 0, 412},
		"half a pair":                   {[]string{`"7-"`}, 0, 412},
		"a version among others":        {[]string{`"abc", "7" , W/"8"`}, 7, 0},
		"a version in two headers":      {[]string{`"abc"`, `"7"`}, 7, 0},
		"a version twice":               {[]string{`"7","7"`}, 7, 0},
		"another's tag":                 {[]string{`"abc"`}, 0, 412},
		"a weak tag":                    {[]string{`W/"7"`}, 0, 412},
		"a version that does not exist": {[]string{`"0"`}, 0, 412},
		"a version spelled oddly":       {[]string{`"+7"`}, 0, 412},
		"a tag with a comma in it":      {[]string{`"a,b"`}, 0, 412},
		"two versions":                  {[]string{`"7", "8"`}, 0, 400},
		"an empty header":               {[]string{""}, 0, 400},
		"a version without quotes":      {[]string{"7"}, 0, 400},
		"a quote that does not end":     {[]string{`"7`}, 0, 400},
		"tags without a comma":          {[]string{`"7" "8"`}, 0, 400},
		"whichever among others":        {[]string{`"7", *`}, 0, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/", nil)
			for _, h := range c.headers {
				r.Header.Add("If-Match", h)
			}
			version, err := route.IfMatch(r)
			var refused *problem.Problem
			status := 0
			if errors.As(err, &refused) {
				status = refused.Status
			}
			if version != c.version || status != c.status {
				t.Errorf("version %d, %v, want %d and status %d", version, err, c.version, c.status)
			}
		})
	}
}
