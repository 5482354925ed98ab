//! A safe Rust interface to the parts of libnix that exist only in C++.
//!
//! `nix-bindings-*` opens stores and evaluators through Nix's C API. This crate adds what that API
//! lacks: the logger, flakes, forcing with structured errors, builds with their results, missing
//! paths, GC roots, closures, interrupts, counters, settings of single evaluators, the collector's
//! heap, and forks of a process that has libnix loaded. It uses a C++ shim (`shim/`) for Nix 2.26
//! to 2.35.
//!
//! This is the only crate of the workspace with `unsafe` code. No raw pointer is public.

mod builder;
mod builds;
mod callback;
mod context;
mod eval;
mod flake;
mod flake_settings;
#[expect(
    clippy::disallowed_methods,
    reason = "a fork opens its databases again, for reading"
)]
mod fork;
#[expect(
    clippy::disallowed_methods,
    reason = "libgit2 reads its settings from the environment"
)]
mod git;
mod heap;
mod interrupt_flag;
mod logger;
mod process;
mod settings;
mod store;
mod store_path;
#[rustfmt::skip]
mod sys;

pub use builder::EvaluatorBuilder;
pub use builds::{BuildResult, MissingPaths};
pub use eval::{NixEvaluator, NixValue, apply, enable_counters, print_counters};
pub use flake::{LockRequest, Locked, LockedFlake};
pub use fork::{ForkError, Forked, fork, fork_child, print_to, threads};
pub use git::start_git;
pub use heap::touch_ahead;
pub use interrupt_flag::{interrupted, reset_interrupt};
pub use logger::{install_logger, set_verbosity};
pub use nix_types::{Activity, Event, ExpectedKind, NixError, Position, Progress, Trace};
pub use process::{Versions, init_process, interrupt, versions};
pub use settings::{get_setting, set_read_only, set_setting};
pub use store::NixStore;
pub use store_path::{InvalidStorePath, StorePath};
