# Everything a fresh machine with Python 3.11 needs; the set-up happens by itself.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN = $(VENV)/bin
# Tests start hundreds of processes: each finds its modules compiled.
export PYTHONDONTWRITEBYTECODE =
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
# Most tests wait for daemons and clocks more than they work: four at a time suit two cores.
SPREAD = -n 4 --dist worksteal

.PHONY: demo test faults chaos soak overload fuzz lint bench lock format clean

demo: $(VENV)/.run  ## the whole system on this machine, without any account
	$(BIN)/sara demo

test: $(VENV)/.dev  ## all tests
	$(BIN)/pytest $(SPREAD)

faults: $(VENV)/.dev  ## the delivery contract under injected faults, in full; ten minutes at most
	SARA_FAULTS=full $(BIN)/pytest $(SPREAD) tests/faults tests/simulation

chaos: $(VENV)/.dev  ## thousands of messages, a kill about every five seconds; prints what was lost (nothing)
	$(BIN)/python bench/chaos.py

soak: $(VENV)/.dev  ## half an hour of load; prints memory, descriptors and tasks
	$(BIN)/python bench/soak.py

overload: $(VENV)/.dev  ## ten times more than can be answered; prints memory, and what was refused
	$(BIN)/python bench/overload.py

fuzz: $(VENV)/.dev  ## 100,000 mutated signed webhook bodies; prints how they were answered (200)
	$(BIN)/python bench/fuzz.py

lint: $(VENV)/.dev  ## style, types and architecture
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## measure; prints ratios
	$(BIN)/python bench/imports.py
	$(BIN)/python bench/throughput.py
	$(BIN)/python bench/policy.py

lock:  ## pin the dependencies anew
	uv pip compile pyproject.toml --group build --universal --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock
	uv pip compile pyproject.toml --group build --group dev --universal --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-dev.lock

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "SARA needs Python 3.11 or newer; say make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@
