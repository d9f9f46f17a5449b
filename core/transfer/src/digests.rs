//! The digests that Vagrant knows, computed together over one pass of the bytes.

use std::str::FromStr;

use data_encoding::HEXLOWER;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A way to compute a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigestAlgorithm {
    /// 16 bytes; broken, for integrity only.
    Md5,
    /// 20 bytes; broken, for integrity only.
    Sha1,
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

/// The digests of one file, finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// Always computed.
    pub sha256: [u8; 32],
    /// The digest that was asked for beside it; lower-case hexadecimal.
    pub declared: Option<String>,
}

/// The digests of one file, while its bytes come.
#[derive(Clone)]
pub(crate) struct Hasher {
    sha256: Sha256,
    declared: Option<Declared>,
}

#[derive(Clone)]
enum Declared {
    Md5(Md5),
    Sha1(Sha1),
    Sha256,
    Sha384(Sha384),
    Sha512(Sha512),
}

impl FromStr for DigestAlgorithm {
    type Err = ();

    /// Parses Vagrant's name of it, such as `sha256`.
    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "md5" => Ok(Self::Md5),
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            "sha384" => Ok(Self::Sha384),
            "sha512" => Ok(Self::Sha512),
            _ => Err(()),
        }
    }
}

impl Digests {
    /// The SHA-256 in lower-case hexadecimal.
    pub fn sha256_hex(&self) -> String {
        HEXLOWER.encode(&self.sha256)
    }
}

impl Hasher {
    pub(crate) fn new(declared: Option<DigestAlgorithm>) -> Self {
        let declared = declared.map(|algorithm| match algorithm {
            DigestAlgorithm::Md5 => Declared::Md5(Md5::new()),
            DigestAlgorithm::Sha1 => Declared::Sha1(Sha1::new()),
            DigestAlgorithm::Sha256 => Declared::Sha256,
            DigestAlgorithm::Sha384 => Declared::Sha384(Sha384::new()),
            DigestAlgorithm::Sha512 => Declared::Sha512(Sha512::new()),
        });
        Self { sha256: Sha256::new(), declared }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        match &mut self.declared {
            None | Some(Declared::Sha256) => {}
            Some(Declared::Md5(hasher)) => hasher.update(bytes),
            Some(Declared::Sha1(hasher)) => hasher.update(bytes),
            Some(Declared::Sha384(hasher)) => hasher.update(bytes),
            Some(Declared::Sha512(hasher)) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digests {
        let sha256: [u8; 32] = self.sha256.finalize().into();
        let declared = self.declared.map(|declared| match declared {
            Declared::Md5(hasher) => HEXLOWER.encode(&hasher.finalize()),
            Declared::Sha1(hasher) => HEXLOWER.encode(&hasher.finalize()),
            Declared::Sha256 => HEXLOWER.encode(&sha256),
            Declared::Sha384(hasher) => HEXLOWER.encode(&hasher.finalize()),
            Declared::Sha512(hasher) => HEXLOWER.encode(&hasher.finalize()),
        });
        Digests { sha256, declared }
    }
}
