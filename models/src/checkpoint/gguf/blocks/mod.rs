//! The types in which GGUF stores numbers. A block of bytes is widened to a block of numbers, bit for bit as the `gguf`
//! package of Python does (<https://github.com/ggml-org/llama.cpp/tree/master/gguf-py>, `quants.py`).
//!
//! To add one: write its file, and add one row to `blocks!`.

mod scales;

/// A type: how many numbers a block has, in how many bytes, and how it is widened.
#[derive(Debug)]
pub(super) struct BlockType {
    number: u32,
    pub(super) name: &'static str,
    pub(super) numbers: usize,
    pub(super) bytes: usize,
    pub(super) widen: fn(&[u8], &mut [f32]),
}

/// Declares the types. A row is the file, and the number and name of the type.
macro_rules! blocks {
    ($($file:ident $number:literal $name:literal,)*) => {
        $(mod $file;)*

        const TYPES: &[BlockType] = &[$(BlockType {
            number: $number,
            name: $name,
            numbers: $file::NUMBERS,
            bytes: $file::BYTES,
            widen: $file::widen,
        }),*];
    };
}

blocks! {
    f32 0 "F32",
    f16 1 "F16",
    q4_0 2 "Q4_0",
    q4_1 3 "Q4_1",
    q5_0 6 "Q5_0",
    q5_1 7 "Q5_1",
    q8_0 8 "Q8_0",
    q2_k 10 "Q2_K",
    q3_k 11 "Q3_K",
    q4_k 12 "Q4_K",
    q5_k 13 "Q5_K",
    q6_k 14 "Q6_K",
    f64 28 "F64",
    bf16 30 "BF16",
}

/// Types that are not read, by number, to name them.
const OTHERS: [(u32, &str); 19] = [
    (9, "Q8_1"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
];

impl BlockType {
    /// The type with this number in files.
    ///
    /// # Errors
    ///
    /// A description of a type that is not read.
    pub(super) fn numbered(number: u32) -> Result<&'static Self, String> {
        TYPES.iter().find(|kind| kind.number == number).ok_or_else(|| {
            let name = OTHERS.iter().find(|(other, _)| *other == number).map(|(_, name)| *name);
            let read: Vec<&str> = TYPES.iter().map(|kind| kind.name).collect();
            let name =
                name.map_or_else(|| format!("of type {number}, which is not known"), |name| format!("of type {name}"));
            format!("{name}; the types that are read are {}: give a file in one of them", read.join(", "))
        })
    }

    /// The bytes of a tensor; `None` if its rows are not whole blocks, or it is too large.
    pub(super) fn bytes_of(&self, shape: &[usize]) -> Option<u64> {
        let numbers = shape.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis))?;
        let whole = shape.last().copied().unwrap_or(1).is_multiple_of(self.numbers);
        whole.then_some(numbers / self.numbers)?.checked_mul(self.bytes).map(|bytes| bytes as u64)
    }
}

/// A half-precision number at the start of some bytes.
fn half(bytes: &[u8]) -> f32 {
    half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// The lower and the upper four bits of 16 bytes, as 32 numbers.
fn nibbles(bytes: &[u8], index: usize) -> u8 {
    if index < 16 { bytes[index] & 15 } else { bytes[index - 16] >> 4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_is_not_read_is_named() {
        let said = BlockType::numbered(20).unwrap_err();
        assert_eq!(
            said,
            "of type IQ4_NL; the types that are read are F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, F64, BF16: give a \
             file in one of them"
        );
        assert!(BlockType::numbered(999).unwrap_err().starts_with("of type 999, which is not known"));
    }

    #[test]
    fn rows_are_whole_blocks() {
        let kind = BlockType::numbered(2).unwrap();
        assert_eq!(kind.bytes_of(&[3, 64]), Some(3 * 2 * 18));
        assert_eq!(kind.bytes_of(&[64, 3]), None);
        assert_eq!(kind.bytes_of(&[usize::MAX, 32]), None);
    }
}
