# `make demo` and `make test` do all of their own set-up; nothing else has to run first.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.PHONY: help setup demo test check audit format chaos bench env build clean

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && { echo "$$p"; exit; }; done)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/.ready
# Every target that needs the engine asks for it the moment it runs: it may be found on PATH,
# in the cache, or built. The last line that the tool prints is the folder.
ENGINE = "$$($(BIN)/python tools/pulumi_engine.py)"

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(READY) ## Prepare the virtual environment and the Pulumi engine
	@engine=$(ENGINE) && echo "Pulumi engine: $$engine" >&2

$(READY): pyproject.toml constraints.txt tools/make_venv.sh
	@sh tools/make_venv.sh "$(PYTHON)" "$(VENV)"
	@touch $@

demo: $(READY) ## Rotate a real Redis password with a real `pulumi up`, without an account
	@engine=$(ENGINE) && PATH="$(BIN):$$engine:$$PATH" python tools/demo.py

test: $(READY) ## Run every test
	@engine=$(ENGINE) && PATH="$(BIN):$$engine:$$PATH" \
		python -m pytest --numprocesses logical --dist loadfile $(ARGS)

chaos: $(READY) ## Run N sequences of faults and kills, drawn from SEED, and print a table
	@engine=$(ENGINE) && PATH="$(BIN):$$engine:$$PATH" PYTHONPATH=tools \
		python -m tests.chaos $(or $(N),20) $(SEED)

bench: $(READY) ## Compare with a naive provider; options in ARGS, such as ARGS="--rounds 3"
	@engine=$(ENGINE) && PATH="$(BIN):$$engine:$$PATH" PYTHONPATH=tools \
		python tests/benchmarks/bench.py $(ARGS)

check: $(READY) ## Lint and type-check
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

audit: $(READY) ## Fail if a dependency has a known vulnerability, where that can be asked
	@$(BIN)/python -m pip install --quiet 'pip-audit>=2.7' && $(BIN)/python tools/audit.py

format: $(READY) ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

env: $(READY) ## Print the exports for going on by hand: eval "$$(make -s env)"
	@engine=$(ENGINE) && printf 'export VIRTUAL_ENV="%s"\nexport PATH="%s:%s:$$PATH"\n' \
		"$(CURDIR)/$(VENV)" "$(BIN)" "$$engine"

build: $(READY) ## Build wheel and sdist into dist/
	@$(BIN)/python -m build --outdir dist .

clean: ## Remove everything that was made here (the engine stays in the user's cache)
	@rm -rf $(VENV) dist .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache .coverage
	@find provider tests tools examples -name __pycache__ -type d -prune -exec rm -rf {} +
