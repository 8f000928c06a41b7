# Two commands do all on a fresh machine: `make demo` and `make test`.
# uv is used where it is installed, else venv and pip.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
UV     := $(shell command -v uv 2>/dev/null)

.PHONY: help setup demo test check lint types layers format hooks bench clean

help:
	@echo "make demo    install, then code the demonstration encounters"
	@echo "make test    install what the tests need, run them all"
	@echo "make check   lint, types, import layers"
	@echo "make bench   print the speed figures"

setup: $(BIN)/.installed

$(BIN)/.installed: pyproject.toml
ifdef UV
	UV_PROJECT_ENVIRONMENT=$(VENV) uv sync --quiet
else
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
endif
	@$(MAKE) --no-print-directory hooks
	@touch $@

# A hook that cannot be set up (no git checkout) is no reason to stop.
hooks:
	@git rev-parse --git-dir >/dev/null 2>&1 && $(BIN)/pre-commit install >/dev/null 2>&1 \
	  || echo "pre-commit hooks not installed: not a git checkout"

demo: setup
	$(BIN)/clh code --demo --format text

test: setup
	$(BIN)/python -m pytest -n auto

check: lint types layers

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python benchmarks/startup.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
