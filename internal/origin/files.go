package origin

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// index is the page of the single-page application. It is served for every path without a file.
const index = "index.html"

// noFile is the answer to a browser that has a page of an older build.
const noFile = "there is no such file in this release: reload the page"

// Files serves the built front end. It opens a file for each request, so that a new build is served without a restart
// and no file is held in memory. Compressed variants of files in assets/ are used if the build made them.
type Files struct {
	dist fs.FS

	mu   sync.Mutex
	tags map[string]tag // by file
}

// tag is the ETag of a file version.
type tag struct {
	size     int64
	modified time.Time
	etag     string
}

// NewFiles returns the front end in dist, which must contain index.html.
func NewFiles(dist fs.FS) (*Files, error) {
	if _, err := fs.Stat(dist, index); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("the front end is not built (no index.html): run make build")
		}
		return nil, fmt.Errorf("front end: %w", err)
	}
	return &Files{dist: dist, tags: map[string]tag{}}, nil
}

// ServeHTTP serves a file, or the page for paths of the application.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, r.Method+" is not a method of the page: use GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "" || strings.HasSuffix(r.URL.Path, "/") {
		name = index
	}
	if strings.HasSuffix(name, ".map") { // source maps are not secret, but 5 times as large as the page
		http.Error(w, noFile, http.StatusNotFound)
		return
	}
	file, err := f.open(name)
	if err != nil {
		// A missing script is 404: the page in its place would be a syntax error in the browser.
		if name != index && path.Ext(name) != "" {
			http.Error(w, noFile, http.StatusNotFound)
			return
		}
		name = index
		if file, err = f.open(name); err != nil {
			http.Error(w, "the front end is not built: run make build", http.StatusServiceUnavailable)
			return
		}
	}
	defer file.Close() //nolint:errcheck // it was read only
	h := w.Header()
	stored := name
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable") // Vite puts a hash of the content into the file name
		h.Set("Vary", "Accept-Encoding")
		for _, c := range codings {
			if !accepts(r, c.name) {
				continue
			}
			if compressed, err := f.open(name + c.suffix); err == nil {
				defer compressed.Close() //nolint:errcheck,revive // one at most
				file, stored = compressed, name+c.suffix
				h.Set("Content-Encoding", c.name)
				break
			}
		}
	} else {
		h.Set("Cache-Control", "no-cache") // cached, but revalidated by its ETag
	}
	etag, err := f.etag(stored, file)
	if err != nil {
		http.Error(w, "the file cannot be read: try again, or report it to the operator", http.StatusInternalServerError)
		return
	}
	h.Set("ETag", etag)
	if known := contentType(name); known != "" {
		h.Set("Content-Type", known)
	}
	http.ServeContent(w, r, name, time.Time{}, file) // type by extension, ranges, If-None-Match
}

// contentType returns the media type of the page's files, with the character set for text. It does not use the system's table, which
// differs between machines and has no character set for some types.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".json":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// codings are the content codings of the build, the smallest first.
var codings = [...]struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}} //nolint:gochecknoglobals // a constant

// accepts says whether a client takes a coding by name.
func accepts(r *http.Request, coding string) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, quality, _ := strings.Cut(strings.ReplaceAll(part, " ", ""), ";")
		if strings.EqualFold(name, coding) {
			return strings.Trim(strings.TrimPrefix(quality, "q="), "0.") != "" || quality == ""
		}
	}
	return false
}

// file is an open file to serve.
type file interface {
	fs.File
	io.Seeker
}

func (f *Files) open(name string) (file, error) {
	opened, err := f.dist.Open(name)
	if err != nil {
		return nil, err //nolint:wrapcheck // a file system's own error
	}
	info, err := opened.Stat()
	seekable, ok := opened.(file)
	if err != nil || !ok || info.IsDir() {
		return nil, errors.Join(fs.ErrNotExist, err, opened.Close())
	}
	return seekable, nil
}

// etag returns a file's ETag. It reads the file once, and again when it has changed.
func (f *Files) etag(name string, file file) (string, error) {
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", name, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.tags[name]; known.etag != "" && known.size == info.Size() && known.modified.Equal(info.ModTime()) {
		return known.etag, nil
	}
	sum := sha256.New()
	_, err = io.Copy(sum, file)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:12]) + `"`
	f.tags[name] = tag{info.Size(), info.ModTime(), etag}
	return etag, nil
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
