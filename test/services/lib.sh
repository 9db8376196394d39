# shellcheck shell=bash
# Shared by up and down: the files of each service.
#
#   .services/<name>/port   chosen once, then kept, so that a restart is found at the same address
#   .services/<name>/pid    of the running server
#   .services/<name>/log    its log
#   .services/<name>/data   its data
#   .services/env           addresses to export: . .services/env

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
services=${SERVICES_DIR:-$root/.services}
all_services=(postgres redis kafka mailpit)

die() {
	printf 'test/services: %s\n' "$*" >&2
	exit 1
}

say() { printf 'test/services: %s\n' "$*"; }

known() {
	local name
	for name in "${all_services[@]}"; do
		[[ $name == "$1" ]] && return 0
	done
	return 1
}

# running NAME: the process in its pid file is alive and is this service (the system reuses pids).
running() {
	local pid
	[[ -s $services/$1/pid ]] || return 1
	pid=$(<"$services/$1/pid")
	kill -0 "$pid" 2>/dev/null || return 1
	[[ $(ps -p "$pid" -o command= 2>/dev/null) == *"$(mark_of "$1")"* ]]
}

# mark_of NAME: a part of the command line that only this tree's server of that name has.
mark_of() {
	case $1 in
	postgres) postgres_data ;;
	redis) printf ':%s' "$(port_of redis)" ;; # redis rewrites its own title: redis-server HOST:PORT
	*) printf '%s' "$services/$1/" ;;
	esac
}

port_of() { cat "$services/$1/${2:-port}" 2>/dev/null || true; }

# postgres_data: PostgreSQL's data folder; outside this tree if the user postgres cannot enter the tree.
postgres_data() {
	if [[ -s $services/postgres/elsewhere ]]; then
		cat "$services/postgres/elsewhere"
	else
		printf '%s' "$services/postgres/data"
	fi
}
