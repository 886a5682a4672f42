//! Category labels along an axis: horizontal, turned or thinned so that no two overlap.

use super::{
    colour::Colour,
    scene::{Align, Scene},
    text,
};

const SIZE: f64 = 11.0;
const SMALLEST: f64 = 7.5;
/// The maximum length of a label in pixels; the rest becomes `…` (the table keeps it whole).
const LONGEST: f64 = 130.0;

/// Labels, laid out for drawing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Labels {
    texts: Vec<String>,
    pitch: f64,
    size: f64,
    /// Every `step`-th label is drawn.
    pub(super) step: usize,
    /// Whether they read from bottom to top.
    pub(super) turned: bool,
    /// Their extent from the axis, in pixels.
    pub(super) extent: f64,
}

impl Labels {
    /// Labels to the left of rows that are `pitch` pixels high.
    pub(super) fn rows(labels: &[String], pitch: f64) -> Self {
        let size = (pitch - 1.0).clamp(SMALLEST, SIZE);
        let texts = shown(labels, size);
        let extent = text::widest(&texts, size);
        Self { step: step((size + 1.0) / pitch), texts, pitch, size, turned: false, extent }
    }

    /// Labels under columns that are `pitch` pixels wide.
    pub(super) fn columns(labels: &[String], pitch: f64) -> Self {
        let texts = shown(labels, SIZE);
        let widest = text::widest(&texts, SIZE);
        let flat = |step| Self { texts: texts.clone(), pitch, size: SIZE, step, turned: false, extent: SIZE };
        if widest + 6.0 <= pitch {
            flat(1)
        } else if labels.iter().all(|label| is_counter(label)) {
            flat(step((widest + 8.0) / pitch))
        } else {
            Self { turned: true, ..Self::rows(labels, pitch) }
        }
    }

    /// Draws row labels that end at `right`; the first row begins at `top`.
    pub(super) fn draw_rows(&self, scene: &mut Scene, right: f64, top: f64) {
        for (index, text) in self.drawn() {
            let y = top + (index as f64 + 0.5) * self.pitch;
            scene.text(text, (right, y), self.size, Align::End, Colour::INK);
        }
    }

    /// Draws column labels that begin at `top`; the first column begins at `left`.
    pub(super) fn draw_columns(&self, scene: &mut Scene, left: f64, top: f64) {
        for (index, text) in self.drawn() {
            let x = left + (index as f64 + 0.5) * self.pitch;
            if self.turned {
                scene.turned(text, (x, top), self.size, Align::End, Colour::INK);
            } else {
                scene.text(text, (x, top + self.size / 2.0), self.size, Align::Middle, Colour::INK);
            }
        }
    }

    fn drawn(&self) -> impl Iterator<Item = (usize, &String)> {
        self.texts.iter().enumerate().step_by(self.step)
    }
}

fn shown(labels: &[String], size: f64) -> Vec<String> {
    labels.iter().map(|label| text::shorten(&text::visible(label), size, LONGEST)).collect()
}

/// `7`, `L7`, `H11`: labels that a reader can fill in when some are left out.
fn is_counter(label: &str) -> bool {
    let digits = label.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    label.len() - digits.len() <= 1 && !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

/// The smallest of 1, 2, 5, 10, 20, 50 ... that is at least `needed`.
fn step(needed: f64) -> usize {
    let mut steps = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_usize.pow(power)));
    steps.find(|step| *step as f64 >= needed).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn short_labels_lie_flat_and_long_ones_are_turned() {
        let short = Labels::columns(&words(&["H0", "H1"]), 40.0);
        assert_eq!((short.turned, short.step), (false, 1));
        let long = Labels::columns(&words(&[" Mary", " restaurant"]), 40.0);
        assert!(long.turned && long.step == 1 && long.extent > 50.0);
    }

    #[test]
    fn counters_are_thinned_by_round_steps() {
        let layers: Vec<String> = (0..64).map(|i| format!("H{i}")).collect();
        let thin = Labels::columns(&layers, 9.0);
        assert_eq!((thin.turned, thin.step), (false, 5));
        assert_eq!(Labels::rows(&layers, 4.0).step, 5);
    }
}
