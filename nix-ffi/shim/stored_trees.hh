#pragma once
/** @file Trees of inputs that are already in the store, so that libnix need not read them again. */

#include "border.hh"

namespace nix_ffi {

/**
 * Adds the inputs of a locked flake whose trees are in the store to the flake's fetched inputs. libnix then uses the
 * trees. Otherwise it would add them to the store again, for which it reads them completely, unless its fetcher cache
 * has an entry for them. A `path:` input outside the store never has such an entry.
 */
void use_stored_trees(nix::EvalState & state, nix::flake::LockedFlake & flake);

/**
 * Adds entries for the tree of a reference that is in the store to libnix's fetcher cache, and for the inputs in its
 * lock file that `lockFlake` may fetch.
 */
void remember_stored_trees(nix::EvalState & state, const nix::FlakeRef & reference);

/** Adds an entry for the tree of an input to libnix's fetcher cache, if the tree is in the store. */
void remember_stored_tree(nix::EvalState & state, const nix::fetchers::Input & input);

} // namespace nix_ffi
