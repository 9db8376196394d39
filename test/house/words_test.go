package house_test

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// retired are words that the glossary in CONTRIBUTING.md replaces, and constructions that a reader has to read twice.
var retired = []struct { //nolint:gochecknoglobals // a table
	use     string
	pattern *regexp.Regexp
}{
	{"again", regexp.MustCompile(`(?i)\banew\b`)},
	{"the role that acts, such as the caller or the holder", regexp.MustCompile(`(?i)\b(whoever|who asks)\b`)},
	{"no user, no program, …", regexp.MustCompile(`(?i)\bnobody(['’]s)?\b`)},
	{"must be one of, does not exist, is malformed", regexp.MustCompile(`(?i)\b(is|are) none( of)?\b`)},
	{"is listed twice, is duplicated", regexp.MustCompile(`(?i)\bthere twice\b`)},
	{"after", regexp.MustCompile(`(?i)\b(comes?|goes|lies|begins|resumes?|right|one|those|place|position|page|frame|cursor|left) behind\b`)},
	{"user", regexp.MustCompile(`(?i)\b(persons?|people)\b`)},
	{"notification", regexp.MustCompile(`(?i)\b(a|the|one|this|each|unread) notices?\b`)},
	{"mail", regexp.MustCompile(`(?i)\b(renders?|sends?|due|unsent) letters?\b`)},
	{"is unreachable, is down", regexp.MustCompile(`\b(is|are|was|were) away\b`)},
	{"check that, compare with", regexp.MustCompile(`\bholds? (it|them|every|each|what|the \w+) (to|against) (what|its|the|a|every)\b`)},
	{"is not a", regexp.MustCompile(`(?i)\b(that|which|what|it|body|data|text|answer|token) (is|are) no (events?|CloudEvents?|id|UUID|URI|URL|number|text|JSON|token|user|trusted|fresh|ISO|outage|pod|key)\b`)},
	{"will follow, must arrive", regexp.MustCompile(`(?i)\b(is|are|was|were) to come\b`)},
	{"does not arrive, has not arrived", regexp.MustCompile(`(?i)\b(events?|it) (that )?(does|do|did|has|have) not come\b`)},
	{"announces, has, contains", regexp.MustCompile(`(?i)\btells of\b`)},
	{"is admitted, is permitted", regexp.MustCompile(`(?i)\b(be|is|are|was|were) let in\b`)},
	{"earlier, previous, older", regexp.MustCompile(`(?i)\bof before\b`)},
	{"silently", regexp.MustCompile(`(?i)\bwithout a word\b`)},
	{"lets, makes, or the plain verb", regexp.MustCompile(`\b(looks|sees) whether\b`)},
}

// allowed matches lines in which a retired word means something else.
var allowed = regexp.MustCompile(`"nobody"|nobody@|mail\.hello|account postgres|else nobody|nor nobody|NoBody|no such \(user|\(user\|recipient`)

// worded says whether the words of a file are checked. Not checked are migrations, which must not change once they are applied, the
// glossary, the changelog and released contracts. Of tests only the comments are checked, since their texts may be expected ones.
func worded(name string) bool {
	switch {
	case strings.HasPrefix(name, "migrations/"), strings.HasPrefix(name, "test/house/"), strings.Contains(name, "/testdata/"), strings.Contains(name, "/released/"),
		strings.Contains(name, ".test."), name == "CONTRIBUTING.md", name == "CHANGELOG.md", strings.HasPrefix(name, ".specify/"):
		return false
	}
	switch path.Ext(name) {
	case ".go", ".md", ".ts", ".tsx", ".sql", ".yaml", ".yml", ".sh", ".lua", ".html", ".css":
		return true
	case ".json":
		return strings.Contains(name, "/catalogue/") || strings.Contains(name, "/contracts/")
	}
	return name == "Makefile" || name == ".env.example" || name == ".ci/run"
}

func TestRetiredWordsStayAway(t *testing.T) {
	t.Parallel()
	for _, name := range files(t) {
		if !worded(name) {
			continue
		}
		for i, line := range strings.Split(read(t, name), "\n") {
			if strings.HasSuffix(name, "_test.go") {
				if _, line, _ = strings.Cut(line, "// "); line == "" {
					continue
				}
			}
			for _, r := range retired {
				if found := r.pattern.FindString(line); found != "" && !allowed.MatchString(line) {
					t.Errorf("%s:%d says %q, write %q: %s", name, i+1, found, r.use, strings.TrimSpace(line))
				}
			}
		}
	}
}
