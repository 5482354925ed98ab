# The two commands: `make demo` and `make test`. Everything else is a part of one of them, or longer than a coffee.

.DEFAULT_GOAL := help
.PHONY: help demo test test-nixos build check unit bench soak format docs clean

help: ## Lists the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Installs what is missing, builds the program, and shows it at work on a small system.
	@scripts/announce demo
	@scripts/packages build fixture
	@scripts/libnix
	@scripts/compile build --release
	@scripts/demo

test: ## Installs what is missing, builds the program, and runs every test.
	@scripts/announce test
	@scripts/test

test-nixos: ## Evaluates the flake and all pairs of built-in modules on the nixpkgs that RUNTIME_MODULE_NIXPKGS names.
	@scripts/packages build fixture test
	@scripts/libnix --with-nix
	cargo build --release
	@tests/nixos/check --pairs

build: ## Builds the program.
	@scripts/packages build
	@scripts/libnix
	@scripts/compile build --release

check: ## Formatting, lints, docs, the doors of ARCHITECTURE.md, and the Nix files.
	@scripts/check

bench: ## Measures against the nix command, and makes the tables of docs/benchmarks.md, into docs/evidence.
	@scripts/packages build fixture test
	@scripts/libnix --with-nix
	cargo build --release
	@scripts/bench
	@scripts/bench-tables

soak: ## Runs what takes hours.
	@scripts/test --soak

format: ## Formats Rust and Nix files.
	cargo fmt --all
	FORMAT=1 cargo test --quiet --test nix_files

docs: ## Writes docs/modules.md and docs/errors.md anew, from options and messages.
	@scripts/docs

clean: ## Removes what was built here; the cache stays.
	cargo clean
