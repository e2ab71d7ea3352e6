# Everything that CI runs can be run here; `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

BIN := $(CURDIR)/.tmp/bin
export PATH := $(BIN):$(PATH)

# Each module is built as its users see it, not through a go.work.
export GOWORK := off
# A checkout owned by another user must not fail the build.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

# Every module of the repository, nested ones included, but the one of tools.
# Those of frameworks, kubelet, the API server and the Collector take minutes to
# compile: see bench-peers, test-probes, test-deploy and test-integration.
MODULES := $(shell find . -name .tmp -prune -o -name testdata -prune -o -path ./internal/tools -prune -o -path ./bench/peers -prune \
	-o -path ./internal/integration -prune -o -path ./internal/probes -prune -o -path ./internal/manifests -prune -o -name go.mod -print | xargs -n 1 dirname | LC_ALL=C sort)
# Modules whose tests CI has no time for; `make EXTRA= unit` has them too. What
# the latter is for has a target of its own: peers.
EXTRA := ./bench ./internal/peers
# Modules that users do not import: CI has no time to build them once more for
# the race detector; `make NORACE= unit` does.
NORACE := ./cmd/grpcx ./examples ./internal/conformance ./internal/migrate ./internal/parity ./internal/release
# The packages that also run on an emulated arm64, macOS and Windows.
LEAVES := tlsx runtimex healthx
CROSS := darwin/arm64 windows/amd64
# CI has no time for more; before a release: CROSS_MODULES=". cmd/grpcx examples".
CROSS_MODULES ?= .

TEST_FLAGS ?= -timeout 10m
FUZZTIME ?= 10s
BENCH ?= .
BENCHCOUNT ?= 1
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT ?= $(BIN)/golangci-lint

# Modules that hold nothing but tests, which go test vets; lint-full has them too.
ONLY_TESTS := ./internal/conformance ./internal/migrate ./internal/parity ./internal/peers

# each runs a command in every module but those of the second argument, and
# stops at the first failure.
each = set -e; for m in $(filter-out $(EXTRA) $(2),$(MODULES)); do echo "== $$m: $(1)"; (cd "$$m" && $(1)); done

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: all
all: check lint-full test ## Everything a pull request is judged by

.PHONY: test
test: ## What CI runs: fmt verify vet lint unit fips examples arm64 cross
	@scripts/deps.sh
	@for target in fmt verify vet lint unit fips; do echo "=== make $$target"; $(MAKE) $$target || exit 1; done
	@echo "=== make examples arm64 cross"; $(MAKE) -j3 -O examples arm64 cross # the second ends with one process

.PHONY: fmt
fmt: ## Fail when a Go file is not gofmt-ed
	@out=$$(find . -name .tmp -prune -o -name '*.go' -print | xargs gofmt -l); \
	if [ -n "$$out" ]; then echo "not gofmt-ed, run gofmt -w on:"; echo "$$out"; exit 1; fi

.PHONY: vet
vet: ## go vet in every module of programs and packages
	@$(call each,go vet ./...,$(ONLY_TESTS))

.PHONY: lint
lint: ## staticcheck likewise
	@cd internal/tools && go build -o $(BIN)/staticcheck honnef.co/go/tools/cmd/staticcheck
	@$(call each,staticcheck ./...,$(ONLY_TESTS))

