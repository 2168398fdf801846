# Every target does its own set-up: Python 3.11 or newer and make are all that must be there.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin
READY := .venv/.ready
LOCK := $(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

PROFILES ?= small
DURATION ?= 30s
TEST_TYPE ?= combined
OUTPUT ?= results

.PHONY: help setup run test check bench format lock perf-test perf-test-dry-run validate-profiles clean

help: ## Show every target
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-20s %s\n", $$1, $$2}'

$(READY): installer.lock requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r installer.lock
	@$(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

setup: $(READY) ## Create or renew .venv from requirements.lock

run: $(READY) ## Test the embedded backend for DURATION (30s) with PROFILES (small), then name the report
	@DURATION=$(DURATION) $(BIN)/vivace run $(subst $(comma), ,$(PROFILES)) --test-type $(TEST_TYPE) --output $(OUTPUT)

test: $(READY) ## Run the tests
	@$(BIN)/python -m pytest -n auto

check: $(READY) ## Format, lint, types, import order
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY) ## Rewrite the sources in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY) ## Measure every figure the README gives, as JSON lines
	@for bench in bench/bench_*.py; do $(BIN)/python "$$bench" || exit 1; done

perf-test: $(READY) ## Run PROFILES (all when empty) for the profiles' own durations
	@$(BIN)/vivace run $(if $(filter command line environment,$(origin PROFILES)),--profiles $(PROFILES)) --test-type $(TEST_TYPE) --output $(OUTPUT)

perf-test-dry-run: $(READY) ## Show what perf-test would do
	@$(BIN)/vivace run $(if $(filter command line environment,$(origin PROFILES)),--profiles $(PROFILES)) --test-type $(TEST_TYPE) --output $(OUTPUT) --dry-run

validate-profiles: $(READY) ## Check every profile
	@$(BIN)/vivace profiles validate

lock: $(READY) ## Renew requirements.lock with the newest versions
	@$(LOCK) --group dev pyproject.toml -o requirements.lock
	@echo uv | $(LOCK) - -o installer.lock

clean: ## Remove what make made, but no results
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

comma := ,
