# Everything runs from .venv, which `make setup` builds from the lock; nothing else is needed by hand.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPAT := .venv-compat
PEERS := .venv-bench
INSTALL := $(BIN)/python -m pip --disable-pip-version-check --quiet install
LOCK := $(BIN)/uv pip compile --quiet --config-file requirements/uv.toml --constraint requirements/torch.txt

# What these mean to Python, pip or libpq must not change what is installed or tested.
unexport PYTHONHOME PYTHONPATH PYTHONOPTIMIZE PYTHONWARNINGS VIRTUAL_ENV
unexport PIP_REQUIRE_HASHES PIP_PREFIX PIP_TARGET PIP_USER

.PHONY: help setup demo serve test bench peers check compat format lock
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: $(STAMP) ## create .venv and install the locked releases; again only when they change
	@:

demo: setup ## run a study of 60 trials from end to end
	@$(BIN)/etude demo

serve: setup ## start the service with local workers and keep it running
	@$(BIN)/etude serve

test: setup ## run the tests on SQLite and on a PostgreSQL of their own
	@$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal

bench: setup ## measure the main path, and take a quick look at ours and others (5 minutes on two cores)
	@$(BIN)/python -m tests.benchmarks.main_path
	@$(BIN)/python -m tests.benchmarks.null
	@$(BIN)/python -m tests.benchmarks.peers --quick

peers: $(PEERS)/.installed ## compare with Optuna scripts and Ray Tune, installed apart (half an hour on two cores)
	@$(BIN)/python -m tests.benchmarks.peers

check: setup ## format, lint, types, import contracts, then the tests
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

compat: $(COMPAT)/.installed ## compare with transformers, timm, optax, Lightning, ignite and Keras, installed apart
	@$(COMPAT)/bin/python -m pytest tests/compat --confcutdir=tests/compat -W default

format: setup ## put the code into shape
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lock: setup ## pin the newest releases that pyproject.toml allows
	@$(LOCK) --upgrade --extra train --extra dev pyproject.toml --output-file requirements/dev.txt
	@$(LOCK) --constraint requirements/dev.txt --extra train pyproject.toml --output-file requirements/worker.txt
	@$(LOCK) --constraint requirements/dev.txt pyproject.toml --output-file requirements/service.txt
	@$(LOCK) --constraint requirements/dev.txt --group build --output-file requirements/build.txt

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

$(STAMP): pyproject.toml requirements/dev.txt requirements/torch.txt
	@if $(BIN)/python -c '$(SUPPORTED)' 2>/dev/null && $(BIN)/python -m pip --version >/dev/null 2>&1; then exit 0; fi; \
	found=; \
	for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
		"$$python" -c '$(SUPPORTED)' 2>/dev/null || continue; \
		found="$$python"; \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null || continue; \
		echo "Creating $(VENV) with $$("$$python" --version)"; \
		exec "$$python" -m venv --clear $(VENV); \
	done; \
	if [ -n "$$found" ]; then \
		echo "$$found cannot create virtual environments: its venv or ensurepip module is missing." >&2; \
		echo "Install it (on Debian and Ubuntu the package is python3-venv), or name another one: make setup PYTHON=/path/to/python3.11" >&2; \
	else \
		echo "Etude needs Python 3.11, 3.12 or 3.13, and found none on PATH (python3 is $$(python3 --version 2>&1 || echo missing))." >&2; \
		echo "Install one, or name it: make setup PYTHON=/path/to/python3.11" >&2; \
	fi; \
	exit 1
	@echo "Installing the locked releases (a few minutes the first time)"
	@$(INSTALL) --no-deps --require-hashes --requirement requirements/dev.txt
	@echo "Installing $$(cat requirements/torch.txt)"
	@$(INSTALL) --requirement requirements/torch.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# timm's schedulers need none of what timm itself does, torchvision above all, of which there is no build for every CPU.
$(COMPAT)/.installed: $(STAMP) requirements/compat.txt requirements/torch.txt
	@echo "Installing what schedules are compared with into $(COMPAT) (some minutes the first time)"
	@$(BIN)/python -m venv --clear $(COMPAT)
	@$(COMPAT)/bin/python -m pip --disable-pip-version-check --quiet install --requirement requirements/torch.txt
	@$(COMPAT)/bin/python -m pip --disable-pip-version-check --quiet install --requirement requirements/compat.txt
	@$(COMPAT)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps timm==1.0.31
	@touch $@

# The releases are those of .venv, so that only Ray is another.
$(PEERS)/.installed: $(STAMP) requirements/bench.txt requirements/worker.txt
	@echo "Installing Ray Tune into $(PEERS) (some minutes the first time)"
	@$(BIN)/python -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip --disable-pip-version-check --quiet install --requirement requirements/torch.txt
	@$(PEERS)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes --requirement requirements/worker.txt
	@$(PEERS)/bin/python -m pip --disable-pip-version-check --quiet install --requirement requirements/bench.txt
	@$(PEERS)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $@
