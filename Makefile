# The two commands: `make demo` and `make test`. Everything else is a part of one of them, or longer than a coffee.

.DEFAULT_GOAL := help
.PHONY: help demo test test-nixos build check unit bench soak format docs clean

help: ## Says what there is.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Installs what is missing, builds, and shows the main job on a small system of our own.
	@scripts/packages build fixture
	@scripts/libnix
	@cargo build --release --quiet
	@scripts/demo

test: ## Installs what is missing, builds, and runs every test.
	@scripts/test

test-nixos: ## Evaluates the flake and all pairs of built-in modules on the nixpkgs that RUNTIME_MODULE_NIXPKGS names.
	@scripts/packages build fixture test
	@scripts/libnix --with-nix
	cargo build --release
	@tests/nixos/check --pairs

build: ## Builds the program.
	@scripts/packages build
	@scripts/libnix
	cargo build --release

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
