#pragma once
/**
 * @file
 * What libnix offers in C++ only, as plain C for Rust: logger, flakes, forcing with structured errors, builds, missing
 * paths, roots, closures, interrupts, counters, settings.
 *
 * Conventions, unless an argument says otherwise:
 * - Pointers are borrowed for the call. Views (`nix_ffi_*_view`, `nix_ffi_str`) given to a callback live until it returns.
 * - Every function takes an error context from `nix_c_context_create`, never null, one per thread; a function that fails
 *   leaves the error there (`nix_err_code` is not `NIX_OK`) and returns null, false or 0. Nothing ever throws.
 * - Callbacks must not unwind, block or call back into Nix.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nix_api_expr.h"
#include "nix_api_store.h"
#include "nix_api_util.h"

#ifdef __cplusplus
#define NIX_FFI_NOEXCEPT noexcept
extern "C" {
#else
#define NIX_FFI_NOEXCEPT
#endif

/** Bytes, not terminated; usually UTF-8, but Nix promises nothing. */
typedef struct {
    const char * data;
    size_t length;
} nix_ffi_str;

typedef void (*nix_ffi_str_callback)(void * user, nix_ffi_str text);

/* --- errors --- */

/** Where something stands. `line` is 0 when there is no position; `file` is empty when it is not in a file. */
typedef struct {
    nix_ffi_str file;
    uint32_t line;
    uint32_t column;
} nix_ffi_position;

typedef struct {
    nix_ffi_str hint;
    nix_ffi_position position;
} nix_ffi_trace;

/** An error as Nix holds it; texts are free of terminal escapes. */
typedef struct {
    /** C++ class, such as `nix::ThrownError`; empty for what was never an exception. */
    nix_ffi_str class_name;
    /** The message alone: no `error:`, no position, no trace. */
    nix_ffi_str message;
    /** The whole of what `nix` would print. */
    nix_ffi_str rendered;
    nix_ffi_position position;
    /** Innermost last, as Nix keeps them. */
    const nix_ffi_trace * traces;
    size_t trace_count;
    /** Verbosity, 0 (error) to 7. */
    int level;
} nix_ffi_error_view;

typedef void (*nix_ffi_error_callback)(void * user, const nix_ffi_error_view * error);

/** Hands the error that `context` holds to `callback`; does nothing where it holds none. */
void nix_ffi_error_read(const nix_c_context * context, nix_ffi_error_callback callback, void * user) NIX_FFI_NOEXCEPT;

/* --- process --- */

/** The version that this shim was compiled against, such as `2.26.3`; static. */
const char * nix_ffi_compiled_version(void) NIX_FFI_NOEXCEPT;

/**
 * Makes the process one that libnix can work in: umask 022, an empty SIGUSR1 handler (interrupts wake threads with it),
 * an empty SIGPIPE handler, the signal mask that children get, SIGCHLD as the kernel has it, as many open files as
 * allowed. Main thread, before any other thread and before a store is opened.
 */
void nix_ffi_process_init(nix_c_context * context) NIX_FFI_NOEXCEPT;

/** Makes every thread of libnix stop at its next check. Any thread of ours, but not a signal handler. */
void nix_ffi_interrupt(nix_c_context * context) NIX_FFI_NOEXCEPT;

/** Forgets an interrupt. Up to Nix 2.32 a thread that was interrupted once stays deaf to the next one. */
void nix_ffi_interrupt_reset(void) NIX_FFI_NOEXCEPT;

bool nix_ffi_interrupted(void) NIX_FFI_NOEXCEPT;

/* --- logger --- */

/** A field of an activity or result: a number, or a text where `is_text`. */
typedef struct {
    bool is_text;
    uint64_t number;
    nix_ffi_str text;
} nix_ffi_field;

/** Called from many threads at once. `user` must outlive the process. */
typedef struct {
    void * user;
    void (*message)(void * user, int level, nix_ffi_str text);
    void (*error)(void * user, const nix_ffi_error_view * error);
    void (*start)(
        void * user,
        uint64_t activity,
        int level,
        int type,
        nix_ffi_str text,
        const nix_ffi_field * fields,
        size_t field_count,
        uint64_t parent);
    void (*stop)(void * user, uint64_t activity);
    void (*result)(void * user, uint64_t activity, int type, const nix_ffi_field * fields, size_t field_count);
} nix_ffi_logger;

