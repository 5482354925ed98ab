#pragma once
/**
 * @file
 * Every difference between the Nix releases that we support (2.26 to 2.35), and nothing else. Each `#if` and each
 * `requires` names the release that needs it. Header layout: flat up to 2.27, below `nix/` from 2.28.
 */

#if __has_include("nix/util/logging.hh") // 2.28
#  include "nix/expr/eval-settings.hh"
#  include "nix/expr/eval.hh"
#  include "nix/expr/value-to-json.hh"
#  include "nix/fetchers/attrs.hh"
#  include "nix/fetchers/cache.hh"
#  include "nix/fetchers/fetch-settings.hh"
#  include "nix/fetchers/fetch-to-store.hh"
#  include "nix/fetchers/fetchers.hh"
#  include "nix/flake/flake.hh"
#  include "nix/flake/lockfile.hh"
#  include "nix/flake/settings.hh"
#  include "nix/store/build-result.hh"
#  include "nix/store/derivations.hh"
#  include "nix/store/derived-path.hh"
#  include "nix/store/globals.hh"
#  include "nix/store/local-fs-store.hh"
#  include "nix/store/log-store.hh"
#  include "nix/store/store-api.hh"
#  include "nix/store/store-cast.hh"
#  include "nix/util/archive.hh"
#  include "nix/util/config-global.hh"
#  include "nix/util/logging.hh"
#  include "nix/util/signals.hh"
#  include "nix/util/terminal.hh"
#  if __has_include("nix/expr/counter.hh") // 2.32
#    include "nix/expr/counter.hh"
#  endif
#else
#  include "archive.hh"
#  include "attrs.hh"
#  include "build-result.hh"
#  include "cache.hh"
#  include "config-global.hh"
#  include "derivations.hh"
#  include "derived-path.hh"
#  include "eval-settings.hh"
#  include "eval.hh"
#  include "fetchers.hh"
#  include "flake/flake.hh"
#  include "flake/lockfile.hh"
#  include "flake/settings.hh"
#  include "globals.hh"
#  include "local-fs-store.hh"
#  include "log-store.hh"
#  include "logging.hh"
#  include "signals.hh"
#  include "store-api.hh"
#  include "store-cast.hh"
#  include "terminal.hh"
#  include "value-to-json.hh"
#endif

#include <nlohmann/json.hpp>

#include <mutex>
#include <type_traits>

#include "nix_ffi.h"

#include "nix_api_expr_internal.h"
#include "nix_api_store_internal.h"
#include "nix_api_util_internal.h"

