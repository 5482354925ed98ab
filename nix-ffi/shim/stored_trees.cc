#include "stored_trees.hh"

#include <algorithm>
#include <filesystem>
#include <set>

namespace nix_ffi {

/** The method by which the trees of inputs are content-addressed. */
static const nix::ContentAddressMethod nar = nix::ContentAddressMethod::Raw::NixArchive;

/**
 * Returns the NAR hash and the store path that an input must have: those that its lock names, or those of a reference
 * to a store path.
 */
static std::optional<std::pair<nix::Hash, nix::StorePath>>
expected_tree(nix::Store & store, const nix::fetchers::Input & input)
{
    if (auto hash = input.getNarHash())
        return std::pair{*hash, input.computeStorePath(store)};
    if (input.getType() != "path")
        return std::nullopt;
    auto path = store.maybeParseStorePath(nix::fetchers::getStrAttr(input.attrs, "path"));
    // libnix copies a tree with another name, so that its name becomes `source`.
    if (!path || path->name() != input.getName() || !store.isValidPath(*path))
        return std::nullopt;
    return std::pair{store.queryPathInfo(*path)->narHash, *path};
}

/**
 * Returns the store path of an input's tree if the store has verified its hash. The store verifies the hash of each
 * path that it registers as content-addressed. It does not verify the hash of a path that `nix-store --load-db`
 * registers, which has no content address.
 */
static std::optional<nix::StorePath> stored_tree(nix::Store & store, const nix::fetchers::Input & input)
{
    auto expected = expected_tree(store, input);
    if (!expected)
        return std::nullopt;
    auto & [hash, path] = *expected;
    store.addTempRoot(path);
    if (!store.isValidPath(path))
        return std::nullopt;
    auto info = store.queryPathInfo(path);
    auto verified = info->ca && info->ca->method == nar && info->ca->hash == hash && info->narHash == hash
                    && info->isContentAddressed(store);
    return verified ? std::optional{path} : std::nullopt;
}

/** Returns whether an input has a tree of its own, and a known revision or hash. */
static bool has_locked_tree(nix::EvalState & state, const nix::fetchers::Input & input)
{
    return is_locked(input, state.fetchSettings) && !input.isRelative();
}

/** Calls `visit` with each locked node below `node`. */
template<class F>
static void each_node(const nix::flake::Node & node, std::set<const nix::flake::Node *> & seen, F && visit)
{
    for (auto & [name, edge] : node.inputs) {
        auto * child = std::get_if<0>(&edge);
        if (!child || !seen.insert(&**child).second)
            continue;
        visit(*child);
        each_node(**child, seen, visit);
    }
}

void use_stored_trees(nix::EvalState & state, nix::flake::LockedFlake & flake)
{
    std::set<const nix::flake::Node *> seen;
    each_node(*flake.lockFile.root, seen, [&](auto & node) {
        auto & reference = node->lockedRef;
        if (flake.nodePaths.contains(node) || !has_locked_tree(state, reference.input))
            return;
        try {
            if (auto path = stored_tree(*state.store, reference.input))
                flake.nodePaths.emplace(node, readable_path(state, *path) / nix::CanonPath(reference.subdir));
        } catch (nix::Error &) {
            // If evaluation uses this input, libnix reports the error.
        }
    });
}

void remember_stored_tree(nix::EvalState & state, const nix::fetchers::Input & input)
{
    auto path = stored_tree(*state.store, input);
    auto print = path ? input_fingerprint(input, state.store) : std::nullopt;
    if (print)
        remember_tree(state, input.getName(), *print, nar, *path);
}

/** Returns the folder of a local reference, or of a tree in the store. */
static std::optional<std::filesystem::path> local_folder(nix::EvalState & state, const nix::FlakeRef & reference)
{
    if (auto path = stored_tree(*state.store, reference.input))
        return real_path(*state.store, *path) + "/" + reference.subdir;
    if (auto folder = reference.input.getSourcePath())
        return *folder / reference.subdir;
    return std::nullopt;
}

/** Returns whether a node of a lock file has an input that follows another. */
static bool has_follows(const nlohmann::json & node)
{
    auto inputs = node.find("inputs");
    return inputs != node.end() && std::ranges::any_of(*inputs, [](auto & input) { return input.is_array(); });
}

/**
 * Adds entries for the inputs that `lockFlake` may fetch although they are locked. It fetches an input that has inputs
 * which follow others, to find out whether the input still has them.
 */
static void remember_locked_inputs(nix::EvalState & state, const std::filesystem::path & file)
{
    if (!std::filesystem::is_regular_file(file))
        return;
    for (auto & node : nlohmann::json::parse(nix::readFile(file.string())).at("nodes")) {
        if (!has_follows(node) || !node.contains("locked"))
            continue;
        auto attributes = nix::fetchers::jsonToAttrs(node["locked"]);
        attributes.erase("dir");
        auto input = nix::fetchers::Input::fromAttrs(state.fetchSettings, std::move(attributes));
        if (has_locked_tree(state, input))
            remember_stored_tree(state, input);
    }
}

void remember_stored_trees(nix::EvalState & state, const nix::FlakeRef & reference)
{
    try {
        remember_stored_tree(state, reference.input);
        if (auto folder = local_folder(state, reference))
            remember_locked_inputs(state, *folder / "flake.lock");
    } catch (nix::Interrupted &) {
        throw;
    } catch (std::exception &) {
        // Without entries, libnix reads the trees. It also reports an unusable lock file.
    }
}

} // namespace nix_ffi