/** Replaces Nix's logger for good; `logger` is copied, and never freed: late threads may still log while we exit. */
void nix_ffi_logger_install(nix_c_context * context, const nix_ffi_logger * logger) NIX_FFI_NOEXCEPT;

/** Up to which verbosity (0 error … 4 talkative … 7 vomit) messages are made at all. Activities always are. */
void nix_ffi_verbosity_set(int level) NIX_FFI_NOEXCEPT;

/* --- settings --- */

/** Settings of flakes, as `nix.conf` and the environment have them; made once, never freed, as evaluators keep references into it. */
typedef struct nix_ffi_flake_settings nix_ffi_flake_settings;

nix_ffi_flake_settings * nix_ffi_flake_settings_new(nix_c_context * context) NIX_FFI_NOEXCEPT;

/** Gives the evaluator that `builder` will build `builtins.getFlake`. Once in a process. */
void nix_ffi_flake_settings_register(
    nix_c_context * context, nix_ffi_flake_settings * flakes, nix_eval_state_builder * builder) NIX_FFI_NOEXCEPT;

/**
 * Sets a Nix setting wherever it lives: in the process, in `builder`, or in `flakes` (both may be null).
 * False without an error: no such setting.
 */
bool nix_ffi_setting_set(
    nix_c_context * context,
    nix_eval_state_builder * builder,
    nix_ffi_flake_settings * flakes,
    const char * name,
    const char * value) NIX_FFI_NOEXCEPT;

