//! Messages of the roles that run as root about the store: store paths, GC roots and the garbage
//! collector.

use crate::error::Purpose;
use crate::messages;

messages! {
    /// Reasons why a path in the store cannot be used or protected.
    pub enum StoreError {
        NotInStore { purpose: Purpose, path: String, task: &'static str } {
            kind: Refused,
            text: "cannot {purpose}: {path} is needed to {task}, but is not in the store",
            hint: "try again; the path may have been garbage-collected in the meantime",
            means: "The garbage collector may have deleted this system in the meantime.",
            next: "Run the command again.",
        }
        NotStorePath { purpose: Purpose, path: String } {
            kind: Refused,
            text: "cannot {purpose}: {path} is not a store path",
            hint: "run `runtime-module status` to see which system is running, then try again",
            means: "The activator switches only to systems in the store. \
                The request, or a state file, names something else.",
            next: "Run `runtime-module status` to see which system is running, then try again.",
        }
        RootsElsewhere { store: String } {
            kind: Refused,
            text: "cannot use the store {store} as root: its GC roots are not on this machine",
            hint: "omit --store to use the store of this machine",
            means: "The activator protects systems by GC roots, which must be on the same machine as the system.",
            next: "Omit `--store` to use the store of this machine.",
        }
        CollectorSilent {
            kind: Refused,
            text: "cannot protect the system from the garbage collector: \
                the collector is running but does not answer",
            hint: "wait until the garbage collection has ended, then try again",
            means: "A garbage collection holds its lock, but did not accept new GC roots for ten minutes.",
            next: "Wait until the collection has ended, then try again.",
        }
    }
}
