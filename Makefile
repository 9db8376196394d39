# Orderbell: every task of developers and CI, each with a line of help. `make` without a target prints them.
#
# Each target first installs what it needs: tools in bin/, npm packages, Chromium. Later runs download nothing, and rebuild only
# what has changed.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

say = @printf '== %s\n'
# Go tests with a line for each package, the output of those that fail, and a count; the events go to .report/.
GO_TEST = mkdir -p .report && bin/gotestsum --format pkgname --format-hide-empty-pkg --jsonfile .report/$@.json --

GO_MAINS := cmd functions kafka-bridge outbox-relay sse-gateway
GO_ROOTS := $(wildcard $(GO_MAINS) internal migrations)
GO_INPUTS := go.mod go.sum frontend/main.go $(shell find $(GO_ROOTS) -type f -not -name '*_test.go' -not -path '*/testdata/*')
GO_PROGRAMS := $(patsubst %,./%/...,$(wildcard $(GO_MAINS))) ./frontend
FRONTEND_INPUTS := $(shell find frontend -type f -not -path '*/node_modules/*' -not -name '*.go' -not -path 'frontend/dist/*' -not -path 'frontend/kodata/*')
CONTRACTS := specs/004-order-notifications/contracts
TOOLS := bin/golangci-lint bin/gotestsum bin/mailpit
SHELL_SCRIPTS := .ci/run $(shell git ls-files -co --exclude-standard '*.sh' test/services/up test/services/down k8s/kind/up k8s/kind/down k8s/kafka-broker/settings test/cluster/run test/api/run)

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- build

.PHONY: build
build: bin/.programs frontend/dist/index.html bin/mailpit ## Build every program into bin/, and the front end

bin/.programs: $(GO_INPUTS)
	$(say) 'building the Go programs into bin/'
	mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -o bin/ $(GO_PROGRAMS)
	touch $@

frontend/dist/index.html: frontend/node_modules/.package-lock.json $(FRONTEND_INPUTS)
	$(say) 'building the front end into frontend/dist/'
	npm --prefix frontend run --silent build
	touch $@

.PHONY: tools
tools: $(TOOLS) ## Build the developer tools into bin/ (a few minutes, once)

bin/golangci-lint: TOOL := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
bin/gotestsum: TOOL := gotest.tools/gotestsum
bin/golangci-lint bin/gotestsum: tools/go.mod tools/go.sum
	$(say) 'building $@'
	CGO_ENABLED=0 go -C tools build -trimpath -ldflags='-s -w' -o ../$@ $(TOOL)
	touch $@

bin/mailpit: tools/go.mod tools/go.sum tools/build-mailpit.sh
	$(say) 'building $@ and its pages'
	tools/build-mailpit.sh $@ .cache/mailpit
	touch $@

bin/actionlint: tools/actionlint/go.mod tools/actionlint/go.sum
	$(say) 'building $@'
	CGO_ENABLED=0 go -C tools/actionlint build -trimpath -ldflags='-s -w' -o ../../$@ github.com/rhysd/actionlint/cmd/actionlint
	touch $@

bin/centrifugo: tools/centrifugo/go.mod tools/centrifugo/go.sum
	$(say) 'building $@'
	CGO_ENABLED=0 go -C tools/centrifugo build -trimpath -ldflags='-s -w' -o ../../$@ github.com/centrifugal/centrifugo/v6
	touch $@

bin/govulncheck: tools/audit/go.mod tools/audit/go.sum
	$(say) 'building $@'
	CGO_ENABLED=0 go -C tools/audit build -trimpath -ldflags='-s -w' -o ../../$@ golang.org/x/vuln/cmd/govulncheck
	touch $@

bin/collector: tools/collector/main.go tools/collector/go.mod tools/collector/go.sum
	$(say) 'building $@'
	CGO_ENABLED=0 go -C tools/collector build -trimpath -ldflags='-s -w' -o ../../$@ .
	touch $@

