//! Samples whose mean and median are known.

/// A generator of `xorshift128+`.
pub(crate) struct Rng(u64, u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, seed ^ 0xD1B5_4A32_D192_ED03);
        (0..20).for_each(|_| {
            rng.next();
        });
        rng
    }

    fn next(&mut self) -> u64 {
        let (mut a, b) = (self.0, self.1);
        a ^= a << 23;
        a ^= b ^ (a >> 17) ^ (b >> 26);
        (self.0, self.1) = (b, a);
        a.wrapping_add(b)
    }

    /// Uniform in `(0, 1]`.
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A distribution.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Normal,
    Exponential,
    LongTailed,
    Tied,
    Binary,
}

impl Shape {
    pub(crate) const ALL: [Self; 5] = [Self::Normal, Self::Exponential, Self::LongTailed, Self::Tied, Self::Binary];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Exponential => "exponential",
            Self::LongTailed => "t, 3 df",
            Self::Tied => "tied",
            Self::Binary => "binary",
        }
    }

    pub(crate) fn draw(self, rng: &mut Rng) -> f64 {
        match self {
            Self::Normal => rng.normal(),
            Self::Exponential => -rng.uniform().ln(),
            Self::LongTailed => rng.normal() / ((0..3).map(|_| rng.normal().powi(2)).sum::<f64>() / 3.0).sqrt(),
            Self::Tied => rng.normal().round(),
            Self::Binary => f64::from(u8::from(rng.uniform() <= 0.5)),
        }
    }

    pub(crate) fn mean(self) -> f64 {
        match self {
            Self::Exponential => 1.0,
            Self::Binary => 0.5,
            _ => 0.0,
        }
    }

    pub(crate) fn median(self) -> f64 {
        if self == Self::Exponential { std::f64::consts::LN_2 } else { self.mean() }
    }

    /// The median of the mean of two values: of exponential ones, half the median of a gamma distribution of shape 2.
    pub(crate) fn pseudo_median(self) -> f64 {
        if self == Self::Exponential { 0.839_173_495_0 } else { self.mean() }
    }

    pub(crate) fn sample(self, rng: &mut Rng, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.draw(rng)).collect()
    }
}
