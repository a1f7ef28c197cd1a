# Two commands matter: `make demo` and `make test`. `make help` lists the others.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.SUFFIXES:

PYTHON ?= python3
RUN := $(PYTHON) -B tools/run.py

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Build the whole system on this machine; ENGINE_ARCHIVE=/path/to/AxonIvyEngine...zip takes a real engine
	@$(RUN) demo

.PHONY: demo-down
demo-down: ## Remove the demo's hosts and everything that belongs to them
	@$(RUN) demo-down

.PHONY: hosts
hosts: ## Create the demo's hosts and install nothing on them
	@$(RUN) hosts

.PHONY: test
test: ## Run everything that .ci/run runs: lint, unit tests, sanity tests, molecule
	@$(RUN) test

.PHONY: lint
lint: ## Run ansible-lint, yamllint, ruff and mypy
	@$(RUN) lint

.PHONY: unit
unit: ## Run the unit tests
	@$(RUN) unit

.PHONY: sanity
sanity: ## Run ansible-test sanity
	@$(RUN) sanity

.PHONY: stand-in
stand-in: ## Pack the stand-in engine and run its own tests
	@$(RUN) stand-in

.PHONY: contract
contract: ## Hold the stand-in to the contract, or a real engine: ENGINE_ARCHIVE=/path/to/...zip ENGINE_LICENCE=/path/to/...lic
	@$(RUN) contract

.PHONY: molecule
molecule: ## Run the molecule scenario SCENARIO (default, debian13); KEEP=1 leaves its hosts for a look
	@$(RUN) molecule

.PHONY: bench-config
bench-config: ## Measure shared_config on hosts made for it, and write docs/benchmark.md; 15 minutes
	@$(RUN) bench-config

.PHONY: tools
tools: ## Make the tool environment .venv and the link by which Ansible finds this checkout
	@$(RUN) tools

.PHONY: docs
docs: ## Write docs/options.md, the reference of all options, anew
	@$(RUN) docs

.PHONY: build
build: ## Build the collection's archive
	@$(RUN) build

.PHONY: lock
lock: ## Write requirements.txt anew from requirements.in
	@tools/lock.sh

.PHONY: clean
clean: ## Remove the demo, molecule's hosts, the host images, the downloads and the tool environment
	@$(RUN) clean
