//! Messages about the cache of evaluation results.

use crate::messages;

messages! {
    /// Reasons why the cache cannot be used.
    pub enum CacheError {
        Unusable { reason: String } {
            kind: Refused,
            text: "cannot use the cache: {reason}",
            hint: "correct the permissions of the directory, or choose another directory with --cache",
            means: "The directory cannot be created, or other users can write to it.",
            next: "Correct the permissions of the directory, or choose another directory with `--cache`.",
        }
    }
}
