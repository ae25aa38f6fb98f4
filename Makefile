# Event Stream Engine. Every target sets up what it needs first; `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup run test bench bench-quick load load-quick fmt container

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## Install what `make run` and `make test` need
	@scripts/setup test

run: ## Build optimised, then serve on http://127.0.0.1:3000 with nothing else to install
	@scripts/setup && scripts/build --release && source scripts/env.sh && exec env LEPTOS_SITE_ROOT="$$ESE_ROOT/target/site" "$$CARGO_TARGET_DIR/release/ese" serve

test: ## Format, lints and every test, on both databases and in the browser
	@scripts/setup test && scripts/test

bench: ## Measure what has a gate, beside peers (up to 40 minutes); BENCH=b7 measures one
	@scripts/setup test && scripts/bench $(BENCH)

bench-quick: ## The same, small: no figure of it is worth quoting
	@scripts/setup test && scripts/bench --quick $(BENCH)

load: ## Measure the built program under load: a campaign and webhooks, in both ways to run (some minutes)
	@scripts/setup test && scripts/bench load

load-quick: ## The same, small: no figure of it is worth quoting
	@scripts/setup test && scripts/bench --quick load

fmt: ## Format all Rust code
	@source scripts/env.sh && cargo fmt --all

container: ## Build the container image, or run the Dockerfile's steps where Docker is missing
	@scripts/container
