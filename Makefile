# `make` lists what there is. Everything installs what it needs by itself, into .venv.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.complete
# The environment of `make bench-karrio`, which has nothing of ours.
KARRIO := .venv-karrio

# `make demo DATA=folder`: a folder of orders, parcels and scans as CSV. Without it, a made-up shop.
DATA ?=
# `make test ARGS='-k stack -x'`: anything pytest takes.
ARGS ?=

# `make versions VERSIONS=3.13 ARGS='-m "not long"'`: which Pythons (all), and what of the tests.
VERSIONS ?=

# `make bench QUICK=1`: only the headline, in laps of three seconds: about three minutes.
QUICK ?=
# `make trace LIST=1`: the path itself too, file by file, with the functions entered.
LIST ?=
# `make chaos SEED=7 ROUNDS=100 PUBLICATION=exactly_once`: the seed draws traffic and faults.
SEED ?= 1
ROUNDS ?= 10
PUBLICATION ?= at_least_once

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## install what is pinned in requirements.lock into .venv (needs Python 3.11 or later) [PYTHON=]

# With another Python on the command line the environment is looked at, whatever its age.
.PHONY: again
$(STAMP): requirements.lock requirements-tls.lock requirements.in pyproject.toml deploy/setup.sh \
		$(if $(findstring command,$(origin PYTHON)),again)
	@PYTHON="$(PYTHON)" deploy/setup.sh
	@touch $@

.PHONY: demo
demo: $(STAMP) ## start everything, play a shop through Kafka, show it live, count, stop [DATA=folder]
	@exec $(RUN) -m orderflow demo $(if $(DATA),--data "$(DATA)")

.PHONY: test
test: $(STAMP) ## run the tests on a real Kafka and Postgres [ARGS='-k name']
	@exec $(RUN) -m pytest $(or $(ARGS),-m "not long and not operations" -n 2 --dist loadfile --no-loadscope-reorder)

.PHONY: proof
proof: $(STAMP) ## the long tests: planted bugs, outages one by one, rebuilds and restores
	@exec $(RUN) -m pytest -m "long and not operations"

# What runs Orderflow elsewhere: image, chart, alerts, dashboards, traces, clouds, contract to install.
# Needs root on Debian, or the packages that the script names; Go and npm for some of the tools.
OPERATIONS := $(VENV)/.operations
$(OPERATIONS): requirements-operations.lock $(STAMP)
	@VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(VENV)/bin/uv pip install --quiet --require-hashes \
		-r requirements-operations.lock || $(RUN) -m pip install --quiet \
		--disable-pip-version-check --require-hashes -r requirements-operations.lock
	@touch $@

.PHONY: operations-test
operations-test: $(OPERATIONS) ## image, chart, alerts, dashboards, traces, clouds: with the real tools [ARGS=]
	@deploy/operations.sh
	@PATH="$(CURDIR)/.tools/bin:$$PATH" exec $(RUN) -m pytest tests/operations -m operations $(ARGS)

# Needs Python alone; with npm on PATH it also draws diagrams and the AsyncAPI and OpenAPI documents.
.PHONY: docs
docs: $(OPERATIONS) ## the pages as a site in build/site, read without a network
	@exec $(RUN) -m tools.docs_site

# `make image OUT=oci-archive:build/orderflow.tar`; what the variables mean: docs/image.md.
TAG ?=
BASE ?=
EXTRAS ?=
OUT ?=
REFRESH ?=
.PHONY: image
image: $(OPERATIONS) ## build the image without an engine, list what is in it [TAG= BASE= EXTRAS= OUT= REFRESH=1]
	@exec $(RUN) -m tools.container.build $(if $(TAG),--tag $(TAG)) $(if $(BASE),--base $(BASE)) \
		$(if $(EXTRAS),--extras $(EXTRAS)) $(if $(OUT),--out $(OUT)) $(if $(REFRESH),--refresh)

# `make contract ONLY=python`: python, npm or java; several with spaces between.
ONLY ?=
.PHONY: contract
contract: $(STAMP) ## build the packages of the contract for Python, TypeScript and Java into build/contract [ONLY=]
	@exec $(RUN) -m tools.contract $(ONLY)

# The check of the npm package in the page about webhooks; `make test` needs Python alone.
RECEIVERS := tests/receivers
.PHONY: webhooks-test
webhooks-test: $(STAMP) ## run the receivers of the page about webhooks in Python, Node and with the npm package
	@command -v node > /dev/null && command -v npm > /dev/null || { echo \
		"webhooks-test: node and npm are not on PATH; install Node 18 or later" >&2; exit 1; }
	@cd $(RECEIVERS) && npm ci --ignore-scripts --no-audit --no-fund --silent
	@WEBHOOK_RECEIVERS="python node package" exec $(RUN) -m pytest \
		tests/integration/deliveries/test_page.py $(ARGS)

