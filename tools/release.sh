#!/usr/bin/env bash
# Builds the files and images of a release, files into FOLDER: release.sh VERSION REGISTRY SOURCE FOLDER
#
#   images.txt    the images in REGISTRY, with their digests; each has an SPDX bill of materials and OCI labels
#   sbom-*.tar.gz these bills of materials
#   *.tar.gz      the command line for Linux and macOS
#   SHA256SUMS    the checksums of the archives and of images.txt
#   notes.md      the section VERSION of CHANGELOG.md
#
# VERSION is, for example, 1.2.0; SOURCE is the address of the repository. KO and GO name the programs to run in place of ko and
# go, KO_FLAGS has more flags for ko, and CHANGELOG names another changelog.
set -euo pipefail
if (($# != 4)); then
	echo 'usage: tools/release.sh VERSION REGISTRY SOURCE FOLDER' >&2
	exit 2
fi
version=$1 registry=$2 source=$3
mkdir -p "$4"
out=$(cd "$4" && pwd)
cd "$(dirname "$0")/.."

if [[ ! $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
	printf 'release: version %s: want MAJOR.MINOR.PATCH, such as 1.2.0\n' "$version" >&2
	exit 1
fi
awk -v heading="## $version" '/^## /{on = $0 == heading || index($0, heading " ") == 1; next} on' "${CHANGELOG:-CHANGELOG.md}" >"$out/notes.md"
if ! grep -q '[^[:space:]]' "$out/notes.md"; then
	printf 'release: CHANGELOG.md has no section "## %s": rename Unreleased before the tag\n' "$version" >&2
	exit 1
fi

built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
# pack FILE.tar.gz FOLDER NAME: the archive has the same bytes for the same commit.
pack() {
	tar -C "$2" --sort name --owner 0 --group 0 --numeric-owner --mtime "@$(git log -1 --format=%ct)" -c "$3" | gzip -n >"$out/$1"
}

# The programs: each folder with a main package, except the developers' tools.
mapfile -t mains < <(git ls-files '*main.go' | grep -vE '^(test|tools)/' | xargs -n1 dirname | sed 's|^|./|')
read -ra more <<<"${KO_FLAGS:-}"
KO_DOCKER_REPO=$registry "${KO:-ko}" build --base-import-paths --tags "$version" --sbom spdx --sbom-dir "$built/sbom" \
	--image-label "org.opencontainers.image.version=$version" \
	--image-label "org.opencontainers.image.revision=$(git rev-parse HEAD)" \
	--image-label "org.opencontainers.image.source=$source" \
	--image-label 'org.opencontainers.image.licenses=MIT' \
	--image-refs "$out/images.txt" "${more[@]}" "${mains[@]}" >/dev/null
mkdir -p "$built/sbom"
pack "sbom-$version.tar.gz" "$built" sbom

for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do
	GOOS=${platform%/*} GOARCH=${platform#*/} CGO_ENABLED=0 "${GO:-go}" build -trimpath -ldflags='-s -w' -o "$built/orderbell" ./cmd/orderbell
	pack "orderbell-$version-${platform/\//-}.tar.gz" "$built" orderbell
done
(cd "$out" && sha256sum ./*.tar.gz images.txt >SHA256SUMS)
