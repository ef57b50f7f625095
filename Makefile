# Everything runs in .venv, which is made from requirements.lock when it is missing or older than the lock.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
UV := $(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python# seconds instead of a minute; it knows no mirror of pip's configuration: then pip does it

.PHONY: help env demo up test chaos audit lint format lock bench clean

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

env: $(STAMP)  ## the environment, from the lock file

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"polypipe needs Python 3.11 or newer, {sys.executable} is {v[0]}.{v[1]}; name another one: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "this Python has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "making $(VENV) from requirements.lock (220 MB to fetch the first time)"
	$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	$(PIP) --require-hashes --no-deps -r $(VENV)/uv.lock
	$(UV) --require-hashes --no-deps -r requirements.lock || $(PIP) --require-hashes --no-deps -r requirements.lock
	PYTHONWARNINGS=ignore $(PIP) --no-build-isolation --no-deps -e .
	@touch $@

demo: env  ## the whole pipeline against a simulated Polymarket; Dagster UI at http://127.0.0.1:3000
	$(VENV)/bin/polypipe demo

up: env  ## the whole pipeline against the real Polymarket; files in data/bot/
	$(VENV)/bin/polypipe up

test: env  ## every test
	$(VENV)/bin/python -m pytest -n 3 --dist worksteal

chaos: env  ## the fault tests in full (40 minutes); writes docs/reliability.md
	$(VENV)/bin/python -m pytest polypipe_tests/faults polypipe_tests/divergence/test_snapshot.py \
		polypipe_tests/attribution/test_matching.py -n 3 --dist worksteal --chaos --figures docs/reliability.md

lint: env  ## ruff, mypy and bandit
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/bandit --quiet --recursive --configfile pyproject.toml polypipe

audit: lint  ## lint, and every locked version looked up among the published vulnerabilities; needs the network
	$(VENV)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

format: env  ## reformat the code
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: env  ## every benchmark, each beside its baseline
	for file in bench/*.py; do echo "== $$file"; $(VENV)/bin/python $$file || exit 1; done

lock: env  ## choose new versions
	$(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--group dev --constraint constraints.txt pyproject.toml -o requirements.lock > /dev/null

clean:  ## remove the environment and what tools left behind
	rm -rf $(VENV) build *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
