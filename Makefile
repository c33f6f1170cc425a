.PHONY: lock
VENV := .venv
PROJECTS := libs/common libs/cli services/gateway services/oauth services/webhooks services/connectors services/certification

lock:  ## resolve every dependency, with hashes, into requirements.lock
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-package jackfield-common --no-annotate --no-header --no-emit-index-url --no-emit-find-links $(addsuffix /pyproject.toml,$(PROJECTS)) requirements.in -o requirements.lock
