package problem

import (
	"net/http"
	"net/url"
)

// BadParameter returns 400 for one parameter of the query.
func BadParameter(name, detail string) *Problem {
	p := New(http.StatusBadRequest, "%s %s", name, detail)
	p.Errors = []FieldError{{Field: name, Detail: detail}}
	return p
}

// Query returns the parameters of a request. Each known parameter may occur once; others are ignored. Its error is 400,
// also for a query that cannot be parsed.
func Query(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, New(http.StatusBadRequest, "the query cannot be parsed: %s", err)
	}
	for _, name := range known {
		if len(query[name]) > 1 {
			return nil, BadParameter(name, "occurs more than once")
		}
	}
	return query, nil
}
