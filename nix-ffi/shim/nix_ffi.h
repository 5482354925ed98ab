#pragma once
/**
 * @file
 * The parts of libnix that exist only in C++, as plain C for Rust: logger, flakes, forcing with structured errors,
 * builds, missing paths, GC roots, closures, interrupts, counters, settings, and the collector's heap.
 *
 * Conventions, unless an argument says otherwise:
 * - Pointers are borrowed for the call. Views (`nix_ffi_*_view`, `nix_ffi_str`) passed to a callback live until it
 *   returns.
 * - A function that can fail takes an error context from `nix_c_context_create`. The context must not be null, and no
 *   other call may use it at the same time. Later calls may reuse it. A function that fails stores the error there
 *   (`nix_err_code` is not `NIX_OK`) and returns null, false or 0. No function throws.
 * - If a function returns a new object, the caller must free the object.
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

/** Bytes without a terminator; usually UTF-8, but Nix does not guarantee it. */
typedef struct {
    const char * data;
    size_t length;
} nix_ffi_str;

typedef void (*nix_ffi_str_callback)(void * user, nix_ffi_str text);

/* --- errors --- */

/** A position. `line` is 0 if there is no position; `file` is empty if the position is not in a file. */
typedef struct {
    nix_ffi_str file;
    uint32_t line;
    uint32_t column;
} nix_ffi_position;

typedef struct {
    nix_ffi_str hint;
    nix_ffi_position position;
} nix_ffi_trace;

/** A Nix error; its strings contain no terminal escapes. */
typedef struct {
    /** The C++ class, such as `nix::ThrownError`; empty for an error without an exception. */
    nix_ffi_str class_name;
    /** The message without `error:`, position and trace. */
    nix_ffi_str message;
    /** The complete text that `nix` would print. */
    nix_ffi_str rendered;
    nix_ffi_position position;
    /** Innermost step last, as in Nix. */
    const nix_ffi_trace * traces;
    size_t trace_count;
    /** The verbosity, 0 (error) to 7. */
    int level;
} nix_ffi_error_view;

typedef void (*nix_ffi_error_callback)(void * user, const nix_ffi_error_view * error);

/**
 * Passes the error in `context` to `callback`, and clears the context, so that it keeps nothing of the error alive. Does
 * nothing if there is no error.
 */
void nix_ffi_error_take(nix_c_context * context, nix_ffi_error_callback callback, void * user) NIX_FFI_NOEXCEPT;

/* --- process --- */

/** The version that this shim was compiled against, such as `2.26.3`; a static string. */
const char * nix_ffi_compiled_version(void) NIX_FFI_NOEXCEPT;

/**
 * Prepares the process for libnix: umask 022, an empty SIGUSR1 handler (interrupts wake threads with that signal), an
 * empty SIGPIPE handler, the signal mask for children, the default SIGCHLD action, and the maximum number of open
 * files. Call it on the main thread, before there is any other thread and before a store is opened.
 */
void nix_ffi_process_init(nix_c_context * context) NIX_FFI_NOEXCEPT;

/**
 * Makes every thread inside libnix stop at its next check. Callable from any of our threads, but not from a signal
 * handler.
 */
void nix_ffi_interrupt(nix_c_context * context) NIX_FFI_NOEXCEPT;

/** Clears an interrupt. Up to Nix 2.32, a thread that was interrupted once does not notice later interrupts. */
void nix_ffi_interrupt_reset(void) NIX_FFI_NOEXCEPT;

bool nix_ffi_interrupted(void) NIX_FFI_NOEXCEPT;

/* --- logger --- */

/** A field of an activity or result: a number, or a string if `is_text`. */
typedef struct {
    bool is_text;
    uint64_t number;
    nix_ffi_str text;
} nix_ffi_field;

/** The callbacks of a logger. Many threads call them at the same time. `user` must live until the process ends. */
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

/** Replaces Nix's logger. Copies `logger`, and never frees the copy: late threads may still log during exit. */
void nix_ffi_logger_install(nix_c_context * context, const nix_ffi_logger * logger) NIX_FFI_NOEXCEPT;

/** Sets the maximum verbosity (0 error … 4 talkative … 7 vomit) of messages. Activities are always reported. */
void nix_ffi_verbosity_set(int level) NIX_FFI_NOEXCEPT;

/* --- settings --- */

/**
 * Flake settings from `nix.conf` and the environment. They are never freed, because evaluators keep references to
 * them.
 */
typedef struct nix_ffi_flake_settings nix_ffi_flake_settings;

