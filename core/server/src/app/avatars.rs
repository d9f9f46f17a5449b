//! Pictures of users: small, of three kinds that browsers show and that hold no script, told by their bytes alone.

use boxvault_catalog::avatars::{self, Avatar};
use boxvault_types::{digest::Digest, error::ErrorCode, ids::UserId};
use sha2::{Digest as _, Sha256};

use super::App;
use crate::error::{AppError, Result};

impl App {
    /// Gives the caller a picture. What it is, its bytes tell, whatever the request says.
    pub(crate) async fn put_avatar(&self, user: UserId, bytes: Vec<u8>) -> Result<()> {
        let Some(content_type) = kind_of(&bytes) else {
            return Err(AppError::new(
                ErrorCode::UnsupportedMediaType,
                "this is no picture that is taken here; send a PNG, a JPEG or a WebP",
            ));
        };
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

fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP".as_slice());
    match bytes {
        _ if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => Some("image/png"),
        _ if bytes.starts_with(b"\xff\xd8\xff") => Some("image/jpeg"),
        _ if webp => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_bytes_say() {
        assert_eq!(kind_of(b"\x89PNG\r\n\x1a\n\0\0"), Some("image/png"));
        assert_eq!(kind_of(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind_of(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        for other in
            [&b""[..], b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", b"RIFF", b"\x89PNG"]
        {
            assert_eq!(kind_of(other), None, "{other:?}");
        }
    }
}
