# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UNDERSTUDY_DATA ?= $(wildcard ../shared/data)
export UNDERSTUDY_DATA

.PHONY: help setup demo test check bench docs clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(VENV)/.ready  ## make .venv with everything installed

$(VENV)/.ready: pyproject.toml setup.py constraints.txt $(wildcard understudy/runtime/_vnni.[ch])
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[train,dev]"
	touch $@

demo: setup  ## text to a measured, served model in twelve languages, on built-in data
	$(BIN)/understudy run recipes/tiny.toml --jobs 2

test: setup  ## the whole suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

check: setup  ## format, lint, types, the ladder of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_ladder.py

bench: setup  ## every benchmark, one after the other
	set -e; for file in $(filter-out %/common.py %/sequences.py %/load.py,$(wildcard benchmarks/*.py)); do echo "== $$file"; $(BIN)/python $$file; done

docs: setup  ## execute the commands of the documentation
	$(BIN)/python -m pytest tests/test_docs.py

clean:  ## remove what was built, keep the environment
	rm -rf artifacts build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