# The servers of the comparison are in their own module, so that the product does not depend on them.
bin/bench: go.mod go.sum $(shell find test/bench internal -type f -not -name '*_test.go')
	$(say) 'building $@'
	CGO_ENABLED=0 go -C test/bench build -trimpath -o ../../$@ .
	touch $@

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	$(say) 'installing the npm packages of $*'
	npm --prefix $* ci --no-fund --no-audit --prefer-offline --loglevel=error
	touch $@

include k8s/k8s.mk

# ---- run

.PHONY: dev
dev: build ## Run everything on this machine (ARGS="--reset" starts with empty stores)
	exec bin/orderbell dev $(ARGS)

# ---- check and test

.PHONY: check
check: check-lint check-shell check-workflows check-frontend check-specs check-house check-alerts check-dashboards manifests ## What CI runs first: formats, linters, types, house rules

.PHONY: check-lint
check-lint: bin/golangci-lint ## Go: linters and formats
	$(say) 'Go: linters and formats'
	bin/golangci-lint run ./...
	cd test/bench && ../../bin/golangci-lint run ./...
	cd tools/k8s && ../../bin/golangci-lint run ./...
	cd tools/dashboards && ../../bin/golangci-lint run ./...
	cd tools/contracts && ../../bin/golangci-lint run ./...
	cd tools/collector && ../../bin/golangci-lint run ./...

.PHONY: check-shell
check-shell: ## Shell scripts
	$(say) 'shell scripts: shellcheck'
	@command -v shellcheck >/dev/null || { echo 'shellcheck is missing: apt-get install shellcheck' >&2; exit 1; }
	shellcheck -x $(SHELL_SCRIPTS)

.PHONY: check-workflows
check-workflows: bin/actionlint ## The workflows of GitHub: syntax, expressions, scripts
	$(say) 'workflows: actionlint'
	bin/actionlint

.PHONY: check-frontend
check-frontend: frontend/node_modules/.package-lock.json test/e2e/node_modules/.package-lock.json ## Front end, its end-to-end tests and the gateway's clients: lint and types
	$(say) 'TypeScript: lint and types'
	npm --prefix frontend run --silent lint
	npm --prefix frontend run --silent typecheck
	npm --prefix test/e2e run --silent lint
	npm --prefix test/conformance run --silent lint
	npm --prefix test/e2e run --silent typecheck

.PHONY: check-contract
check-contract: test/contract/node_modules/.package-lock.json ## The AsyncAPI and the OpenAPI document, and whether users of the last release are served
	$(say) 'contracts: AsyncAPI parser, OpenAPI rules'
	npm --prefix test/contract run --silent check
	$(say) 'contracts: changes since the last release (docs/contract-policy.md)'
	go -C tools/contracts test ./...
	go -C tools/contracts run . check $(CURDIR)/$(CONTRACTS)

.PHONY: release-contract
release-contract: ## Keep the contracts as release VERSION (docs/contract-policy.md)
	go -C tools/contracts run . release $(CURDIR)/$(CONTRACTS) $(VERSION)

.PHONY: check-specs
check-specs: ## Specifications: each number once, each required file present
	$(say) 'specifications: numbers and files'
	.specify/scripts/bash/check-prerequisites.sh

.PHONY: check-house
check-house: ## House rules: arrows, variables, documents
	$(say) 'house rules'
	go test -count=1 ./test/house/...

.PHONY: check-alerts
check-alerts: ## Alert rules: each fires at its fault, and resolves (promtool, of Debian's package prometheus)
	$(say) 'alerts: promtool'
	@command -v promtool >/dev/null || { echo 'promtool is missing: apt-get install prometheus' >&2; exit 1; }
	promtool check rules k8s/components/observability/rules/orderbell.yaml k8s/components/observability/rules/visible.yaml
	promtool test rules k8s/components/observability/rules/alerts_test.yaml k8s/components/observability/rules/visible_test.yaml

DASHBOARDS := k8s/components/observability/dashboards

