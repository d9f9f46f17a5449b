//! Quotas: how much the files of an organization may take. A platform admin sets them; else the server's default holds.
//!
//! A quota counts each file, also where equal bytes are stored once: what one organization has used must not depend on
//! what another one stored.

use boxvault_types::ids::{ArtifactId, OrganizationId};
use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, JoinType, QuerySelect,
};
use thiserror::Error;

use crate::artifacts::{to_box, to_provider, to_version};
use crate::audit::{self, NewEntry};
use crate::entity::{artifacts as artifact_rows, boxes as box_rows, quotas as table};
use crate::{Catalog, CatalogError, Noun, Result, organizations, usage};

/// What a platform admin allowed an organization. `None`: the default of the server holds. Zero: there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// The bytes of all files together, each file counted.
    pub bytes: Option<i64>,
    /// The bytes of one file.
    pub file_bytes: Option<i64>,
}

/// A quota, and since when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowance {
    /// The quota.
    pub quota: Quota,
    /// When it was last set, if ever.
    pub set_at: Option<DateTime<Utc>>,
}

/// What holds, the default included. `None`: there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of all files together, each file counted.
    pub bytes: Option<i64>,
    /// The bytes of one file.
    pub file_bytes: Option<i64>,
}

/// What is left for one more file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// What holds.
    pub limits: Limits,
    /// The bytes of the organization's files. Zero where nothing limits them.
    pub used: i64,
    /// The bytes of the file that the new one takes the place of.
    pub replaced: i64,
}

/// Why a file is more than an organization may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OverQuota {
    /// The file alone is larger than one may be.
    #[error("a file has {asked} bytes, and one may have {allowed}")]
    File {
        /// Bytes that one file may have.
        allowed: i64,
        /// Bytes that it has, at least.
        asked: i64,
    },
    /// With it, all files together would be.
    #[error("{used} of {allowed} bytes are used, and {asked} more are asked for")]
    Organization {
        /// Bytes of the files that are there, without the one that would be replaced.
        used: i64,
        /// Bytes that all files may have.
        allowed: i64,
        /// Bytes that are asked for, at least.
        asked: i64,
    },
}

impl Quota {
    /// What holds, given the server's default.
    pub fn over(self, default: Limits) -> Limits {
        let effective = |own: Option<i64>, default: Option<i64>| match own {
            None => default,
            Some(0) => None,
            own => own,
        };
        Limits {
            bytes: effective(self.bytes, default.bytes),
            file_bytes: effective(self.file_bytes, default.file_bytes),
        }
    }
}

impl Room {
    /// Whether a file of so many bytes fits. One that is no larger than what it replaces fits always, so that an
    /// organization over its quota can get smaller.
    ///
    /// # Errors
    /// Which limit it passes.
    pub fn check(&self, asked: i64) -> std::result::Result<(), OverQuota> {
        self.check_all(asked, asked)
    }

    /// Whether several files fit: so many bytes together, the largest of them so many. No file fits always.
    ///
    /// # Errors
    /// Which limit they pass.
    pub fn check_all(&self, asked: i64, largest: i64) -> std::result::Result<(), OverQuota> {
        if let Some(allowed) = self.limits.file_bytes.filter(|allowed| largest > *allowed) {
            return Err(OverQuota::File { allowed, asked: largest });
        }
        let used = self.used.saturating_sub(self.replaced);
        match self.limits.bytes {
            Some(allowed) if used.saturating_add(asked) > allowed && asked > self.replaced => {
                Err(OverQuota::Organization { used, allowed, asked })
            }
            _ => Ok(()),
        }
    }
}

/// What a platform admin allowed an organization.
pub async fn find(catalog: &Catalog, id: OrganizationId) -> Result<Allowance> {
    find_in(catalog.reader(), id).await
}

async fn find_in<C: ConnectionTrait>(db: &C, id: OrganizationId) -> Result<Allowance> {
    let row = table::Entity::find_by_id(id.0).one(db).await?;
    Ok(row.map_or_else(Allowance::default, |row| Allowance {
        quota: Quota { bytes: row.bytes, file_bytes: row.file_bytes },
        set_at: Some(row.updated_at),
    }))
}

