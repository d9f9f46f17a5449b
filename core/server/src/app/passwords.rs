//! Password hashes: argon2id with a salt of its own for each, off the async workers, a few at a time.
//!
//! An unknown name costs as much time as a wrong password ([`Passwords::verify`] with no hash), so that nobody can
//! find out by a clock who has an account.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use boxvault_types::params::account::Secret;
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::error::{AppError, Result};

/// Each hash takes 19 MiB; this many at once bound what a flood of sign-ins can cost.
const CONCURRENT_MAX: usize = 4;
/// Makes and checks hashes.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    /// The hash of a password that nobody has.
    decoy: String,
}

impl Passwords {
    /// Ready to work.
    pub(crate) fn new() -> Result<Self> {
        let decoy = hash(uuid::Uuid::new_v4().as_bytes())?;
        Ok(Self { permits: Arc::new(Semaphore::new(CONCURRENT_MAX)), decoy })
    }

    /// The PHC string of a password.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String> {
        let _permit = self.permits.acquire().await.map_err(AppError::internal)?;
        let password = password.clone();
        spawn_blocking(move || hash(password.expose().as_bytes()))
            .await
            .map_err(AppError::internal)?
    }

    /// Whether a password belongs to a hash. Without a hash: no, after the same work.
    pub(crate) async fn verify(&self, password: &str, known: Option<String>) -> Result<bool> {
        let _permit = self.permits.acquire().await.map_err(AppError::internal)?;
        let exists = known.is_some();
        let known = known.unwrap_or_else(|| self.decoy.clone());
        let password = password.to_owned();
        let fits = spawn_blocking(move || {
            let known = PasswordHash::new(&known).map_err(AppError::internal)?;
            Ok::<_, AppError>(
                Argon2::default().verify_password(password.as_bytes(), &known).is_ok(),
            )
        });
        Ok(fits.await.map_err(AppError::internal)?? && exists)
    }
}

fn hash(password: &[u8]) -> Result<String> {
    let hash = Argon2::default().hash_password(password).map_err(AppError::internal)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_fits_only_its_own_hash() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash(&secret("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(passwords.verify("correct horse", Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct hors", Some(hash)).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
    }
}
