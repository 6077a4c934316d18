# glassnets: `make help` lists what there is. Needs python3 (3.11 to 3.13), git and make.

DATASET ?= digits
FAMILY ?= cnn
PORT ?= 5000
PYTHON ?= python3
UV ?= uv
# GNU make 3.81, which macOS has, finds commands of the environment only through another shell than sh.
SHELL := /usr/bin/env bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Without compiled files, which containers often forbid, each process starts seconds later.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help env run release fetch-networks test test-exhaustive test-release test-oracles lint audit docs provenance track verify ui demo serve lock clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*##/ { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: .venv/.complete  ## Build the environment in .venv, every package pinned by hash

# The environment of an interrupted or outdated build is built anew. uv, where it is on the path,
# installs the same files faster (`make env UV=` does without). The environment comes with Vega for
# `dvc plots`, which then needs no network.
.venv/.complete: requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "error: expected Python 3.11 to 3.13, got $$($(PYTHON) --version); name another: make PYTHON=python3.12" >&2; exit 2; }
	@echo "Building the environment in .venv (once, one to five minutes)"
	$(PYTHON) -m venv --clear .venv
	@install="pip install --disable-pip-version-check"; \
	  if test -n "$(UV)" && command -v "$(UV)" > /dev/null; \
	  then install="$(UV) pip install --python .venv/bin/python"; fi; \
	  set -ex; \
	  $$install --quiet --require-hashes -r requirements.txt -r requirements-dev.txt; \
	  $$install --quiet --no-deps --no-build-isolation --editable .
	python -m glassnets.report.vega > .dvc/plots/vega.js
	@touch $@

# DVC works in a git repository only; an unpacked archive is none yet.
.git:
	git init --quiet

run: .git env  ## Run the pipeline: make run, or make run DATASET=mnist
	glassnets run $(DATASET)
	@echo
	@glassnets track $(DATASET)
	@glassnets register $(DATASET)
	@echo
	@sed '/^!\[/,$$d' results/$(DATASET)/comparison.md  # the page's head, as far as its picture
	@echo "Every run with its curves, scores and model, in MLflow: make ui"
	@echo "The models listed above, served over HTTP: make serve DATASET=$(DATASET) FAMILY=cnn"
	@$(if $(filter planted,$(DATASET)),,echo "Draw digits for these networks: make demo DATASET=$(DATASET)")
	@echo "The whole report, image by image, in a browser: results/$(DATASET)/report.html"

release: env  ## Pack the trained networks into networks.tar.xz: make release, or make release DATASET=digits
	glassnets release $(if $(filter command,$(firstword $(origin DATASET))),$(DATASET))

fetch-networks: .git env  ## Take networks from such a file, without training: make fetch-networks FROM=<path or URL>
	@test -n "$(FROM)" || { echo "error: expected FROM=<path or URL>, an archive of make release, got none" >&2; exit 2; }
	glassnets fetch-networks "$(FROM)"

test: env lint  ## Lint, check types, run all tests that take seconds
	pytest -m "not exhaustive and not release" --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-exhaustive: env  ## Run the tests that take minutes: whole pipelines, kills, pages, servers, another processor
	pytest -m "exhaustive and not release" --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-release: env  ## Run the tests that take an hour or more: every family on emulated processors, MNIST, every stage killed
	pytest -m release --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-oracles: .venv-oracles/.complete  ## Compare attributions and similarities with those of Xplique, Quantus, SHAP and rsatoolbox (after make run)
	@test -f models/digits/cnn/seed-0.weights.h5 || \
	  { echo "error: expected the trained networks of digits, got none; make run" >&2; exit 2; }
	.venv-oracles/bin/python -m pytest oracles

