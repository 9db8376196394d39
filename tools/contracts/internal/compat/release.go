package compat

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	releasesDir = "released"
	sumsFile    = "SHA256SUMS"
)

// Version is the version of a contract, by Semantic Versioning without labels.
type Version struct{ Major, Minor, Patch int }

var versionForm = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$`)

// ParseVersion reads a version such as 1.2.0.
func ParseVersion(s string) (Version, error) {
	m := versionForm.FindStringSubmatch(s)
	if m == nil {
		return Version{}, fmt.Errorf("version %q: want MAJOR.MINOR.PATCH, such as 1.2.0", s)
	}
	var n [3]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(m[i+1]); err != nil {
			return Version{}, fmt.Errorf("version %q: %w", s, err)
		}
	}
	return Version{n[0], n[1], n[2]}, nil
}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Compare orders versions: -1 if v is older than w, 1 if it is newer.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

// Released is a released contract.
type Released struct {
	Version Version
	Dir     string
}

// LastRelease returns the newest release of the contracts in the folder dir. If there is no release, it returns an error.
func LastRelease(dir string) (Released, error) {
	all, err := releases(dir)
	if err != nil {
		return Released{}, err
	}
	if len(all) == 0 {
		return Released{}, fmt.Errorf("%s has no release: contracts release DIR VERSION cuts one", filepath.Join(dir, releasesDir))
	}
	return all[len(all)-1], nil
}

// releases returns the releases from the oldest to the newest.
func releases(dir string) ([]Released, error) {
	entries, err := os.ReadDir(filepath.Join(dir, releasesDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Released
	for _, e := range entries {
		v, err := ParseVersion(e.Name())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, releasesDir), err)
		}
		all = append(all, Released{v, filepath.Join(dir, releasesDir, e.Name())})
	}
	slices.SortFunc(all, func(a, b Released) int { return a.Version.Compare(b.Version) })
	return all, nil
}

// Sealed fails if a file of a release has changed since the release was cut.
func Sealed(dir string) error {
	all, err := releases(dir)
	if err != nil {
		return err
	}
	for _, r := range all {
		want, err := os.ReadFile(filepath.Join(r.Dir, sumsFile))
		if err != nil {
			return err
		}
		got, err := sums(r.Dir)
		if err != nil {
			return err
		}
		if !bytes.Equal(want, got) {
			return fmt.Errorf("%s was changed after its release, as %s says: restore it and cut another version", r.Dir, sumsFile)
		}
	}
	return nil
}

// sums returns the digests of a folder's files in the format of sha256sum.
func sums(dir string) ([]byte, error) {
	var text bytes.Buffer
	files := os.DirFS(dir)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == sumsFile {
			return err
		}
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(raw), name)
		return nil
	})
	return text.Bytes(), err
}

// Release keeps the contracts in the folder dir as a release. The version must be newer than the last one and equal to
// the documents' version, and the contracts must not break users of the last release today.
func Release(dir, version string, today time.Time) error {
	v, err := ParseVersion(version)
	if err != nil {
		return err
	}
	all, err := releases(dir)
	if err != nil {
		return err
	}
	if len(all) > 0 {
		last := all[len(all)-1]
		if v.Compare(last.Version) <= 0 {
			return fmt.Errorf("version %s is not newer than the last release, %s", v, last.Version)
		}
		broken, err := Breaking(last.Dir, dir, today)
		if err != nil {
			return err
		}
		if len(broken) > 0 {
			return fmt.Errorf("these changes break users of %s:\n%s", last.Version, strings.Join(broken, "\n"))
		}
	}
	for _, file := range []string{openAPIFile, asyncAPIFile} {
		d, err := parse(dir, file)
		if err != nil {
			return err
		}
		if says := object(d.tree, "info")["version"]; says != version {
			return fmt.Errorf("%s: info.version is %v, want %s", file, says, version)
		}
	}
	return keep(dir, filepath.Join(dir, releasesDir, version))
}

// keep copies the contracts of a folder, with the frames that sse-contract.md names.
func keep(dir, to string) error {
	files, err := filepath.Glob(filepath.Join(dir, "examples", "sse", "*.txt"))
	if err != nil {
		return err
	}
	for _, name := range []string{openAPIFile, asyncAPIFile, framesFile, proseFile} {
		files = append(files, filepath.Join(dir, name))
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), raw, 0o644); err != nil {
			return err
		}
	}
	text, err := sums(to)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, sumsFile), text, 0o644)
}
