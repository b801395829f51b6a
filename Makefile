# Every recipe works on a fresh clone: it checks the tools, makes .venv, builds, and does its work. Second runs start in seconds.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

PORT ?= 8080
BIN := .venv/bin
RUST := $(shell find crates -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock .cargo/config.toml
# The binding has no Rust tests: Python tests it through the built module.
CRATES := --workspace --exclude dayfly-py

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

build: .venv/.built ## make .venv/bin/dayfly

serve: .venv/.built ## serve the examples on PORT (8080)
	@exec $(BIN)/dayfly serve examples --port $(PORT) --baseline-path /plain

test: check test-rust test-python ## everything that must pass before a commit lands

test-rust: .venv/.built
	cargo test --release --no-fail-fast $(CRATES)

test-python: .venv/.built bench-servers
	@tools/install-wrk
	@tools/install-strace
	$(BIN)/pytest

check: .venv/.built ## format, lint, types, stubs
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy src tests
	$(BIN)/stubtest dayfly._core

format: .venv/.built ## rewrite the sources in the house format
	cargo fmt --all
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: .venv/.built .venv/.bench bench-servers ## print the tables: in process, over HTTP, beside neighbours and other servers
	@tools/install-wrk
	$(BIN)/dayfly bench restore
	$(BIN)/dayfly bench http
	$(BIN)/dayfly bench saturated
	$(BIN)/dayfly bench servers
	$(BIN)/dayfly bench neighbours
	$(BIN)/dayfly bench limits
	$(BIN)/dayfly bench connections
	$(BIN)/dayfly bench peers
	$(BIN)/dayfly bench deploy
	$(BIN)/dayfly bench tails
	$(BIN)/dayfly bench reload
	$(BIN)/dayfly bench kill
	$(BIN)/dayfly bench isolation --requests 50000

bench-servers:
	cargo build --release --quiet --manifest-path bench/servers/Cargo.toml --target-dir target/bench-servers

hostile: .venv/.built ## tenants that try to harm their neighbours, every restore checked
	$(BIN)/pytest tests/hostile

fuzz: .venv/.built ## random modules and random octets; DAYFLY_SEED and DAYFLY_CASES choose which and how many
	DAYFLY_SEED=$${DAYFLY_SEED:-$$(date +%s)} DAYFLY_CASES=$${DAYFLY_CASES:-20000} cargo test --release -p dayfly-wasm -p dayfly-http1

soak: .venv/.built ## the same with a million requests; a registry killed at every call; 10,000 deploys
	DAYFLY_SOAK_REQUESTS=1000000 $(BIN)/pytest tests/hostile --timeout 0
	$(BIN)/dayfly bench spoiling
	DAYFLY_SAVES=10000 $(BIN)/pytest tests/e2e/test_dev.py -k after_a_save --timeout 0
	DAYFLY_REQUESTS=1000000 cargo test --release -p dayfly-core --test isolation
	@tools/install-strace
	DAYFLY_CRASH_POINTS=all DAYFLY_ROUNDS=50 $(BIN)/pytest tests/registry/test_crash.py tests/registry/test_histories.py --timeout 0
	DAYFLY_DEPLOYS=10000 $(BIN)/pytest tests/core/test_many_deploys.py --timeout 0

differences: .venv/.built ## docs/compiled-differences.md from the corpus of the compiled tier
	$(BIN)/python -m tests.compiled.differences

reference: .venv/.built ## docs/cli.md from the commands, docs/admin-api.md from the routes
	$(BIN)/python -m dayfly.admin.reference > docs/admin-api.md.new && mv docs/admin-api.md.new docs/admin-api.md
	$(BIN)/python -m dayfly.cli.reference > docs/cli.md.new && mv docs/cli.md.new docs/cli.md

wheel: .venv/.built ## dist/dayfly-*.whl
	$(BIN)/maturin build --release --out dist

lock: ## newest allowed Python packages into requirements/*.txt (names, versions, hashes; no address)
	python3 -m venv .venv/uv && .venv/uv/bin/pip install --quiet uv
	.venv/uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header pyproject.toml requirements/dev.in --output-file requirements/dev.txt
	.venv/uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --constraint requirements/dev.txt requirements/bench.in --output-file requirements/bench.txt

clean: ## remove what was built here
	rm -rf .venv target dist src/dayfly/_core.abi3.so

.venv/.packages: requirements/dev.txt
	@python=$$(tools/check-tools) && { [ -x $(BIN)/python ] || "$$python" -m venv .venv; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@touch $@

.venv/.bench: .venv/.packages requirements/bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/bench.txt
	@touch $@

.venv/.built: .venv/.packages pyproject.toml $(RUST)
	@tools/check-tools >/dev/null
	PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/maturin develop --release --locked
	@touch $@

.PHONY: help build serve test test-rust test-python check format bench bench-servers hostile fuzz soak differences reference wheel lock clean
