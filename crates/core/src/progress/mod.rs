//! Shows progress.
//!
//! The stages and all threads of libnix send reports to a [`Reporter`]. One thread applies these
//! reports to a `model::Model`, and lets a renderer draw the model at most ten times a second.

mod bars;
mod drawing;
mod event;
mod fold;
mod format;
mod lines;
mod model;
mod renderer;
mod report;
mod reported;
mod reporter;
mod source_read;
mod style;

pub use event::ProgressEvent;
pub use format::{bytes, duration, for_stderr, for_stdout, grouped, store_name};
pub use report::{TaskProgress, WATCHING};
pub use reported::{ReportedError, RunningBuild};
pub use reporter::Reporter;
pub use style::{RendererKind, Style};
