//! Seals the few secrets that the catalog must give back in clear: a message that waits to be sent, a second factor.
//!
//! With `auth.sealing_key` a copy of the catalog tells none of them. Without it the key lies in the catalog itself, so
//! that several servers agree on it; sealing then keeps secrets out of indexes, dumps of single tables and free pages,
//! and no more. Each sealed text names its key, so that setting one later loses nothing.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use boxvault_catalog::{Catalog, settings};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::{
    config::Secret,
    error::{AppError, Result},
};

/// Where the catalog's own key is kept.
const CATALOG_KEY: &str = "sealing.key";
/// The first byte of a sealed text: which form the rest has.
const FORM: u8 = 1;
const KEY_ID_LEN: usize = 8;

struct Key {
    id: [u8; KEY_ID_LEN],
    cipher: LessSafeKey,
    mac: hmac::Key,
}

/// Seals and opens. The first key seals, each opens.
pub(crate) struct Sealer {
    keys: Vec<Key>,
}

impl Sealer {
    /// Takes the configured key, and the catalog's own where there is one or no other.
    pub(crate) async fn load(catalog: &Catalog, configured: Option<&Secret>) -> Result<Self> {
        let mut own = settings::get(catalog, CATALOG_KEY).await?;
        if own.is_none() && configured.is_none() {
            let candidate = BASE64.encode(&rand::random::<[u8; 32]>());
            own = Some(settings::put_if_absent(catalog, CATALOG_KEY, &candidate).await?);
        }
        let configured = configured.map(|secret| secret.expose().to_owned());
        let keys = configured.iter().chain(&own).map(|text| Key::new(text));
        Ok(Self { keys: keys.collect::<Result<_>>()? })
    }

    /// Seals a text for a purpose; only the same purpose opens it.
    pub(crate) fn seal(&self, purpose: &str, text: &[u8]) -> Result<Vec<u8>> {
        let key = self.keys.first().ok_or_else(|| AppError::internal("there is no sealing key"))?;
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut body = text.to_vec();
        key.cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut body,
            )
            .map_err(|_| AppError::internal("could not seal"))?;
        Ok([&[FORM], key.id.as_slice(), &nonce, &body].concat())
    }

    /// What stands for a text that may hold a secret: equal for equal texts, and to nobody without the key any help in
    /// guessing one.
    pub(crate) fn digest(&self, purpose: &str, text: &[u8]) -> Result<[u8; 32]> {
        let key = self.keys.first().ok_or_else(|| AppError::internal("there is no sealing key"))?;
        let mut context = hmac::Context::with_key(&key.mac);
        context.update(&(purpose.len() as u64).to_be_bytes());
        context.update(purpose.as_bytes());
        context.update(text);
        context.sign().as_ref().try_into().map_err(AppError::internal)
    }

    /// Opens what was sealed for this purpose.
    ///
    /// # Errors
    /// `INTERNAL` when its key is unknown here, or it was sealed for something else.
    pub(crate) fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let damaged = || AppError::internal("a sealed text is damaged or for another purpose");
        let (form, rest) = sealed.split_first().ok_or_else(damaged)?;
        let (id, rest) = rest.split_first_chunk::<KEY_ID_LEN>().ok_or_else(damaged)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        if *form != FORM {
            return Err(damaged());
        }
        let key = self.keys.iter().find(|key| key.id == *id).ok_or_else(|| {
            AppError::internal(
                "sealed with a key that this server lacks; set auth.sealing_key to it",
            )
        })?;
        let mut body = body.to_vec();
        let aad = Aad::from(purpose.as_bytes());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let text = key.cipher.open_in_place(nonce, aad, &mut body).map_err(|_| damaged())?;
        Ok(text.to_vec())
    }
}

impl Key {
    /// The text has enough randomness of its own, so that one round of a hash makes it a key.
    fn new(text: &str) -> Result<Self> {
        let digest = |label: &str| Sha256::digest([label.as_bytes(), text.as_bytes()].concat());
        let id: [u8; 32] = digest("boxvault sealing key id:").into();
        let (id, _) = id.split_first_chunk().expect("a digest is longer than an id");
        let cipher = UnboundKey::new(&AES_256_GCM, &digest("boxvault sealing key:"))
            .map_err(|_| AppError::internal("could not make a sealing key"))?;
        let mac = hmac::Key::new(hmac::HMAC_SHA256, &digest("boxvault digest key:"));
        Ok(Self { id: *id, cipher: LessSafeKey::new(cipher), mac })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(keys: &[&str]) -> Sealer {
        Sealer { keys: keys.iter().map(|key| Key::new(key).unwrap()).collect() }
    }

    #[test]
    fn a_digest_is_that_of_one_key_purpose_and_text() {
        let digest = |key, purpose, text: &str| sealer(&[key]).digest(purpose, text.as_bytes());
        let one = digest("one", "mail", "secret").unwrap();
        assert_eq!(digest("one", "mail", "secret").unwrap(), one);
        for (key, purpose, text) in
            [("two", "mail", "secret"), ("one", "mai", "lsecret"), ("one", "mail", "secret ")]
        {
            assert_ne!(digest(key, purpose, text).unwrap(), one, "{key} {purpose} {text}");
        }
    }

    #[test]
    fn only_the_same_key_and_purpose_open_what_was_sealed() {
        let sealed = sealer(&["one"]).seal("mail", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(sealed, sealer(&["one"]).seal("mail", b"secret").unwrap(), "a nonce came twice");
        // a key that was set later does not lock anybody out
        assert_eq!(sealer(&["two", "one"]).open("mail", &sealed).unwrap(), b"secret");
        assert!(sealer(&["two"]).open("mail", &sealed).is_err());
        assert!(sealer(&["one"]).open("totp", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[index] ^= 1;
            assert!(sealer(&["one"]).open("mail", &damaged).is_err(), "byte {index}");
            assert!(sealer(&["one"]).open("mail", &sealed[..index]).is_err(), "cut at {index}");
        }
    }
}
