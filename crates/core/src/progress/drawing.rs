//! The thread that applies reports to the model, and lets a renderer draw the model.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::bars::Bars;
use super::lines::{Events, Lines, Warnings};
use super::model::Model;
use super::renderer::Renderer;
use super::report::Report;
use super::source_read::bytes_read_by;
use super::style::{RendererKind, Style};

/// The minimum time between two frames.
const FRAME: Duration = Duration::from_millis(100);

/// Starts the thread. Returns the channel for reports.
pub(super) fn start(style: Style) -> Result<Sender<Report>> {
    let (reports, inbox) = channel();
    let renderer: Box<dyn Renderer> = match style.kind {
        RendererKind::Bars => Box::new(Bars::new(style)),
        RendererKind::Lines => Box::new(Lines::new()),
        RendererKind::Events => Box::new(Events::default()),
        RendererKind::Off => Box::new(Warnings::new()),
    };
    std::thread::Builder::new()
        .name("progress".into())
        .spawn(move || run(&inbox, renderer, style))
        .context("cannot start the progress thread")?;
    Ok(reports)
}

/// Applies reports to the model, and draws the model.
fn run(inbox: &Receiver<Report>, mut renderer: Box<dyn Renderer>, style: Style) {
    let started = Instant::now();
    let mut model = Model::new(style.build_logs, style.verbosity);
    let mut drawn = Instant::now() - FRAME;
    loop {
        let wait = FRAME.saturating_sub(drawn.elapsed());
        match inbox.recv_timeout(wait) {
            Ok(Report::Finish(done)) => {
                renderer.clear();
                let _ = done.send(());
                return;
            }
            Ok(Report::Pause(done)) => {
                renderer.pause();
                let _ = done.send(());
            }
            Ok(report) => {
                for notice in model.apply(report, started.elapsed()) {
                    renderer.notice(&notice, &model);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return renderer.clear(),
        }
        if drawn.elapsed() >= FRAME {
            model.count_sources(bytes_read_by);
            renderer.draw(&model, started.elapsed());
            drawn = Instant::now();
        }
    }
}
