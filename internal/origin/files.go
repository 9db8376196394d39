package origin

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// index is the page of a single-page application: it answers for every path that names no file.
const index = "index.html"

// Files serves the built front end. It reads each file when asked, so that a new build is seen without a restart.
type Files struct {
	dist fs.FS
}

// NewFiles returns the front end in dist, which must hold index.html.
func NewFiles(dist fs.FS) (*Files, error) {
	if _, err := fs.Stat(dist, index); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("the front end is not built (no index.html): run make build")
		}
		return nil, fmt.Errorf("front end: %w", err)
	}
	return &Files{dist: dist}, nil
}

// ServeHTTP answers a file, or the page for every path that looks like one of the application's own.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "" || strings.HasSuffix(r.URL.Path, "/") {
		name = index
	}
	content, err := fs.ReadFile(f.dist, name)
	if err != nil {
		// A missing script must be a 404: as a page it would be a syntax error in the browser.
		if path.Ext(name) != "" {
			http.NotFound(w, r)
			return
		}
		name = index
		if content, err = fs.ReadFile(f.dist, name); err != nil {
			http.Error(w, "the front end is not built: run make build", http.StatusServiceUnavailable)
			return
		}
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable") // Vite puts a hash of the content into the name
	} else {
		h.Set("Cache-Control", "no-cache") // kept, but asked for each time by its ETag
	}
	sum := sha256.Sum256(content)
	h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:12])+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content)) // type by extension, ranges, If-None-Match
}

// Layers is a file system in which a file of an earlier layer hides that of a later one.
type Layers []fs.FS

// Open implements [fs.FS].
func (l Layers) Open(name string) (fs.File, error) {
	err := error(&fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist})
	for _, layer := range l {
		var f fs.File
		if f, err = layer.Open(name); !errors.Is(err, fs.ErrNotExist) {
			return f, err //nolint:wrapcheck // a file system's own error
		}
	}
	return nil, err
}
