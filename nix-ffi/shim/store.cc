#include "border.hh"

#include <vector>

using namespace nix_ffi;

/** Parses a store path. Refuses any text without a leading slash: for an empty one, an assertion in Nix would fail. */
static nix::StorePath parse(nix::Store & store, const char * path)
{
    if (path[0] != '/')
        throw nix::BadStorePath("path '%s' is not in the Nix store", path);
    return store.parseStorePath(path);
}

/** Returns the targets to realise: all outputs of each derivation, and each other path itself. */
static std::vector<nix::DerivedPath> targets(nix::Store & store, const char * const * paths, size_t count)
{
    std::vector<nix::DerivedPath> out;
    for (size_t i = 0; i < count; ++i) {
        auto path = parse(store, paths[i]);
        if (path.isDerivation())
            out.push_back(
                nix::DerivedPath::Built{
                    .drvPath = nix::makeConstantStorePathRef(path), .outputs = nix::OutputsSpec::All{}});
        else
            out.push_back(nix::DerivedPath::Opaque{path});
    }
    return out;
}

static std::vector<nix_ffi_str> printed(Texts & texts, nix::Store & store, const nix::StorePathSet & paths)
{
    std::vector<nix_ffi_str> out;
    for (auto & path : paths)
        out.push_back(texts.keep(store.printStorePath(path)));
    return out;
}

extern "C" void nix_ffi_reconnect(nix_c_context * context, Store * store) noexcept
{
    // A connection on which a request fails is not used again (`RemoteStore::ConnectionHandle`). This request concerns
    // no path, so no cache can answer it.
    guarded(context, [&] { store->ptr->setOptions(); });
}

extern "C" void nix_ffi_query_missing(
    nix_c_context * context,
    Store * store,
    const char * const * paths,
    size_t path_count,
    nix_ffi_missing_callback callback,
    void * user) noexcept
{
    guarded(context, [&] {
        Interruptible interruptible;
        auto & s = *store->ptr;
        auto missing = query_missing(s, targets(s, paths, path_count));
        Texts texts;
        auto build = printed(texts, s, missing.build);
        auto fetch = printed(texts, s, missing.fetch);
        auto unknown = printed(texts, s, missing.unknown);
        nix_ffi_missing_view told{
            .build = build.data(),
            .build_count = build.size(),
            .fetch = fetch.data(),
            .fetch_count = fetch.size(),
            .unknown = unknown.data(),
            .unknown_count = unknown.size(),
            .download_bytes = missing.download,
            .unpacked_bytes = missing.unpacked,
        };
        callback(user, &told);
    });
}

extern "C" void nix_ffi_build(
    nix_c_context * context,
    Store * store,
    const char * const * paths,
    size_t path_count,
    nix_ffi_build_callback callback,
    void * user) noexcept
{
    guarded(context, [&] {
        Interruptible interruptible;
        auto & s = *store->ptr;
        auto results = s.buildPathsWithResults(targets(s, paths, path_count), nix::bmNormal, nullptr);
        for (auto & result : results) {
            Texts texts;
            std::vector<nix_ffi_str> names, outputs;
            auto ended = outcome(static_cast<nix::BuildResult &>(result));
            if (!ended.ran)
                continue;
            for (auto & [name, realisation] : built_outputs(static_cast<nix::BuildResult &>(result))) {
                names.push_back(texts.keep(name));
                outputs.push_back(texts.keep(s.printStorePath(realisation.outPath)));
            }
            auto path = std::visit(
                nix::overloaded{
                    [&](const nix::DerivedPath::Built & b) { return s.printStorePath(b.drvPath->getBaseStorePath()); },
                    [&](const nix::DerivedPath::Opaque & o) { return s.printStorePath(o.path); },
                },
                result.path.raw());
            nix_ffi_build_view told{
                .path = view(path),
                .success = ended.success,
                .status = view(ended.status),
                .message = texts.keep(nix::filterANSIEscapes(ended.message, true)),
                .output_names = names.data(),
                .output_paths = outputs.data(),
                .output_count = names.size(),
            };
            callback(user, &told);
        }
    });
}

extern "C" void nix_ffi_build_log(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) noexcept
{
    guarded(context, [&] {
        Interruptible interruptible;
        auto & s = *store->ptr;
        auto * logs = dynamic_cast<nix::LogStore *>(&s);
        if (!logs)
            return;
        if (auto log = logs->getBuildLog(parse(s, path)))
            callback(user, view(*log));
    });
}

