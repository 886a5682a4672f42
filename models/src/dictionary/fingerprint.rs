//! The digest that says which dictionary a result is of.

use sha2::{Digest, Sha256};

use super::dictionary::Dictionary;
use crate::error::Result;
use crate::hooks::{hash_tensor, parameters};

impl Dictionary {
    /// A digest of its parameters and its config: 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Device`] if the parameters cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        let mut digest = Sha256::new();
        digest.update(serde_json::to_string(&self.config).expect("BUG: the config is plain data"));
        for (path, parameter) in parameters(self) {
            digest.update(format!("\n{path} {:?}\n", parameter.dims()));
            hash_tensor(&mut digest, &parameter)?;
        }
        Ok(format!("{:x}", digest.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use crate::dictionary::architectures::TopK;
    use crate::dictionary::{Dictionary, DictionaryConfig, Init};

    #[test]
    fn every_parameter_and_setting_is_part_of_it() {
        let of = |k: usize, seed: u64| {
            let config = DictionaryConfig::autoencoder(3, 5, TopK { k, ..TopK::default() });
            Dictionary::new(config, &Init::default(), seed, &Device::flex()).unwrap()
        };
        let first = of(2, 1).fingerprint().unwrap();
        assert_eq!((first.len(), &first), (64, &of(2, 1).fingerprint().unwrap()));
        let mut moved = of(2, 1);
        moved.b_dec = burn::module::Param::from_tensor(moved.b_dec.val() + 1.0);
        for other in [of(3, 1), of(2, 2), moved] {
            assert_ne!(other.fingerprint().unwrap(), first);
        }
    }
}
