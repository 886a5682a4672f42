//! What signs requests: SHA-256 in Rust alone.

use hmac::{Hmac, Mac as _};
use object_store::client::{CryptoProvider, DigestAlgorithm, DigestContext, HmacContext, Signer, SigningAlgorithm};
use object_store::{Error, Result};
use sha2::{Digest as _, Sha256};

/// Signs requests of S3 (AWS Signature Version 4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signing;

impl CryptoProvider for Signing {
    fn digest(&self, algorithm: DigestAlgorithm) -> Result<Box<dyn DigestContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => Ok(Box::new(Digesting { digest: Sha256::new(), done: [0; 32] })),
            _ => Err(Error::NotImplemented {
                operation: "another digest than SHA-256".into(),
                implementer: "Signing".into(),
            }),
        }
    }

    fn hmac(&self, algorithm: DigestAlgorithm, secret: &[u8]) -> Result<Box<dyn HmacContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(secret).expect("BUG: HMAC takes keys of any length");
                Ok(Box::new(Authenticating { mac, done: [0; 32] }))
            }
            _ => Err(Error::NotImplemented {
                operation: "another digest than SHA-256".into(),
                implementer: "Signing".into(),
            }),
        }
    }

    fn sign(&self, _: SigningAlgorithm, _: &[u8]) -> Result<Box<dyn Signer>> {
        Err(Error::NotImplemented { operation: "signatures with RSA".into(), implementer: "Signing".into() })
    }
}

struct Digesting {
    digest: Sha256,
    done: [u8; 32],
}

impl DigestContext for Digesting {
    fn update(&mut self, data: &[u8]) {
        self.digest.update(data);
    }

    fn finish(&mut self) -> Result<&[u8]> {
        self.done = self.digest.clone().finalize().into();
        Ok(&self.done)
    }
}

struct Authenticating {
    mac: Hmac<Sha256>,
    done: [u8; 32],
}

impl HmacContext for Authenticating {
    fn update(&mut self, data: &[u8]) {
        self.mac.update(data);
    }

    fn finish(&mut self) -> Result<&[u8]> {
        self.done = self.mac.clone().finalize().into_bytes().into();
        Ok(&self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// FIPS 180-4, "abc", and RFC 4231, test case 2.
    #[test]
    fn published_values() {
        let mut digest = Signing.digest(DigestAlgorithm::Sha256).unwrap();
        digest.update(b"abc");
        assert_eq!(hex(digest.finish().unwrap()), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let mut hmac = Signing.hmac(DigestAlgorithm::Sha256, b"Jefe").unwrap();
        hmac.update(b"what do ya want ");
        hmac.update(b"for nothing?");
        assert_eq!(hex(hmac.finish().unwrap()), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
