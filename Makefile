# Everything from a fresh machine: `make demo` does the main job on real data, `make test` checks the code.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_WORKERS ?= 2
# Tests are many and small: one thread each, so that the workers do not fight for cores; a file stays with one worker, which
# makes its fixtures once.
TEST_ENV := OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false

.PHONY: help demo test test-slow lint types format bench clean

help:
	@echo "make demo       data -> teacher -> signals -> student -> report -> bundle, on MovieLens 100K"
	@echo "make test       the fast tests, with coverage"
	@echo "make test-slow  the slow tests (kill sweeps, separate environments)"
	@echo "make lint types ruff; pyright (strict)"
	@echo "make bench      the small benchmarks, and the table in docs/benchmarks.md"

demo: $(VENV)/.package
	$(BIN)/recdistill run recipes/quickstart.yaml

test: $(VENV)/.dev
	sh tools/system-packages
	$(TEST_ENV) $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile --cov --cov-report=term --cov-fail-under=95

test-slow: $(VENV)/.dev
	sh tools/system-packages
	$(TEST_ENV) $(BIN)/python -m pytest -m slow --timeout 3600

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	for file in training evaluation preparation signals bundle language encoding asking; do $(BIN)/python benchmarks/$$file.py --size small || exit 1; done
	$(BIN)/python benchmarks/table.py

# torch goes first and alone: the pin picks the intended build before another package asks for any.
$(VENV)/.package: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]'
	touch $@

$(VENV)/.dev: $(VENV)/.package
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .coverage*
