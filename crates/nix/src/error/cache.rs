//! Messages about the cache of evaluation results.

use crate::messages;

messages! {
    /// Reasons why the cache cannot be used.
    pub enum CacheError {
        Unusable { reason: String } {
            kind: Refused,
            text: "cannot use the cache: {reason}",
            hint: "name another directory with --cache",
            means: "The directory of the cache cannot be used.",
            next: "Name another directory with `--cache`.",
        }
    }
}
