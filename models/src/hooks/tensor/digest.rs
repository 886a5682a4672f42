//! Digests of tensors.

use burn::tensor::Tensor;
use sha2::{Digest, Sha256};

use super::activation::Activation;
use crate::device;
use crate::error::Result;

/// Numbers read from the device and hashed at a time: they stay in a core's cache.
const BLOCK: usize = 1 << 18;

/// Adds a tensor's numbers as little-endian `f32`, row-major.
pub(crate) fn hash_tensor(digest: &mut Sha256, tensor: &Activation) -> Result<()> {
    hash_flat(digest, &tensor.to_flat()?)
}

/// The same for a tensor that is laid out already.
pub(crate) fn hash_flat(digest: &mut Sha256, flat: &Tensor<1>) -> Result<()> {
    let [count] = flat.dims();
    for start in (0..count).step_by(BLOCK) {
        let data = device::read_data(flat.clone().narrow(0, start, BLOCK.min(count - start)))?;
        if cfg!(target_endian = "little") {
            digest.update(data.as_bytes());
        } else {
            data.as_bytes()
                .chunks_exact(4)
                .for_each(|number| digest.update([number[3], number[2], number[1], number[0]]));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_hashed_as_the_bytes_of_its_numbers() {
        let cpu = burn::tensor::Device::flex();
        let values: Vec<f32> = (0..2 * BLOCK + 6).map(|i| i as f32 * 0.37 - 5.0).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = Activation::from_vec(values, &[2, BLOCK + 3], &cpu).unwrap();
        let mut digest = Sha256::new();
        hash_tensor(&mut digest, &tensor).unwrap();
        hash_tensor(&mut digest, &Activation::from_vec(Vec::new(), &[0, 3], &cpu).unwrap()).unwrap();
        assert_eq!(digest.finalize(), Sha256::digest(&bytes));
    }
}
