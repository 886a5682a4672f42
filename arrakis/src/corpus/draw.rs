//! Draws decided by place: which tokens are drawn depends on the seed alone, not on batches or their order.

use super::batch::Token;

/// A token's lot, uniform over all `u64`. The tokens with the lowest lots are a sample without replacement
/// (Efraimidis and Spirakis 2006, with equal weights). The mixing is `SplitMix64`'s (Steele et al. 2014).
pub(super) fn lot(seed: u64, token: &Token) -> u64 {
    [token.document as u64, token.position as u64].into_iter().fold(mixed(seed), |lot, part| mixed(lot ^ part))
}

fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixing_is_splitmix64() {
        // The first outputs of the reference implementation for seed 0.
        let golden = 0x9e37_79b9_7f4a_7c15_u64;
        assert_eq!([0, golden].map(mixed), [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn lots_are_even() {
        let token = |position: usize| Token { id: 0, row: 0, slot: 0, document: 7, position };
        let below = (0..10_000).filter(|position| lot(1, &token(*position)) < u64::MAX / 4).count();
        // A binomial count with mean 2500 and deviation 43.
        assert!((2300..2700).contains(&below), "{below}");
    }
}