# Xplique, Quantus, SHAP and rsatoolbox need other versions of packages that are pinned here: an environment of their own.
.venv-oracles/.complete: requirements.txt requirements-dev.txt requirements-oracles.txt pyproject.toml
	@echo "Building the environment of the oracles in .venv-oracles (once, about two minutes)"
	$(PYTHON) -m venv --clear .venv-oracles
	.venv-oracles/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  -r requirements.txt -r requirements-dev.txt -r requirements-oracles.txt
	.venv-oracles/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lint: env  ## Lint and check types
	ruff check
	ruff format --check
	mypy
	lint-imports

# A mirror of PyPI without its records of vulnerabilities would report none.
audit: env  ## Look up the pinned packages among known vulnerabilities
	@if python -c 'import numpy, urllib.request as u; \
	    u.urlopen(f"https://pypi.org/pypi/numpy/{numpy.__version__}/json", timeout=10)' 2> /dev/null; \
	then pip-audit --strict --disable-pip --require-hashes -r requirements.txt; \
	else echo "audit: skipped, PyPI's record of vulnerabilities cannot be reached from here"; fi

docs: env .venv-docs/.complete  ## Build the documentation as a site, site/index.html, that needs no network
	NO_MKDOCS_2_WARNING=true .venv-docs/bin/mkdocs build --strict --quiet
	@echo "The documentation, in a browser: site/index.html"

# MkDocs is not part of what is pinned for computing: an environment of its own. The reference is made
# in .venv, of the code.
.venv-docs/.complete: requirements-docs.txt
	$(PYTHON) -m venv --clear .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.txt
	@touch $@

provenance: env .venv-provenance/.complete  ## Write what results were made of into provenance/, and have it validated
	glassnets provenance $(if $(filter command,$(firstword $(origin DATASET))),$(DATASET))
	.venv-provenance/bin/python src/glassnets/apps/provenance/validate.py provenance

# The validators need other versions of packages that are pinned here: an environment of their own.
.venv-provenance/.complete: requirements-provenance.txt
	$(PYTHON) -m venv --clear .venv-provenance
	.venv-provenance/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-provenance.txt
	@touch $@

track: env  ## Log to MLflow the networks and results here that it lacks
	glassnets track $(if $(filter command,$(firstword $(origin DATASET))),$(DATASET))

verify: env  ## Check that all is fresh, whole and reproducible: make verify, or make verify DATASET=mnist
	glassnets verify $(if $(filter command,$(firstword $(origin DATASET))),--dataset $(DATASET))

ui: env  ## Open MLflow on localhost
	@python -m glassnets.tracking.store $(PORT)
	MLFLOW_DISABLE_TELEMETRY=true mlflow ui --host 127.0.0.1 --port $(PORT) \
	  --backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db}

demo: PORT = 8000
demo: env  ## Draw digits for the trained networks on localhost: make demo, or make demo DATASET=mnist
	glassnets board $(if $(filter command,$(firstword $(origin DATASET))),--dataset $(DATASET)) --port $(PORT)

serve: PORT = 5001
serve: env  ## Serve a champion of MLflow's registry on localhost: make serve DATASET=digits FAMILY=cnn
	@python -m glassnets.tracking.champion $(DATASET) $(FAMILY)
	MLFLOW_DISABLE_TELEMETRY=true \
	  MLFLOW_TRACKING_URI=$${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db} \
	  mlflow models serve -m models:/glassnets-$(DATASET)-$(FAMILY)@champion \
	  --env-manager local --host 127.0.0.1 --port $(PORT)

lock: env  ## Compile requirements*.txt from requirements*.in
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements.in -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements-dev.in -o requirements-dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements-sweep.in -o requirements-sweep.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade --override requirements-oracles.in requirements.in requirements-dev.in requirements-oracles.in -o requirements-oracles.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements-docs.in -o requirements-docs.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements-provenance.in -o requirements-provenance.txt

clean:  ## Remove the environment and what tools left (not data, models, results, runs)
	rm -rf .venv .venv-oracles .venv-docs .venv-provenance site .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