.PHONY: lint-full
lint-full: ## golangci-lint in every module (its first build takes 10 minutes)
	@if [ ! -x "$(GOLANGCI_LINT)" ]; then \
		GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION); fi
	@$(call each,$(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...)

# -count=1: the dependency tests run the go command, which the test cache
# cannot see through.
#
# The longest packages come first, so that none is left alone at the end.
.PHONY: unit
unit: ## Unit tests in every module, with the race detector in those that users import
	@echo "== .: go test -count=1 -race $(TEST_FLAGS) ./..."; go test -count=1 -vet=off -race $(TEST_FLAGS) ./tlsx ./grpcx ./...
	@$(call each,go test -count=1 -race $(TEST_FLAGS) ./...,. $(NORACE))
	@$(call each,go test -count=1 $(TEST_FLAGS) ./...,$(filter-out $(NORACE),$(MODULES)))
	@echo "== allocation budgets and memory limits, which the race detector would spoil"; \
	go test -count=1 -run 'Alloc|LiveMemory|LiveSpikes' ./grpcx ./healthx ./tlsx ./runtimex; \
	cd internal/parity && go test -count=1 -run Alloc .

.PHONY: peers
peers: ## Drain clients in Python and JavaScript (python3-grpcio, npm; not in test)
	@cd internal/peers && GRPCX_PEERS=1 go test -count=1 -v -run Foreign ./...

.PHONY: test-conformance
test-conformance: ## Conformance suites, foreign clients, proxies (network; not in test)
	@cd internal/conformance && GRPCX_CONFORMANCE=1 go test -count=1 -timeout 15m -v ./...

.PHONY: test-probes
test-probes: ## kubelet's own probe code and grpc-health-probe (400 packages; not in test)
	@cd internal/probes && GRPCX_PROBES=1 go test -count=1 -v ./...

.PHONY: test-migrate
test-migrate: ## The programs of docs/migrating.md, with the frameworks (not in test)
	@cd internal/migrate/testdata/frameworks && go vet ./...
	@cd internal/migrate && GRPCX_FRAMEWORKS=1 go test -count=1 -timeout 15m ./...

.PHONY: test-certs
test-certs: ## What grpcx certs issues, in other languages, beside cfssl, and rotating for 2 minutes (network; not in test)
	@cd cmd/grpcx && GRPCX_CERTS=1 GRPCX_RENEW=1 go test -count=1 -timeout 15m -v ./internal/e2e

.PHONY: test-deploy
test-deploy: ## Manifests, Compose, Envoy and image, judged by their readers' code (network; not in test)
	@cd internal/manifests && go vet ./... && go test -count=1 .
	@cd examples && GRPCX_DEPLOY=1 go test -count=1 -timeout 15m ./deploy

.PHONY: test-integration
test-integration: ## otlpx with a Collector, promx with Debian's Prometheus (minutes to compile; network; not in test)
	@command -v promtool >/dev/null || { echo "promtool is missing: apt-get install prometheus" >&2; exit 1; }
	@cd internal/integration/otlp && GRPCX_INTEGRATION=1 go test -count=1 -timeout 15m -v ./...
	@cd promx && GRPCX_PROMETHEUS=1 go test -count=1 -v -run TestPrometheus .

.PHONY: test-firststeps
test-firststeps: ## Type the commands of examples/README.md in a fresh copy (network; not in test)
	@scripts/firststeps.sh

.PHONY: arm64
arm64: ## Leaf packages and allocation budgets on arm64, emulated by qemu-user
	@SHORT=1 CHEAP=./runtimex/... MODELS=cortex-a53 SIZES="4096 65536" scripts/arm64.sh $(LEAVES:%=./%/...)
	@echo "== allocation budgets of a call"; export RUN=Alloc MODELS=cortex-a53 SIZES=4096; \
	scripts/arm64.sh ./grpcx
	@echo "== what the command says of the machine"; cd cmd/grpcx && \
	MODELS=cortex-a53 SIZES=65536 ../../scripts/arm64.sh ./internal/doctorcmd ./internal/cpuinfo

.PHONY: test-arm64
test-arm64: ## The same on 3 CPU models with pages of 4, 16 and 64 KiB (not in test)
	@MATRIX=all scripts/arm64.sh $(LEAVES:%=./%/...)
	@cd internal/parity && RUN=Alloc ../../scripts/arm64.sh .
	@cd cmd/grpcx && MATRIX=all ../../scripts/arm64.sh ./internal/doctorcmd ./internal/cpuinfo && \
	MODELS=cortex-a53 SIZES=65536 ../../scripts/arm64.sh ./internal/benchcmd

# VMFLAGS are flags of internal/vmtest/cmd/vmtest, such as "-v -run Integration".
PAGES ?= 4k 16k
RACE ?= ./runtimex/...,./healthx/...
VMFLAGS ?=
.PHONY: test-vm
test-vm: ## cgroup v2 and race tests on PAGES (4k 16k) arm64 kernels (not in test)
	@PAGES="$(PAGES)" RACE="$(RACE)" scripts/vm.sh $(VMFLAGS) ./runtimex/... ./internal/cgrouptest

.PHONY: examples
examples: ## Compile every example copied out as a new module (unit builds and runs them in place)
	@scripts/copyout.sh

.PHONY: cross
cross: ## Vet CROSS_MODULES (the SDK) for macOS and Windows, build them for Linux on arm64
	@set -e; for target in $(CROSS); do for m in $(CROSS_MODULES); do \
		echo "== $$m: $$target"; \
		(cd $$m; export CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/}; go vet ./...); \
	done; done; \
	for m in $(CROSS_MODULES); do echo "== $$m: linux/arm64"; (cd $$m; CGO_ENABLED=0 GOARCH=arm64 go build -o /dev/null ./...); done

