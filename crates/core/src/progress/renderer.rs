//! The interface of all output formats for progress.

use std::time::Duration;

use super::model::{Model, Notice};

/// An output format for progress.
pub(super) trait Renderer: Send {
    /// Handles a notice. A printed notice stays on the screen.
    fn notice(&mut self, notice: &Notice, model: &Model);
    /// Draws the current state.
    fn draw(&mut self, model: &Model, now: Duration);
    /// Removes the drawn output, so that another program can write to the terminal.
    fn pause(&mut self) {}
    /// Removes the drawn output at the end.
    fn clear(&mut self);
}
