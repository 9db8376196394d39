#!/usr/bin/env bash
# check-prerequisites.sh [ROOT]: fails when two specifications specs/NNN-* share a number, when a folder's name has none, or
# when a specification lacks a file that every specification must have.
set -euo pipefail
shopt -s nullglob

root=${1:-$(cd "$(dirname "$0")/../../.." && pwd)}
required=(spec.md plan.md research.md quickstart.md tasks.md contracts)
failed=0

complain() {
	printf 'specs: %s\n' "$*" >&2
	failed=1
}

declare -A named
folders=("$root"/specs/*/)
((${#folders[@]} > 0)) || complain "$root/specs has no specification"
for folder in "${folders[@]}"; do
	name=$(basename "$folder")
	if [[ ! $name =~ ^([0-9]{3})-[a-z0-9]+(-[a-z0-9]+)*$ ]]; then
		complain "$name: want a number of three digits, a dash and words, such as 004-order-notifications"
		continue
	fi
	number=${BASH_REMATCH[1]}
	if [[ -n ${named[$number]:-} ]]; then
		complain "${named[$number]} and $name share the number $number: rename the newer one (docs/SPEC_PREFIX_CHANGE.md)"
	fi
	named[$number]=$name
	for file in "${required[@]}"; do
		[[ -s $folder$file ]] || complain "$name: $file is missing or empty"
	done
done
exit "$failed"