.PHONY: verify
verify: ## go mod verify in the released modules
	@set -e; for m in $$(awk '$$2 == "release" { print $$1 }' internal/release/modules.txt); do \
		echo "== $$m: go mod verify"; (cd $$m && go mod verify); done

.PHONY: fips
fips: ## A part of the TLS tests in FIPS 140-3 mode
	@GODEBUG=fips140=on go test -count=1 -run '^Example|ClientRotation|ProbeTLSRotates|HandshakeRacesTrustChange' ./tlsx ./grpcx

.PHONY: test-fips
test-fips: ## All of them, in every mode (not in test)
	@GODEBUG=fips140=on go test -count=1 ./tlsx/... ./grpcx
	@GODEBUG=fips140=only go test -count=1 -skip 'OCSP|Stapl|NewSnapshotFails' ./tlsx/... ./grpcx
	@GOFIPS140=v1.0.0 go test -count=1 -skip CipherFollowsTheCPU ./tlsx/... ./grpcx

.PHONY: release
release: ## Check and tag a release: make release ARGS="-dry-run v0.3.0"
	@cd internal/release && go run ./cmd/release -C ../.. $(ARGS)

.PHONY: test-release
test-release: ## Release into a proxy and use it from outside (10 minutes, network; not in test)
	@cd internal/release && GRPCX_RELEASE=1 go test -count=1 -timeout 30m -v -run 'Consumers|BOM|Reproducible' .

.PHONY: sbom
sbom: ## Bills of materials of HEAD, or of VERSION, into .tmp/sbom
	@cd internal/tools/sbom && go build -o $(BIN)/cyclonedx-gomod github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
	@cd internal/release && go run ./cmd/release -C ../.. sbom $(CURDIR)/.tmp/sbom $(VERSION)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (10s)
	@$(call each,$(CURDIR)/scripts/fuzz.sh $(FUZZTIME))

.PHONY: bench
bench: ## Measure servers side by side, into .tmp/bench (BENCHFLAGS; 45 minutes)
	@cd bench && go run ./cmd/bench -peers -rounds 7 -out ../.tmp/bench $(BENCHFLAGS)

.PHONY: bench-peers
bench-peers: ## Vet and test the peers of bench (not in test)
	@cd bench/peers && go vet ./... && go test ./...

.PHONY: microbench
microbench: ## Run the Go benchmarks BENCH (all) BENCHCOUNT (1) times, into .tmp/bench.txt
	@mkdir -p .tmp
	@($(call each,go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(BENCHCOUNT) ./...)) | tee .tmp/bench.txt

.PHONY: generate
generate: tools ## Rewrite generated code and golden files
	@scripts/generate.sh

.PHONY: check
check: generate ## Fail when generated files, go.mod or go.sum are out of date
	@set -e; for m in $(MODULES) internal/tools internal/manifests internal/probes internal/migrate/testdata/frameworks bench/peers \
		internal/integration/otlp internal/integration/otlp/testdata/collector; do echo "== $$m: go mod tidy -diff"; (cd "$$m" && go mod tidy -diff); done
	@out=$$(git status --porcelain); \
	if [ -n "$$out" ]; then echo "the tree is not clean; commit what make generate wrote:"; echo "$$out"; git diff; exit 1; fi

.PHONY: tools
tools: ## Build the developer tools into .tmp/bin
	@cd internal/tools && GOBIN=$(BIN) go install tool

.PHONY: work
work: ## Write a go.work for editors (git-ignored)
	@rm -f go.work go.work.sum && env -u GOWORK go work init $(MODULES) && cat go.work

.PHONY: clean
clean: ## Remove what this Makefile built
	@rm -rf .tmp go.work go.work.sum
