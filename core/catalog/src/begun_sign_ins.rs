//! Sign-ins that began here and go on at a provider, until the browser comes back.
//!
//! Each belongs to the browser that began it, of whose secret only the SHA-256 is kept, and is taken once: what comes
//! back a second time finds nothing.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::clock::whole_micros;
use crate::entity::begun_sign_ins as table;
use crate::rows::{Hash, clean, insert};
use crate::{Catalog, Result};

/// A sign-in that goes on at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunSignIn {
    /// What the provider sends back as it is; random, so that nobody guesses it.
    pub id: Uuid,
    /// The auth provider's name.
    pub provider: String,
    /// The SHA-256 of the browser's secret.
    pub browser_hash: Hash,
    /// What only the server may know of it, sealed.
    pub sealed: Vec<u8>,
    /// Whether the session is meant to last.
    pub stay_logged_in: bool,
    /// Where the browser goes afterwards: a path of this server.
    pub next_path: Option<String>,
    /// When it is too late.
    pub expires_at: DateTime<Utc>,
}

/// Notes that a sign-in goes on.
pub async fn create(catalog: &Catalog, begun: BegunSignIn) -> Result<()> {
    let row = table::Model {
        id: begun.id,
        provider: clean(&begun.provider),
        browser_hash: begun.browser_hash.to_vec(),
        sealed: begun.sealed,
        stay_logged_in: begun.stay_logged_in,
        next_path: begun.next_path.as_deref().map(clean),
        expires_at: whole_micros(begun.expires_at),
    };
    insert(catalog.writer(), row).await
}

/// Takes a sign-in that this browser began at this provider, once.
pub async fn take(
    catalog: &Catalog,
    id: Uuid,
    provider: &str,
    browser_hash: &Hash,
) -> Result<Option<BegunSignIn>> {
    let transaction = catalog.begin().await?;
    let found = table::Entity::find_by_id(id)
        .filter(table::Column::Provider.eq(clean(provider)))
        .filter(table::Column::BrowserHash.eq(browser_hash.to_vec()))
        .one(&transaction)
        .await?;
    let Some(row) = found else { return Ok(None) };
    // of two that come at once, one removes it
    let taken = table::Entity::delete_by_id(id).exec(&transaction).await?.rows_affected == 1;
    transaction.commit().await?;
    let in_time = row.expires_at > catalog.now();
    Ok((taken && in_time).then_some(BegunSignIn {
        id: row.id,
        provider: row.provider,
        browser_hash: *browser_hash,
        sealed: row.sealed,
        stay_logged_in: row.stay_logged_in,
        next_path: row.next_path,
        expires_at: row.expires_at,
    }))
}

/// Forgets those that nobody came back from in time; tells how many.
pub async fn forget_expired(catalog: &Catalog) -> Result<u64> {
    let gone = table::Entity::delete_many()
        .filter(table::Column::ExpiresAt.lte(catalog.now()))
        .exec(catalog.writer())
        .await?;
    Ok(gone.rows_affected)
}
