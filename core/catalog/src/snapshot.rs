//! A copy of the whole catalog as it is at one moment, while others read and write it.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use sqlx::sqlite::SqliteConnectOptions;
use thiserror::Error;

use crate::{Catalog, CatalogError, Database, Result};

/// Why there is no copy.
#[derive(Debug, Error)]
enum SnapshotError {
    #[error("only SQLite is copied by us: {0} has tools of its own for that")]
    OtherDatabase(Database),
    #[error("the path is not UTF-8")]
    Path,
}

/// The file of a database URL, if it is one of SQLite.
///
/// # Errors
/// `Unexpected` when a URL of SQLite cannot be read.
pub fn sqlite_file(url: &str) -> Result<Option<PathBuf>> {
    if !url.starts_with("sqlite:") {
        return Ok(None);
    }
    Ok(Some(SqliteConnectOptions::from_str(url)?.get_filename().to_path_buf()))
}

impl Catalog {
    /// Copies the catalog as it is now into a file that does not exist yet; it is complete when this returns, though not
    /// flushed. Writers go on meanwhile, and are not in it. SQLite only.
    ///
    /// # Errors
    /// `Unexpected` with another database, or when the file cannot be written.
    pub async fn snapshot(&self, file: &Path) -> Result<()> {
        if self.database() != Database::Sqlite {
            return Err(CatalogError::unexpected(SnapshotError::OtherDatabase(self.database())));
        }
        let file = file.to_str().ok_or_else(|| CatalogError::unexpected(SnapshotError::Path))?;
        let into =
            Statement::from_sql_and_values(DatabaseBackend::Sqlite, "VACUUM INTO ?", [file.into()]);
        self.writer().execute_raw(into).await?;
        Ok(())
    }
}