.PHONY: versions
versions: $(STAMP) ## run tests on each Python from 3.11 to 3.14 that is here [VERSIONS=3.13 ARGS='-k name']
	@exec $(RUN) -m tests.versions $(VERSIONS) $(if $(ARGS),-- $(ARGS))

.PHONY: chaos
chaos: $(STAMP) ## kill, freeze, cut and poison everything at random, and count [SEED= ROUNDS= PUBLICATION=]
	@exec $(RUN) -m chaos --seed $(SEED) --rounds $(ROUNDS) --publication $(PUBLICATION)

.PHONY: bench
bench: $(STAMP) ## measure against two ceilings, a textbook build and faststream-outbox [QUICK=1 SEED=]
	@exec $(RUN) -m bench $(if $(QUICK),--quick) --seed $(SEED)

.PHONY: bench-gateway
bench-gateway: $(STAMP) ## measure the gateway beside a bare producer: a minute
	@exec $(RUN) -m bench.gateway

# `make bench-deliveries CASES="black failing"`: only cases with one of these words in their names.
CASES ?=

.PHONY: bench-deliveries
bench-deliveries: $(STAMP) ## measure deliveries to webhooks beside a loop over httpx: eight minutes [CASES=]
	@exec $(RUN) -m bench.deliveries $(foreach case,$(CASES),--only $(case))

.PHONY: bench-karrio
bench-karrio: $(STAMP) $(KARRIO)/.complete ## read the corpus of carriers with karrio too, and write docs/carriers-karrio.md
	@exec $(RUN) -m bench.karrio

$(KARRIO)/.complete: requirements-karrio.lock $(STAMP)
	@$(RUN) -m venv --clear $(KARRIO)
	@VIRTUAL_ENV="$(CURDIR)/$(KARRIO)" $(VENV)/bin/uv pip install --quiet --require-hashes \
		-r requirements-karrio.lock || $(KARRIO)/bin/python -m pip install --quiet \
		--disable-pip-version-check --require-hashes -r requirements-karrio.lock
	@touch $@

.PHONY: trace
trace: $(STAMP) ## count files and changes of file of one order.upsert, from poll to published event [LIST=1]
	@exec $(RUN) -m bench.trace $(if $(LIST),--list)

.PHONY: up
up: $(STAMP) ## start Kafka, Postgres and the services, and leave them running
	@exec $(RUN) -m orderflow up

.PHONY: down
down: $(STAMP) ## stop what `make up` left running; data stay
	@exec $(RUN) -m orderflow down

.PHONY: check
check: $(STAMP) ## style, types, imports, generated files, words, and what a message costs
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/hadolint deploy/Dockerfile
	$(RUN) -m schemas.generate --check
	$(RUN) -m schemas.gate --check
	$(RUN) -m orderflow.docs --check
	$(RUN) -m tools.chart --check
	$(RUN) -m tools.words
	$(RUN) -m tools.alerts
	$(RUN) -m tools.dashboards --check
	$(RUN) -m bench.guard --check

.PHONY: schema
schema: $(STAMP) ## write migrations of changed database functions, and every services/*/schema.sql
	@exec $(RUN) -m tools.schema

.PHONY: format
format: $(STAMP) ## put the code into its form
	$(VENV)/bin/ruff check --fix-only
	$(VENV)/bin/ruff format

# Keeps what is pinned; to move on, delete a line from requirements.lock, or the file.
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --quiet

.PHONY: lock
lock: $(STAMP) ## pin what requirements*.in ask for, with hashes
	$(VENV)/bin/$(COMPILE) requirements-dev.in -o requirements.lock
	$(VENV)/bin/$(COMPILE) requirements-tls.in -o requirements-tls.lock
	$(VENV)/bin/$(COMPILE) requirements-operations.in -c requirements.lock -o requirements-operations.lock
	# botocore needs an older dateutil; all else as in the other locks.
	$(VENV)/bin/$(COMPILE) requirements-msk.in -o deploy/requirements-msk.lock \
		-c <(sed -n 's/^\([a-z0-9-]*==.*\) \\$$/\1/p' requirements.lock | grep -v ^python-dateutil)
	$(VENV)/bin/$(COMPILE) requirements-karrio.in -o requirements-karrio.lock
	$(VENV)/bin/$(COMPILE) requirements.in -c requirements.lock -o deploy/requirements.lock
	awk '/^[a-z]/ { wanted = /^setuptools==/ } wanted' requirements.lock > deploy/requirements-build.lock

.PHONY: clean
clean: ## remove what was installed and generated here; data of `make up` too
	@if [ -x $(RUN) ]; then $(RUN) -m orderflow down || true; fi
	awk -v own="$(CURDIR)/.image/" 'index($$2, own) == 1 { print $$2 }' /proc/mounts | sort -r | xargs -r umount
	rm -rf $(VENV) $(KARRIO) .tools .image .orderflow reports build *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
