//! The reports that the program prints: the result and the duration of a change, and the history.

mod change;
mod ended;
mod history;
mod missing;
mod overridden;
mod times;

pub use change::ChangeReport;
pub use ended::EndReport;
pub use history::{
    Detail as HistoryDetail, History, human as history_for_people, in_words as history_in_words,
    report as describe_history,
};
pub use overridden::OverriddenOptions;
