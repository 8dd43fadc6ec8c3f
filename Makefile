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
GENERATED := docs/openapi.json docs/settings.md docs/signals.md docs/bill-result.md docs/bill.svg \
  docs/bench.md README.md charts/borough/README.md charts/borough/files/application.yaml \
  charts/observability/README.md charts/observability/files/application.yaml \
  charts/borough-operator/README.md docs/scaler.md docs/leaderboard.md \
  docs/leaderboard.svg
BOARDS := is-the-shop-open.json which-part-is-slow.json who-scales-and-why.json
BENCHES := $(filter-out %-run.json docs/results/bench.json,$(sort $(wildcard docs/results/bench*.json)))
GOLDEN := $(wildcard tests/charts/golden/*.yaml) # rendered by Helm, and left alone where there is none
GENERATED += $(GOLDEN) $(BOARDS:%=dashboards/%) $(BOARDS:%=charts/observability/files/dashboards/%)

export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE # parts start by the hundred: what is compiled once stays so

# What `make wheels` builds, and where it puts them
DISTRIBUTIONS := telemetry kit services operator bill
WHEELS ?= build/wheels

# Options of demo, bill, bench and drill: make demo ARGS=--fresh
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo bill bench drill test test-field check soak images up load demo-scaling down \
  footprint e2e e2e-long leaderboard wheels generate verify regenerated

help: ## list these targets
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /  make \1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

demo: $(READY) ## what four shapes cost: a preliminary bill; at most five minutes of measuring
	@$(BIN)/python -m borough_bill demo $(ARGS)

bill: $(READY) ## the full bill, about an hour; an interrupted run goes on where it stopped
	@$(BIN)/python -m borough_bill run $(ARGS)

bench: $(READY) ## compare with other libraries, a quarter of an hour; ARGS='--beside COMMIT': also with that commit
	@PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

drill: $(READY) ## place orders in four shapes, kill a process in each, run the auditor
	@$(BIN)/python -m borough_bill drill $(ARGS)

leaderboard: $(READY) ## compare our scaling with that of HPA, KEDA and Knative on the same simulated loads
	@$(BIN)/python -m borough_operator leaderboard $(ARGS)

# Four at a time on any machine: most tests wait for processes of their own.
test: $(READY) ## every test that needs only Python; also PostgreSQL and Helm if installed
	@$(BIN)/pytest --numprocesses 4 --dist loadfile

test-field: $(READY) ## the tests that need third-party servers and clients; each says how to install them
	@$(BIN)/pytest tests/field --numprocesses 4 --dist loadfile

check: $(READY) ## format, lint, types, imports, layout, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/layout
	@$(MAKE) --no-print-directory verify

wheels: $(TOOLS) ## the wheels of the five packages (telemetry, kit, services, operator, bill), in build/wheels
	@rm -rf $(WHEELS)
	@for folder in $(DISTRIBUTIONS); do \
	  $(UV) build --quiet --wheel --python $(PYTHON) --out-dir $(WHEELS) $$folder || exit; \
	done

soak: $(READY) ## kill processes under load, SOAK_ROUNDS times (default 20); property tests with new random cases
	@BOROUGH_SOAK_ROUNDS=$(SOAK_ROUNDS) $(BIN)/pytest tests/soak tests/properties/test_histories.py

# On a cluster: kind's own, or with CLUSTER=current the one kubectl points at (docs/kubernetes.md).

images: ## build the images of shop, operator and load generator, and load them into the cluster if there is one
	@charts/cluster.sh images

up: ## install everything on a kind cluster; e.g. SHAPE=monolith SCALING=payments CLUSTER=current
	@charts/cluster.sh up

load: ## send requests from inside the cluster: RATE=10 a second, FOR=60 seconds; option: SKEW=payments for more orders
	@charts/cluster.sh load

demo-scaling: $(READY) ## see payments alone scaled up, held by kubectl scale, and scaled down: five minutes
	@$(BIN)/python charts/demo_scaling.py $(ARGS)

down: ## delete the kind cluster; with CLUSTER=current uninstall the charts
	@charts/cluster.sh down

footprint: $(READY) ## the memory of every pod of the three charts
	@$(BIN)/python charts/footprint.py $(or $(ARGS),borough observability borough-operator)

e2e: $(READY) ## the tests on the current cluster, which must have the images (make images)
	@$(BIN)/pytest tests/e2e -m "not long" --numprocesses 2 # two stages: see conftest.py

e2e-long: $(READY) ## all tests on the current cluster, also the slow ones
	@$(BIN)/pytest tests/e2e

generate: regenerated ## write the files that are derived from code and from docs/results
	@for file in $(GENERATED); do cp build/generated/$$file $$file; done
	@# once more: Helm renders the charts of the tree, whose files/application.yaml is new now
	@PYTHONPATH=tests $(BIN)/python -m charts.golden build/generated/tests/charts/golden
	@cp build/generated/tests/charts/golden/*.yaml tests/charts/golden

verify: regenerated ## fail if a generated file is outdated, and name it
	@stale=0; for file in $(GENERATED); do \
	  cmp -s build/generated/$$file $$file \
	    || { echo "$$file is not what the code and docs/results say: run make generate" >&2; stale=1; }; \
	done; exit $$stale

regenerated: $(READY)
	@mkdir -p $(sort $(dir $(GENERATED:%=build/generated/%)))
	@$(BIN)/python -m borough openapi > build/generated/docs/openapi.json
	@$(BIN)/python -m borough config --markdown > build/generated/docs/settings.md
	@$(BIN)/python -m borough signals --markdown > build/generated/docs/signals.md
	@PYTHONPATH=tests $(BIN)/python -m bill.documents docs/results/bill.json > build/generated/docs/bill-result.md
	@PYTHONPATH=tests $(BIN)/python -m bill.documents docs/results/bill.json README.md > build/generated/README.md
	@PYTHONPATH=tests $(BIN)/python -m bill.documents docs/results/bill.json --picture > build/generated/docs/bill.svg
	@PYTHONPATH=tests $(BIN)/python -m bench.render docs/results/bench.json $(BENCHES) > build/generated/docs/bench.md
	@$(BIN)/python -m borough chart > build/generated/charts/borough/files/application.yaml
	@cp build/generated/charts/borough/files/application.yaml build/generated/charts/observability/files
	@PYTHONPATH=tests $(BIN)/python -m scaling.documents charts/borough-operator/files/servicescaler.yaml > build/generated/docs/scaler.md
	@PYTHONPATH=tests $(BIN)/python -m scaling.leaderboard_page docs/results/leaderboard.json > build/generated/docs/leaderboard.md
	@PYTHONPATH=tests $(BIN)/python -m scaling.leaderboard_page docs/results/leaderboard.json --picture build/generated/docs/leaderboard.svg
	@for chart in borough observability borough-operator; do \
	  $(BIN)/python charts/values_table.py charts/$$chart > build/generated/charts/$$chart/README.md || exit; \
	done
	@PYTHONPATH=dashboards $(BIN)/python -m boards build/generated/dashboards
	@cp build/generated/dashboards/*.json build/generated/charts/observability/files/dashboards
	@PYTHONPATH=tests $(BIN)/python -m charts.golden build/generated/tests/charts/golden

$(READY): uv.lock pyproject.toml telemetry/pyproject.toml kit/pyproject.toml services/pyproject.toml bill/pyproject.toml operator/pyproject.toml examples/library/pyproject.toml examples/loyalty/pyproject.toml $(TOOLS)
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
