# Needs make and a Python of at least 3.12; everything else is installed into .venv, from hashed locks.

VENV ?= .venv
PYTHON ?=
HOST ?= 127.0.0.1
PORT ?= 8000
DATA_DIR ?= .data
PYTEST_ARGS ?=

# As it was given: a `$` in it is no variable, and the shell, which takes it from its environment, splits no blanks.
override DATA_DIR := $(value DATA_DIR)

BIN := $(VENV)/bin
RUN := $(BIN)/python -m
PIP := $(RUN) pip --disable-pip-version-check install
STAMPS := $(VENV)/.stamps
# What was installed is known by its content and by this place: a moved checkout or another lock installs again.
key = $(shell { pwd; cat $(1) pyproject.toml; } | cksum | tr ' ' '-')
VENV_READY := $(STAMPS)/venv
RUNTIME_READY := $(STAMPS)/runtime-$(call key,requirements/runtime.txt)
DEV_READY := $(STAMPS)/dev-$(call key,requirements/dev.txt)
LOCK := $(RUN) uv pip compile --universal --python-version 3.12 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header -q

# A checkout that cannot be written to serves what is installed in it.
AS_INSTALLED := $(shell test -w . || { $(BIN)/python -c 'import partywall.cli' 2>/dev/null && echo yes; })
# A virtual environment whose Python is gone is made again.
$(shell test -x $(BIN)/python || rm -f $(VENV_READY))

.DEFAULT_GOAL := help
.PHONY: help serve install dev test lint types contracts pytest format lock clean bench-throughput bench-routes bench-wall bench-attacks bench-start bench-stop bench-memory bench-streams bench-events bench-runs bench-survival bench-hostile bench-queue bench-sustained bench-requests

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: export SERVED_DATA_DIR := $(DATA_DIR)
serve: $(if $(AS_INSTALLED),,install) ## Run everything: database, cache, API, worker (HOST= PORT= DATA_DIR=)
	@exec $(RUN) partywall serve --host $(HOST) --port $(PORT) --data-dir="$$SERVED_DATA_DIR" --stop-with-parent

install: $(RUNTIME_READY) ## Install what running needs

dev: $(DEV_READY) ## Install what developing needs

test: dev lint types contracts pytest ## Check everything: style, types, contracts, tests, coverage

lint: dev ## Check style, formatting and what bandit knows of
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) bandit --quiet --configfile pyproject.toml --recursive src migrations tools

types: dev ## Check types
	$(RUN) mypy

contracts: dev ## Check who may import whom
	$(BIN)/python $(BIN)/lint-imports --no-logo

pytest: dev ## Run the tests with coverage (PYTEST_ARGS=)
	$(RUN) coverage erase
	$(RUN) coverage run -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)
	$(RUN) coverage combine --quiet
	$(RUN) coverage report

format: dev ## Format the code and fix what can be fixed
	$(RUN) ruff check --fix
	$(RUN) ruff format

bench-throughput: dev ## Measure requests per second against a bare floor; about two minutes
	$(RUN) bench.throughput

bench-routes: dev ## Measure how long the ordinary routes take; about three minutes
	$(RUN) bench.routes

bench-wall: dev ## Measure what row-level security costs; about three minutes
	$(RUN) bench.rls_cost

bench-attacks: dev ## Make more than 100,000 attempts to get from one project into another; about ten minutes
	$(RUN) bench.attacks

bench-start: dev ## Measure from make serve to the first healthy answer
	$(RUN) bench.start

bench-stop: dev ## Measure from SIGTERM to the end of everything, with open streams, runs and documents being indexed
	$(RUN) bench.stop

bench-memory: dev ## Measure the memory of all processes when idle; two minutes
	$(RUN) bench.memory

bench-streams: dev ## Measure 1,000 event streams on one process, and what survives breakdowns; about five minutes
	$(RUN) bench.streams

bench-events: dev ## Write 200,000 events with pauses, rollbacks and kills, and compare their order; about five minutes
	$(RUN) bench.event_order

bench-runs: dev ## Measure what a run costs over bare Pydantic AI, and its first token; about four minutes
	$(RUN) bench.run_overhead

bench-survival: dev ## Kill workers with -9 while 200 runs are at work, and compare all books; about five minutes
	$(RUN) bench.run_survival

bench-queue: dev ## Drain 20,000 jobs with two workers, one project behind another's 19,000, an idle worker; two minutes
	$(RUN) bench.queue

bench-sustained: dev ## Measure documents that come one by one: CPU for each, and how soon they are found; about two minutes
	$(RUN) bench.sustained

bench-requests: dev ## Measure CPU of each process for a created document and for refreshed tokens; about a minute
	$(RUN) bench.requests

bench-hostile: dev ## Send hostile requests of 150 kinds beside an honest client; about five minutes
	$(RUN) bench.hostile --markdown

lock: dev ## Compile the locks from pyproject.toml again
	$(LOCK) --group build -o requirements/runtime.txt pyproject.toml
	$(LOCK) --group build --group dev -o requirements/dev.txt pyproject.toml
	$(LOCK) --group pyproject.toml:openapi-client -o requirements/openapi-client.txt

clean: ## Remove the virtual environment and caches; the data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* .test-packages

$(VENV_READY):
	@$(RUN) pip --version >/dev/null 2>&1 || { python=$$(sh tools/find-python $(PYTHON)) && \
		echo "Creating $(VENV) with $$python" && "$$python" -m venv --clear $(VENV); }
	@mkdir -p $(STAMPS) && touch $@

# The locks bring the build backend, so the project itself is installed last and without the network.
$(RUNTIME_READY): $(VENV_READY)
	@echo "Installing the locked dependencies"
	$(PIP) --require-hashes -r requirements/runtime.txt
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@rm -f $(STAMPS)/runtime-* && touch $@

$(DEV_READY): $(VENV_READY)
	@echo "Installing the locked dependencies and the development tools"
	$(PIP) --require-hashes -r requirements/dev.txt
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@rm -f $(STAMPS)/dev-* && touch $@
