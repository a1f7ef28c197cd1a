# Two commands matter: `make demo` and `make test`. `make help` lists the others.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.SUFFIXES:

# A distribution builds its Python with optimizations that others often lack: it is a third faster.
DISTRIBUTED := /usr/bin/python3
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell $(DISTRIBUTED) -c '$(USABLE)' 2> /dev/null && echo $(DISTRIBUTED) || echo python3)
RUN := $(PYTHON) -B tools/run.py

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Build the whole system on this machine; ENGINE_ARCHIVE=/path/to/AxonIvyEngine...zip uses a real engine
	@$(RUN) demo

.PHONY: demo-down
demo-down: ## Remove the demo's hosts, networks, volumes, keys and passwords
	@$(RUN) demo-down

.PHONY: hosts
hosts: ## Create the demo's hosts without installing anything on them
	@$(RUN) hosts

.PHONY: test
test: ## Run lint, unit and sanity tests and most tests on live clusters, as .ci/run does
	@$(RUN) test

.PHONY: test-all
test-all: ## Run all tests, the long ones at full length, and break the code on purpose; takes two hours
	@$(RUN) test-all

.PHONY: test-ha
test-ha: ## Build the cluster of inventories/ha on live hosts, and lose one part after another of it
	@$(RUN) test-ha

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
contract: ## Run the contract tests on the stand-in, or on a real engine: ENGINE_ARCHIVE=/path/to/...zip ENGINE_LICENCE=/path/to/...lic
	@$(RUN) contract

.PHONY: molecule
molecule: ## Run the molecule scenario SCENARIO (default, debian13, ha); KEEP=1 keeps its hosts for inspection
	@$(RUN) molecule

.PHONY: bench-config
bench-config: ## Benchmark shared_config on its own hosts and write docs/benchmark.md; takes 15 minutes
	@$(RUN) bench-config

.PHONY: bench-site
bench-site: ## Benchmark the playbooks without a change on their own hosts and write docs/benchmark.md; takes 25 minutes
	@$(RUN) bench-site

.PHONY: bench-balancer
bench-balancer: ## Benchmark the balancer's configuration on its own hosts and write docs/benchmark.md; takes 30 minutes
	@$(RUN) bench-balancer

.PHONY: tools
tools: ## Create the tool environment .venv and the link through which Ansible finds this checkout
	@$(RUN) tools

.PHONY: docs
docs: ## Write docs/options.md and the picture of the architecture
	@$(RUN) docs

.PHONY: build
build: ## Build the collection's archive
	@$(RUN) build

.PHONY: lock
lock: ## Regenerate requirements.txt from requirements.in
	@tools/lock.sh

.PHONY: clean
clean: ## Remove the demo, the test hosts, the host images, the downloads and the tool environment
	@$(RUN) clean
