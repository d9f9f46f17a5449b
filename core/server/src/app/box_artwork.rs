//! The picture of a box. What it is, its own bytes say; nobody is believed about it.

use boxvault_catalog::boxes::{self, Artwork, OwnedBox};
use boxvault_types::{digest::Digest, error::ErrorCode};
use sha2::{Digest as _, Sha256};

use super::{App, pictures};
use crate::error::{AppError, Result};

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
    /// `UNSUPPORTED_MEDIA_TYPE`; `FILE_TOO_LARGE` for one with too many pixels.
    pub(crate) async fn set_artwork(&self, found: &OwnedBox, content: Vec<u8>) -> Result<()> {
        let media_type = pictures::media_type(&content)?;
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
