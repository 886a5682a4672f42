//! Colours that a colour-blind reader can tell apart, and the map from a value to one of them.
//!
//! Sources: viridis (Smith and van der Walt, matplotlib 2015); `RdBu`, `Purples`, `Greens` and `Reds` (Brewer, `ColorBrewer` 2);
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

const PURPLES: [(u8, u8, u8); 9] = [
    (252, 251, 253),
    (239, 237, 245),
    (218, 218, 235),
    (188, 189, 220),
    (158, 154, 200),
    (128, 125, 186),
    (106, 81, 163),
    (84, 39, 143),
    (63, 0, 125),
];

const GREENS: [(u8, u8, u8); 9] = [
    (247, 252, 245),
    (229, 245, 224),
    (199, 233, 192),
    (161, 217, 155),
    (116, 196, 118),
    (65, 171, 93),
    (35, 139, 69),
    (0, 109, 44),
    (0, 68, 27),
];

const REDS: [(u8, u8, u8); 9] = [
    (255, 245, 240),
    (254, 224, 210),
    (252, 187, 161),
    (252, 146, 114),
    (251, 106, 74),
    (239, 59, 44),
    (203, 24, 29),
    (165, 15, 21),
    (103, 0, 13),
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

/// The colour at a part of the way along evenly spaced stops.
fn blend(stops: &[(u8, u8, u8)], at: f64) -> Colour {
    let place = at.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let index = (place as usize).min(stops.len() - 2);
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
    /// Pale to dark purple from the smallest to the largest value.
    Purples,
    /// Pale to dark green.
    Greens,
    /// Pale to dark red.
    Reds,
}

/// A scale fitted to data: it gives each value a colour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColourScale {
    /// Red to blue around zero, instead of one direction from low to high.
    pub diverging: bool,
    /// The family of colours that was asked for.
    pub family: Scale,
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
            Scale::Diverging => true,
            Scale::Sequential | Scale::Purples | Scale::Greens | Scale::Reds => false,
        };
        let fitted = if diverging { Self::symmetric(low.abs().max(high.abs())) } else { Self::sequential(low, high) };
        Self { family: scale, ..fitted }
    }

    fn symmetric(bound: f64) -> Self {
        let bound = if bound > f64::MIN_POSITIVE * 1e6 { bound } else { 1.0 };
        Self { diverging: true, family: Scale::Diverging, low: -bound, high: bound }
    }

    fn sequential(low: f64, high: f64) -> Self {
        // Rounding error is not a range.
        let spread = high - low > high.abs().max(low.abs()) * 1e-9;
        let high = if spread { high } else { low + low.abs().max(1.0) };
        Self { diverging: false, family: Scale::Sequential, low, high }
    }

    /// The colour of `value`: clamped to the limits, grey if not finite.
    pub fn colour(&self, value: f64) -> Colour {
        if !value.is_finite() {
            return Colour::MISSING;
        }
        let at = (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
        blend(self.stops(), at)
    }

    fn stops(&self) -> &'static [(u8, u8, u8)] {
        match self.family {
            Scale::Purples => &PURPLES,
            Scale::Greens => &GREENS,
            Scale::Reds => &REDS,
            _ if self.diverging => &RED_BLUE,
            _ => &VIRIDIS,
        }
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
        assert_eq!((scale.diverging, scale.low, scale.high), (true, -4.0, 4.0));
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
    fn one_colour_goes_from_pale_to_dark() {
        for (family, darkest) in
            [(Scale::Purples, (63, 0, 125)), (Scale::Greens, (0, 68, 27)), (Scale::Reds, (103, 0, 13))]
        {
            let scale = ColourScale::fit(family, None, &[-1.0, 3.0]);
            let Colour(r, g, b, _) = scale.colour(3.0);
            assert_eq!((scale.diverging, (r, g, b)), (false, darkest));
            let Colour(r, g, b, _) = scale.colour(-1.0);
            assert!(r.min(g).min(b) >= 240, "{family:?} starts at {r} {g} {b}");
        }
    }

    #[test]
    fn constant_data_and_given_limits_still_make_a_range() {
        let flat = ColourScale::fit(Scale::Sequential, None, &[2.0, 2.0]);
        assert!(flat.high > flat.low);
        let given = ColourScale::fit(Scale::Diverging, Some([-1.0, 3.0]), &[0.5]);
        assert_eq!((given.low, given.high), (-3.0, 3.0));
    }
}