.PHONY: dashboards
dashboards: ## Write the Grafana dashboards (tools/dashboards)
	go -C tools/dashboards run . ../../$(DASHBOARDS)

.PHONY: check-dashboards
check-dashboards: ## Grafana dashboards: equal to the output of tools/dashboards
	$(say) 'dashboards'
	rm -rf .cache/dashboards
	go -C tools/dashboards run . ../../.cache/dashboards
	diff -ru $(DASHBOARDS) .cache/dashboards || { echo 'make dashboards writes them' >&2; exit 1; }

.PHONY: audit
audit: bin/govulncheck ## Ask the vulnerability databases about all dependencies (needs the network; reports databases that it cannot reach)
	$(say) 'known vulnerabilities: govulncheck and npm audit'
	tools/audit.sh

.PHONY: format
format: bin/golangci-lint ## Format the Go files
	bin/golangci-lint fmt

.PHONY: test
test: test-go contract test-frontend conformance test-e2e ## Run all tests: units, embedded stores, contract, front end, real clients, Chromium

.PHONY: test-go
test-go: bin/gotestsum bin/mailpit ## Run the Go tests alone, on embedded stores
	$(say) 'Go tests on embedded stores'
	$(GO_TEST) -count=1 $$(go list ./... | grep -v -e /specs/ -e '/functions$$' -e /test/house) # those are contract and check-house
	go -C test/bench test -count=1 ./...

.PHONY: race
race: bin/gotestsum ## Run the tests of the long-lived gateway, its feed and its clients under the race detector (needs a C compiler)
	$(say) 'Go tests under the race detector'
	$(GO_TEST) -count=1 -race ./sse-gateway/... ./internal/feed/... ./cmd/orderbell/internal/watch ./cmd/orderbell/internal/load

.PHONY: contract
contract: bin/gotestsum check-contract ## Check the code against the written contracts
	$(say) 'contract: examples, Go types, and what order-api and the gateway emit'
	$(GO_TEST) -count=1 ./specs/... ./functions

.PHONY: conformance
conformance: bin/gotestsum bin/.programs test/e2e/node_modules/.package-lock.json test/conformance/node_modules/.package-lock.json ## Drive the gateway with real clients: Chromium, npm's and Go's
	$(say) 'conformance: the gateway and the clients in common use'
	tools/chromium.sh
	$(GO_TEST) -count=1 -tags conformance -parallel 16 ./test/conformance # most of them wait most of the time

# The seed is fixed, so that a run fails only because of a change in the tree. Set another one with API_ARGS.
.PHONY: test-api
test-api: bin/.programs bin/mailpit ## Check the running APIs against the OpenAPI document (API_ARGS="--seed 7 --max-examples 200" for more)
	$(say) 'order-api, user-api and sse-gateway as the OpenAPI document has them: Schemathesis'
	test/api/run --seed 1 --max-examples 10 $(API_ARGS)

.PHONY: test-frontend
test-frontend: frontend/node_modules/.package-lock.json ## Run the front end's unit tests
	$(say) 'front end: unit tests'
	npm --prefix frontend run --silent test

.PHONY: test-e2e
test-e2e: build test/e2e/node_modules/.package-lock.json ## Run the page in Chromium over `orderbell dev`
	$(say) 'end to end in Chromium, on embedded stores'
	tools/chromium.sh
	npm --prefix test/e2e run --silent test

# The packages that speak to a server themselves, with SQL or Redis commands, and whose tests use one; and those with tests for real
# servers. The others reach a server through these, and their tests run on embedded stores.
REAL_ROOTS := ./internal/... ./outbox-relay/... ./sse-gateway/... ./cmd/orderbell/internal/...
USES_DATABASE := {{$$p := .ForTest}}{{range .Deps}}{{if eq . "orderbell/internal/store/database/databasetest"}}{{$$p}}{{"\n"}}{{end}}{{end}}
REAL_PACKAGES = { go list -test -f '$(USES_DATABASE)' $(REAL_ROOTS); \
	go list $$(grep -rl --include='*_test.go' '^//go:build real$$' $(GO_ROOTS:%=./%) ./specs | xargs -n 1 dirname); } | sort -u

