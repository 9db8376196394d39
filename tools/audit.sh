#!/usr/bin/env bash
# Checks every dependency against the vulnerability databases: govulncheck for each Go module, npm audit for each lock file.
#
# Exit codes: 0 nothing known; 1 a vulnerability was found; 2 a database is unreachable, so some dependencies were not checked;
# 3 a tool failed for another reason. 1 takes precedence over 2.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 3

found=0 away=0 broken=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# unreachable: whether the output reports a network error or a registry without the service, rather than a vulnerable dependency.
unreachable() {
	grep -qiE 'no such host|dial tcp|connection refused|i/o timeout|TLS handshake|server misbehaving|unexpected status|could not be fetched|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|audit endpoint returned an error|ENOAUDIT|4(04|05) ' "$out"
}

# verdict NAME DATABASE STATUS FOUND: reports the result of a run; FOUND is the tool's exit status for a finding.
verdict() {
	if (($3 == 0)); then
		printf 'ok           %s\n' "$1"
	elif (($3 == $4)) && ! unreachable; then
		printf 'VULNERABLE   %s\n' "$1"
		sed 's/^/    /' "$out"
		found=1
	elif unreachable; then
		printf 'NOT CHECKED  %s: the database at %s cannot be reached\n' "$1" "$2"
		away=1
	else
		printf 'FAILED       %s\n' "$1"
		sed 's/^/    /' "$out"
		broken=1
	fi
}

for module in $(git ls-files '*go.mod' | xargs -n1 dirname); do
	what=(./...)
	if grep -q '^tool' "$module/go.mod"; then what=(tool); fi # the module has no packages of its own
	${GOVULNCHECK:-bin/govulncheck} -C "$module" "${what[@]}" >"$out" 2>&1
	verdict "govulncheck $module" "${GOVULNDB:-https://vuln.go.dev}" $? 3
done
for lock in $(git ls-files '*package-lock.json'); do
	${NPM:-npm} --prefix "$(dirname "$lock")" audit --package-lock-only >"$out" 2>&1
	verdict "npm audit $lock" "the npm registry" $? 1
done

if ((found)); then
	echo 'audit: vulnerabilities were found'
	exit 1
fi
if ((broken)); then
	echo 'audit: a tool failed'
	exit 3
fi
if ((away)); then
	echo 'audit: NOT COMPLETE, a vulnerability database cannot be reached'
	exit 2
fi
echo 'audit: nothing is known against any dependency'
