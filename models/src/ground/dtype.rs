//! Other element types as `f32`: those of files, and half precision in tensors.

use burn::tensor::{DType, FloatDType, Tensor};
use safetensors::tensor::Dtype;

/// Little-endian bytes of a float type as `f32`; `None` for other types.
pub fn widen(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    match dtype {
        Dtype::F32 => Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
        Dtype::F64 => {
            Some(bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap_or_default()) as f32).collect())
        }
        Dtype::F16 => Some(bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
        Dtype::BF16 => Some(bytes.chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
        _ => None,
    }
}

/// Converts half precision to single, so that everything is computed in single precision however weights are stored.
pub(crate) fn widened<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if matches!(tensor.dtype(), DType::F16 | DType::BF16) { tensor.cast(FloatDType::F32) } else { tensor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_type_by_hand() {
        let bytes = |bits: u16| bits.to_le_bytes();
        assert_eq!(widen(Dtype::F32, &1.5_f32.to_le_bytes()), Some(vec![1.5]));
        assert_eq!(widen(Dtype::F64, &(-0.25_f64).to_le_bytes()), Some(vec![-0.25]));
        assert_eq!(widen(Dtype::F16, &bytes(0x3e00)), Some(vec![1.5]), "sign 0, exponent 0, fraction 1/2");
        assert_eq!(widen(Dtype::BF16, &bytes(0x3fc0)), Some(vec![1.5]), "the upper half of an f32");
        assert_eq!(widen(Dtype::I64, &[0; 8]), None);
    }
}
