//go:build cluster

package cluster_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// mostImage is the largest permitted size of an image, compressed, in bytes.
const mostImage = 20 << 20

func (w *world) testImages(t *testing.T) {
	content, err := os.ReadFile(env(t, "CLUSTER_IMAGES"))
	if err != nil {
		t.Fatal(err)
	}
	var sizes []string
	modules := 0
	for image := range strings.FieldsSeq(string(content)) {
		registry, rest, _ := strings.Cut(image, "/")
		name, digest, _ := strings.Cut(rest, "@")
		name, _, _ = strings.Cut(name, ":")
		m := manifestOf(t, registry, name, digest)
		var config struct {
			Config struct{ User string }
		}
		fetch(t, registry, name, "blobs/"+m.Config.Digest, &config)
		size := 0
		for _, l := range m.Layers {
			size += l.Size
		}
		if size == 0 || size > mostImage {
			t.Errorf("image %s has %d bytes, want at most %d", name, size, mostImage)
		}
		if user, _, _ := strings.Cut(config.Config.User, ":"); user == "" || user == "0" || user == "root" {
			t.Errorf("image %s runs as %q", name, config.Config.User)
		}
		modules += materials(t, registry, name, digest)
		sizes = append(sizes, fmt.Sprintf("%s %.1f", name, float64(size)/(1<<20)))
	}
	slices.Sort(sizes)
	w.report.figure(t, "images, MiB compressed", "%s", strings.Join(sizes, ", "))
	w.report.figure(t, "their bills of materials (SPDX)", "%d, of %d packages in all", len(sizes), modules)
}

// materials reads the bill of materials of an image in the registry, and returns the number of its packages: the image, and each
// Go module in the program.
func materials(t *testing.T, registry, name, digest string) int {
	t.Helper()
	layers := manifestOf(t, registry, name, strings.Replace(digest, ":", "-", 1)+".sbom").Layers
	if len(layers) != 1 || layers[0].MediaType != "text/spdx+json" {
		t.Errorf("the bill of materials of image %s is %v, want one SPDX document", name, layers)
		return 0
	}
	var bill struct {
		Version  string `json:"spdxVersion"`
		Of       string `json:"name"`
		Packages []struct{ Name, VersionInfo string }
	}
	fetch(t, registry, name, "blobs/"+layers[0].Digest, &bill)
	if !strings.HasPrefix(bill.Version, "SPDX-2") || bill.Of != "sbom-"+digest {
		t.Errorf("the bill of materials of image %s is a %s of %s, want SPDX of %s", name, bill.Version, bill.Of, digest)
	}
	own := false
	for _, p := range bill.Packages {
		own = own || p.Name == "orderbell"
	}
	if !own || len(bill.Packages) < 2 {
		t.Errorf("the bill of materials of image %s has %d packages and not the program itself", name, len(bill.Packages))
	}
	return len(bill.Packages)
}

// manifest is an image's, or the first platform's of an image for many.
type manifest struct {
	Config struct{ Digest string }
	Layers []struct {
		MediaType, Digest string
		Size              int
	}
	Manifests []struct{ Digest string }
}

func manifestOf(t *testing.T, registry, name, reference string) (m manifest) {
	t.Helper()
	fetch(t, registry, name, "manifests/"+reference, &m)
	if len(m.Manifests) > 0 {
		fetch(t, registry, name, "manifests/"+m.Manifests[0].Digest, &m)
	}
	return m
}

func fetch(t *testing.T, registry, name, what string, out any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+registry+"/v2/"+name+"/"+what, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{
		"application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
		"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json",
	} {
		req.Header.Add("Accept", kind)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s of image %s: %d", what, name, resp.StatusCode)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.Fatal(err)
	}
}
