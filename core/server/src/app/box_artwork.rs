//! The picture of a box. What it is, its own bytes say; nobody is believed about it.

use boxvault_catalog::boxes::{self, Artwork, OwnedBox};
use boxvault_types::{digest::Digest, error::ErrorCode};
use sha2::{Digest as _, Sha256};

use super::App;
use crate::error::{AppError, Result};

/// The kinds of pictures that are taken: no browser runs anything in them, unlike in SVG.
const KINDS: &str = "a PNG, JPEG or WebP picture";

impl App {
    /// The picture of a box with its digest.
    ///
    /// # Errors
    /// `FILE_NOT_FOUND`.
    pub(crate) async fn read_artwork(&self, found: &OwnedBox) -> Result<(Artwork, Digest)> {
        let artwork = boxes::find_artwork(&self.catalog, found.vagrant_box.id).await?;
        let artwork = artwork.ok_or_else(|| no_artwork(found))?;
        let digest = Digest(Sha256::digest(&artwork.content).into());
        Ok((artwork, digest))
    }

    /// Gives a box a picture in the place of the one that it has.
    ///
    /// # Errors
    /// `UNSUPPORTED_MEDIA_TYPE`.
    pub(crate) async fn set_artwork(&self, found: &OwnedBox, content: Vec<u8>) -> Result<()> {
        let media_type = media_type(&content).ok_or_else(|| {
            AppError::new(ErrorCode::UnsupportedMediaType, format!("send {KINDS}, as its bytes"))
        })?;
        let digest = Digest(Sha256::digest(&content).into());
        let artwork = Artwork { media_type: media_type.to_owned(), content };
        boxes::set_artwork(&self.catalog, found.vagrant_box.id, Some((artwork, digest))).await?;
        self.catalogues.clear();
        Ok(())
    }

    /// Takes the picture of a box away.
    ///
    /// # Errors
    /// `FILE_NOT_FOUND`.
    pub(crate) async fn delete_artwork(&self, found: &OwnedBox) -> Result<()> {
        if found.vagrant_box.artwork.is_none() {
            return Err(no_artwork(found));
        }
        boxes::set_artwork(&self.catalog, found.vagrant_box.id, None).await?;
        self.catalogues.clear();
        Ok(())
    }
}

fn no_artwork(found: &OwnedBox) -> AppError {
    AppError::new(
        ErrorCode::FileNotFound,
        format!("{}/{} has no artwork", found.organization.name, found.vagrant_box.name),
    )
}

/// What kind of picture bytes are, by what each kind begins with.
fn media_type(content: &[u8]) -> Option<&'static str> {
    match content {
        [
            0x89,
            b'P',
            b'N',
            b'G',
            0x0d,
            0x0a,
            0x1a,
            0x0a,
            _,
            _,
            _,
            _,
            b'I',
            b'H',
            b'D',
            b'R',
            ..,
        ] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', b'V', b'P', b'8', ..] => {
            Some("image/webp")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_bytes() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR rest";
        assert_eq!(media_type(png), Some("image/png"));
        assert_eq!(media_type(b"\xff\xd8\xff\xe0 rest"), Some("image/jpeg"));
        assert_eq!(media_type(b"RIFF\x10\0\0\0WEBPVP8L rest"), Some("image/webp"));
        for other in [
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".as_slice(),
            b"<html>",
            b"GIF89a",
            b"\x89PNG\r\n\x1a\n",
            b"RIFF\x10\0\0\0WAVEfmt ",
            b"",
        ] {
            assert_eq!(media_type(other), None, "{other:?}");
        }
    }
}
