//! Pictures of users.

use boxvault_catalog::avatars::{self, Avatar};
use boxvault_types::{digest::Digest, error::ErrorCode, ids::UserId};
use sha2::{Digest as _, Sha256};

use super::{App, pictures};
use crate::error::{AppError, Result};

impl App {
    /// Gives the caller a picture. What it is, its bytes tell, whatever the request says.
    pub(crate) async fn put_avatar(&self, user: UserId, bytes: Vec<u8>) -> Result<()> {
        let content_type = pictures::media_type(&bytes)?;
        let digest = Digest(Sha256::digest(&bytes).into());
        let avatar = Avatar { content_type: content_type.to_owned(), bytes, digest };
        Ok(avatars::put(&self.catalog, user, avatar).await?)
    }

    /// The picture of a user.
    ///
    /// # Errors
    /// `FILE_NOT_FOUND`, whether there is no such user or no picture.
    pub(crate) async fn avatar(&self, user: UserId) -> Result<Avatar> {
        let avatar = avatars::find(&self.catalog, user).await?;
        avatar.ok_or_else(|| AppError::new(ErrorCode::FileNotFound, "there is no picture"))
    }

    /// Takes the caller's picture away, if there is one.
    pub(crate) async fn delete_avatar(&self, user: UserId) -> Result<()> {
        Ok(avatars::remove(&self.catalog, user).await?)
    }
}
