//! Requests that may be sent twice and are done once: by a key of the caller's own choice.
//!
//! A row is there while the first request runs and for a while after it, whichever server has it. The row's key and the
//! request's body are known by their digests alone.

use std::time::Duration;

use boxvault_types::ids::UserId;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::clock::whole_micros;
use crate::entity::idempotency_keys as table;
use crate::rows::{Hash, insert, stored_some};
use crate::{Catalog, CatalogError, Result, Taken};

/// A request that names a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The digest of the caller, the operation and the key.
    pub key: Hash,
    /// The digest of the body.
    pub body: Hash,
    /// Who asks; their rows go with them.
    pub user_id: UserId,
    /// How long the request may run.
    pub lease: Duration,
    /// How long its answer is kept.
    pub kept_for: Duration,
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; `None` where it may not be kept.
    pub body: Option<String>,
    /// The entity tag.
    pub etag: Option<String>,
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is the first with its key. Close it with [`finish`] or [`abandon`].
    First,
    /// The first one is running.
    Running,
    /// The first one ended without a word: its server did.
    Unknown,
    /// The first one had another body.
    OtherBody,
    /// It was answered.
    Answered(Answer),
}

/// Begins a request, or finds the first one with its key.
pub async fn begin(catalog: &Catalog, request: Request) -> Result<Known> {
    let now = catalog.now();
    // one that has been kept for long enough is as if it had never been
    table::Entity::delete_many()
        .filter(table::Column::KeyHash.eq(request.key.to_vec()))
        .filter(table::Column::ExpiresAt.lte(now))
        .exec(catalog.writer())
        .await?;
    let row = table::Model {
        key_hash: request.key.to_vec(),
        user_id: request.user_id.0,
        body_hash: request.body.to_vec(),
        status: None,
        body: None,
        etag: None,
        lease_until: later(now, request.lease),
        // one that never ends is told of for as long
        expires_at: later(now, request.lease + request.kept_for),
    };
    match insert(catalog.writer(), row).await {
        Ok(()) => return Ok(Known::First),
        Err(CatalogError::AlreadyExists { what: Taken::Id }) => {}
        Err(error) => return Err(error),
    }
    let first = table::Entity::find_by_id(request.key.to_vec()).one(catalog.writer()).await?;
    // it was abandoned in between: who asks again becomes the first
    let Some(first) = first else { return Ok(Known::Running) };
    if first.body_hash != request.body {
        return Ok(Known::OtherBody);
    }
    match first.status {
        Some(status) => {
            let status = stored_some("idempotency_keys.status", u16::try_from(status).ok())?;
            Ok(Known::Answered(Answer { status, body: first.body, etag: first.etag }))
        }
        None if first.lease_until > now => Ok(Known::Running),
        None => Ok(Known::Unknown),
    }
}

/// Keeps the answer of the first request with a key.
pub async fn finish(catalog: &Catalog, request: Request, answer: Answer) -> Result<()> {
    let row = table::ActiveModel {
        key_hash: Set(request.key.to_vec()),
        status: Set(Some(i32::from(answer.status))),
        body: Set(answer.body),
        etag: Set(answer.etag),
        expires_at: Set(later(catalog.now(), request.kept_for)),
        ..Default::default()
    };
    row.update(catalog.writer()).await?;
    Ok(())
}

/// Forgets a request that changed nothing, so that it may be sent again.
pub async fn abandon(catalog: &Catalog, key: Hash) -> Result<()> {
    table::Entity::delete_by_id(key.to_vec()).exec(catalog.writer()).await?;
    Ok(())
}

/// Forgets what has been kept for long enough; tells how many.
pub async fn forget_expired(catalog: &Catalog) -> Result<u64> {
    let expired = table::Column::ExpiresAt.lte(catalog.now());
    let gone = table::Entity::delete_many().filter(expired).exec(catalog.writer()).await?;
    Ok(gone.rows_affected)
}

fn later(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    whole_micros(now + TimeDelta::from_std(by).unwrap_or(TimeDelta::days(36_500)))
}
