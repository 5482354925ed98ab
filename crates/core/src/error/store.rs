//! Messages about the store (store paths, GC roots and the garbage collector) from the processes that
//! run as root.

use crate::error::Purpose;
use crate::messages;

messages! {
    /// Reasons why a path in the store cannot be used or protected.
    pub enum StoreError {
        NotInStore { purpose: Purpose, path: String, task: &'static str } {
            kind: Refused,
            text: "cannot {purpose}: {path} is needed to {task}, but is not in the store",
            hint: "try again; the garbage collector may have deleted the path in the meantime",
            means: "The path was probably deleted after the plan was made.",
            next: "Run the command again to make a new plan.",
        }
        NotStorePath { purpose: Purpose, path: String } {
            kind: Refused,
            text: "cannot {purpose}: {path} is not a store path",
            hint: "run `runtime-module status` to see which system is running, then try again",
            means: "The activator activates only systems in the store. The request or a state file contains a \
                path that is not in the store.",
            next: "Run `runtime-module status` to see which system is running, then try again.",
        }
        RootsElsewhere { store: String } {
            kind: Refused,
            text: "cannot activate systems from the store {store}: its GC roots are not on this machine",
            hint: "omit --store to use the store of this machine",
            means: "GC roots protect the running system from the garbage collector, so they must be on the same \
                machine.",
            next: "Omit `--store` to use the store of this machine.",
        }
        CollectorSilent {
            kind: Refused,
            text: "cannot protect the system from garbage collection: the garbage collector is running, but does not \
                answer",
            hint: "wait until the garbage collection has ended, then try again",
            means: "The garbage collector holds its lock, but has not accepted new GC roots for ten minutes.",
            next: "Wait until the garbage collection has ended, then try again.",
        }
    }
}
