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

.PHONY: run-environment dev-environment demo test faults chaos soak overload fuzz lint bench lock format reference clean help

demo: run-environment  ## run the whole system on this machine, without any account
	@$(BIN)/sara demo

test: dev-environment  ## run all tests
	$(BIN)/pytest $(SPREAD)

faults: dev-environment  ## test the delivery contract under injected faults, in full; ten minutes at most
	SARA_FAULTS=full $(BIN)/pytest $(SPREAD) $(IN_FULL)

chaos: dev-environment  ## send thousands of messages with a kill about every five seconds; print lost messages (none)
	$(BIN)/python bench/chaos.py

soak: dev-environment  ## load the daemon for half an hour; print memory, descriptors and tasks
	$(BIN)/python bench/soak.py

overload: dev-environment  ## send ten times more than can be answered; print memory and refused messages
	$(BIN)/python bench/overload.py

fuzz: dev-environment  ## send 100,000 mutated signed webhook bodies; print the status codes (200)
	$(BIN)/python bench/fuzz.py

lint: dev-environment  ## check style, types and architecture
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: dev-environment  ## measure speed and memory; print ratios
	$(BIN)/python bench/imports.py
	$(BIN)/python bench/throughput.py
	$(BIN)/python bench/policy.py

lock:  ## pin the newest versions of all dependencies
	uv pip compile pyproject.toml --group build --universal --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock
	uv pip compile pyproject.toml --group build --group dev --universal --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-dev.lock

format: dev-environment  ## apply the fixes and the format of ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: dev-environment  ## write docs/reference/ from the code
	$(BIN)/python -m scripts.reference

clean:  ## remove the environment and all caches
	rm -rf $(VENV) $(VENV).unfinished $(VENV).log dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

run-environment:
	$(ENVIRONMENT) requirements.lock "make demo"

dev-environment:
	$(ENVIRONMENT) requirements-dev.lock "make $(firstword $(MAKECMDGOALS) test)"

help:  ## list these targets
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*##  *\(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-12s%s\n' "$$name" "$$text"; done
