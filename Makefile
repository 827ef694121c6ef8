# `make demo` and `make test` install what they need. Nothing else has to run first.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.PHONY: help setup hosts demo test unit coverage soak check workflows audit format generate docs picture plots chaos bench env build release-notes clean

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && { echo "$$p"; exit; }; done)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs-ready
# Each target that needs the engine runs this tool. It finds, installs or builds the engine and prints
# the folder.
ENGINE = "$$($(BIN)/python tools/pulumi_engine.py)"
# Some tests need a redis-server that serves TLS itself. The tool prints a folder for PATH. It prints
# nothing if the redis-server on PATH serves TLS. Without TLS those tests fail, and all other tests run.
REDIS = "$$($(BIN)/python tools/redis_with_tls.py)"
# Programs in YAML, TypeScript and Go need more. The tool prints folders for PATH, or nothing if all is on PATH.
HOSTS = "$$(PATH="$$engine:$$PATH" $(BIN)/python tools/pulumi_hosts.py $(1))"
WITH_ENGINE = engine=$(ENGINE) && PATH="$(BIN):$$engine:$$PATH"
# One more worker than processors, because end-to-end tests also wait.
PYTEST = engine=$(ENGINE) || exit 1; redis=$(REDIS); $(if $(NEEDS_HOSTS),hosts=$(HOSTS);) \
	PATH="$(BIN):$$engine$${redis:+:$$redis}$${hosts:+:$$hosts}:$$PATH" python -m pytest --dist worksteal \
	--numprocesses "$$($(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)')"

# Tests that need no engine.
UNIT := $(addprefix tests/,http rotation upstash resources frontends contract test_errors.py test_values.py)

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(READY) ## Prepare the virtual environment and the Pulumi engine
	@engine=$(ENGINE) && echo "Pulumi engine: $$engine" >&2

$(READY): pyproject.toml emulator/pyproject.toml constraints.txt tools/make_venv.sh
	@sh tools/make_venv.sh "$(PYTHON)" "$(VENV)"
	@touch $@

hosts: $(READY) ## Print folders for PATH: what programs in YAML, TypeScript and Go need beside the engine
	@engine=$(ENGINE) && hosts=$(HOSTS) && echo "$$engine$${hosts:+:$$hosts}"

demo: $(READY) ## Rotate a real Redis password with a real `pulumi up`, without an account
	@$(WITH_ENGINE) python tools/demo.py

test soak: NEEDS_HOSTS := yes
test: $(READY) ## Run the tests, with a small sample of the slow ones
	@$(PYTEST) -m "not soak" $(ARGS)

unit: ## Test the wheels in dist with PYTHON, without the engine
	@sh tools/test_wheels.sh "$(PYTHON)" $(UNIT) $(ARGS)

coverage: $(READY) ## Run the tests without the engine, and fail if branch coverage is below the floor
	@$(PYTEST) --cov --cov-report=term --quiet $(UNIT) $(ARGS)

soak: $(READY) ## Run the slow tests: a large fleet and more random sequences
	@$(PYTEST) -m soak $(ARGS)

chaos: $(READY) ## Run N random sequences of faults and kills, from SEED, and print a table
	@$(WITH_ENGINE) PYTHONPATH=tools \
		python -m tests.chaos $(or $(N),20) $(SEED) $(ARGS)

bench: $(READY) ## Measure against a naive provider, with options such as ARGS="--rounds 3 --write"
	@engine=$(ENGINE) && hosts=$(HOSTS) && PATH="$(BIN):$$engine$${hosts:+:$$hosts}:$$PATH" PYTHONPATH=tools \
		python -m tests.benchmarks.bench $(ARGS)

check: $(READY) ## Lint, check types and imports, and compare what make generate writes
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter
	@$(BIN)/python tools/generate.py --check

SCHEMA = $(BIN)/check-jsonschema --quiet --builtin-schema vendor.
TEMPLATE := examples/pipeline
# GitHub knows this key since 2026-05, actionlint 1.7.12 does not.
UNKNOWN := unexpected key "queue" for "concurrency"
WORKFLOWS := $(wildcard .github/workflows/*.yml $(TEMPLATE)/.github/workflows/*.yml)
workflows: $(READY) $(BIN)/actionlint ## Check the workflows and forms of GitHub, and the template's pipelines, offline
	@$(BIN)/actionlint -ignore '$(UNKNOWN)' $(WORKFLOWS) && $(BIN)/zizmor --offline --quiet . $(TEMPLATE)
	@$(SCHEMA)github-workflows $(WORKFLOWS) && $(SCHEMA)dependabot .github/dependabot.yml
	@$(SCHEMA)gitlab-ci --data-transform gitlab-ci $(TEMPLATE)/.gitlab-ci.yml
	@$(SCHEMA)github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml
	@$(SCHEMA)github-issue-config .github/ISSUE_TEMPLATE/config.yml

$(BIN)/actionlint: $(READY) tools/go/actionlint/go.mod
	@$(BIN)/python tools/actionlint.py $@

audit: $(READY) ## Fail if a dependency has a known vulnerability
	@$(BIN)/python -m pip install --quiet 'pip-audit>=2.7' && $(BIN)/python tools/audit.py

format: $(READY) ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

generate: $(READY) ## Write the plugin's schema and the parts of the documents that repeat code or data
	@$(BIN)/python tools/generate.py

$(DOCS_READY): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --group docs
	@touch $@

docs: $(DOCS_READY) ## Build the documentation site into dist/docs
	@$(BIN)/python -m sphinx --nitpicky --fail-on-warning --keep-going --quiet \
		--doctree-dir .cache/doctrees docs dist/docs && echo dist/docs/index.html

picture: $(DOCS_READY) ## Draw the README's picture from a real rotation
	@$(WITH_ENGINE) python tools/picture.py

plots: $(DOCS_READY) ## Draw the plots of the measurements
	@$(BIN)/python tools/plots.py

env: $(READY) ## Print the exports for your shell: eval "$$(make -s env)"
	@engine=$(ENGINE) && hosts=$(call HOSTS,--cached) && \
		printf 'export VIRTUAL_ENV="%s"\nexport PATH="%s:%s:$$PATH"\n' \
		"$(CURDIR)/$(VENV)" "$(BIN)" "$$engine$${hosts:+:$$hosts}"

# The addresses of the repository and of its maintainers are not known yet: see RELEASING.md.
NOT_KNOWN_YET := AuthorEmail,Url
build: $(READY) ## Build the wheels and sdists of both distributions into dist, and check them
	@rm -rf dist/*.whl dist/*.tar.gz
	@for folder in . emulator; do \
		$(BIN)/python -m build --outdir dist "$$folder" && \
		$(BIN)/pyroma --min 10 --skip-tests "$(NOT_KNOWN_YET)" "$$folder" || exit 1; done >&2
	@$(BIN)/check-wheel-contents dist/*.whl && $(BIN)/twine check --strict dist/*.whl dist/*.tar.gz

release-notes: $(READY) ## Print the changelog of VERSION, and fail if the version is not ready for release
	@$(BIN)/python tools/release_notes.py "$(VERSION)"

clean: ## Remove what these targets wrote, except the engine in your cache folder
	@rm -rf $(VENV) dist .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache .coverage
	@find provider emulator tests tools examples -name __pycache__ -type d -prune -exec rm -rf {} +
