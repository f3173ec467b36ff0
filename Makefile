# Everything here sets itself up: all it needs is Python 3.11 or newer, and a way to download packages the first time.
# `make` alone lists the targets. `make demo PYTHON=/path/to/python` picks the interpreter.

# The first that really runs: a version manager's shim may be on the path and have nothing behind it.
PYTHON ?= $(shell for candidate in python3.13 python3.12 python3.11 python3; do \
    if "$$candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
    then echo "$$candidate"; break; fi; done)

VENV := .venv
INSTALLED := $(VENV)/installed
BIN := $(VENV)/bin
CHECKED := openhcs tests scripts benchmarks examples

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check lint bench screenshots reference proofs mutants clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## open the workbench on a made plate; without a terminal, run the plate and print its counts
	@$(BIN)/openhcs demo

# Two at a time: more would be in the way of the tests that measure. In the order of tests/conftest.py, not by numbers
# of tests. What is compiled beforehand is not compiled by each of the hundreds of programs that the tests start, where
# Python is told to write no bytecode.
test: $(INSTALLED) ## run the tests
	@$(BIN)/python -m compileall -q openhcs
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 20

check: lint test ## everything a change must pass: format, lint, types, import contracts, tests

lint: $(INSTALLED) ## format, lint, types, import contracts and our own checker, without the tests
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/openhcs verify openhcs

proofs: $(INSTALLED) ## explore every theorem, run every breakage, write docs/proofs.md anew: some minutes
	@$(BIN)/python -m tests.proofs.report

mutants: $(INSTALLED) ## break the async core in small ways and see what catches each
	@$(BIN)/python -m tests.proofs.mutants

bench: $(INSTALLED) ## run the benchmarks, side by side with the peers they measure against
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	@for benchmark in benchmarks/[!_]*.py; do $(BIN)/python "$$benchmark" || exit; done

screenshots: $(INSTALLED) ## take the pictures of docs/images anew, from a real terminal
	$(BIN)/python scripts/screenshots.py

reference: $(INSTALLED) ## write docs/reference and the manual page anew, from the code
	@$(BIN)/python -m scripts.reference

clean: ## remove the virtual environment, caches and the demo's files
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo-plate openhcs-results
	find openhcs tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing openhcs into $(VENV): once, and again when pyproject.toml or constraints.txt change"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt \
	    --editable . --group dev
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no usable Python: expected python3 of version 3.11 or newer, with ensurepip" \
	    "(Debian, Ubuntu: apt install python3-venv). Install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear $(VENV)
