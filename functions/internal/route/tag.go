package route

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"orderbell/internal/auth"
	"orderbell/internal/problem"
)

// revalidate lets a client cache an answer privately and revalidate it with each request.
const revalidate = "private, no-cache"

// PairTag returns the ETag of a versioned resource that contains another versioned resource. [IfMatch] compares the
// version of the first.
func PairTag(version, other int64) string {
	return `"` + strconv.FormatInt(version, 10) + "-" + strconv.FormatInt(other, 10) + `"`
}

// OwnTag returns the ETag of a resource with the same URL for every user, such as /api/me: besides the versions it has
// a hash of the tenant and the user. Two users of one browser may have the same versions, and must not get 304 for each
// other's answer.
func OwnTag(who auth.Principal, version int64, more ...int64) string {
	mark := fnv.New64a()
	_, _ = fmt.Fprintf(mark, "%q %q %d", who.TenantID, who.UserID, more) // never fails (hash.Hash)
	return PairTag(version, int64(mark.Sum64()>>1))
}

// VersionTag returns the ETag of a versioned resource.
func VersionTag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// Serve answers a GET with v, or with 304 if the client has it. If tag is empty, the ETag is a hash of the answer's bytes, the tenant
// and the user.
func Serve(w http.ResponseWriter, r *http.Request, tag string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	if tag == "" {
		who, err := auth.Who(r)
		if err != nil {
			return err //nolint:wrapcheck // it says all
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %s", who.TenantID, who.UserID, body))
		const enough = 16 // bytes: versions of one answer never collide
		tag = `"` + base64.RawURLEncoding.EncodeToString(sum[:enough]) + `"`
	}
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", revalidate)
	h.Set("Vary", "Authorization")
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	_, _ = w.Write(append(body, '\n')) // the client has gone if this fails
	return nil
}

// Answer answers a change with v, the new state of the resource.
func Answer(w http.ResponseWriter, status int, tag string, v any) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("ETag", tag)
	return problem.WriteJSON(w, status, v)
}

// matches implements If-None-Match (RFC 9110 §13.1.2): * or a list of tags, compared weakly. Our tags have no comma.
func matches(headers []string, tag string) bool {
	for _, header := range headers {
		for candidate := range strings.SplitSeq(header, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// IfMatch returns the version in If-Match, or 0 without the header (RFC 9110 §13.1.1). An unknown tag matches nothing:
// 412, like every other version. A malformed tag is 400: the change of a careful client must not be applied
// unconditionally.
func IfMatch(r *http.Request) (int64, error) {
	headers, sent := r.Header["If-Match"]
	header := strings.TrimSpace(strings.Join(headers, ","))
	if !sent || header == "*" {
		return 0, nil
	}
	if !entityTags.MatchString(header) {
		return 0, problem.New(http.StatusBadRequest, "If-Match must be an ETag with its quotes, or *")
	}
	var named int64
	for _, tag := range entityTag.FindAllString(header, -1) {
		version, ok := tagged(tag)
		switch {
		case !ok: // another's, or a weak one, which never matches here
		case named != 0 && named != version:
			return 0, problem.New(http.StatusBadRequest, "If-Match must name one version")
		default:
			named = version
		}
	}
	if named < 1 {
		return 0, Stale()
	}
	return named, nil
}

// tagged returns the version that an ETag of [VersionTag] or [PairTag] names.
func tagged(tag string) (int64, bool) {
	first, second, pair := strings.Cut(strings.Trim(tag, `"`), "-")
	version, err := strconv.ParseInt(first, 10, 64)
	if err != nil || !pair {
		return version, err == nil && VersionTag(version) == tag
	}
	other, err := strconv.ParseInt(second, 10, 64)
	return version, err == nil && PairTag(version, other) == tag
}

// An ETag and a list of them (RFC 9110 §8.8.3, §5.6.1).
var (
	entityTag  = regexp.MustCompile(`(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"`)
	entityTags = regexp.MustCompile(`^[\t ,]*` + entityTag.String() + `(?:[\t ]*,[\t ,]*` + entityTag.String() + `)*[\t ,]*$`)
)

// Stale returns 412: the resource has changed since the client read it.
func Stale() *problem.Problem {
	return problem.New(http.StatusPreconditionFailed, "the resource was changed since you loaded it: load it again and repeat your change with the new ETag")
}
