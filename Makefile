# Everything a developer and CI do. A machine needs make and Python 3.11, 3.12 or 3.13; the rest is brought here.
#
# Set-up is a chain of files, each newer than what it was made from, so that nothing is set up twice:
#   .venv/bin/python -> node_modules/.packages -> pycheck/_harness/manifest.json -> .venv/.packages -> .setup/browsers

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
# Node may have come as a Python package, whose commands lie beside python.
WITH_NODE := PATH="$(CURDIR)/$(BIN):$$PATH"
# A worker a core, each with a TensorFlow and a browser of its own, which is what bounds their number.
PYTEST_ARGS ?= -n auto --maxprocesses 4 --dist loadfile
BENCH_ARGS ?=
# Names of environments, such as oldest; none for all.
ENVIRONMENTS_ARGS ?=

PACKAGES := $(VENV)/.packages
NODE_PACKAGES := node_modules/.packages
# Installed without their dependencies, which would bring another TensorFlow: the published converter, of which the tests
# need the weight writer and the list of operations, and the Keras 2 that has the number of the installed TensorFlow.
WITHOUT_DEPENDENCIES = "tensorflowjs==4.22.0" "$$($(BIN)/python -c "$(FITTING_TF_KERAS)")"
FITTING_TF_KERAS := from pycheck.system import installed; print('tf-keras==%d.%d.*' % installed.find('tensorflow').release)
HARNESS := pycheck/_harness/manifest.json
BROWSERS := .setup/browsers
SETUP := $(PACKAGES) $(HARNESS) $(BROWSERS)

HARNESS_SOURCES := package.json $(wildcard js_harness/*.mjs js_harness/*.json) js_harness/pack.py \
	$(shell find js_harness/src -type f 2>/dev/null) pycheck/remedies/run_on_cpu.js

# What was found once may have been removed since; and where others rely on the outcome, no engine may be missing.
ifneq ($(shell sh .ci/have-browsers $(BROWSERS) && echo found),found)
.PHONY: $(BROWSERS)
endif

.PHONY: help setup demo quick test test-all lint types js-test py-test build environments bench docs samples clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(SETUP) ## virtual environment, Python and JS packages, harness, browsers

demo: $(SETUP) ## compare a sample model in Python and in the browser
	$(BIN)/pycheck compare models/cnn.keras models/cnn_inputs.npy

# Each process imports hundreds of modules, so Python keeps what it compiles, whatever the environment says. A worker a
# core leaves no core for the threads of NumPy.
quick py-test: export PYTHONDONTWRITEBYTECODE =
quick py-test: export OPENBLAS_NUM_THREADS = 1

quick: $(PACKAGES) lint types ## what answers in a minute: format, lint, types, and the tests without TensorFlow, browser and other processes
	$(WITH_NODE) $(BIN)/python -m pytest -q --quick --cov=pycheck --cov-report= --cov-fail-under=60 $(PYTEST_ARGS)

test: $(SETUP) lint types js-test py-test ## format, lint, types, import rules, and the tests, JS and Python

test-all: PYTEST_ARGS += --exhaustive
test-all: test ## all that make test does, and every fault, sample, engine, page and the published converter as well

lint: $(PACKAGES)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(PACKAGES) $(NODE_PACKAGES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(WITH_NODE) npm run --silent check

js-test: $(NODE_PACKAGES)
	$(WITH_NODE) npm run --silent test

py-test: $(SETUP)
	$(WITH_NODE) $(BIN)/python -m pytest $(PYTEST_ARGS)

build: $(HARNESS) $(PACKAGES) ## wheel and sdist, with the harness inside, into dist/
	rm -rf dist
	$(BIN)/python -m hatchling build

environments: $(HARNESS) ## quick tests and real compares beside the oldest and the newest TensorFlow, each made anew
	$(BIN)/python .ci/environments.py $(ENVIRONMENTS_ARGS)

bench: $(SETUP) ## what a compare costs, stage by stage, as a table
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

docs: $(PACKAGES) ## the site, strictly, into site/
	$(BIN)/python -m pip install -qq --disable-pip-version-check --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

samples: $(PACKAGES) ## make models/ again from its script
	$(BIN)/python models/make_models.py

clean: ## remove everything that the other commands made
	rm -rf $(VENV) node_modules .setup dist site pycheck/_harness
	rm -rf .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@rm -rf $(VENV)
	@python=$$(sh .ci/find-python) && echo "setup: virtual environment, $$("$$python" --version)" && "$$python" -m venv $(VENV)

# pip reads dependency groups since 25.1; the one that comes with Python may be older. The harness comes first, since an
# editable install would build it with packages of its own.
$(PACKAGES): pyproject.toml $(BIN)/python | $(HARNESS)
	@echo "setup: Python packages (TensorFlow is large; the first time takes minutes)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable . --group dev
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps $(WITHOUT_DEPENDENCIES)
	@touch $@

$(NODE_PACKAGES): package.json package-lock.json $(BIN)/python
	@$(WITH_NODE) sh .ci/require-node $(BIN)/python
	@echo "setup: JS packages, Node $$($(WITH_NODE) node --version)"
	@$(WITH_NODE) npm ci --no-audit --no-fund --no-update-notifier --loglevel=error > /dev/null
	@touch $@

$(HARNESS): $(HARNESS_SOURCES) $(NODE_PACKAGES)
	@echo "setup: harness"
	@$(WITH_NODE) npm run --silent build > /dev/null
	@touch $@

$(BROWSERS): $(PACKAGES)
	@mkdir -p $(@D)
	@$(BIN)/python -m pycheck.setup.provision > $@.new
	@mv $@.new $@
	@sed 's/^/setup: /' $@
