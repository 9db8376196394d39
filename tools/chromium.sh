#!/usr/bin/env bash
# Installs a Chromium for the end-to-end tests unless there is one: Debian's package as root, else Playwright's build.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -n ${CHROMIUM_PATH:-} ]]; then exit 0; fi
for name in chromium chromium-browser google-chrome google-chrome-stable; do # as test/e2e/playwright.config.ts looks
	if command -v "$name" >/dev/null; then exit 0; fi
done
if ((EUID == 0)) && [[ -e /etc/debian_version ]] && command -v apt-get >/dev/null; then
	echo 'installing Chromium with apt-get'
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends chromium
else
	echo "installing Chromium with Playwright's installer (nothing is fetched if it is there)"
	(cd test/e2e && npx playwright install chromium)
fi
