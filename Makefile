# Jackfield needs Python 3.11 or newer and make; everything else comes with `make environment`.
.DEFAULT_GOAL := help
.PHONY: help run test check docs bench chaos lock environment clean
VENV := .venv
STAMP := $(VENV)/.stamp
PROJECTS := libs/common libs/cli services/gateway services/oauth services/webhooks services/connectors services/certification

help:  ## list what make can do
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(STAMP)  ## start Kafka, PostgreSQL and the services; Ctrl-C ends them
	@$(VENV)/bin/jackfield up

test: $(STAMP)  ## run every test
	@$(VENV)/bin/pytest $(ARGS)

check: $(STAMP)  ## lint, formatting, types, import rules
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/pyright
	@$(VENV)/bin/lint-imports

docs: $(STAMP)  ## write docs/events from the code
	@$(VENV)/bin/python docs/generate.py

bench: $(STAMP)  ## measure throughput, latency, start time and memory
	@$(VENV)/bin/python benchmarks/run.py $(ARGS)

chaos: $(STAMP)  ## run only the tests that kill processes
	@$(VENV)/bin/pytest tests/chaos $(ARGS)

lock: $(STAMP)  ## resolve every dependency, with hashes, into the lock files
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-package jackfield-common --no-annotate --no-header --no-emit-index-url --no-emit-find-links $(addsuffix /pyproject.toml,$(PROJECTS)) requirements.in -o requirements.lock
	@$(VENV)/bin/python -m jackfield_cli.local.jars

environment:  ## create or update .venv from requirements.lock
	@sh libs/cli/environment.sh

$(STAMP): requirements.lock $(addsuffix /pyproject.toml,$(PROJECTS))
	@sh libs/cli/environment.sh

clean:  ## remove the environment and caches; data in .jackfield stays
	@rm -rf $(VENV) .venv.lock .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
