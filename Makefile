# Everything a fresh machine with Python 3.11 needs; the set-up happens by itself.
VENV ?= .venv
# The Python to use; left out: the first that is new enough.
PYTHON ?=
BIN = $(VENV)/bin
# Tests start hundreds of processes: each finds its modules compiled.
export PYTHONDONTWRITEBYTECODE =
ENVIRONMENT = @PYTHON="$(PYTHON)" sh scripts/environment.sh $(VENV)
# Most tests wait for daemons and clocks more than they work: four at a time suit two cores.
SPREAD = -n 4 --dist worksteal
# What `make test` runs in a short form.
IN_FULL = tests/faults tests/simulation $(shell grep -rl --include='test_*.py' 'from tests.effort import' tests)

.PHONY: run-environment dev-environment demo test faults chaos soak overload fuzz lint bench lock format clean

demo: run-environment  ## the whole system on this machine, without any account
	@$(BIN)/sara demo

test: dev-environment  ## all tests
	$(BIN)/pytest $(SPREAD)

faults: dev-environment  ## the delivery contract under injected faults, in full; ten minutes at most
	SARA_FAULTS=full $(BIN)/pytest $(SPREAD) $(IN_FULL)

chaos: dev-environment  ## thousands of messages, a kill about every five seconds; prints what was lost (nothing)
	$(BIN)/python bench/chaos.py

soak: dev-environment  ## half an hour of load; prints memory, descriptors and tasks
	$(BIN)/python bench/soak.py

overload: dev-environment  ## ten times more than can be answered; prints memory, and what was refused
	$(BIN)/python bench/overload.py

fuzz: dev-environment  ## 100,000 mutated signed webhook bodies; prints how they were answered (200)
	$(BIN)/python bench/fuzz.py

lint: dev-environment  ## style, types and architecture
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: dev-environment  ## measure; prints ratios
	$(BIN)/python bench/imports.py
	$(BIN)/python bench/throughput.py
	$(BIN)/python bench/policy.py

lock:  ## pin the dependencies anew
	uv pip compile pyproject.toml --group build --universal --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock
	uv pip compile pyproject.toml --group build --group dev --universal --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-dev.lock

format: dev-environment
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VENV).unfinished $(VENV).log dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

run-environment:
	$(ENVIRONMENT) requirements.lock "make demo"

dev-environment:
	$(ENVIRONMENT) requirements-dev.lock "make $(firstword $(MAKECMDGOALS) test)"