# The specs that depend on Redis and Kafka. The others are about the page and PostgreSQL, which is real on embedded stores too.
REAL_SPECS := lists orders outage owner stream tabs twice

.PHONY: test-real
test-real: bin/gotestsum build test/e2e/node_modules/.package-lock.json ## Run the tests against the servers of test/services/up
	@test -s .services/env || { echo 'no servers: test/services/up starts them' >&2; exit 1; }
	$(say) 'Go tests on real PostgreSQL, Redis and Kafka'
	. .services/env; $(GO_TEST) -count=1 -tags real $$($(REAL_PACKAGES))
	$(say) 'one order through everything, on the real servers'
	. .services/env; bin/orderbell dev --check
	$(say) 'every route at the origin with the tokens of strangers, on the real servers'
	. .services/env; go test -count=1 -tags tenants -run '^TestTheOrigin' ./test/tenants
	$(say) 'end to end in Chromium, on the real servers'
	tools/chromium.sh
	. .services/env; npm --prefix test/e2e run --silent test -- $(REAL_SPECS:%=/%.spec.ts)

CHAOS_ROUNDS := 5
CHAOS_TEST = $(subst pkgname,testname,$(GO_TEST)) # a line for each fault

.PHONY: chaos
chaos: bin/gotestsum build ## Break every server and program under load, CHAOS_ROUNDS times (5), and report what was lost (half an hour)
	$(say) 'chaos: servers, network and programs broken under load'
	CHAOS_ROUNDS=$(CHAOS_ROUNDS) $(CHAOS_TEST) -count=1 -tags chaos -timeout 0 -run '^TestChaos$$' ./test/chaos
	cat .report/chaos.md

.PHONY: chaos-short
chaos-short: bin/gotestsum build ## The same, each fault once (seven minutes)
	$(say) 'chaos: each fault once'
	$(CHAOS_TEST) -count=1 -tags chaos -timeout 30m -short -run '^TestChaos$$' ./test/chaos
	cat .report/chaos-short.md

ALERTS_TEST = $(subst pkgname,testname,$(GO_TEST)) -count=1 -tags alerts -timeout 40m -parallel 16 # most of them wait most of the time

.PHONY: alerts
alerts: bin/gotestsum bin/mailpit bin/.programs ## Cause the fault of each alert on a running system, and check that the alert fires, with a real Prometheus (Debian's package prometheus; a quarter of an hour)
	$(say) 'alerts: each fires at its fault and resolves'
	$(ALERTS_TEST) ./test/alerts
	cat .report/alerts.md

.PHONY: alerts-short
alerts-short: bin/gotestsum bin/mailpit bin/.programs ## The same with shorter waits (four minutes)
	$(say) 'alerts: each fires at its fault and resolves'
	$(ALERTS_TEST) -short ./test/alerts
	cat .report/alerts.md

.PHONY: test-collector
test-collector: bin/gotestsum bin/mailpit bin/.programs bin/collector ## Run an OpenTelemetry Collector with collector.yaml: functions push to it, and every alert fires from what it serves (after its build, five minutes)
	$(say) 'what the collector serves, and alerts from it'
	$(ALERTS_TEST) -short -tags alerts,collector ./test/alerts -collector ../../bin/collector

.PHONY: chaos-failover
chaos-failover: bin/gotestsum bin/.programs bin/mailpit ## Have stores fail over and fill their disks under load, CHAOS_ROUNDS times (3), and report what was lost (as root; packages pgbouncer and libfaketime)
	$(say) 'chaos: failovers of PostgreSQL, Redis and Kafka, full disks, PgBouncer, a Redis Cluster'
	$(subst bin/gotestsum,CHAOS_MOUNTS=own unshare --mount bin/gotestsum,$(CHAOS_TEST)) -count=1 -tags chaos -timeout 0 -run '^Test(Failover|Pooled)$$' ./test/chaos
	cat .report/chaos-failover.md .report/chaos-failover-pooled.md

