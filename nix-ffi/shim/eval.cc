#include "border.hh"

using namespace nix_ffi;

/** Creates a value that the collector keeps until `nix_ffi_value_free`. Throws on failure. */
static nix_value * new_value(EvalState * state)
{
    nix_c_context inner;
    auto value = nix_alloc_value(&inner, state);
    if (!value)
        throw nix::Error("cannot create a value: %s", inner.last_err.value_or("no memory"));
    return value;
}

/** An owned value, which is freed unless it is released to the caller. */
struct Held
{
    nix_value * value;

    ~Held()
    {
        if (value)
            nix_ffi_value_free(value);
    }

    nix_value * release()
    {
        return std::exchange(value, nullptr);
    }
};

extern "C" void nix_ffi_value_free(nix_value * value) noexcept
{
    nix_c_context ignored;
    nix_gc_decref(&ignored, value);
}

extern "C" nix_value * nix_ffi_apply(
    nix_c_context * context,
    EvalState * state,
    const char * text,
    const char * name,
    nix_value ** arguments,
    size_t argument_count) noexcept
{
    return guarded(context, static_cast<nix_value *>(nullptr), [&] {
        Interruptible interruptible;
        auto & evaluator = state->state;
        // Relative paths in the text are resolved from a directory that is not expected to exist.
        nix::CanonPath base(name, nix::CanonPath("/runtime-module"));
        auto * expression = evaluator.parseExprFromString(text, evaluator.rootPath(base));
        auto * function = evaluator.allocValue();
        evaluator.eval(expression, *function);
        for (size_t i = 0; i < argument_count; ++i) {
            auto * next = evaluator.allocValue();
            next->mkApp(function, &cpp_value(arguments[i]));
            function = next;
        }
        Held held{new_value(state)};
        cpp_value(held.value) = *function;
        return held.release();
    });
}

extern "C" nix_value * nix_ffi_value_string(nix_c_context * context, EvalState * state, const char * text) noexcept
{
    return guarded(context, static_cast<nix_value *>(nullptr), [&] {
        Held held{new_value(state)};
        nix_c_context inner;
        if (nix_init_string(&inner, held.value, text) != NIX_OK)
            throw nix::Error("%s", inner.last_err.value_or("cannot create a string value"));
        return held.release();
    });
}

extern "C" nix_value *
nix_ffi_value_store_path(nix_c_context * context, EvalState * state, const char * path) noexcept
{
    return guarded(context, static_cast<nix_value *>(nullptr), [&] {
        auto & evaluator = state->state;
        // For an empty path, an assertion in Nix would abort the process.
        if (path[0] != '/')
            throw nix::BadStorePath("path '%s' is not in the Nix store", path);
        auto readable = readable_path(evaluator, evaluator.store->parseStorePath(path));
        Held held{new_value(state)};
        make_path(cpp_value(held.value), evaluator, readable);
        return held.release();
    });
}

extern "C" nix_value *
nix_ffi_value_list(nix_c_context * context, EvalState * state, nix_value ** values, size_t value_count) noexcept
{
    return guarded(context, static_cast<nix_value *>(nullptr), [&] {
        auto & evaluator = state->state;
        auto list = evaluator.buildList(value_count);
        for (size_t i = 0; i < value_count; ++i)
            list[i] = &cpp_value(values[i]);
        Held held{new_value(state)};
        cpp_value(held.value).mkList(list);
        return held.release();
    });
}

extern "C" void nix_ffi_force_json(
    nix_c_context * context, EvalState * state, nix_value * value, nix_ffi_str_callback callback, void * user) noexcept
{
    guarded(context, [&] {
        Interruptible interruptible;
        nix::NixStringContext strings;
        std::ostringstream out;
        nix::printValueAsJSON(state->state, true, cpp_value(value), nix::noPos, out, strings, false);
        callback(user, view(out.str()));
    });
}

extern "C" nix_value *
nix_ffi_select(nix_c_context * context, EvalState * state, nix_value * value, const char * name) noexcept
{
    return guarded(context, static_cast<nix_value *>(nullptr), [&]() -> nix_value * {
        Interruptible interruptible;
        auto & evaluator = state->state;
        auto & set = cpp_value(value);
        evaluator.forceAttrs(set, nix::noPos, "while selecting an attribute");
        auto * attribute = set.attrs()->get(evaluator.symbols.create(name));
        if (!attribute)
            return nullptr;
        evaluator.forceValue(*attribute->value, attribute->pos);
        // The value was forced above, because the C API leaks a reference if it forces the value itself and fails.
        nix_c_context inner;
        auto * selected = nix_get_attr_byname(&inner, value, state, name);
        if (!selected)
            throw nix::Error("cannot select '%s': %s", name, inner.last_err.value_or("no memory"));
        return selected;
    });
}

extern "C" void nix_ffi_counters_enable() noexcept
{
    enable_counters();
}

extern "C" void nix_ffi_counters_print(nix_c_context * context, EvalState * state) noexcept
{
    guarded(context, [&] { state->state.printStatistics(); });
}
