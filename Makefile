# What a newcomer runs. Needs make, and Python 3.11 or newer with pip; everything else goes into .venv.

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
		$$python -m pip --version >/dev/null 2>&1 && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TESTS ?= tests
# As many workers as cores; a suite without -n is easier to debug: make test WORKERS=0
WORKERS ?= auto
EXAMPLES ?= 100

.DEFAULT_GOAL := help
.PHONY: help run test test-all check generate bench bench-quick faults fuzz-rest example-node example-python clean

help: ## Lists these targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-15s %s\n", $$1, $$2}'

run: $(STAMP) ## Starts Postroom with a mail catcher, and prints commands to try.
	@$(BIN)/postroom dev

test: $(STAMP) ## Runs the suite: SQLite in full, PostgreSQL and sockets by a fixed third.
	$(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

test-all: $(STAMP) ## Runs the suite on every combination of database and transport.
	$(BIN)/python -m pytest -n $(WORKERS) --all $(TESTS)

faults: $(STAMP) ## Kills, stops and cuts real processes for the better part of an hour, and writes docs/reliability.md.
	$(BIN)/python tools/reliability.py --out docs/reliability.md

fuzz-rest: $(STAMP) $(VENV)/fuzz/.installed ## Fuzzes the REST APIs with Schemathesis: make fuzz-rest EXAMPLES=500
	$(BIN)/python tools/fuzz_rest.py --max-examples $(EXAMPLES)

check: $(STAMP) ## Checks style, types, imports, the contract, and what is generated from it.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate.py --check
	$(BIN)/python tools/reference.py --check
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code

generate: $(STAMP) ## Writes generated/ from protos/, and the generated pages of docs/reference/.
	$(BIN)/python tools/generate.py
	$(BIN)/python tools/reference.py

bench: $(STAMP) ## Measures what we state beside its peers and writes the page; about 45 minutes.
	$(BIN)/python -m bench

bench-quick: $(STAMP) ## Runs a shorter selection of the bench, in about two minutes; the figures mean little.
	$(BIN)/python -m bench --quick --no-page

example-node: docs/examples/node/node_modules ## Runs the Node client against a server started by `make run`.
	cd docs/examples/node && POSTROOM_TOKEN="$${POSTROOM_TOKEN:-$$(cat ../../../data/dev.token)}" npm start --silent

example-python: $(STAMP) ## Runs the Python client against a server started by `make run`.
	POSTROOM_TOKEN="$${POSTROOM_TOKEN:-$$(cat data/dev.token)}" $(BIN)/python docs/examples/python/send.py

docs/examples/node/node_modules: docs/examples/node/package.json
	cd docs/examples/node && npm install --no-package-lock --no-audit --no-fund
	@touch $@

clean: ## Removes what these targets made, except data/.
	rm -rf $(VENV) docs/examples/node/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find server generated tests tools -name __pycache__ -prune -exec rm -rf {} +

# In an environment of its own: it is no dependency of ours, and has many.
$(VENV)/fuzz/.installed: $(STAMP)
	$(PYTHON) -m venv --without-pip $(VENV)/fuzz
	$(PYTHON) -m pip --python $(VENV)/fuzz/bin/python install --quiet --disable-pip-version-check "schemathesis>=4"
	@touch $@

# Without ensurepip, which Debian ships apart: the system's pip installs into the new environment.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv --without-pip $(VENV)
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check \
		-c constraints.txt -e ".[test]"
	@touch $@
