//! Draws the samples as an SVG image. Each series is a row with a dot for each sample, a box for
//! the middle half, and a line at the median.
//!
//! The same file works on light and dark pages. The shapes use the light colours below, and a style
//! in the file replaces them on a dark page.

use anyhow::{Result, anyhow};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::numbers::time;
use super::samples::times;
use super::samples::{BenchResult, Series};
use super::statistics::{quantile, sorted};

const WIDTH: u32 = 900;
const ROW: u32 = 44;
const HEAD: u32 = 64;
const FOOT: u32 = 56;
/// Widths of the names to the left of the rows and of the numbers to the right.
const NAMES: u32 = 300;
const NUMBERS: u32 = 110;

/// A colour on a light page, and the colour that replaces it on a dark page.
type Pair = (RGBColor, &'static str);
const PAGE: Pair = (RGBColor(255, 255, 255), "#0d1117");
const TEXT: Pair = (RGBColor(31, 35, 40), "#e6edf3");
const FAINT: Pair = (RGBColor(101, 109, 118), "#9198a1");
const LINE: Pair = (RGBColor(208, 215, 222), "#30363d");
const BOX: Pair = (RGBColor(174, 206, 245), "#1f4a7a");
const DOT: Pair = (RGBColor(9, 105, 218), "#58a6ff");
const MEDIAN: Pair = (RGBColor(180, 35, 24), "#ff8b80");

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

pub fn draw(outcome: &BenchResult) -> Result<String> {
    let rows = u32::try_from(outcome.series.len())?;
    let height = HEAD + FOOT + ROW * rows.max(1);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        area.fill(&PAGE.0).map_err(plotting)?;
        title(&area, outcome)?;
        let most = outcome.series.iter().flat_map(times).fold(0.0, f64::max);
        let unit = if most >= 2e3 {
            TimeUnit {
                scale: 1e3,
                name: "seconds",
            }
        } else {
            TimeUnit {
                scale: 1.0,
                name: "milliseconds",
            }
        };
        let mut chart = ChartBuilder::on(&area)
            .margin_top(HEAD)
            .margin_left(NAMES)
            .margin_right(NUMBERS)
            .x_label_area_size(FOOT)
            .build_cartesian_2d(
                0.0..(most * 1.02 / unit.scale).max(1e-6),
                0.0..f64::from(rows.max(1)),
            )
            .map_err(plotting)?;
        draw_axis(&mut chart, unit.name)?;
        for (index, one) in outcome.series.iter().enumerate() {
            row(&mut chart, one, f64::from(rows) - index as f64 - 0.5, &unit)?;
        }
        for (index, one) in outcome.series.iter().enumerate() {
            let y = HEAD + ROW * u32::try_from(index)? + ROW / 2;
            labels(&area, one, y)?;
        }
        area.present().map_err(plotting)?;
    }
    Ok(with_dark_colours(&text))
}

/// The unit of the axis.
struct TimeUnit {
    scale: f64,
    name: &'static str,
}

fn plotting(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw the plot: {error}")
}

fn font(size: f64, colour: RGBColor, horizontal: HPos) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_font()
        .color(&colour)
        .pos(Pos::new(horizontal, VPos::Center))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn title(area: &Area<'_>, outcome: &BenchResult) -> Result<()> {
    let at = |y| (16, y);
    let runs = outcome.runs();
    let second = format!(
        "{runs} runs, {}, {} processors{}",
        outcome.machine.processor,
        outcome.machine.processors,
        if outcome.warnings.is_empty() {
            ""
        } else {
            "; see the warnings in the result"
        }
    );
    for (text, size, colour, y) in [
        (shortened(&outcome.title, 110), 17.0, TEXT.0, 22),
        (shortened(&second, 120), 13.0, FAINT.0, 44),
    ] {
        area.draw(&Text::new(text, at(y), font(size, colour, HPos::Left)))
            .map_err(plotting)?;
    }
    Ok(())
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

fn draw_axis(chart: &mut Chart<'_, '_>, unit: &str) -> Result<()> {
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(8)
        .x_desc(unit)
        .axis_style(LINE.0)
        .bold_line_style(LINE.0)
        .light_line_style(TRANSPARENT)
        .x_label_style(("sans-serif", 13).into_font().color(&FAINT.0))
        .axis_desc_style(("sans-serif", 13).into_font().color(&FAINT.0))
        .draw()
        .map_err(plotting)
}

/// Draws the box, the median and the dots of one series.
fn row(chart: &mut Chart<'_, '_>, one: &Series, y: f64, unit: &TimeUnit) -> Result<()> {
    let values: Vec<f64> = times(one).iter().map(|time| time / unit.scale).collect();
    let sorted = sorted(&values);
    let at = |share| quantile(&sorted, share);
    let line =
        |from: f64, to: f64| PathElement::new(vec![(from, y), (to, y)], LINE.0.stroke_width(2));
    let middle = Rectangle::new([(at(0.25), y - 0.28), (at(0.75), y + 0.28)], BOX.0.filled());
    let median = PathElement::new(
        vec![(at(0.5), y - 0.34), (at(0.5), y + 0.34)],
        MEDIAN.0.stroke_width(2),
    );
    chart
        .draw_series([line(at(0.0), at(1.0))])
        .map_err(plotting)?;
    chart.draw_series([middle]).map_err(plotting)?;
    // Spread the dots over the height in the order in which they were taken, so that they do not
    // hide each other.
    let count = values.len().max(2) as f64 - 1.0;
    let dots = values.iter().enumerate().map(|(index, value)| {
        let up = 0.2 - 0.4 * index as f64 / count;
        Circle::new((*value, y + up), 2, DOT.0.filled())
    });
    chart.draw_series(dots).map_err(plotting)?;
    chart.draw_series([median]).map_err(plotting)?;
    Ok(())
}

/// Writes the name to the left of a row and the median to the right.
fn labels(area: &Area<'_>, one: &Series, y: u32) -> Result<()> {
    let y = i32::try_from(y)?;
    let name = Text::new(
        shortened(&one.name, 44),
        (16, y),
        font(13.0, TEXT.0, HPos::Left),
    );
    area.draw(&name).map_err(plotting)?;
    let right = i32::try_from(WIDTH)? - 16;
    let median = Text::new(
        time(one.summary.median),
        (right, y),
        font(13.0, TEXT.0, HPos::Right),
    );
    area.draw(&median).map_err(plotting)
}

/// Adds a style with the colours for dark pages.
fn with_dark_colours(svg: &str) -> String {
    let mut style = String::from("<style>@media (prefers-color-scheme: dark) {");
    for ((RGBColor(r, g, b), dark), kind) in [PAGE, TEXT, FAINT, LINE, BOX, DOT, MEDIAN]
        .iter()
        .flat_map(|pair| [(pair, "fill"), (pair, "stroke")])
    {
        style += &format!(" [{kind}=\"#{r:02X}{g:02X}{b:02X}\"] {{ {kind}: {dark}; }}");
    }
    style += " }</style>\n";
    match svg.split_once(">\n") {
        Some((head, rest)) => format!("{head}>\n{style}{rest}"),
        None => svg.to_string(),
    }
}