extern "C" void nix_ffi_derivation_outputs(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) noexcept
{
    guarded(context, [&] {
        Interruptible interruptible;
        auto & s = *store->ptr;
        for (auto & [name, output] : s.queryPartialDerivationOutputMap(parse(s, path)))
            if (output) {
                callback(user, view(name));
                callback(user, view(s.printStorePath(*output)));
            }
    });
}

extern "C" bool nix_ffi_is_valid(nix_c_context * context, Store * store, const char * path) noexcept
{
    return guarded(context, false, [&] { return store->ptr->isValidPath(parse(*store->ptr, path)); });
}

extern "C" void nix_ffi_add_temp_root(nix_c_context * context, Store * store, const char * path) noexcept
{
    guarded(context, [&] { store->ptr->addTempRoot(parse(*store->ptr, path)); });
}

extern "C" void nix_ffi_add_root(nix_c_context * context, Store * store, const char * path, const char * link) noexcept
{
    guarded(context, [&] {
        Interruptible interruptible;
        auto & s = *store->ptr;
        // For an empty path, an assertion in Nix would abort the process.
        if (link[0] != '/')
            throw nix::UsageError("the GC root '%s' is not an absolute path", link);
        auto parsed = parse(s, path);
        auto & local = nix::require<nix::LocalFSStore>(s);
        // Set the temporary GC root before the check, so that the path cannot be collected before the link exists.
        s.addTempRoot(parsed);
        if (!s.isValidPath(parsed))
            throw nix::InvalidPath("path '%s' is not valid, so it cannot get a GC root", path);
        local.addPermRoot(parsed, link);
    });
}

extern "C" bool nix_ffi_closure_size(
    nix_c_context * context, Store * store, const char * path, uint64_t * paths, uint64_t * bytes) noexcept
{
    return guarded(context, false, [&] {
        Interruptible interruptible;
        auto & s = *store->ptr;
        nix::StorePathSet closure;
        s.computeFSClosure(parse(s, path), closure);
        *paths = closure.size();
        *bytes = 0;
        for (auto & member : closure)
            *bytes += s.queryPathInfo(member)->narSize;
        return true;
    });
}

extern "C" void nix_ffi_closure(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) noexcept
{
    guarded(context, [&] {
        Interruptible interruptible;
        auto & s = *store->ptr;
        nix::StorePathSet closure;
        s.computeFSClosure(parse(s, path), closure);
        for (auto & member : closure) {
            auto printed = s.printStorePath(member);
            callback(user, view(printed));
        }
    });
}

extern "C" uint64_t nix_ffi_closure_size_beyond(
    nix_c_context * context, Store * store, const char * path, const char * other) noexcept
{
    return guarded(context, static_cast<uint64_t>(0), [&] {
        Interruptible interruptible;
        auto & s = *store->ptr;
        nix::StorePathSet closure, beside;
        s.computeFSClosure(parse(s, path), closure);
        if (other)
            s.computeFSClosure(parse(s, other), beside);
        uint64_t bytes = 0;
        for (auto & member : closure)
            if (!beside.count(member))
                bytes += s.queryPathInfo(member)->narSize;
        return bytes;
    });
}

extern "C" void nix_ffi_deriver(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) noexcept
{
    guarded(context, [&] {
        Interruptible interruptible;
        auto & s = *store->ptr;
        if (auto deriver = s.queryPathInfo(parse(s, path))->deriver) {
            auto printed = s.printStorePath(*deriver);
            callback(user, view(printed));
        }
    });
}

extern "C" uint64_t nix_ffi_nar_size(nix_c_context * context, Store * store, const char * path) noexcept
{
    return guarded(context, static_cast<uint64_t>(0), [&] {
        Interruptible interruptible;
        return store->ptr->queryPathInfo(parse(*store->ptr, path))->narSize;
    });
}

extern "C" void nix_ffi_add_file(
    nix_c_context * context,
    Store * store,
    const char * name,
    const char * file,
    nix_ffi_str_callback callback,
    void * user) noexcept
{
    guarded(context, [&] {
        Interruptible interruptible;
        auto & s = *store->ptr;
        auto dump = nix::sinkToSource([&](nix::Sink & sink) { nix::dumpPath(std::string(file), sink); });
        auto printed = s.printStorePath(s.addToStoreFromDump(*dump, name));
        callback(user, view(printed));
    });
}

extern "C" void nix_ffi_real_path(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) noexcept
{
    guarded(context, [&] {
        auto & s = *store->ptr;
        // Throws for a path outside the store. The C API would abort, because an assertion fails there.
        auto [storePath, below] = s.toStorePath(path);
        nix::CanonPath inside(below);
        auto real = real_path(s, storePath);
        callback(user, view(inside.isRoot() ? real : real + inside.abs()));
    });
}
