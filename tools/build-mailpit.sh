#!/usr/bin/env bash
# Builds the mail catcher Mailpit into OUT. Its Go module does not contain the bundled web pages, so this script bundles
# them from the sources in the module, with the versions that its own lock file pins.
# usage: build-mailpit.sh OUT SCRATCH_FOLDER
set -euo pipefail
out=$(realpath -m "$1")
scratch=$(realpath -m "$2")
cd "$(dirname "$0")"

module=github.com/axllent/mailpit
go mod download "$module"
rm -rf "$scratch"
mkdir -p "$scratch"
cp -r "$(go list -m -f '{{.Dir}}' "$module")" "$scratch/src"
chmod -R u+w "$scratch/src"

cd "$scratch/src"
npm ci --ignore-scripts --no-fund --no-audit --loglevel=error
npm run --silent package
test -s server/ui/dist/app.js
rm -rf node_modules

cd "$OLDPWD"
cp go.mod "$scratch/tools.mod"
cp go.sum "$scratch/tools.sum"
go mod edit -replace "$module=$scratch/src" "$scratch/tools.mod"
CGO_ENABLED=0 go build -modfile="$scratch/tools.mod" -trimpath -ldflags='-s -w' -o "$out" "$module"
rm -rf "$scratch"