nix_ffi_flake_settings * nix_ffi_flake_settings_new(nix_c_context * context) NIX_FFI_NOEXCEPT;

/** Adds the builtins for flakes to the evaluator that `builder` will build. Call it once for each builder. */
void nix_ffi_flake_settings_register(
    nix_c_context * context, nix_ffi_flake_settings * flakes, nix_eval_state_builder * builder) NIX_FFI_NOEXCEPT;

/**
 * Sets a Nix setting wherever it exists: in the process, in `builder` and in `flakes`. The latter two may be null.
 * Returns false without an error if there is no such setting.
 */
bool nix_ffi_setting_set(
    nix_c_context * context,
    nix_eval_state_builder * builder,
    nix_ffi_flake_settings * flakes,
    const char * name,
    const char * value) NIX_FFI_NOEXCEPT;

/** Passes the value of a setting of the process to `callback`, which is not called if there is no such setting. */
void nix_ffi_setting_get(nix_c_context * context, const char * name, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/**
 * Makes evaluation compute store paths without writing them, from now on. Call it before the first evaluator is
 * prepared. This cannot be undone.
 */
void nix_ffi_read_only(void) NIX_FFI_NOEXCEPT;

/**
 * Passes every setting of the process, of `builder` and of `flakes`: the name, then the value. A setting that exists in
 * several of them is passed several times.
 */
void nix_ffi_settings_list(
    nix_c_context * context,
    nix_eval_state_builder * builder,
    nix_ffi_flake_settings * flakes,
    nix_ffi_str_callback callback,
    void * user) NIX_FFI_NOEXCEPT;

/* --- evaluation --- */

/**
 * Parses and evaluates `text`, and applies the resulting function lazily to `arguments`. Positions in `text` have no
 * file; `name` is only the base of relative paths. Free the value with `nix_ffi_value_free`.
 */
nix_value * nix_ffi_apply(
    nix_c_context * context,
    EvalState * state,
    const char * text,
    const char * name,
    nix_value ** arguments,
    size_t argument_count) NIX_FFI_NOEXCEPT;

/** Creates a string value without context. */
nix_value * nix_ffi_value_string(nix_c_context * context, EvalState * state, const char * text) NIX_FFI_NOEXCEPT;

/** Creates a path value from a store path, which pure evaluation may read from now on. */
nix_value * nix_ffi_value_store_path(nix_c_context * context, EvalState * state, const char * path) NIX_FFI_NOEXCEPT;

/** Creates a list of values. */
nix_value * nix_ffi_value_list(
    nix_c_context * context, EvalState * state, nix_value ** values, size_t value_count) NIX_FFI_NOEXCEPT;

/** Forces `value` deeply and passes it to `callback` as JSON. Copies nothing to the store. */
void nix_ffi_force_json(
    nix_c_context * context, EvalState * state, nix_value * value, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/**
 * Forces `value`, an attribute set, and its attribute `name`. Returns the attribute, or null without an error if there
 * is no such attribute.
 */
nix_value *
nix_ffi_select(nix_c_context * context, EvalState * state, nix_value * value, const char * name) NIX_FFI_NOEXCEPT;

void nix_ffi_value_free(nix_value * value) NIX_FFI_NOEXCEPT;

/** Enables counters, which Nix 2.32 and newer disable by default. Call it before the evaluator is built. */
void nix_ffi_counters_enable(void) NIX_FFI_NOEXCEPT;

/** Writes the counters as JSON to the file that NIX_SHOW_STATS_PATH names. libnix offers no other way to read them. */
void nix_ffi_counters_print(nix_c_context * context, EvalState * state) NIX_FFI_NOEXCEPT;

/* --- flakes --- */

/** A flake with all its inputs locked. Belongs to the evaluator that locked it. */
typedef struct nix_ffi_locked nix_ffi_locked;

/** The arguments of `nix_ffi_lock`. */
typedef struct {
    /** The flake reference as the user wrote it; `nix_ffi_locked_read` returns its fragment (`#name`). */
    const char * reference;
    /** The absolute directory from which a relative reference is resolved. */
    const char * base_directory;
    /** Inputs to override: `override_count` names, and as many references. */
    const char * const * override_names;
    const char * const * override_references;
    size_t override_count;
    /** The text of a lock file to use unchanged, or null for the flake's own. With a text, nothing is locked again. */
    const char * lock;
    /** Whether inputs whose references have neither a revision nor a hash may be added to the lock. */
    bool allow_unlocked;
    /** Whether registries may resolve references such as `nixpkgs`. */
    bool use_registries;
} nix_ffi_lock_request;

/** A fetched input. */
typedef struct {
    /** The path from the flake's inputs to this input: `a`, or `a/b` for input `b` of input `a`. */
    nix_ffi_str name;
    /** The attributes of the input's locked reference, as a JSON object. */
    nix_ffi_str attributes;
    /** The store path of the source tree, and the referenced folder in it. */
    nix_ffi_str source;
    nix_ffi_str directory;
} nix_ffi_locked_input;

/** The data of a locked flake. */
typedef struct {
    nix_ffi_str original_url;
    nix_ffi_str resolved_url;
    nix_ffi_str locked_url;
    /** The attributes of the locked reference, as a JSON object. */
    nix_ffi_str attributes;
    /** The store path of the source tree. */
    nix_ffi_str source;
    /** The folder of `flake.nix` in the tree; empty for the root of the tree. */
    nix_ffi_str directory;
    nix_ffi_str description;
    /**
     * The lock in use, and the content of `flake.lock`, which is empty if the file does not exist. The two differ if the
     * file is stale or an input is overridden.
     */
    nix_ffi_str lock;
    nix_ffi_str lock_file;
    /** The fingerprint, a base-16 SHA-256 hash; empty if Nix has none. */
    nix_ffi_str fingerprint;
    /** The fragment after `#` in the reference; empty if there is none. */
    nix_ffi_str fragment;
    /** The `input_count` fetched inputs at any depth. */
    const nix_ffi_locked_input * inputs;
    size_t input_count;
    /** The overriding references of the request in their absolute form, in the same order. */
    const nix_ffi_str * override_urls;
    size_t override_count;
    /** The names of the settings in the flake's `nixConfig`, one per line. */
    nix_ffi_str config_names;
    /** Whether the lock was changed in memory. */
    bool lock_changed;
} nix_ffi_locked_view;

typedef void (*nix_ffi_locked_callback)(void * user, const nix_ffi_locked_view * locked);

/** Fetches a flake and locks its inputs, in memory only. Free the result with `nix_ffi_locked_free`. */
nix_ffi_locked * nix_ffi_lock(
    nix_c_context * context,
    EvalState * state,
    nix_ffi_flake_settings * flakes,
    const nix_ffi_lock_request * request) NIX_FFI_NOEXCEPT;

void nix_ffi_locked_free(nix_ffi_locked * locked) NIX_FFI_NOEXCEPT;

/** Passes the data of a locked flake; afterwards its source is in the store. */
void nix_ffi_locked_read(
    nix_c_context * context,
    EvalState * state,
    const nix_ffi_locked * locked,
    nix_ffi_locked_callback callback,
    void * user) NIX_FFI_NOEXCEPT;

/**
 * Adds a string attribute to the locked reference. This is for attributes that the URL of a `path:` reference cannot
 * contain, such as `dirtyRev`.
 */
void nix_ffi_locked_set(
    nix_c_context * context, nix_ffi_locked * locked, const char * name, const char * value) NIX_FFI_NOEXCEPT;

/** Returns the flake's outputs, like `builtins.getFlake`. */
nix_value *
nix_ffi_outputs(nix_c_context * context, EvalState * state, const nix_ffi_locked * locked) NIX_FFI_NOEXCEPT;

/** Returns the root of the flake's source tree as a path value, like the flake's own paths. */
nix_value *
nix_ffi_source(nix_c_context * context, EvalState * state, const nix_ffi_locked * locked) NIX_FFI_NOEXCEPT;

/* --- store --- */

/** Paths that are not in the store yet. */
typedef struct {
    const nix_ffi_str * build;
    size_t build_count;
    const nix_ffi_str * fetch;
    size_t fetch_count;
    const nix_ffi_str * unknown;
    size_t unknown_count;
    /** The bytes to download and their unpacked size; only for substitutes. */
    uint64_t download_bytes;
    uint64_t unpacked_bytes;
} nix_ffi_missing_view;

typedef void (*nix_ffi_missing_callback)(void * user, const nix_ffi_missing_view * missing);

/**
 * Queries the paths that must be built or fetched to realise all outputs of these derivations, or these plain paths.
 */
void nix_ffi_query_missing(
    nix_c_context * context,
    Store * store,
    const char * const * paths,
    size_t path_count,
    nix_ffi_missing_callback callback,
    void * user) NIX_FFI_NOEXCEPT;

/**
 * Makes the store drop a connection to the daemon that a fork inherited and that is closed, so that the next call opens
 * a new one. Sends the settings again, which fails on a closed connection: this error is expected. Does nothing for a
 * store without a daemon.
 */
void nix_ffi_reconnect(nix_c_context * context, Store * store) NIX_FFI_NOEXCEPT;

/** The result of one goal of a build. */
typedef struct {
    /** The derivation, or the plain path. */
    nix_ffi_str path;
    bool success;
    /** `Success`, or Nix's name for the failure, such as `PermanentFailure` or `DependencyFailed`. */
    nix_ffi_str status;
    nix_ffi_str message;
    /** The names and store paths of the outputs, `output_count` of each. */
    const nix_ffi_str * output_names;
    const nix_ffi_str * output_paths;
    size_t output_count;
} nix_ffi_build_view;

typedef void (*nix_ffi_build_callback)(void * user, const nix_ffi_build_view * result);

/**
 * Builds or fetches all outputs of these derivations, or these plain paths. Calls back once for each goal that ran; a
 * goal that never ran has no result.
 */
void nix_ffi_build(
    nix_c_context * context,
    Store * store,
    const char * const * paths,
    size_t path_count,
    nix_ffi_build_callback callback,
    void * user) NIX_FFI_NOEXCEPT;

/** Passes the log of a finished or failed build; does not call back if there is no log. */
void nix_ffi_build_log(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/**
 * Passes the outputs of a derivation that are known without building it, in alternating calls: a name, then its path.
 */
void nix_ffi_derivation_outputs(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

bool nix_ffi_is_valid(nix_c_context * context, Store * store, const char * path) NIX_FFI_NOEXCEPT;

/** Protects a path from garbage collection while this process, or its connection to the daemon, lives. */
void nix_ffi_add_temp_root(nix_c_context * context, Store * store, const char * path) NIX_FFI_NOEXCEPT;

/**
 * Creates a symbolic link to the valid store path `path` at the absolute path `link`, and registers the link as an
 * indirect GC root.
 */
void nix_ffi_add_root(nix_c_context * context, Store * store, const char * path, const char * link) NIX_FFI_NOEXCEPT;

/** Writes the number of paths in a closure, and the sum of their NAR sizes in bytes; returns false on failure. */
bool nix_ffi_closure_size(
    nix_c_context * context, Store * store, const char * path, uint64_t * paths, uint64_t * bytes) NIX_FFI_NOEXCEPT;

/** Passes the paths of a closure, including the path itself, one per call, in arbitrary order. */
void nix_ffi_closure(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/**
 * Returns the NAR size of the part of a closure that is not in the closure of `other`, which may be null; 0 on
 * failure.
 */
uint64_t nix_ffi_closure_size_beyond(
    nix_c_context * context, Store * store, const char * path, const char * other) NIX_FFI_NOEXCEPT;

/** Passes the derivation that built a path; does not call back if the derivation is unknown. */
void nix_ffi_deriver(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/** Returns the NAR size of a path; 0 on failure. */
uint64_t nix_ffi_nar_size(nix_c_context * context, Store * store, const char * path) NIX_FFI_NOEXCEPT;

/** Copies a local file or folder into the store; passes its store path, which depends on the name and the content. */
void nix_ffi_add_file(
    nix_c_context * context,
    Store * store,
    const char * name,
    const char * file,
    nix_ffi_str_callback callback,
    void * user) NIX_FFI_NOEXCEPT;

/**
 * Passes the location on disk of a store path, or of a path below a store path. In a chroot store, the location differs
 * from the path.
 */
void nix_ffi_real_path(
    nix_c_context * context, Store * store, const char * path, nix_ffi_str_callback callback, void * user) NIX_FFI_NOEXCEPT;

/* --- heap --- */

/** Returns the size of the collector's heap in bytes, possibly out of date. Callable from any thread. */
size_t nix_ffi_heap_size(void) NIX_FFI_NOEXCEPT;

/** Returns the number of bytes in use in the collector's heap, possibly out of date. Callable from any thread. */
size_t nix_ffi_heap_used(void) NIX_FFI_NOEXCEPT;

/**
 * Returns the address of a new, unused object in the collector's heap; null if there is no room. Call it after libnix
 * is initialised, on a thread that the collector knows. The collector frees the object.
 */
const void * nix_ffi_heap_object(void) NIX_FFI_NOEXCEPT;

/** Returns whether an address is in the collector's heap. */
bool nix_ffi_heap_has(const void * address) NIX_FFI_NOEXCEPT;

#ifdef __cplusplus
}
#endif
