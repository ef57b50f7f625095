# Everything runs in .venv, which is rebuilt from requirements.lock when it is missing or older than the lock file.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
# uv takes seconds instead of a minute, but ignores mirrors in pip's configuration: pip is the fallback.
UV := $(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python
# Tests start hundreds of processes. Where the environment forbids bytecode (as containers do), each would compile all of
# Dagster anew, 10 CPU seconds: it is kept in .venv instead of beside the sources.
PYTEST := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/$(VENV)/pycache $(VENV)/bin/python -m pytest

.PHONY: help env demo up test test-fast chaos accuracy audit lint format lock bench defs wheel clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

env: $(STAMP)  ## create .venv from the lock file

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"polypipe needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}. Choose another one: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "this Python has no venv module; install it, on Debian with: apt-get install python3-venv" >&2; exit 1; }
	@echo "creating $(VENV) from requirements.lock (downloads 220 MB the first time)"
	$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	$(PIP) --require-hashes --no-deps -r $(VENV)/uv.lock
	$(UV) --require-hashes --no-deps -r requirements.lock || $(PIP) --require-hashes --no-deps -r requirements.lock
	PYTHONWARNINGS=ignore $(PIP) --no-build-isolation --no-deps -e .
	@touch $@

demo: env  ## run everything against a simulated Polymarket; Dagster UI at http://127.0.0.1:3000
	$(VENV)/bin/polypipe demo

up: env  ## run everything against the real Polymarket; files in data/bot/
	$(VENV)/bin/polypipe up

test: env  ## run all tests
	$(PYTEST) -n 3 --dist worksteal

test-fast: env  ## run the tests that start no servers and no browser (90 s on two cores)
	$(PYTEST) -n 3 --dist worksteal -m "not slow" --hypothesis-profile fast

chaos: env  ## run the fault tests in full (40 minutes); writes docs/reliability.md
	$(PYTEST) polypipe_tests/faults polypipe_tests/divergence/test_snapshot.py \
		polypipe_tests/attribution/test_matching.py -n 3 --dist worksteal --chaos --figures docs/reliability.md

accuracy: env  ## measure polypipe on random worlds with known truth; writes docs/accuracy.md
	$(VENV)/bin/python -m polypipe_tests.truth --write docs/accuracy.md
	$(VENV)/bin/python -m polypipe_tests.truth.coverage --write docs/accuracy.md
	$(VENV)/bin/python -m polypipe_tests.truth.replays --write docs/accuracy.md

lint: env  ## run ruff, mypy and bandit
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/bandit --quiet --recursive --configfile pyproject.toml polypipe

audit: lint  ## lint, and check all locked versions for known vulnerabilities; needs the network
	$(VENV)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

format: env  ## reformat the code
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: env  ## run every benchmark against its baseline
	for file in bench/*.py; do echo "== $$file"; $(VENV)/bin/python $$file || exit 1; done

defs: env  ## load and list Dagster's definitions with dg
	scripts/dg check defs
	scripts/dg list defs

wheel: env  ## build the wheel, install it in a clean environment and run the demo from there
	$(VENV)/bin/python scripts/check_wheel.py

lock: env  ## upgrade the locked versions
	$(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--group dev --constraint constraints.txt pyproject.toml -o requirements.lock > /dev/null

clean:  ## remove .venv and the caches of the tools
	rm -rf $(VENV) build *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