namespace nix_ffi {

/** 2.26 and 2.35 store the logger in a plain pointer; the releases in between use a `unique_ptr`. The old logger is
 * leaked, because another thread may use it. */
template<class Slot>
void install_logger(Slot & slot, nix::Logger * logger)
{
    if constexpr (std::is_pointer_v<Slot>)
        slot = logger;
    else {
        (void) slot.release();
        slot.reset(logger);
    }
}

/** Returns the C++ value of a C value: the C value points to it since 2.33, and contains it in older releases. */
template<class CValue>
nix::Value & cpp_value(CValue * value)
{
    if constexpr (std::is_pointer_v<decltype(value->value)>)
        return *value->value;
    else
        return value->value;
}

/** The missing paths. Since 2.30, Nix returns a similar struct. Older releases write the paths through references. */
struct Missing
{
    nix::StorePathSet build, fetch, unknown;
    uint64_t download = 0, unpacked = 0;
};

template<class S>
Missing query_missing(S & store, const std::vector<nix::DerivedPath> & targets)
{
    Missing m;
    if constexpr (requires { store.queryMissing(targets).willBuild; }) {
        auto r = store.queryMissing(targets);
        m = {std::move(r.willBuild), std::move(r.willSubstitute), std::move(r.unknown), r.downloadSize, r.narSize};
    } else
        store.queryMissing(targets, m.build, m.fetch, m.unknown, m.download, m.unpacked);
    return m;
}

/** Returns Nix's name for a failure. The numbers, and the type that defines the names, differ between releases. */
template<class Scope, class Status>
const char * failure_name(Status status)
{
    switch (status) {
    case Scope::PermanentFailure: return "PermanentFailure";
    case Scope::InputRejected: return "InputRejected";
    case Scope::OutputRejected: return "OutputRejected";
    case Scope::TransientFailure: return "TransientFailure";
    case Scope::CachedFailure: return "CachedFailure";
    case Scope::TimedOut: return "TimedOut";
    case Scope::DependencyFailed: return "DependencyFailed";
    case Scope::LogLimitExceeded: return "LogLimitExceeded";
    case Scope::NotDeterministic: return "NotDeterministic";
    case Scope::NoSubstituters: return "NoSubstituters";
    default: break;
    }
    if constexpr (requires { Scope::HashMismatch; }) // 2.32
        if (status == Scope::HashMismatch)
            return "HashMismatch";
    return "MiscFailure";
}

/** The result of a goal. Nix distinguishes success and failure by type since 2.32; a failure is an error since 2.34. */
struct Outcome
{
    bool success;
    const char * status;
    std::string message;
    /**
     * Whether the goal ran. Up to 2.32, a goal that never ran because another goal failed also has a result, with
     * initial values.
     */
    bool ran = true;
};

template<class Failure>
bool ran(const Failure & failure)
{
    return failure.status != Failure::MiscFailure || !failure.errorMsg.empty();
}

template<class R>
Outcome outcome(R & result)
{
    if constexpr (requires { result.tryGetFailure(); }) {
        using Failure = std::remove_cvref_t<decltype(*result.tryGetFailure())>;
        if (auto * failure = result.tryGetFailure()) {
            auto status = failure_name<Failure>(failure->status);
            if constexpr (requires { failure->errorMsg; }) // up to 2.33
                return {false, status, failure->errorMsg, ran(*failure)};
            else
                return {false, status, failure->info().msg.str()};
        }
        return {true, "Success", ""};
    } else {
        if (result.success())
            return {true, "Success", ""};
        return {false, failure_name<R>(result.status), result.errorMsg, ran(result)};
    }
}

/** Returns the outputs of a successful result. Since 2.32, they are part of the success. */
template<class R>
const nix::SingleDrvOutputs & built_outputs(R & result)
{
    if constexpr (requires { result.tryGetSuccess(); }) {
        static const nix::SingleDrvOutputs none;
        auto * success = result.tryGetSuccess();
        return success ? success->builtOutputs : none;
    } else
        return result.builtOutputs;
}

/** Returns the fingerprint. Since 2.33, Nix takes a plain reference to the store instead of a `nix::ref`. */
template<class Locked, class S, class F>
std::optional<nix::Hash> fingerprint(const Locked & locked, nix::ref<S> store, const F & settings)
{
    if constexpr (requires { locked.getFingerprint(*store, settings); })
        return locked.getFingerprint(*store, settings);
    else
        return locked.getFingerprint(store, settings);
}

/** Since 2.34, the key of input overrides has its own type. In older releases, it is a list of names. */
template<class Overrides>
void add_override(Overrides & overrides, std::string_view name, nix::FlakeRef reference)
{
    using Key = typename Overrides::key_type;
    if constexpr (requires { Key::parse(name); }) {
        auto key = Key::parse(name);
        if (!key)
            throw nix::UsageError("'%s' is not the name of a flake input", name);
        overrides.insert_or_assign(std::move(*key), std::move(reference));
    } else {
        Key key;
        for (auto & part : nix::tokenizeString<std::vector<std::string>>(name, "/"))
            key.push_back(part);
        if (key.empty())
            throw nix::UsageError("'%s' is not the name of a flake input", name);
        overrides.insert_or_assign(std::move(key), std::move(reference));
    }
}

/**
 * Reads a flake without its inputs and without registries. Since 2.28, the last argument of `getFlake` is an
 * enumeration of three values.
 */
template<class Evaluator, class Registries>
nix::flake::Flake read_flake(
    nix::flake::Flake (*get)(Evaluator &, const nix::FlakeRef &, Registries), Evaluator & state, const nix::FlakeRef & reference)
{
    return get(state, reference, Registries{});
}

/**
 * Returns the store path of the tree that contains `path`, and the path inside the tree. In 2.26, `path` may be a real
 * path in a chroot store, and must be mapped back to a store path.
 */
template<class State>
std::pair<nix::StorePath, std::string> source_tree(State & state, const nix::SourcePath & path)
{
    using namespace nix::flake;
    auto split = [&] {
        if constexpr (requires { sourcePathToStorePath(state.store, path); })
            return sourcePathToStorePath(state.store, path);
        else
            return state.store->toStorePath(path.path.abs());
    };
    auto [storePath, sub] = split();
    return {std::move(storePath), std::string(nix::CanonPath(sub).rel())};
}

/** Since 2.33, only stores in a local file system have real paths: strings in 2.33, and paths since 2.34. */
template<class S, class Local = nix::LocalFSStore>
std::string real_path(S & store, const nix::StorePath & path)
{
    if constexpr (requires { store.toRealPath(path); })
        return store.toRealPath(path);
    else if (auto * local = dynamic_cast<Local *>(&store))
        return std::filesystem::path(local->toRealPath(path)).string();
    else
        return store.printStorePath(path);
}

/**
 * Copies an input's tree to the store if it is missing there: since 2.35, Nix may mount a tree without copying it.
 * Since 2.33, `fetchToStore` also takes the settings.
 */
template<class State, class Input>
void materialise(State & state, const Input & input, const nix::StorePath & path)
{
    if (state.store->isValidPath(path))
        return;
    if constexpr (requires { input.fetchToStore(state.fetchSettings, *state.store); })
        input.fetchToStore(state.fetchSettings, *state.store);
    else
        input.fetchToStore(state.store);
}

/**
 * Registers the builtins for flakes. Since 2.28, they belong to the settings of one evaluator. In older releases, they
 * belong to the process, and all later evaluators have them.
 */
template<class Flakes, class Evaluation>
void register_flakes(Flakes & flakes, Evaluation & evaluation)
{
#if __has_include("nix/util/logging.hh") // 2.28
    flakes.configureEvalSettings(evaluation);
#else
    (void) evaluation;
    // Registering twice would add each primop to `builtins` twice.
    static std::once_flag once;
    std::call_once(once, [&] { nix::flake::initLib(flakes); });
#endif
}

/** Since 2.33, path values are allocated in the evaluator's own memory. */
template<class V, class State>
void make_path(V & value, State & state, const nix::SourcePath & path)
{
    if constexpr (requires { value.mkPath(path, state.mem); })
        value.mkPath(path, state.mem);
    else
        value.mkPath(path);
}

/**
 * Allows evaluation to read a store path, and returns the path to read: the store path itself since 2.28, its real path
 * before 2.28.
 */
template<class State>
nix::SourcePath readable_path(State & state, const nix::StorePath & path)
{
    state.allowPath(path);
    if constexpr (requires { state.storePath(path); })
        return state.storePath(path);
    else
        return state.rootPath(nix::CanonPath(state.store->toRealPath(path)));
}

/** Returns the fingerprint of an input. Since 2.33, Nix takes a plain reference to the store. */
template<class Input, class S>
std::optional<std::string> input_fingerprint(const Input & input, nix::ref<S> store)
{
    if constexpr (requires { input.getFingerprint(*store); })
        return input.getFingerprint(*store);
    else
        return input.getFingerprint(store);
}

/** Returns whether an input names a revision or hash. Since 2.33, this depends on the settings. */
template<class Input, class Settings>
bool is_locked(const Input & input, const Settings & settings)
{
    if constexpr (requires { input.isLocked(settings); })
        return input.isLocked(settings);
    else
        return input.isLocked();
}

} // namespace nix_ffi

