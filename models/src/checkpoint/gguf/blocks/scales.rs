//! The twelve bytes of eight scales and eight least values, six bits each, that `Q4_K` and `Q5_K` share.

/// The scale and the least value of a group.
pub(super) fn scale_and_least(packed: &[u8], group: usize) -> (u8, u8) {
    if group < 4 {
        return (packed[group] & 63, packed[group + 4] & 63);
    }
    // The lower four bits are at the end, the upper two above the first groups'.
    let (low, of_scale, of_least) = (packed[group + 4], packed[group - 4], packed[group]);
    (low & 15 | of_scale >> 6 << 4, low >> 4 | of_least >> 6 << 4)
}
