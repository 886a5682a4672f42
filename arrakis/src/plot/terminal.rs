//! Figures as a few lines of text: shades for matrices, blocks for bars, sparks for lines.

use super::{Bar, Figure, Heatmap, Series, table::Table, text};

const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const SPARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const BAR: f64 = 32.0;
/// What does not fit on a screen stays in the files.
const MOST: usize = 64;

impl Figure {
    /// The figure in a few lines of text, or the reason why it cannot be drawn.
    pub fn to_terminal(&self) -> String {
        if let Err(error) = self.validate() {
            return format!("{}\n{error}\n", self.title);
        }
        let mut out = format!("{}\n", self.title);
        for panel in &self.panels {
            let plot = panel.plot();
            if !plot.title().is_empty() {
                out += format!("{}\n", plot.title()).as_str();
            }
            out += &plot.to_terminal();
        }
        if let Some(record) = &self.record {
            out += format!("record {record}\n").as_str();
        }
        out
    }
}

/// The first rows of a table in columns.
pub(super) fn table(table: &Table) -> String {
    let lines: Vec<&Vec<String>> = std::iter::once(&table.header).chain(table.rows.iter().take(10)).collect();
    let widths = (0..table.header.len()).map(|c| lines.iter().map(|line| line[c].chars().count()).max().unwrap_or(0));
    let widths: Vec<usize> = widths.map(|width| width.min(24)).collect();
    let mut out = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| pad(&text::visible(cell), *width));
        out += cells.collect::<Vec<_>>().join("  ").trim_end();
        out.push('\n');
    }
    if table.rows.len() > 10 {
        out += format!("... and {} more rows\n", table.rows.len() - 10).as_str();
    }
    out
}

/// One line a row; two characters a cell: the sign of signed data, then a shade. `??` is not finite.
pub(super) fn heatmap(map: &Heatmap) -> String {
    let scale = map.colour_scale();
    let names = name_width(map.rows.iter());
    let mut out = String::new();
    for (label, row) in map.rows.iter().zip(&map.values).take(MOST) {
        let cells: String =
            row.iter().take(MOST).map(|value| shade(*value, scale.diverging, scale.low, scale.high)).collect();
        out += format!("{} │{cells}│\n", pad(&text::visible(label), names)).as_str();
    }
    let marks = if scale.diverging { "sign and shade" } else { "shade" };
    let (low, high) = (text::short(scale.low), text::short(scale.high));
    out + &format!("{marks}: {low} to {high} {}\n", map.units)
}

fn shade(value: f64, diverging: bool, low: f64, high: f64) -> String {
    if !value.is_finite() {
        return "??".to_owned();
    }
    let part = if diverging { value.abs() / high } else { (value - low) / (high - low) };
    let mark = SHADES[(part.clamp(0.0, 1.0) * 4.0).round() as usize];
    let sign = match (diverging, mark) {
        (false, _) => mark,
        (true, ' ') => ' ',
        (true, _) if value < 0.0 => '-',
        (true, _) => '+',
    };
    [sign, mark].iter().collect()
}

/// One line a bar: its length is its size, its number carries the sign.
pub(super) fn bars(bars: &[Bar]) -> String {
    let greatest = bars.iter().map(|bar| bar.value.abs()).filter(|v| v.is_finite()).fold(0.0, f64::max);
    let names = name_width(bars.iter().map(|bar| &bar.label));
    let line = |bar: &Bar| {
        let length = if greatest > 0.0 && bar.value.is_finite() { bar.value.abs() / greatest * BAR } else { 0.0 };
        let name = pad(&text::visible(&bar.label), names);
        format!("{name} {:>9} {}\n", text::short(bar.value), blocks(length)).trim_end().to_owned() + "\n"
    };
    bars.iter().take(MOST).map(line).collect()
}

fn blocks(length: f64) -> String {
    let eighths = (length * 8.0).round() as usize;
    let full = "█".repeat(eighths / 8);
    if eighths.is_multiple_of(8) { full } else { format!("{full}{}", EIGHTHS[eighths % 8 - 1]) }
}

/// One spark line a series, all on one scale.
pub(super) fn lines(series: &[Series]) -> String {
    let all = || series.iter().flat_map(|s| &s.y).copied().filter(|v| v.is_finite());
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let names = name_width(series.iter().map(|s| &s.name));
    let spark = |value: &f64| match value {
        v if !v.is_finite() => ' ',
        v if high > low => SPARKS[((v - low) / (high - low) * 7.0).round() as usize],
        _ => SPARKS[3],
    };
    let mut out = String::new();
    for s in series.iter().take(MOST) {
        // Every so many points, so that the line is never wider than the screen.
        let step = s.y.len().div_ceil(MOST).max(1);
        let sparks: String = s.y.iter().step_by(step).map(spark).collect();
        out += format!("{} {sparks}\n", pad(&text::visible(&s.name), names)).as_str();
    }
    out + &format!("from {} to {}\n", text::short(low), text::short(high))
}

fn name_width<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    names.map(|name| text::visible(name).chars().count()).max().unwrap_or(0).min(24)
}

/// Exactly `width` characters.
fn pad(name: &str, width: usize) -> String {
    if name.chars().count() > width {
        return name.chars().take(width.saturating_sub(1)).chain(['…']).collect();
    }
    format!("{name:<width$}")
}

#[cfg(test)]
mod tests {
    use super::super::{Bars, Line};
    use super::*;

    #[test]
    fn a_signed_heatmap_shows_signs_and_gaps() {
        let figure = Figure::new("effect").heatmap(Heatmap::heads([[2.0, -2.0], [0.0, f64::NAN]]).units("nats"));
        assert_eq!(figure.to_terminal(), "effect\nL0 │+█-█│\nL1 │  ??│\nsign and shade: -2 to 2 nats\n");
    }

    #[test]
    fn bars_and_sparks_are_to_scale() {
        let figure = Figure::new("t").bar(Bars::new([("a", 1.0), ("b", -0.5)]));
        let (long, half) = ("█".repeat(32), "█".repeat(16));
        assert_eq!(figure.to_terminal(), format!("t\na         1 {long}\nb      -0.5 {half}\n"));
        let figure =
            Figure::new("t").line(Line::new("x", "y").series(Series::by_index("a", [0.0, 7.0, f64::NAN, 3.0])));
        assert_eq!(figure.to_terminal(), "t\na ▁█ ▄\nfrom 0 to 7\n");
    }

    #[test]
    fn an_invalid_figure_says_why() {
        let shown = Figure::new("t").heatmap(Heatmap::new([[f64::NAN]])).to_terminal();
        assert!(shown.contains("all its values are NaN or infinite"), "{shown}");
    }
}
