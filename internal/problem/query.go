package problem

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// BadParameter returns 400 for one parameter of the query.
func BadParameter(name, detail string) *Problem {
	return named(http.StatusBadRequest, []FieldError{{Field: name, Detail: detail}})
}

// CheckQuery returns 400 for a query that cannot be parsed, because its meaning must not be guessed.
func CheckQuery(r *http.Request) error {
	_, err := parseQuery(r)
	return err
}

func parseQuery(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, New(http.StatusBadRequest, "the query string is malformed: %s", err)
	}
	return query, nil
}

// Query returns the parameters of a request. Each of the known ones may occur once. Its error is 400, also for a name that
// differs from a known one in case only. Others are ignored: clients of streams add their own.
func Query(r *http.Request, known ...string) (url.Values, error) {
	query, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	for _, name := range known {
		if len(query[name]) > 1 {
			return nil, BadParameter(name, "occurs more than once")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if other := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) }); other >= 0 && known[other] != name {
			return nil, BadParameter(name, "must be spelled "+known[other]+": names are case-sensitive")
		}
	}
	return query, nil
}

// OnlyQuery is [Query] for a call whose parameters select its answer. An unknown name is 400, since the answer would not be the one
// that the client wants to select.
func OnlyQuery(r *http.Request, known ...string) (url.Values, error) {
	query, err := Query(r, known...)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(known, name) {
			return nil, BadParameter(name, "is not a parameter of this request: use "+strings.Join(known, ", "))
		}
	}
	return query, nil
}
