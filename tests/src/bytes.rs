//! Seeded bytes, and `.box` archives made of them.
//!
//! The same seed gives the same bytes on every machine, so a failure can be repeated; no test depends on a file that
//! somebody has to fetch first.

use std::io::{Cursor, Write};

use data_encoding::HEXLOWER;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// A whole picture: a PNG of one gray pixel.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\xdach\0\0\0\x82\0\
    \x81\xdaE\x08;\0\0\0\0IEND\xaeB`\x82";

/// `length` bytes that no compressor shrinks, the same for the same seed.
pub fn seeded(seed: u64, length: usize) -> Vec<u8> {
    // splitmix64: its whole state is one number, and every seed is a good one
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The SHA-256 of some bytes, in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// How a box archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As `vagrant package` writes it.
    Gzip,
    /// Smaller, slower.
    Xz,
    /// Newer clients of `bsdtar` only.
    Zstd,
    /// A plain tar.
    None,
}

/// Makes a `.box` file: a tar of `metadata.json` and a disk.
#[derive(Debug, Clone)]
pub struct BoxBuilder {
    provider: String,
    compression: Compression,
    seed: u64,
    disk_bytes: usize,
    metadata: Option<String>,
    metadata_path: String,
}

/// A finished `.box` file.
#[derive(Debug, Clone)]
pub struct BoxFile {
    /// The archive.
    pub bytes: Vec<u8>,
    /// What lies in it as [`DISK_NAME`].
    pub disk: Vec<u8>,
    /// The SHA-256 of the archive.
    pub sha256: String,
}

/// The name of the disk within a box that a [`BoxBuilder`] makes.
pub const DISK_NAME: &str = "box-disk001.vmdk";

impl BoxBuilder {
    /// A gzip box with a disk of 64 KiB for a provider.
    pub fn new(provider: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            compression: Compression::Gzip,
            seed: 1,
            disk_bytes: 64 * 1024,
            metadata: None,
            metadata_path: "metadata.json".to_owned(),
        }
    }

    /// Another compression.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Another disk.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A disk of that many bytes.
    #[must_use]
    pub fn disk_bytes(mut self, bytes: usize) -> Self {
        self.disk_bytes = bytes;
        self
    }

    /// This text as `metadata.json`, instead of one that names the provider.
    #[must_use]
    pub fn metadata(mut self, text: &str) -> Self {
        self.metadata = Some(text.to_owned());
        self
    }

    /// Another path within the archive for `metadata.json`, such as `./metadata.json`.
    #[must_use]
    pub fn metadata_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.metadata_path);
        self
    }

    /// Makes the file.
    pub fn build(&self) -> BoxFile {
        let disk = seeded(self.seed, self.disk_bytes);
        let metadata = self
            .metadata
            .clone()
            .unwrap_or_else(|| format!("{{\"provider\":\"{}\"}}\n", self.provider));
        let entries: [(&str, &[u8]); 2] =
            [(&self.metadata_path, metadata.as_bytes()), (DISK_NAME, &disk)];
        let bytes = compress(self.compression, &tar(&entries));
        let sha256 = sha256(&bytes);
        BoxFile { bytes, disk, sha256 }
    }
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // written by hand: the crate would drop a leading "./"
        let name = header.as_old_mut();
        let Some(field) = name.name.get_mut(..path.len()) else {
            panic!("{path} is too long for this header")
        };
        field.copy_from_slice(path.as_bytes());
        header.set_cksum();
        archive.append(&header, Cursor::new(content)).expect("memory can be written");
    }
    archive.into_inner().expect("memory can be written")
}

fn compress(compression: Compression, tar: &[u8]) -> Vec<u8> {
    let reason = "memory can be written";
    match compression {
        Compression::None => tar.to_vec(),
        Compression::Gzip => {
            let mut out = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(tar).expect(reason);
            out.finish().expect(reason)
        }
        Compression::Xz => {
            let mut out = liblzma::write::XzEncoder::new(Vec::new(), 1);
            out.write_all(tar).expect(reason);
            out.finish().expect(reason)
        }
        Compression::Zstd => zstd::encode_all(tar, 1).expect(reason),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(seeded(7, 1000), seeded(7, 1000));
        assert_ne!(seeded(7, 1000), seeded(8, 1000));
        assert_eq!(seeded(7, 1000)[..99], seeded(7, 99));
    }

    #[test]
    fn a_box_holds_its_metadata_and_its_disk_whatever_the_compression() {
        for compression in
            [Compression::Gzip, Compression::Xz, Compression::Zstd, Compression::None]
        {
            let file = BoxBuilder::new("libvirt").compression(compression).build();
            let bytes = &*file.bytes;
            let reader: Box<dyn std::io::Read> = match compression {
                Compression::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
                Compression::Xz => Box::new(liblzma::read::XzDecoder::new(bytes)),
                Compression::Zstd => Box::new(zstd::Decoder::new(bytes).unwrap()),
                Compression::None => Box::new(bytes),
            };
            let mut found = Vec::new();
            for entry in tar::Archive::new(reader).entries().unwrap() {
                let mut entry = entry.unwrap();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                found.push((entry.path().unwrap().display().to_string(), content));
            }
            assert_eq!(found[0].0, "metadata.json", "{compression:?}");
            assert!(String::from_utf8_lossy(&found[0].1).contains("libvirt"), "{compression:?}");
            assert!(found[1] == (DISK_NAME.to_owned(), file.disk), "{compression:?}");
        }
    }
}
