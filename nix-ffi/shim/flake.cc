#include "settings.hh"
#include "stored_trees.hh"

#include <algorithm>
#include <vector>

using namespace nix_ffi;

struct nix_ffi_locked
{
    nix::flake::LockedFlake flake;
    /** The reference before `with_utf8_path`. */
    std::string original;
    std::string fragment;
    std::vector<std::string> overrides;
};

/** Converts JSON to text. Replaces invalid UTF-8, because a path need not be UTF-8. */
static std::string dump(const nlohmann::json & json)
{
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

static bool is_utf8(const std::string & text)
{
    try {
        (void) nlohmann::json(text).dump();
        return true;
    } catch (nlohmann::json::type_error &) {
        return false;
    }
}

/**
 * Copies the tree of a `path:` reference to the store if its path is not UTF-8, and returns a reference to the copy.
 * Since 2.35, libnix cannot fetch such a path: it converts the attributes of each input to JSON, for the name of a lock.
 */
static nix::FlakeRef with_utf8_path(nix::EvalState & state, nix::FlakeRef reference)
{
    auto attributes = reference.input.attrs;
    if (reference.input.getType() != "path")
        return reference;
    auto path = nix::fetchers::getStrAttr(attributes, "path");
    if (is_utf8(path) || path[0] != '/')
        return reference;
    time_t modified = 0;
    auto tree = nix::sinkToSource([&](nix::Sink & sink) { modified = nix::dumpPathAndGetMtime(path, sink); });
    auto copy = state.store->addToStoreFromDump(*tree, "source");
    attributes.insert_or_assign("path", state.store->printStorePath(copy));
    attributes.emplace("lastModified", static_cast<uint64_t>(modified));
    return {nix::fetchers::Input::fromAttrs(state.fetchSettings, std::move(attributes)), reference.subdir};
}

/**
 * A fetched input. `name` is its path from the flake's inputs, such as `a/b` for input `b` of input `a`. `attributes`
 * are those of its locked reference, as JSON. `source` is the store path of its tree, and `directory` is the referenced
 * folder in the tree.
 */
struct FetchedInput
{
    std::string name, attributes, source, directory;
};

/**
 * Collects the fetched inputs below `node`. Skips inputs that follow others, and relative ones, which are part of the
 * tree of another input or of the flake.
 */
static void collect_fetched(
    nix::EvalState & state,
    const nix::flake::LockedFlake & flake,
    const nix::flake::Node & node,
    const std::string & prefix,
    std::vector<FetchedInput> & found)
{
    for (auto & [name, edge] : node.inputs) {
        auto * child = std::get_if<0>(&edge);
        if (!child)
            continue;
        auto path = flake.nodePaths.find(*child);
        auto & locked = (*child)->lockedRef;
        if (path != flake.nodePaths.end() && !locked.input.isRelative()) {
            auto source = source_tree(state, path->second).first;
            materialise(state, locked.input, source);
            found.push_back({
                prefix + name,
                dump(nix::fetchers::attrsToJSON(locked.input.attrs)),
                state.store->printStorePath(source),
                locked.subdir,
            });
        }
        collect_fetched(state, flake, **child, prefix + name + "/", found);
    }
}

/** Returns a flake with the inputs of the lock file `lock`. Inputs are fetched when they are evaluated. */
static nix::flake::LockedFlake with_lock(
    nix::EvalState & state, const nix::flake::Settings & settings, bool apply, const nix::FlakeRef & reference, const char * lock)
{
    nix::flake::LockedFlake locked{
        .flake = read_flake(nix::flake::getFlake, state, reference),
        .lockFile = nix::flake::LockFile(state.fetchSettings, lock, "of the pinned inputs"),
    };
    if (apply) {
        locked.flake.config.apply(settings);
        state.store->setOptions();
    }
    locked.nodePaths.emplace(locked.lockFile.root, locked.flake.path.parent());
    return locked;
}

extern "C" nix_ffi_locked * nix_ffi_lock(
    nix_c_context * context,
    EvalState * state,
    nix_ffi_flake_settings * flakes,
    const nix_ffi_lock_request * request) noexcept
{
    return guarded(context, static_cast<nix_ffi_locked *>(nullptr), [&] {
        Interruptible interruptible;
        // Since 2.34, an assertion fails in libnix for an empty reference and an empty folder.
        if (request->base_directory[0] != '/')
            throw nix::UsageError("the base directory '%s' is not an absolute path", request->base_directory);
        auto & fetching = state->state.fetchSettings;
        nix::flake::LockFlags flags{
            .updateLockFile = false,
            .writeLockFile = false,
            .useRegistries = request->use_registries,
            .applyNixConfig = flakes->settings.acceptFlakeConfig.get(),
            .allowUnlocked = request->allow_unlocked,
        };
        std::vector<std::string> overrides;
        for (size_t i = 0; i < request->override_count; ++i) {
            auto reference = nix::parseFlakeRef(fetching, request->override_references[i], request->base_directory, true);
            overrides.push_back(reference.to_string());
            reference = with_utf8_path(state->state, std::move(reference));
            remember_stored_trees(state->state, reference);
            add_override(flags.inputOverrides, request->override_names[i], std::move(reference));
        }
        auto [original, fragment] =
            nix::parseFlakeRefWithFragment(fetching, request->reference, request->base_directory, true);
        auto reference = with_utf8_path(state->state, original);
        remember_stored_trees(state->state, reference);
        if (request->lock)
            return new nix_ffi_locked{
                with_lock(state->state, flakes->settings, flags.applyNixConfig, reference, request->lock),
                original.to_string(),
                std::move(fragment),
                {}};
        return new nix_ffi_locked{
            nix::flake::lockFlake(flakes->settings, state->state, reference, flags),
            original.to_string(),
            std::move(fragment),
            std::move(overrides)};
    });
}

extern "C" void nix_ffi_locked_free(nix_ffi_locked * locked) noexcept
{
    delete locked;
}

extern "C" void nix_ffi_locked_set(
    nix_c_context * context, nix_ffi_locked * locked, const char * name, const char * value) noexcept
{
    guarded(context, [&] { locked->flake.flake.lockedRef.input.attrs.insert_or_assign(name, std::string(value)); });
}

extern "C" void nix_ffi_locked_read(
    nix_c_context * context,
    EvalState * state,
    const nix_ffi_locked * locked,
    nix_ffi_locked_callback callback,
    void * user) noexcept
{
    guarded(context, [&] {
        Interruptible interruptible;
        auto & evaluator = state->state;
        auto & flake = locked->flake.flake;
        auto [source, directory] = source_tree(evaluator, flake.path.parent());
        materialise(evaluator, flake.lockedRef.input, source);

        Texts texts;
        auto lockPath = flake.path.parent() / "flake.lock";
        auto lockFile = lockPath.pathExists() ? lockPath.readFile() : "";
        auto lock = locked->flake.lockFile.to_string().first;
        // Compare the parsed data, because the file may be formatted differently.
        auto changed = lockFile.empty()
                           ? !locked->flake.lockFile.root->inputs.empty()
                           : nlohmann::json::parse(lockFile, nullptr, false) != nlohmann::json::parse(lock, nullptr, false);
        auto print = fingerprint(locked->flake, evaluator.store, evaluator.fetchSettings);
        std::string configNames;
        for (auto & [name, value] : flake.config.settings)
            configNames += name + "\n";

        std::vector<FetchedInput> fetched;
        collect_fetched(evaluator, locked->flake, *locked->flake.lockFile.root, "", fetched);
        std::vector<nix_ffi_locked_input> inputs;
        for (auto & input : fetched)
            inputs.push_back({view(input.name), view(input.attributes), view(input.source), view(input.directory)});
        std::vector<nix_ffi_str> overrides(locked->overrides.size());
        std::ranges::transform(locked->overrides, overrides.begin(), [](auto & url) { return view(url); });

        nix_ffi_locked_view told{
            .original_url = view(locked->original),
            .resolved_url = texts.keep(flake.resolvedRef.to_string()),
            .locked_url = texts.keep(flake.lockedRef.to_string()),
            .attributes = texts.keep(dump(nix::fetchers::attrsToJSON(flake.lockedRef.input.attrs))),
            .source = texts.keep(evaluator.store->printStorePath(source)),
            .directory = texts.keep(directory),
            .description = texts.keep(flake.description.value_or("")),
            .lock = view(lock),
            .lock_file = view(lockFile),
            .fingerprint = texts.keep(print ? print->to_string(nix::HashFormat::Base16, false) : ""),
            .fragment = view(locked->fragment),
            .inputs = inputs.data(),
            .input_count = inputs.size(),
            .override_urls = overrides.data(),
            .override_count = overrides.size(),
            .config_names = view(configNames),
            .lock_changed = changed,
        };
        callback(user, &told);
    });
}

/** Creates a value with the content that `fill` gives it; frees it on failure. */
template<class F>
static nix_value * filled_value(EvalState * state, F && fill)
{
    nix_c_context inner;
    auto value = nix_alloc_value(&inner, state);
    if (!value)
        throw nix::Error("cannot create a value: %s", inner.last_err.value_or("no memory"));
    try {
        fill(cpp_value(value));
    } catch (...) {
        nix_ffi_value_free(value);
        throw;
    }
    return value;
}

extern "C" nix_value *
nix_ffi_outputs(nix_c_context * context, EvalState * state, const nix_ffi_locked * locked) noexcept
{
    return guarded(context, static_cast<nix_value *>(nullptr), [&] {
        Interruptible interruptible;
        // A copy, because `nix_ffi_locked_read` must not list these inputs as fetched.
        auto flake = locked->flake;
        use_stored_trees(state->state, flake);
        return filled_value(state, [&](nix::Value & value) { nix::flake::callFlake(state->state, flake, value); });
    });
}

extern "C" nix_value *
nix_ffi_source(nix_c_context * context, EvalState * state, const nix_ffi_locked * locked) noexcept
{
    return guarded(context, static_cast<nix_value *>(nullptr), [&] {
        auto top = locked->flake.flake.path.parent();
        auto directory = source_tree(state->state, top).second;
        for (auto depth = nix::tokenizeString<std::vector<std::string>>(directory, "/").size(); depth > 0; --depth)
            top = top.parent();
        return filled_value(state, [&](nix::Value & value) { make_path(value, state->state, top); });
    });
}
