//! The style of progress output.

use std::io::IsTerminal as _;

use crate::choice::ProgressStyle;

/// The style of progress output. It is chosen once, at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub kind: RendererKind,
    /// Whether to print complete build logs.
    pub build_logs: bool,
    /// The highest verbosity of libnix messages to show.
    pub verbosity: u8,
    /// Whether to use colours.
    pub colour: bool,
    /// Whether bars and spinners may use non-ASCII characters.
    pub unicode: bool,
}

/// The kind of progress output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RendererKind {
    /// Bars on a terminal.
    Bars,
    /// One line for each step.
    Lines,
    /// JSON lines.
    Events,
    /// Only warnings and build logs.
    Off,
}

impl RendererKind {
    /// Chooses the kind of output from the options and the type of stderr.
    pub fn decide(asked: ProgressStyle, json: bool, dumb_terminal: bool) -> Self {
        match asked {
            // Bars need a terminal that can move its cursor, even if the user requested bars.
            ProgressStyle::Bars if dumb_terminal => Self::Lines,
            ProgressStyle::Bars => Self::Bars,
            ProgressStyle::Plain => Self::Lines,
            ProgressStyle::Events => Self::Events,
            ProgressStyle::Off => Self::Off,
            ProgressStyle::Auto if json => Self::Off,
            ProgressStyle::Auto if std::io::stderr().is_terminal() && !dumb_terminal => Self::Bars,
            ProgressStyle::Auto => Self::Lines,
        }
    }
}
