# Needs make and Python 3.12 or newer. Everything else is installed into .venv, from hashed locks.

VENV ?= .venv
PYTHON ?=
HOST ?= 127.0.0.1
PORT ?= 8000
DATA_DIR ?= .data
PYTEST_ARGS ?=

# Taken literally: make expands no `$` in it, and the recipe reads it from the environment, so spaces do not split it.
override DATA_DIR := $(value DATA_DIR)

BIN := $(VENV)/bin
RUN := $(BIN)/python -m
PIP := $(RUN) pip --disable-pip-version-check install
STAMPS := $(VENV)/.stamps
# Stamps depend on the lock's content and this directory: a moved checkout or a changed lock installs again.
key = $(shell { pwd; cat $(1) pyproject.toml; } | cksum | tr ' ' '-')
VENV_READY := $(STAMPS)/venv
RUNTIME_READY := $(STAMPS)/runtime-$(call key,requirements/runtime.txt)
DEV_READY := $(STAMPS)/dev-$(call key,requirements/dev.txt)
LOCK := $(RUN) uv pip compile --universal --python-version 3.12 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header -q

# A read-only checkout serves what is installed in it.
AS_INSTALLED := $(shell test -w . || { $(BIN)/python -c 'import partywall.cli' 2>/dev/null && echo yes; })
# Recreate a virtual environment whose Python no longer exists.
$(shell test -x $(BIN)/python || rm -f $(VENV_READY))

.DEFAULT_GOAL := help
.PHONY: help serve install dev test checks lint types contracts pytest format lock clean soak figures bench-throughput bench-routes bench-wall bench-attacks bench-start bench-stop bench-memory bench-streams bench-events bench-runs bench-survival bench-hostile bench-queue bench-sustained bench-requests bench-extraction bench-documentation bench-files bench-uploads bench-scale

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: export SERVED_DATA_DIR := $(DATA_DIR)
serve: $(if $(AS_INSTALLED),,install) ## Run everything: database, cache, API, worker (HOST= PORT= DATA_DIR=)
	@exec $(RUN) partywall serve --host $(HOST) --port $(PORT) --data-dir="$$SERVED_DATA_DIR" --stop-with-parent

install: $(RUNTIME_READY) ## Install the runtime dependencies

dev: $(DEV_READY) ## Install the runtime and development dependencies

test: dev checks pytest ## Check everything: style, types, contracts, tests, coverage

# Two at once: each of them uses one core.
checks: dev
	@$(MAKE) --no-print-directory --jobs 2 types lint contracts

lint: dev ## Check style, formatting and security (ruff, bandit)
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) bandit --quiet --configfile pyproject.toml --recursive src migrations tools

types: dev ## Check types (mypy)
	$(RUN) mypy --num-workers 2

contracts: dev ## Check the import contracts (import-linter)
	$(BIN)/python $(BIN)/lint-imports --no-logo

pytest: dev ## Run the tests with coverage (PYTEST_ARGS=)
	$(RUN) coverage erase
	$(RUN) coverage run -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)
	$(RUN) coverage combine --quiet
	$(RUN) coverage report

soak: dev ## Run the long tests that `make test` leaves out
	$(RUN) pytest -m soak

figures: dev ## Print import cycles, sizes, and how many files a slice and a request touch
	$(RUN) tools.figures --details
	$(RUN) tools.request_files

format: dev ## Format the code and apply automatic fixes
	$(RUN) ruff check --fix
	$(RUN) ruff format

bench-throughput: dev ## Measure requests per second, compared with a bare server; about two minutes
	$(RUN) bench.throughput

bench-routes: dev ## Measure response times of the ordinary routes; about three minutes
	$(RUN) bench.routes

bench-wall: dev ## Measure the cost of row-level security; about three minutes
	$(RUN) bench.rls_cost

bench-attacks: dev ## Make more than 100,000 attempts to cross from one project to another; about ten minutes
	$(RUN) bench.attacks

bench-start: dev ## Measure the time from make serve to the first healthy answer
	$(RUN) bench.start

bench-stop: dev ## Measure the time to stop on SIGTERM, with open streams, runs and indexing in progress
	$(RUN) bench.stop

bench-memory: dev ## Measure the idle memory of all processes; two minutes
	$(RUN) bench.memory

bench-streams: dev ## Measure 1,000 event streams on one process, also through failures; about five minutes
	$(RUN) bench.streams

bench-events: dev ## Check the order of 200,000 events through pauses, rollbacks and kills; about five minutes
	$(RUN) bench.event_order

bench-runs: dev ## Measure a run's overhead over bare Pydantic AI, and its first token; about four minutes
	$(RUN) bench.run_overhead

bench-survival: dev ## Kill workers with -9 during 200 runs, and check every record; about five minutes
	$(RUN) bench.run_survival

bench-queue: dev ## Measure job throughput, fairness behind a full queue, and an idle worker; two minutes
	$(RUN) bench.queue

bench-sustained: dev ## Measure documents created one by one: CPU each, and time until found; about two minutes
	$(RUN) bench.sustained

bench-requests: dev ## Measure each process's CPU for creating documents and refreshing tokens; about a minute
	$(RUN) bench.requests

bench-hostile: dev ## Send 150 kinds of hostile requests beside an honest client; about five minutes
	$(RUN) bench.hostile --markdown

bench-uploads: dev ## Measure large uploads on a directory and on S3; about four minutes
	$(RUN) bench.uploads

bench-scale: dev ## Measure search, lists and creation at a million passages; half an hour, 15 GB of disk (DATA=DIR keeps them)
	$(RUN) bench.scale $(if $(DATA),--data $(DATA))

bench-extraction: dev ## Compare what is read from the files of FILES=DIR with what a person reads in them
	$(RUN) bench.extraction --files $(FILES)

bench-files: dev ## Upload the files of FILES=DIR, and search for what a person reads in them, with its page
	$(RUN) bench.files --files $(FILES)

bench-documentation: dev ## Judge titles and passages of the documentation in FILES=DIR; needs cmarkgfm, which it does not install
	$(RUN) bench.documentation $(FILES)

lock: dev ## Compile the locks from pyproject.toml
	$(LOCK) --group build -o requirements/runtime.txt pyproject.toml
	$(LOCK) --group build --group dev -o requirements/dev.txt pyproject.toml
	$(LOCK) --group pyproject.toml:openapi-client -o requirements/openapi-client.txt

clean: ## Remove the virtual environment and caches; keep the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* .test-packages

$(VENV_READY):
	@$(RUN) pip --version >/dev/null 2>&1 || { python=$$(sh tools/find-python $(PYTHON)) && \
		echo "Creating $(VENV) with $$python" && "$$python" -m venv --clear $(VENV); }
	@mkdir -p $(STAMPS) && touch $@

# The locks include the build backend, so the project is installed last, without the network.
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
