//! `exp`.

use pulp::Simd;

use super::Lanes;

/// Added to a small number, it rounds it to an integer, which the low bits of the sum then hold.
const SHIFT: f32 = 12_582_912.0;

/// The bits of `ln 2` that products with small integers keep, and the rest of it.
const LN_2: [f32; 2] = [0.693_145_75, 1.428_606_8e-6];

impl<S: Simd> Lanes<S> {
    /// `exp(x)` of numbers up to 70, within 1.1 ulp. Subnormal results are kept.
    #[inline(always)]
    pub(in crate::kernels) fn exp(self, x: S::f32s) -> S::f32s {
        let (rest, shifted) = self.reduced(x);
        let rest = self.exp_m1_of_rest(rest);
        // Two factors, so that a power of two below the smallest normal number can be had.
        let scaled = self.mul(self.add(rest, self.all(1.0)), self.power_of_two(shifted, 24));
        let exp = self.mul(scaled, self.all(1.0 / 16_777_216.0));
        self.if_less(x, self.all(-104.0), self.all(0.0), exp)
    }

    /// `exp(x) - 1` of numbers from 0 to 70.
    #[inline(always)]
    pub(super) fn exp_m1(self, x: S::f32s) -> S::f32s {
        let (rest, shifted) = self.reduced(x);
        let power = self.power_of_two(shifted, 0);
        self.fma(power, self.exp_m1_of_rest(rest), self.sub(power, self.all(1.0)))
    }

    /// `r` and `n + SHIFT` for `x = n ln 2 + r`, where `n` is an integer and `|r| <= ln 2 / 2`.
    #[inline(always)]
    fn reduced(self, x: S::f32s) -> (S::f32s, S::f32s) {
        let shifted = self.fma(x, self.all(std::f32::consts::LOG2_E), self.all(SHIFT));
        let n = self.sub(shifted, self.all(SHIFT));
        let rest = self.fma(n, self.all(-LN_2[0]), x);
        (self.fma(n, self.all(-LN_2[1]), rest), shifted)
    }

    /// `2^(n + more)`.
    #[inline(always)]
    fn power_of_two(self, shifted: S::f32s, more: u32) -> S::f32s {
        let s = self.0;
        let exponent = s.wrapping_dyn_shl_u32s(s.transmute_u32s_f32s(shifted), self.all_bits(23));
        s.transmute_f32s_u32s(s.add_u32s(exponent, self.all_bits((127 + more) << 23)))
    }

    /// `exp(r) - 1` for `|r| <= ln 2 / 2`. The coefficients are a minimax fit; its relative error is 3e-9.
    #[inline(always)]
    fn exp_m1_of_rest(self, r: S::f32s) -> S::f32s {
        const C: [f32; 5] = [0.499_999_94, 0.166_665_21, 0.041_668_26, 0.008_368_669, 0.001_382_130_4];
        self.fma(self.mul(r, r), self.polynomial(r, C), r)
    }
}