/** Gives the value of a setting of the process; the callback is not called where there is none. */
void nix_ffi_setting_get(nix_c_context * context, const char * name, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/**
 * From now on evaluation writes nothing into the store: paths are computed only. Before the first evaluator is prepared.
 * Not undone.
 */
void nix_ffi_read_only(void) NIX_FFI_NOEXCEPT;

/**
 * Gives every setting of the process, of `builder` and of `flakes`: for each its name, then its value. Settings that exist
 * in more than one place are given more than once.
 */
void nix_ffi_settings_list(
    nix_c_context * context,
    nix_eval_state_builder * builder,
    nix_ffi_flake_settings * flakes,
    nix_ffi_str_callback callback,
    void * user) NIX_FFI_NOEXCEPT;

/* --- evaluation --- */

/**
 * Parses and evaluates `text` and applies it, lazily, to `arguments`. Positions in `text` belong to no file; `name` only
 * stands in for one where a relative path would start. Null on failure; else decref.
 */
nix_value * nix_ffi_apply(
    nix_c_context * context,
    EvalState * state,
    const char * text,
    const char * name,
    nix_value ** arguments,
    size_t argument_count) NIX_FFI_NOEXCEPT;

/** A string value without context. Null on failure; else decref. */
nix_value * nix_ffi_value_string(nix_c_context * context, EvalState * state, const char * text) NIX_FFI_NOEXCEPT;

/** A store path as a path value, which pure evaluation may read from now on. Null on failure; else decref. */
nix_value * nix_ffi_value_store_path(nix_c_context * context, EvalState * state, const char * path) NIX_FFI_NOEXCEPT;

/** A list of values. Null on failure; else decref. */
nix_value * nix_ffi_value_list(
    nix_c_context * context, EvalState * state, nix_value ** values, size_t value_count) NIX_FFI_NOEXCEPT;

/** Forces `value` deeply and gives it as JSON. Nothing is copied to the store. */
void nix_ffi_force_json(
    nix_c_context * context, EvalState * state, nix_value * value, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/** Forces `value`, an attribute set, and gives its attribute `name`, forced too. Null without an error: no such attribute; else decref. */
nix_value *
nix_ffi_select(nix_c_context * context, EvalState * state, nix_value * value, const char * name) NIX_FFI_NOEXCEPT;

void nix_ffi_value_free(nix_value * value) NIX_FFI_NOEXCEPT;

/** Makes Nix 2.32 and newer count at all. Before the evaluator is built. */
void nix_ffi_counters_enable(void) NIX_FFI_NOEXCEPT;

/** Writes the counters as JSON to where NIX_SHOW_STATS_PATH says (that is all the interface there is). */
void nix_ffi_counters_print(nix_c_context * context, EvalState * state) NIX_FFI_NOEXCEPT;

/* --- flakes --- */

/** A flake with all its inputs locked. Belongs to the evaluator that locked it. */
typedef struct nix_ffi_locked nix_ffi_locked;

/** What `nix_ffi_lock` is asked for. */
typedef struct {
    /** The flake reference as the user wrote it; a fragment (`#name`) is told by `nix_ffi_locked_read`. */
    const char * reference;
    /** What a relative path in it is relative to; an absolute path. */
    const char * base_directory;
    /** Inputs to override, `override_count` names and as many references. */
    const char * const * override_names;
    const char * const * override_references;
    size_t override_count;
    /** The text of a lock file to use as it is, or null for the flake's own. With it nothing is locked again. */
    const char * lock;
    /** Whether inputs without a lock may be locked to something that has no revision. */
    bool allow_unlocked;
    /** Whether registries may resolve references such as `nixpkgs`. */
    bool use_registries;
} nix_ffi_lock_request;

/** An input that was fetched. */
typedef struct {
    /** How it is named from the flake: `a`, or `a/b` for an input's input. */
    nix_ffi_str name;
    /** Attributes of its locked reference, a JSON object. */
    nix_ffi_str attributes;
    /** Store path of its tree, and the folder in it that is meant. */
    nix_ffi_str source;
    nix_ffi_str directory;
} nix_ffi_locked_input;

/** A locked flake, told in data. */
typedef struct {
    nix_ffi_str original_url;
    nix_ffi_str resolved_url;
    nix_ffi_str locked_url;
    /** The attributes of the locked reference, as a JSON object. */
    nix_ffi_str attributes;
    /** Store path of the source tree. */
    nix_ffi_str source;
    /** Directory of `flake.nix` inside it; empty for its top. */
    nix_ffi_str directory;
    nix_ffi_str description;
    /** The lock as it is used; the text of `flake.lock`, which differs where the lock is stale; empty where there is none. */
    nix_ffi_str lock;
    nix_ffi_str lock_file;
    /** Base-16 SHA-256; empty where there is none. */
    nix_ffi_str fingerprint;
    /** What stood behind a `#` in the reference; empty where nothing did. */
    nix_ffi_str fragment;
    /** Inputs that were fetched, at any depth; `input_count` of them. */
    const nix_ffi_locked_input * inputs;
    size_t input_count;
    /** What the overrides of the request came to as whole references, in its order. */
    const nix_ffi_str * override_urls;
    size_t override_count;
    /** Names of the settings in the flake's `nixConfig`, one a line. */
    nix_ffi_str config_names;
    /** Whether the lock had to be changed in memory. */
    bool lock_changed;
} nix_ffi_locked_view;

typedef void (*nix_ffi_locked_callback)(void * user, const nix_ffi_locked_view * locked);

/** Fetches a flake and locks its inputs, in memory only. Null on failure; else free with `nix_ffi_locked_free`. */
nix_ffi_locked * nix_ffi_lock(
    nix_c_context * context,
    EvalState * state,
    nix_ffi_flake_settings * flakes,
    const nix_ffi_lock_request * request) NIX_FFI_NOEXCEPT;

void nix_ffi_locked_free(nix_ffi_locked * locked) NIX_FFI_NOEXCEPT;

/** Tells about a locked flake; its source is in the store afterwards. */
void nix_ffi_locked_read(
    nix_c_context * context,
    EvalState * state,
    const nix_ffi_locked * locked,
    nix_ffi_locked_callback callback,
    void * user) NIX_FFI_NOEXCEPT;

/** Adds a text attribute to the locked reference, such as `dirtyRev`, which no `path:` reference can carry in its URL. */
void nix_ffi_locked_set(
    nix_c_context * context, nix_ffi_locked * locked, const char * name, const char * value) NIX_FFI_NOEXCEPT;

/** The flake's outputs as `builtins.getFlake` gives them. Null on failure; else decref. */
nix_value *
nix_ffi_outputs(nix_c_context * context, EvalState * state, const nix_ffi_locked * locked) NIX_FFI_NOEXCEPT;

/** The top of the flake's source tree as a path value, as the flake's own paths are. Null on failure; else decref. */
nix_value *
nix_ffi_source(nix_c_context * context, EvalState * state, const nix_ffi_locked * locked) NIX_FFI_NOEXCEPT;

/* --- store --- */

/** What is not there yet. */
typedef struct {
    const nix_ffi_str * build;
    size_t build_count;
    const nix_ffi_str * fetch;
    size_t fetch_count;
    const nix_ffi_str * unknown;
    size_t unknown_count;
    /** Bytes to download, and their size unpacked; of substitutes only. */
    uint64_t download_bytes;
    uint64_t unpacked_bytes;
} nix_ffi_missing_view;

typedef void (*nix_ffi_missing_callback)(void * user, const nix_ffi_missing_view * missing);

/** Asks what realising all outputs of these derivations (or these plain paths) takes. */
void nix_ffi_query_missing(
    nix_c_context * context,
    Store * store,
    const char * const * paths,
    size_t path_count,
    nix_ffi_missing_callback callback,
    void * user) NIX_FFI_NOEXCEPT;

/** One goal of a build. */
typedef struct {
    /** The derivation, or the plain path. */
    nix_ffi_str path;
    bool success;
    /** Nix's own word for the status, such as `Built`, `Substituted`, `PermanentFailure`. */
    nix_ffi_str status;
    nix_ffi_str message;
    /** Names and store paths of the outputs, `output_count` of each. */
    const nix_ffi_str * output_names;
    const nix_ffi_str * output_paths;
    size_t output_count;
} nix_ffi_build_view;

typedef void (*nix_ffi_build_callback)(void * user, const nix_ffi_build_view * result);

/** Builds or fetches all outputs of these derivations (or these plain paths). One call per goal that ran; a goal that never ran is left out. */
void nix_ffi_build(
    nix_c_context * context,
    Store * store,
    const char * const * paths,
    size_t path_count,
    nix_ffi_build_callback callback,
    void * user) NIX_FFI_NOEXCEPT;

/** The log of a finished or failed build; the callback is not called where there is none. */
void nix_ffi_build_log(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/** Outputs of a derivation as far as they are known without building; names and paths alternate, one a call. */
void nix_ffi_derivation_outputs(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

bool nix_ffi_is_valid(nix_c_context * context, Store * store, const char * path) NIX_FFI_NOEXCEPT;

/** Keeps a path while this process (or its connection to the daemon) lives. */
void nix_ffi_add_temp_root(nix_c_context * context, Store * store, const char * path) NIX_FFI_NOEXCEPT;

/** Makes `link`, an absolute path, a symlink to `path`, which must be valid, and registers it as an indirect root. */
void nix_ffi_add_root(nix_c_context * context, Store * store, const char * path, const char * link) NIX_FFI_NOEXCEPT;

/** Counts a path's closure; false on failure. Sizes are of NARs, in bytes. */
bool nix_ffi_closure_size(
    nix_c_context * context, Store * store, const char * path, uint64_t * paths, uint64_t * bytes) NIX_FFI_NOEXCEPT;

/** The paths of a path's closure, itself among them: one call each, in no order that means anything. */
void nix_ffi_closure(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/** Bytes of NARs in a path's closure that are no part of the closure of `other` (may be null); 0 on failure. */
uint64_t nix_ffi_closure_size_beyond(
    nix_c_context * context, Store * store, const char * path, const char * other) NIX_FFI_NOEXCEPT;

/** The derivation that a path was built by; no call where nobody knows. */
void nix_ffi_deriver(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/** Bytes of a path's NAR; 0 on failure. */
uint64_t nix_ffi_nar_size(nix_c_context * context, Store * store, const char * path) NIX_FFI_NOEXCEPT;

/** Copies a file or folder of this machine into the store, named by its content; tells its store path. */
void nix_ffi_add_file(
    nix_c_context * context,
    Store * store,
    const char * name,
    const char * file,
    nix_ffi_str_callback callback,
    void * user) NIX_FFI_NOEXCEPT;

/** Where a store path, or what is below one, really lies on disk (they differ in a chroot store). */
void nix_ffi_real_path(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/** Bytes of the collector's heap. From any thread; a moment old. */
size_t nix_ffi_heap_size(void) NIX_FFI_NOEXCEPT;

/** Bytes of the collector's heap that were handed out since the last collection or before. From any thread; a moment old. */
size_t nix_ffi_heap_used(void) NIX_FFI_NOEXCEPT;

/** Where the collector has just put an object that nobody wants; null where it has no room. After libnix is initialised, on
 * a thread that the collector knows. */
const void * nix_ffi_heap_object(void) NIX_FFI_NOEXCEPT;

/** Whether there is something of the collector's heap at an address. */
bool nix_ffi_heap_has(const void * address) NIX_FFI_NOEXCEPT;

#ifdef __cplusplus
}
#endif
