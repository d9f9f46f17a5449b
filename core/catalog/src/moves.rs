//! Moves of blobs from store to store: what shall go, what is being copied, and the one transaction that switches.
//!
//! A copy has a row from before its first byte, so that the sweep takes it neither too early nor never. Whoever copies
//! holds a lease that ends by itself when its process dies; nothing is locked while bytes move. The switch changes where
//! the blob lies, and makes a blob of its own of the place where it lay, which nothing refers to: the sweep removes that
//! one after its grace time like any other, so whoever reads it still can. The blob keeps its id, and so what refers to it.

use std::time::Duration;

use boxvault_types::ids::{BlobId, BoxId, OrganizationId};
use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel,
    JoinType, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use crate::artifacts::{to_box, to_provider, to_version};
use crate::blobs::{self, Blob};
use crate::entity::{
    artifacts as artifact_rows, blob_moves as table, blobs as blob_rows, boxes as box_rows,
};
use crate::rows::{clean, insert};
use crate::usage::whole;
use crate::{Catalog, PAGE_SIZE_MAX, Result};

/// Which blobs shall go. Only such that something refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The store that they lie in.
    pub from: String,
    /// Only what this organization has. Equal bytes that another one has as well go with it.
    pub organization: Option<OrganizationId>,
    /// Only what this box has.
    pub vagrant_box: Option<BoxId>,
    /// Only files of more bytes.
    pub larger_than: Option<i64>,
}

/// How much that is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Files.
    pub files: i64,
    /// Their bytes.
    pub bytes: i64,
}

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The store.
    pub store: String,
    /// The key in the store.
    pub key: String,
}

/// Who copies, and for how long without another word.
#[derive(Debug, Clone, Copy)]
pub struct Mover<'a> {
    /// A name that nobody else has.
    pub holder: &'a str,
    /// From now.
    pub lease: Duration,
}

/// A copy that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copying {
    /// The blob.
    pub blob_id: BlobId,
    /// Where the copy is, or will be.
    pub to: Place,
}

/// What became of the wish to copy a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It may be copied. What somebody who died left there is not needed any more.
    Yours {
        /// An object that may be there.
        left: Option<Place>,
    },
    /// Somebody else copies it.
    Busy,
    /// It lies elsewhere by now, or nothing refers to it any more.
    Gone,
}

/// How much is to be moved.
pub async fn amount(catalog: &Catalog, selection: &Selection) -> Result<Amount> {
    let db = catalog.reader();
    let backend = db.get_database_backend();
    let row = blob_rows::Entity::find()
        .select_only()
        .column_as(whole(backend, blob_rows::Column::Id.count()), "files")
        .column_as(whole(backend, blob_rows::Column::SizeBytes.sum()), "bytes")
        .filter(wanted(selection))
        .into_tuple::<(i64, i64)>()
        .one(db)
        .await?;
    let (files, bytes) = row.unwrap_or_default();
    Ok(Amount { files, bytes })
}

/// Lists what is to be moved by id, after one of them, at most [`PAGE_SIZE_MAX`] at once: to walk it all.
pub async fn list_after(
    catalog: &Catalog,
    selection: &Selection,
    after: Option<BlobId>,
) -> Result<Vec<Blob>> {
    let mut select = blob_rows::Entity::find().filter(wanted(selection));
    if let Some(after) = after {
        select = select.filter(blob_rows::Column::Id.gt(after.0));
    }
    let rows = select
        .order_by_asc(blob_rows::Column::Id)
        .limit(PAGE_SIZE_MAX)
        .all(catalog.reader())
        .await?;
    rows.into_iter().map(blobs::from_row).collect()
}

/// Takes a blob to copy it: writes down where to, before the first byte goes there.
pub async fn begin(catalog: &Catalog, blob: &Blob, to: &Place, mover: Mover<'_>) -> Result<Begun> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    if find_in_place(&transaction, blob).await?.is_none() {
        return Ok(Begun::Gone);
    }
    let before = table::Entity::find_by_id(blob.id.0).one(&transaction).await?;
    if before.as_ref().is_some_and(|row| row.held_until > now) {
        return Ok(Begun::Busy);
    }
    let row = table::Model {
        blob_id: blob.id.0,
        store: to.store.clone(),
        object_key: to.key.clone(),
        held_by: clean(mover.holder),
        held_until: now + lease(mover),
    };
    let left = before.map(|before| Place { store: before.store, key: before.object_key });
    if left.is_some() {
        row.into_active_model().reset_all().update(&transaction).await?;
    } else {
        insert(&transaction, row).await?;
    }
    transaction.commit().await?;
    Ok(Begun::Yours { left })
}

/// Holds a blob for longer. Tells whether it was still held.
pub async fn renew(catalog: &Catalog, id: BlobId, mover: Mover<'_>) -> Result<bool> {
    let renewed = table::Entity::update_many()
        .col_expr(table::Column::HeldUntil, Expr::value(catalog.now() + lease(mover)))
        .filter(table::Column::BlobId.eq(id.0))
        .filter(table::Column::HeldBy.eq(mover.holder))
        .exec(catalog.writer())
        .await?;
    Ok(renewed.rows_affected > 0)
}