namespace nix::fetchers {
/** Declared by Nix up to 2.29; `remember_tree` does not call it in later releases. */
ref<Cache> getCache();
} // namespace nix::fetchers

namespace nix_ffi {

/**
 * Adds an entry to the fetcher cache: the tree with this fingerprint has this store path. Since 2.30, the cache belongs
 * to the settings. Since 2.34, an entry has the hash of a tree instead of its store path. `method` has a type parameter
 * so that the function for the new key is looked up only if it exists.
 */
template<class State, class Method>
void remember_tree(
    State & state,
    const std::string & name,
    const std::string & print,
    const Method & method,
    const nix::StorePath & path)
{
    auto cache = [&] {
        if constexpr (requires { state.fetchSettings.getCache(); })
            return state.fetchSettings.getCache();
        else
            return nix::fetchers::getCache();
    }();
    if constexpr (requires { makeSourcePathToHashCacheKey(print, method, nix::CanonPath::root); }) {
        auto hash = state.store->queryPathInfo(path)->narHash.to_string(nix::HashFormat::SRI, true);
        cache->upsert(makeSourcePathToHashCacheKey(print, method, nix::CanonPath::root), {{"hash", hash}});
    } else {
        nix::fetchers::Cache::Key key{
            "fetchToStore",
            {{"name", name}, {"fingerprint", print}, {"method", std::string(method.render())}, {"path", "/"}}};
        if (!cache->lookupStorePath(key, *state.store))
            cache->upsert(key, *state.store, {}, path);
    }
}

/** Since 2.32, counters must be enabled. */
inline void enable_counters()
{
#if __has_include("nix/expr/counter.hh")
    nix::Counter::enabled = true;
#endif
}

} // namespace nix_ffi
