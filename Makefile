# Headrace's make targets: `make help` lists them. Everything lives in .venv; the lock files say what goes in.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PROTOS := $(sort $(wildcard proto/headrace/wire/v1/*.proto))
STUBS := services/headrace/wire/v1

UV_COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate pyproject.toml --extra all --group build

# Writes the stubs of every .proto below the folder $(1), with the import path of the .proto's own path.
generate = $(BIN)/python -m grpc_tools.protoc -I proto \
	--python_out=$(1) --pyi_out=$(1) $(PROTOS) \
	&& echo '"""Generated from proto/headrace/wire/v1 by `make proto`: do not edit. Law: only headrace.wire imports it."""' \
	> $(1)/headrace/wire/v1/__init__.py

##@ Use

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: .venv/installed ## Make .venv with everything that Headrace runs on

.PHONY: run
run: install ## Start all of Headrace on this machine, with a demo stream
	@$(BIN)/headrace up --demo

.PHONY: run-apart
run-apart: install-dev system-packages ## Start every service as a process of its own, with PostgreSQL and Redis
	@exec $(BIN)/python -m tests.support.run_apart

##@ Develop

.PHONY: install-dev
install-dev: .venv/installed-dev ## Add the tools for tests and lint to .venv

.PHONY: test
test: install-dev system-packages ## Run every test: unit, architecture, integration, e2e
	$(BIN)/pytest --numprocesses=auto tests/unit tests/fuzz tests/architecture tests/model tests/integration
	$(BIN)/pytest tests/e2e

.PHONY: test-unit
test-unit: install-dev ## Run the inner loop: no socket, at most 30 s
	$(BIN)/pytest --numprocesses=auto tests/unit

.PHONY: fuzz
fuzz: install-dev ## Feed parsers bytes that find their way, FUZZ_S seconds each (60); FUZZ="names" chooses some
	@$(BIN)/python -m tests.fuzz $(FUZZ)

.PHONY: bench-transcode
bench-transcode: install-dev system-packages ## Compare what transcoding costs with FFmpeg's own command
	@$(BIN)/python -m tests.bench.transcode

.PHONY: bench-startup
bench-startup: install-dev ## Measure how soon a publish can be watched, and how soon each of its parts
	@$(BIN)/python -m tests.bench.startup

.PHONY: bench-glass
bench-glass: install-dev system-packages ## Read from players' screens how old their pictures are
	@$(BIN)/python -m tests.bench.glass

.PHONY: bench-edge
bench-edge: install-dev bench-packages ## Compare what a publisher costs the edge with nginx-rtmp
	@$(BIN)/python -m tests.bench.edge

.PHONY: bench-origin
bench-origin: install-dev bench-packages ## Compare what the origin serves with nginx, and wake a thousand waiting players
	@$(BIN)/python -m tests.bench.origin

.PHONY: bench-livelog
bench-livelog: install-dev system-packages ## Measure how soon what is appended is visible elsewhere, and what it costs Redis
	@$(BIN)/python -m tests.bench.livelog

.PHONY: bench-control
bench-control: install-dev system-packages ## Measure how many publishes two replicas of control accept, and how soon
	@$(BIN)/python -m tests.bench.control

.PHONY: lint
lint: install-dev proto-check ## Check style, types, layers, stubs and the rules of the house
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --quiet tests/architecture

.PHONY: format
format: install-dev ## Format the code and repair what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: proto
proto: install-dev ## Write the gRPC stubs from proto/ (committed)
	rm -rf $(STUBS)
	mkdir -p $(STUBS)
	$(call generate,services)

.PHONY: proto-check
proto-check: install-dev ## Fail when the committed stubs are not those of proto/
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && mkdir -p "$$fresh/headrace/wire/v1" \
	&& { $(call generate,"$$fresh"); } \
	&& { diff -r -x __pycache__ "$$fresh/headrace/wire/v1" $(STUBS) \
		|| { echo "The stubs in $(STUBS) are not those of proto/: run 'make proto' and commit them." >&2; exit 1; }; }

.PHONY: config-reference
config-reference: install-dev ## Write docs/reference/config.md from the settings classes (committed)
	@$(BIN)/python -m tests.support.config_reference

.PHONY: metrics-reference
metrics-reference: install-dev ## Write docs/reference/metrics.md from docs/reference/metrics.yaml (committed)
	@$(BIN)/python -m tests.support.metrics_reference

.PHONY: errors-reference
errors-reference: install-dev ## Write docs/reference/errors.md from the table of errors (committed)
	@$(BIN)/python -m tests.support.errors_reference

.PHONY: lock
lock: ## Write the lock files from pyproject.toml (needs uv)
	@command -v uv > /dev/null || { echo "make lock needs uv; everything else does without." >&2; exit 1; }
	$(UV_COMPILE) --output-file requirements.lock
	$(UV_COMPILE) --group dev --constraints requirements.lock --output-file requirements-dev.lock

.PHONY: clean
clean: ## Remove .venv and every cache (never ./.headrace, which holds your streams)
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis tests/artifacts
	find services tests -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- what the targets above stand on ----

# The first Python on the path that is new enough and can make a virtual environment.
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
		if "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then \
			echo "Making .venv with $$("$$python" --version)"; exec "$$python" -m venv --clear .venv; \
		fi; \
	done; \
	echo "Headrace needs Python 3.11 or newer with the venv module: install it (Debian: apt-get install python3-venv) or name one with make PYTHON=/path/to/python3." >&2; \
	exit 1

.venv/installed: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/installed-dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --requirement requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch .venv/installed $@

# What the tests and benches use that is no Python package: Debian's ffmpeg, chromium, nginx (a CDN, and a peer to
# compare with), Redis, PostgreSQL's server (whose programs are on nobody's path), ip for hosts of their own, and wrk for
# load. $(1) names commands or files, $(2) the packages that bring them.
define debian
	missing=""; \
	for needed in $(1); do PATH="$$PATH:/usr/sbin" command -v $$needed > /dev/null || [ -e $$needed ] || missing="$(2)"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		echo "Installing $$missing"; apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing > /dev/null; \
	else \
		echo "This needs $$missing: install them first (Debian: sudo apt-get install $$missing)." >&2; exit 1; \
	fi
endef

.PHONY: system-packages
system-packages: ## Install ffmpeg, chromium, nginx, Redis, PostgreSQL and ip if they are missing (as root, with apt-get)
	@$(call debian,ffmpeg chromium nginx redis-server /usr/lib/postgresql/*/bin/postgres ip openssl,ffmpeg chromium nginx redis-server postgresql iproute2 openssl)

.PHONY: bench-packages
bench-packages: ## Install what benches use and compare with: ffmpeg, nginx with its RTMP module, and wrk (as root, with apt-get)
	@$(call debian,ffmpeg nginx wrk /usr/lib/nginx/modules/ngx_rtmp_module.so,ffmpeg nginx libnginx-mod-rtmp wrk)