/// Makes the copy the blob's place, and its place up to now one that the sweep removes after its grace time.
///
/// Tells whether it did: not if the blob was moved, or let go by all, or taken over by somebody else meanwhile. The
/// copy is dust then.
pub async fn switch(catalog: &Catalog, blob: &Blob, to: &Place, holder: &str) -> Result<bool> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let Some(row) = find_in_place(&transaction, blob).await? else { return Ok(false) };
    let gone = table::Entity::delete_many()
        .filter(table::Column::BlobId.eq(blob.id.0))
        .filter(table::Column::HeldBy.eq(holder))
        .filter(table::Column::Store.eq(to.store.as_str()))
        .filter(table::Column::ObjectKey.eq(to.key.as_str()))
        .exec(&transaction)
        .await?;
    if gone.rows_affected == 0 {
        return Ok(false);
    }
    let old = blob_rows::Model {
        id: BlobId::new().0,
        created_at: now,
        orphaned_at: Some(now),
        ..row.clone()
    };
    let mut row = row.into_active_model();
    row.store = Set(to.store.clone());
    row.object_key = Set(to.key.clone());
    row.update(&transaction).await?;
    insert(&transaction, old).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Forgets a copy, once it is gone from the store. Tells whether there was one.
pub async fn forget(catalog: &Catalog, copying: &Copying) -> Result<bool> {
    let gone = table::Entity::delete_many()
        .filter(table::Column::BlobId.eq(copying.blob_id.0))
        .filter(table::Column::Store.eq(copying.to.store.as_str()))
        .filter(table::Column::ObjectKey.eq(copying.to.key.as_str()))
        .exec(catalog.writer())
        .await?;
    Ok(gone.rows_affected > 0)
}

/// Lists copies that somebody holds.
pub async fn held_by(catalog: &Catalog, holder: &str) -> Result<Vec<Copying>> {
    list(catalog, table::Column::HeldBy.eq(holder)).await
}

/// Lists copies that nobody has held for so long, longest ago first, at most [`PAGE_SIZE_MAX`] at once.
pub async fn list_abandoned(catalog: &Catalog, for_at_least: Duration) -> Result<Vec<Copying>> {
    let wait = TimeDelta::from_std(for_at_least).unwrap_or(TimeDelta::days(36_500));
    list(catalog, table::Column::HeldUntil.lte(catalog.now() - wait)).await
}

async fn list(catalog: &Catalog, which: Expr) -> Result<Vec<Copying>> {
    let rows = table::Entity::find()
        .filter(which)
        .order_by_asc(table::Column::HeldUntil)
        .order_by_asc(table::Column::BlobId)
        .limit(PAGE_SIZE_MAX)
        .all(catalog.reader())
        .await?;
    let place = |row: table::Model| Copying {
        blob_id: BlobId(row.blob_id),
        to: Place { store: row.store, key: row.object_key },
    };
    Ok(rows.into_iter().map(place).collect())
}

/// A blob's row, held, if it is still where it was and not left to the sweep.
async fn find_in_place<C: ConnectionTrait>(
    db: &C,
    blob: &Blob,
) -> Result<Option<blob_rows::Model>> {
    let row = blob_rows::Entity::find_by_id(blob.id.0).lock_exclusive().one(db).await?;
    Ok(row.filter(|row| {
        row.store == blob.store && row.object_key == blob.key && row.orphaned_at.is_none()
    }))
}

fn wanted(selection: &Selection) -> Condition {
    let mut wanted = Condition::all()
        .add(blob_rows::Column::Store.eq(selection.from.as_str()))
        .add(blob_rows::Column::OrphanedAt.is_null())
        .add(Expr::exists(references(selection)));
    if let Some(bytes) = selection.larger_than {
        wanted = wanted.add(blob_rows::Column::SizeBytes.gt(bytes));
    }
    wanted
}

fn references(selection: &Selection) -> SelectStatement {
    if selection.organization.is_none() && selection.vagrant_box.is_none() {
        return blobs::references();
    }
    let mut select = artifact_rows::Entity::find()
        .select_only()
        .expr(Expr::val(1))
        .join(JoinType::InnerJoin, to_provider())
        .join(JoinType::InnerJoin, to_version())
        .join(JoinType::InnerJoin, to_box())
        .filter(
            Expr::col((artifact_rows::Entity, artifact_rows::Column::BlobId))
                .equals((blob_rows::Entity, blob_rows::Column::Id)),
        );
    if let Some(id) = selection.organization {
        select = select.filter(box_rows::Column::OrganizationId.eq(id.0));
    }
    if let Some(id) = selection.vagrant_box {
        select = select.filter(box_rows::Column::Id.eq(id.0));
    }
    select.into_query()
}

fn lease(mover: Mover<'_>) -> TimeDelta {
    TimeDelta::from_std(mover.lease).unwrap_or(TimeDelta::minutes(1))
}
