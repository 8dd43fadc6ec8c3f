# The door of the house. It assumes make and Python 3.11 or newer, and fetches the rest into build/
# and .venv/. Another Python needs a room of its own: make test PYTHON=python3.13 VENV=build/venv-3.13

PYTHON ?= python3
VENV ?= .venv
SOAK_ROUNDS ?= 20

UV_VERSION := 0.13.9
UV := build/tools/bin/uv
BIN := $(VENV)/bin
TOOLS := build/tools/.uv-$(UV_VERSION)
READY := $(VENV)/.synced
GENERATED := openapi.json settings.md

export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check soak generate verify regenerated

help: ## show these verbs
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

demo: $(READY) ## place orders through four shapes, kill a process, ask the auditor
	@$(BIN)/python -m borough_bill demo

test: $(READY) ## every test that needs no cluster (soak: two rounds)
	@$(BIN)/pytest

check: $(READY) ## format, lint, types, imports, layout, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/layout
	@$(MAKE) --no-print-directory verify

soak: $(READY) ## kill processes under load, SOAK_ROUNDS times (20), and fresh random histories
	@BOROUGH_SOAK_ROUNDS=$(SOAK_ROUNDS) $(BIN)/pytest tests/soak tests/properties/test_histories.py

generate: regenerated ## write what is derived from code: docs/openapi.json, docs/settings.md
	@for file in $(GENERATED); do cp build/generated/$$file docs/$$file; done

verify: regenerated ## fail, naming the file, where a generated file is not what the code says
	@stale=0; for file in $(GENERATED); do \
	  cmp -s build/generated/$$file docs/$$file \
	    || { echo "docs/$$file is not what the code says: run make generate" >&2; stale=1; }; \
	done; exit $$stale

regenerated: $(READY)
	@mkdir -p build/generated
	@$(BIN)/python -m borough openapi > build/generated/openapi.json
	@$(BIN)/python -m borough config --markdown > build/generated/settings.md

$(READY): uv.lock pyproject.toml services/pyproject.toml bill/pyproject.toml $(TOOLS)
	@echo "Setting up $(VENV) with what uv.lock names; this happens once." >&2
	@$(UV) sync --locked --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch $@

$(TOOLS):
	@command -v $(PYTHON) > /dev/null \
	  || { echo "There is no $(PYTHON) here: Borough needs Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	  "Borough needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ".")'
	@$(PYTHON) -m venv build/tools
	@build/tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@