.PHONY: chaos-failover-short
chaos-failover-short: bin/gotestsum bin/.programs bin/mailpit ## The same, each failover once, without the roll of the Kafka brokers (some minutes)
	$(say) 'chaos: each failover once'
	$(CHAOS_TEST) -count=1 -tags chaos -timeout 30m -short -run '^TestFailover$$' ./test/chaos
	cat .report/chaos-failover-short.md

FUZZTIME := 10s

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (10s)
	@grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' $(GO_ROOTS) | while IFS=: read -r file name; do \
		printf '== fuzzing %s in %s\n' "$${name#func }" "$$(dirname "$$file")"; \
		go test -run '^$$' -fuzz "^$${name#func }$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s "./$$(dirname "$$file")"; \
	done

.PHONY: bench
bench: ## Run the Go benchmarks
	@packages=$$(grep -rl --include='*_test.go' '^func Benchmark' $(GO_ROOTS) | xargs -r -n1 dirname | sort -u | sed 's|^|./|'); \
	if [ -z "$$packages" ]; then echo 'there are no benchmarks'; else go test -run '^$$' -bench . -benchmem $$packages; fi

.PHONY: bench-tenants
bench-tenants: build ## Measure how the heaviest use of one tenant slows another (three minutes); fails where the goal of docs/security.md is missed
	go test -count=1 -tags tenants -timeout 15m -v -run '^TestNoisyNeighbour$$' ./test/tenants

.PHONY: bench-tenants-short
bench-tenants-short: build ## The same with fewer orders (a minute)
	go test -count=1 -tags tenants -timeout 15m -short -v -run '^TestNoisyNeighbour$$' ./test/tenants

.PHONY: bench-gateway
bench-gateway: build bin/bench ## Measure the gateway beside other servers, and rewrite docs/bench-gateway.md (Redis; half an hour)
	bin/bench -out docs/bench-gateway

.PHONY: bench-gateway-short
bench-gateway-short: bin/.programs bin/bench ## The same, small: every server and figure once, into .report/ (Redis; a minute)
	bin/bench -short

.PHONY: bench-events
bench-events: build bin/bench bin/centrifugo ## Measure the event path beside its bounds, a plain handler, Watermill and Centrifugo, and rewrite docs/bench-events.md (after test/services/up; a quarter of an hour)
	. .services/env && bin/bench events -out docs/bench-events.md $(BENCH_ARGS)

.PHONY: bench-events-short
bench-events-short: bin/.programs bin/bench ## The same, small and without Centrifugo: each figure once, into .report/ (two minutes)
	. .services/env && bin/bench events -short $(BENCH_ARGS)

.PHONY: bench-growth
bench-growth: bin/.programs bin/bench ## Measure a function as its tables and tenants grow, and rewrite docs/bench-growth.md (after test/services/up; GROWTH_ARGS="-long" for 5 million rows)
	. .services/env && bin/bench growth -out docs/bench-growth.md $(GROWTH_ARGS)

SOAK_FOR := 15m
SOAK_CLIENTS := 10000

.PHONY: soak
soak: build bin/bench ## Hold 10,000 streams for SOAK_FOR (15m) while clients come and go: memory flat, nothing lost (Redis)
	bin/bench soak -for $(SOAK_FOR) -clients $(SOAK_CLIENTS)

.PHONY: bench-memory
bench-memory: bin/.programs bin/bench ## Measure the gateway's memory with 5,000 busy tenants and a container of 2 GiB (Redis; some minutes)
	bin/bench memory

.PHONY: clean
clean: ## Remove built files and the data of dev (not the npm packages)
	rm -rf bin .cache .dev .report frontend/dist frontend/kodata
