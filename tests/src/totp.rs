//! What an authenticator app shows (RFC 6238), written down once more: it shares no code with the server.

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE32_NOPAD;
use sha1::{Digest as _, Sha1};

/// The bytes of a block of SHA-1.
const BLOCK_BYTES: usize = 64;

/// The present step of 30 seconds.
pub fn step() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    now.as_secs() / 30
}

/// The code of a step, by the secret in base 32.
pub fn code(secret: &str, step: u64) -> String {
    let mut key = BASE32_NOPAD.decode(secret.as_bytes()).expect("the secret is base 32");
    key.resize(BLOCK_BYTES, 0);
    let pad = |byte: u8| key.iter().map(|one| one ^ byte).collect::<Vec<u8>>();
    let inner = Sha1::digest([pad(0x36), step.to_be_bytes().to_vec()].concat());
    let tag = Sha1::digest([pad(0x5c), inner.to_vec()].concat());
    let offset = usize::from(tag.last().expect("a digest has bytes") & 15);
    let word = tag.get(offset..offset + 4).and_then(|part| part.try_into().ok());
    let number = u32::from_be_bytes(word.expect("the offset lies within")) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}
