# Everything here sets itself up from nothing but make, Python >= 3.11 and a package index. `make help` lists it.

.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin

# The first Python >= 3.11 that really runs and can make a virtual environment: some machines have shims that only fail,
# some distributions leave ensurepip out. Override with `make setup PYTHON=/path/to/python`.
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c '$(USABLE)' >/dev/null 2>&1 && { command -v $$p; break; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := $(PIP) install --require-hashes

.PHONY: help setup setup-bench demo test check docs fix bench bench-failures bench-scale bench-surfaces campaign report lock clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16

setup: .venv/.lictor ## make .venv with hashed requirements and this package (quick the second time)

setup-bench: .venv/.bench ## and the peers that the benchmarks run beside

demo: setup ## trade a real capture end to end, at most 90 s; leaves out/demo-trading/report.html
	$(BIN)/lictor demo trading

test: setup ## all tests, contracts of the architecture included
	$(BIN)/python -m pytest

check: setup ## lint, format, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: setup ## let ruff repair and format what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: setup ## build the documentation as a site and check its links; leaves out/docs/site/index.html
	$(BIN)/python -m website

bench: setup-bench ## governed durable decisions a second, beside bare SQLite and the peers; writes out/speed/
	$(BIN)/python -m benchmarks.speed

bench-failures: setup-bench ## the five failures, in virtual and in real time, beside the peers; writes out/failures/
	$(BIN)/python -m benchmarks.failures

bench-scale: setup ## journals of ten million, thousands of tenants, a hundred fans at once; an hour; writes out/scale/
	$(BIN)/python -m benchmarks.scale

bench-surfaces: setup ## HTTP submits beside a bare route, lists over a million decisions, 200 viewers; writes out/surfaces/
	$(BIN)/python -m benchmarks.surfaces

campaign: setup ## the long one: kill -9 at hundreds of moments, 20,000 simulated seeds; writes out/
	$(BIN)/python -m tests.chaos
	$(BIN)/python -m tests.chaos.trading
	$(BIN)/python -m tests.simulation --seeds 20000

report: setup ## one table of every figure in out/, the unmet first
	$(BIN)/lictor report out/

# One stamp for each step, so that a step that was interrupted is done again and one that is done is not.
.venv/.python:
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 with venv and ensurepip found; say make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/.locked: .venv/.python requirements/base.txt requirements/dev.txt
	$(LOCKED) -r requirements/base.txt -r requirements/dev.txt
	@touch $@

# Data only: nothing that the package depends on is wanted.
.venv/.data: .venv/.python requirements/data.txt
	$(LOCKED) --no-deps -r requirements/data.txt
	@touch $@

# The build backend comes from the lock too, hence no isolated build, which would fetch one of its own choice.
.venv/.lictor: .venv/.locked .venv/.data pyproject.toml
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.bench: .venv/.lictor requirements/bench.txt
	$(LOCKED) -r requirements/bench.txt
	@touch $@

# Locks hold hashes and markers for every platform and no address. Needs `uv` on the path or as UV=...
UV ?= uv
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11

lock: ## compile requirements/*.txt from pyproject.toml and requirements/*.in (needs uv)
	$(COMPILE) pyproject.toml --all-extras -o requirements/base.txt
	$(COMPILE) requirements/dev.in -o requirements/dev.txt
	$(COMPILE) requirements/bench.in -o requirements/bench.txt
	$(COMPILE) --no-deps requirements/data.in -o requirements/data.txt

clean: ## remove what was built, measured and cached
	rm -rf .venv out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
