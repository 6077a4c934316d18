# glassnets: `make help` lists what there is. Needs python3 (3.11 to 3.13), git and make.

DATASET ?= digits
PORT ?= 5000
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help env run test lint ui lock clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

env: .venv/.complete  ## Build the environment in .venv, every package pinned by hash

# The environment of an interrupted or outdated build is built anew.
.venv/.complete: requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "error: expected Python 3.11 to 3.13, got $$($(PYTHON) --version); name another: make PYTHON=python3.12" >&2; exit 2; }
	@echo "Building the environment in .venv (once, one to three minutes)"
	$(PYTHON) -m venv --clear .venv
	pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-dev.txt
	pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: env  ## Run the pipeline: make run, or make run DATASET=mnist
	dvc repro compare@$(DATASET)
	@echo
	@sed '/^!\[/,$$d' results/$(DATASET)/comparison.md  # the page's head, as far as its picture
	@echo "What follows from it, and a picture: results/$(DATASET)/comparison.md"
	@echo "Every run with its curves, figures and model, in MLflow: make ui"

test: env lint  ## Lint, check types, run all tests
	pytest

lint: env  ## Lint and check types
	ruff check
	ruff format --check
	mypy

ui: env  ## Open MLflow on localhost
	MLFLOW_DISABLE_TELEMETRY=true mlflow ui --host 127.0.0.1 --port $(PORT) \
	  --backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db}

lock: env  ## Compile requirements*.txt from requirements*.in
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements.in -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements-dev.in -o requirements-dev.txt

clean:  ## Remove the environment and what tools left (not data, models, results, runs)
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