/// Allows an organization so much, in the place of what it was allowed before.
///
/// # Errors
/// `NotFound(Organization)`.
pub async fn put(
    catalog: &Catalog,
    id: OrganizationId,
    quota: Quota,
    entry: NewEntry,
) -> Result<Allowance> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let row = table::Model {
        organization_id: id.0,
        bytes: quota.bytes,
        file_bytes: quota.file_bytes,
        updated_at: now,
    };
    table::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(table::Column::OrganizationId)
                .update_columns([
                    table::Column::Bytes,
                    table::Column::FileBytes,
                    table::Column::UpdatedAt,
                ])
                .to_owned(),
        )
        .exec_without_returning(&transaction)
        .await
        .map_err(|error| CatalogError::from(error).without_parent(Noun::Organization))?;
    audit::insert_in(&transaction, now, vec![entry]).await?;
    transaction.commit().await?;
    Ok(Allowance { quota, set_at: Some(now) })
}

/// What is left for a file that takes the place of one with `replaced` bytes. Nothing is held: see the commit.
pub async fn room(
    catalog: &Catalog,
    id: OrganizationId,
    replaced: i64,
    default: Limits,
) -> Result<Room> {
    let limits = find(catalog, id).await?.quota.over(default);
    let used = match limits.bytes {
        Some(_) => usage::bytes_of(catalog.reader(), id).await?,
        None => 0,
    };
    Ok(Room { limits, used, replaced })
}

/// The organization of an artifact, and what is left in it. Where its bytes are limited, the organization is held until the
/// transaction ends, so that of two files that do not fit together the second one sees the first. Before the
/// artifact and its version are held, as whoever deletes an organization does.
pub(crate) async fn hold<C: ConnectionTrait>(
    db: &C,
    artifact: ArtifactId,
    default: Limits,
) -> Result<(OrganizationId, Room)> {
    let owner = artifact_rows::Entity::find_by_id(artifact.0)
        .select_only()
        .column(box_rows::Column::OrganizationId)
        .join(JoinType::InnerJoin, to_provider())
        .join(JoinType::InnerJoin, to_version())
        .join(JoinType::InnerJoin, to_box())
        .into_tuple::<Uuid>()
        .one(db)
        .await?;
    let id = OrganizationId(owner.ok_or(CatalogError::NotFound { what: Noun::Architecture })?);
    Ok((id, hold_organization(db, id, default).await?))
}

/// What is left in an organization, which is held likewise. Before one of its boxes is held.
pub(crate) async fn hold_organization<C: ConnectionTrait>(
    db: &C,
    id: OrganizationId,
    default: Limits,
) -> Result<Room> {
    let limits = find_in(db, id).await?.quota.over(default);
    let used = match limits.bytes {
        Some(_) => {
            organizations::lock(db, id).await?;
            usage::bytes_of(db, id).await?
        }
        None => 0,
    };
    Ok(Room { limits, used, replaced: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Limits = Limits { bytes: Some(100), file_bytes: None };

    #[test]
    fn an_own_quota_stands_before_the_default_and_zero_lifts_it() {
        let limits = |bytes| Quota { bytes, file_bytes: Some(7) }.over(DEFAULT);
        assert_eq!(limits(None), Limits { bytes: Some(100), file_bytes: Some(7) });
        assert_eq!(limits(Some(5)).bytes, Some(5));
        assert_eq!(limits(Some(0)).bytes, None);
    }

    #[test]
    fn a_file_fits_to_the_last_byte_and_not_beyond() {
        let room = Room { limits: DEFAULT, used: 60, replaced: 10 };
        assert_eq!(room.check(50), Ok(()));
        let over = OverQuota::Organization { used: 50, allowed: 100, asked: 51 };
        assert_eq!(room.check(51), Err(over));
        let over = Room { limits: DEFAULT, used: 300, replaced: 120 };
        assert_eq!(over.check(120), Ok(()), "it does not grow");
        assert!(over.check(121).is_err());
        let file = Room { limits: Limits { bytes: None, file_bytes: Some(9) }, ..room };
        assert_eq!(file.check(9), Ok(()));
        assert_eq!(file.check(10), Err(OverQuota::File { allowed: 9, asked: 10 }));
        assert_eq!(room.check_all(50, 30), Ok(()));
        assert!(room.check_all(51, 30).is_err());
        assert!(file.check_all(12, 10).is_err() && file.check_all(12, 9).is_ok());
        assert_eq!(Room { used: 300, ..room }.check_all(0, 0), Ok(()), "nothing takes no room");
        let huge = Room { limits: DEFAULT, used: i64::MAX, replaced: 0 };
        assert!(huge.check(i64::MAX).is_err());
    }
}
