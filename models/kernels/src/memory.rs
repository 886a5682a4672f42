//! Memory for results.

use std::hint::black_box;
use std::sync::Once;

use rayon::prelude::*;

use crate::threads::add_main_thread;

/// Numbers below which one thread is faster than several.
const SMALL: usize = 1 << 16;

/// Numbers above which the allocator asks the system for memory of its own, which comes as zeros and is given back when it
/// is freed.
const OWN: usize = (32 << 20) / size_of::<f32>();

/// Zeros. What the allocator has lent before is cleared on all cores.
pub fn zeros(count: usize) -> Vec<f32> {
    keep_freed();
    add_main_thread();
    if (SMALL..OWN).contains(&count) && rayon::current_num_threads() > 1 {
        return rayon::iter::repeat_n(0.0, count).with_min_len(SMALL / 2).collect();
    }
    vec![0.0; count]
}

/// Makes the C library keep the memory of results that are freed, up to twice the size that is freed here: the next
/// results are of the same sizes, and each fresh page costs a call of the system. The GNU library learns the size from the
/// largest block that is freed, up to 32 MiB; others are not changed.
fn keep_freed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(black_box(Vec::<f32>::with_capacity(OWN - 4096))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_every_size() {
        for count in [0, 1, SMALL - 1, SMALL, 3 * SMALL + 1, OWN] {
            // What is freed is lent again.
            drop(black_box(vec![1.0_f32; count]));
            let found = zeros(count);
            assert!(found.len() == count && found.iter().all(|x| x.to_bits() == 0), "{count}");
        }
    }
}
