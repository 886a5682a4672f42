//! Colours that a colour-blind reader can tell apart, and the map from a value to one of them.
//!
//! Sources: viridis (Smith and van der Walt, matplotlib 2015); `RdBu` (Brewer, `ColorBrewer` 2);
//! the eight categorical colours of Okabe and Ito, "Color Universal Design" (2008).

use serde::{Deserialize, Serialize};

/// Red, green, blue, and opacity from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colour(pub u8, pub u8, pub u8, pub f64);

impl Colour {
    /// Text and axes.
    pub const INK: Self = Self(30, 30, 30, 1.0);
    /// Subtitles, captions, record ids.
    pub const FAINT: Self = Self(110, 110, 110, 1.0);
    /// Grid lines.
    pub const GRID: Self = Self(228, 228, 228, 1.0);
    /// The background.
    pub const PAPER: Self = Self(255, 255, 255, 1.0);
    /// A cell without a finite value.
    pub const MISSING: Self = Self(178, 178, 178, 1.0);
    /// A cell that causal attention cannot reach.
    pub const MASKED: Self = Self(236, 236, 236, 1.0);

    /// The same colour at another opacity.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> Self {
        Self(self.0, self.1, self.2, alpha)
    }

    /// Black or white, whichever can be read on this background (relative luminance, WCAG 2).
    #[must_use]
    pub fn ink_on(self) -> Self {
        let linear = |c: u8| (f64::from(c) / 255.0).powf(2.2);
        let luminance = 0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2);
        if luminance > 0.22 { Self(20, 20, 20, 1.0) } else { Self(250, 250, 250, 1.0) }
    }
}

const VIRIDIS: [(u8, u8, u8); 11] = [
    (68, 1, 84),
    (72, 36, 117),
    (65, 68, 135),
    (53, 95, 141),
    (42, 120, 142),
    (33, 145, 140),
    (34, 168, 132),
    (68, 191, 112),
    (122, 209, 81),
    (189, 223, 38),
    (253, 231, 37),
];

/// Negative is red, zero near white, positive blue.
const RED_BLUE: [(u8, u8, u8); 11] = [
    (103, 0, 31),
    (178, 24, 43),
    (214, 96, 77),
    (244, 165, 130),
    (253, 219, 199),
    (247, 247, 247),
    (209, 229, 240),
    (146, 197, 222),
    (67, 147, 195),
    (33, 102, 172),
    (5, 48, 97),
];

const OKABE_ITO: [(u8, u8, u8); 8] = [
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (60, 60, 60),
    (240, 228, 66),
];

/// The colour of positive (blue) or negative (red) bars.
pub(super) fn signed(value: f64) -> Colour {
    let (r, g, b) = if value < 0.0 { RED_BLUE[2] } else { RED_BLUE[8] };
    Colour(r, g, b, 1.0)
}

/// The colour of series `index` of `count`: categorical up to eight, then in order along viridis.
pub(super) fn series(index: usize, count: usize) -> Colour {
    if count > OKABE_ITO.len() {
        return blend(&VIRIDIS, 0.95 * index as f64 / (count - 1) as f64);
    }
    let (r, g, b) = OKABE_ITO[index];
    Colour(r, g, b, 1.0)
}

fn blend(stops: &[(u8, u8, u8); 11], at: f64) -> Colour {
    let place = at.clamp(0.0, 1.0) * 10.0;
    let index = (place as usize).min(9);
    let part = place - index as f64;
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    let (a, b) = (stops[index], stops[index + 1]);
    Colour(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2), 1.0)
}

/// The family of colours for the values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Diverging if the data has both signs, otherwise sequential.
    #[default]
    Auto,
    /// Dark to light from the smallest to the largest value.
    Sequential,
    /// Red below zero, blue above it, pale at zero: the limits are symmetric.
    Diverging,
}

/// A scale fitted to data: it gives each value a colour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColourScale {
    /// Red to blue around zero, instead of viridis.
    pub diverging: bool,
    /// The value of the first colour.
    pub low: f64,
    /// The value of the last colour.
    pub high: f64,
}

impl ColourScale {
    /// Fits a scale to the finite values among `values`; `limits`, if given, replace their range.
    ///
    /// A diverging scale is made symmetric around zero in both cases.
    pub fn fit<'a>(scale: Scale, limits: Option<[f64; 2]>, values: impl IntoIterator<Item = &'a f64>) -> Self {
        let finite = values.into_iter().copied().filter(|v| v.is_finite());
        let range = finite.fold(None, |range: Option<[f64; 2]>, v| {
            Some(range.map_or([v, v], |[low, high]| [low.min(v), high.max(v)]))
        });
        let [low, high] = limits.or(range).unwrap_or([0.0, 1.0]);
        let diverging = match scale {
            Scale::Auto => low < 0.0 && high > 0.0,
            Scale::Sequential => false,
            Scale::Diverging => true,
        };
        if diverging { Self::symmetric(low.abs().max(high.abs())) } else { Self::sequential(low, high) }
    }

    fn symmetric(bound: f64) -> Self {
        let bound = if bound > f64::MIN_POSITIVE * 1e6 { bound } else { 1.0 };
        Self { diverging: true, low: -bound, high: bound }
    }

    fn sequential(low: f64, high: f64) -> Self {
        // Rounding error is not a range.
        let spread = high - low > high.abs().max(low.abs()) * 1e-9;
        let high = if spread { high } else { low + low.abs().max(1.0) };
        Self { diverging: false, low, high }
    }

    /// The colour of `value`: clamped to the limits, grey if not finite.
    pub fn colour(&self, value: f64) -> Colour {
        if !value.is_finite() {
            return Colour::MISSING;
        }
        let at = (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
        blend(if self.diverging { &RED_BLUE } else { &VIRIDIS }, at)
    }

    /// How much `value` stands out: its magnitude on a diverging scale, the value itself on a sequential one.
    pub fn strength(&self, value: f64) -> f64 {
        if self.diverging { value.abs() } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_the_middle_of_signed_data() {
        let scale = ColourScale::fit(Scale::Auto, None, &[-1.0, 0.25, 4.0, f64::NAN]);
        assert_eq!(scale, ColourScale { diverging: true, low: -4.0, high: 4.0 });
        assert_eq!(scale.colour(0.0), Colour(247, 247, 247, 1.0));
        assert_eq!(scale.colour(-4.0), Colour(103, 0, 31, 1.0));
        assert_eq!(scale.colour(9.0), Colour(5, 48, 97, 1.0));
    }

    #[test]
    fn one_sign_is_sequential_and_missing_is_grey() {
        let scale = ColourScale::fit(Scale::Auto, None, &[-3.0, -1.0]);
        assert_eq!((scale.diverging, scale.low, scale.high), (false, -3.0, -1.0));
        assert_eq!(scale.colour(f64::NAN), Colour::MISSING);
        assert_eq!(scale.colour(f64::NEG_INFINITY), Colour::MISSING);
    }

    #[test]
    fn constant_data_and_given_limits_still_make_a_range() {
        let flat = ColourScale::fit(Scale::Sequential, None, &[2.0, 2.0]);
        assert!(flat.high > flat.low);
        let given = ColourScale::fit(Scale::Diverging, Some([-1.0, 3.0]), &[0.5]);
        assert_eq!((given.low, given.high), (-3.0, 3.0));
    }
}
