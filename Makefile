# `make demo`, `make test` and `make test-all` build .venv first where it is missing.
PYTHON ?= $(firstword $(foreach p,python3 python3.12 python3.13 python3.14,$(if $(shell $(p) -c 'import sys; print(sys.version_info >= (3, 12) or "")' 2>/dev/null),$(p))))
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

# Tests of one file mostly share what they compute, so they stay together until a worker is idle.
PARALLEL := --numprocesses 2 --max-worker-restart 0 --dist worksteal

.PHONY: demo test test-all check lint format docs clean help

help:  ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(STAMP)  ## Compare priors on the diabetes data; writes demo/report.html, demo/result.nc, pictures and a log.
	$(BIN)/bayes-nn compare diabetes --target target --test-fraction 0.5 --width 32 --particles 96 --out demo

test: lint docs  ## What a change must pass: linter, formatter, type checker, the documentation, examples and tests but slow ones.
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

test-all: lint docs  ## Everything CI runs: the same with the slow tests.
	$(BIN)/python -m pytest $(PARALLEL)

check: lint  ## The quick part: linter, formatter, type checker and the examples in docstrings.
	$(BIN)/python -m pytest $(PARALLEL) tests/test_docstrings.py

lint: $(STAMP)  ## Linter, formatter and type checker.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## Bring the code into shape.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## Build the documentation into site/, without the network; warnings are errors.
	rm -rf site docs/api/generated
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs site

clean:  ## Remove the environment and everything built.
	rm -rf $(VENV) .jax_cache build dist demo site jupyter_execute docs/api/generated *.egg-info .pytest_cache .ruff_cache .mypy_cache

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "bayes_nn needs Python 3.12 or newer, and none was found on the PATH. Install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 12))' || { echo ".venv holds a Python older than 3.12: run 'make clean' and try again"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,docs]'
	@touch $(STAMP)
