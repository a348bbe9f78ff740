# Everything a developer or operator runs. `make help` lists it; docs/operating.md explains it.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
PYTHON := .venv/bin/python

# Addresses that are parsed and never called, so that checks of the code start no server.
NO_SERVERS := DATABASE_URL=postgres://app@127.0.0.1/none REDIS_URL=redis://127.0.0.1/0

# One process of tests for each core, each with servers, or databases, of its own.
ON_ALL_CORES := --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: help setup demo test test-servers lint check-slow web sender worker beat lock

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 	\2/p' Makefile | expand -t 20

setup: ## build .venv with everything for development, from the lock
	@bin/setup dev

demo: ## the whole product with invented data, on http://localhost:8000 (PORT=8001 make demo for another port)
	@bin/setup demo
	@exec $(PYTHON) -m config.demo

test: setup ## lint, then every test, browser tests included
	@$(PYTHON) tests/browser/install_chromium.py
	@$(MAKE) lint
	@exec $(PYTHON) -m pytest $(ON_ALL_CORES)

test-servers: setup ## every test, on the PostgreSQL and Redis installed on this machine
	@$(PYTHON) tests/browser/install_chromium.py
	@exec $(PYTHON) tests/on_local_servers.py $(ON_ALL_CORES)

lint: setup ## style, types, layers, templates
	@echo "Checking style, types, layers and templates …"
	@$(PYTHON) -m ruff check .
	@$(NO_SERVERS) $(PYTHON) -m mypy config crm loyalty campaigns benchmarks
	@.venv/bin/lint-imports --no-cache
	@$(PYTHON) -m djlint --lint --quiet templates

check-slow: setup ## the heavier checks: crashes, load, large data
	@$(PYTHON) tests/browser/install_chromium.py
	@exec $(PYTHON) -m pytest -m slow

web: .venv ## one web process, on PORT
	@exec $(PYTHON) -m gunicorn --config config/gunicorn.py config.wsgi

sender: .venv ## one sender: delivers mails without a broker
	@exec $(PYTHON) manage.py sender

worker: .venv ## one Celery worker
	@exec $(PYTHON) -m celery --app config worker --concurrency 2 --loglevel WARNING --without-gossip --without-mingle

beat: .venv ## the clock of the Celery workers
	@exec $(PYTHON) -m celery --app config beat --scheduler celery.beat:Scheduler --loglevel WARNING

.venv:
	@echo "There is no .venv yet: run 'make setup' first." >&2; exit 1

lock: ## write requirements/*.txt anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --quiet --python-version 3.11 --universal --generate-hashes --no-annotate --no-header -o requirements/core.txt
	uv pip compile pyproject.toml --quiet --extra demo --python-version 3.11 --universal --generate-hashes --no-annotate --no-header -o requirements/demo.txt
	uv pip compile pyproject.toml --quiet --extra dev --python-version 3.11 --universal --generate-hashes --no-annotate --no-header -o requirements/dev.txt
	uv pip compile pyproject.toml --quiet --extra pdf --python-version 3.11 --universal --generate-hashes --no-annotate --no-header -o requirements/pdf.txt
