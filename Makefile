# The two main targets are `make demo` and `make test`. The others run single steps, or take a long time.

.DEFAULT_GOAL := help
# A service or a cron job may have no HOME.
export HOME ?= $(shell getent passwd "$$(id -u)" | cut -d : -f 6)
.PHONY: help demo test test-nixos test-live build check unit bench soak format docs clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Install missing packages, build, and show the main commands on a small test system.
	@scripts/announce demo
	@scripts/packages build fixture
	@scripts/libnix
	@scripts/compile build --release
	@scripts/demo

test: ## Install missing packages, build, and run every test.
	@scripts/announce test
	@scripts/test

test-nixos: ## Evaluate the flake and all pairs of built-in modules with the nixpkgs in RUNTIME_MODULE_NIXPKGS.
	@scripts/packages build fixture test
	@scripts/libnix --with-nix
	cargo build --release
	@tests/nixos/check --pairs

test-live: ## Boot a NixOS of Debian's binaries with the nixpkgs in RUNTIME_MODULE_NIXPKGS, and toggle modules on it.
	@scripts/packages build fixture test system
	@scripts/libnix --with-nix
	cargo build --release
	cargo build
	@tests/live/check

build: ## Build the program.
	@scripts/packages build
	@scripts/libnix
	@scripts/compile build --release

check: ## Check formatting, lints, docs, the rules of ARCHITECTURE.md, the figures, scripts and Nix files.
	@scripts/check

bench: ## Compare with the nix command, measure the tables of docs/benchmarks.md, and update docs/evidence.
	@scripts/packages build fixture test
	@scripts/libnix --with-nix
	cargo build --release
	@scripts/bench
	@scripts/bench-tables

soak: ## Run the tests that take hours.
	@scripts/test --soak

format: ## Format Rust and Nix files.
	cargo fmt --all
	FORMAT=1 cargo test --quiet --test nix_files

docs: ## Generate docs/modules.md, docs/guest-options.md and docs/errors.md from options and messages.
	@scripts/docs

clean: ## Remove build results, but keep the cache.
	cargo clean
