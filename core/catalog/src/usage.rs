//! What files take: sums over the rows that are there, so that there is no counter that could drift from them.
//!
//! Each function is one query over indexes (two for a page), whatever the number of rows. *Files* are what artifacts
//! have, *stored* is what lies in stores for them, where equal bytes are one. What a deleted thing held counts for as
//! long as its row is there.

use boxvault_types::ids::{BoxId, OrganizationId};
use boxvault_types::names::BoxName;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseBackend, EntityTrait, FromQueryResult,
    JoinType, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait,
};

use crate::artifacts::{to_blob, to_box, to_provider, to_version};
use crate::entity::{artifacts as artifact_rows, blobs as blob_rows, boxes as box_rows};
use crate::rows::{matches, stored};
use crate::{Catalog, Order, Page, Paged, Result};

/// The name of the rows below: one for each blob that something has.
const HELD: &str = "held";

/// What a set of files takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many files.
    pub files: i64,
    /// Their bytes, each file counted.
    pub bytes: i64,
    /// How many blobs hold them.
    pub stored_files: i64,
    /// The bytes of those blobs.
    pub stored_bytes: i64,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            files: self.files + other.files,
            bytes: self.bytes + other.bytes,
            stored_files: self.stored_files + other.stored_files,
            stored_bytes: self.stored_bytes + other.stored_bytes,
        }
    }
}

/// What an organization has in one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUsage {
    /// The store.
    pub store: String,
    /// What of the organization lies there.
    pub usage: Usage,
}

/// What a box takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxUsage {
    /// The box.
    pub box_id: BoxId,
    /// Its name.
    pub name: BoxName,
    /// What it takes.
    pub usage: Usage,
}

/// What a list of boxes and their usage is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UsageSort {
    /// The name.
    #[default]
    Name,
    /// The bytes, each file counted.
    Bytes,
    /// The bytes in stores.
    StoredBytes,
    /// The number of files.
    Files,
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreContents {
    /// The store.
    pub store: String,
    /// How many blobs.
    pub blobs: i64,
    /// Their bytes.
    pub bytes: i64,
    /// How many of them wait for the sweep, since nothing refers to them.
    pub unreferenced_blobs: i64,
    /// The bytes of those.
    pub unreferenced_bytes: i64,
}

/// What an organization has, store by store; nothing for a store that holds nothing of it.
pub async fn of_organization(catalog: &Catalog, id: OrganizationId) -> Result<Vec<StoreUsage>> {
    let db = catalog.reader();
    let backend = db.get_database_backend();
    let held = held_by(id)
        .column_as(blob_rows::Column::Store, "store")
        .column_as(blob_rows::Column::SizeBytes, "size_bytes")
        .column_as(artifact_rows::Column::Id.count(), "files")
        .group_by(blob_rows::Column::Id)
        .group_by(blob_rows::Column::Store)
        .group_by(blob_rows::Column::SizeBytes);
    let mut select = Query::select();
    select
        .column("store")
        .from_subquery(held.into_query(), HELD)
        .group_by_col("store")
        .order_by("store", sea_orm::Order::Asc);
    sums(&mut select, backend, "store");
    let rows = StoreRow::find_by_statement(backend.build(&select)).all(db).await?;
    Ok(rows.into_iter().map(StoreRow::into_usage).collect())
}

/// Lists the boxes of an organization with what each takes. `q` is looked for in their names and descriptions.
pub async fn list_boxes(
    catalog: &Catalog,
    id: OrganizationId,
    q: Option<&str>,
    (sort, order): (UsageSort, Order),
    page: Page,
) -> Result<Paged<BoxUsage>> {
    let db = catalog.reader();
    let backend = db.get_database_backend();
    let mut wanted = Condition::all().add(box_rows::Column::OrganizationId.eq(id.0));
    if let Some(found) = matches(box_rows::Column::SearchText, q) {
        wanted = wanted.add(found);
    }
    let total = box_rows::Entity::find().filter(wanted.clone()).count(db).await?;
    let held = held_by(id)
        .column_as(box_rows::Column::Id, "box_id")
        .column_as(blob_rows::Column::Id, "blob_id")
        .column_as(blob_rows::Column::SizeBytes, "size_bytes")
        .column_as(artifact_rows::Column::Id.count(), "files")
        .group_by(box_rows::Column::Id)
        .group_by(blob_rows::Column::Id)
        .group_by(blob_rows::Column::SizeBytes);
    let of_box = (box_rows::Entity, box_rows::Column::Id);
    let mut select = Query::select();
    select
        .column(of_box)
        .column((box_rows::Entity, box_rows::Column::Name))
        .from(box_rows::Entity)
        .join_subquery(
            JoinType::LeftJoin,
            held.into_query(),
            HELD,
            Expr::col((HELD, "box_id")).equals(of_box),
        )
        .cond_where(wanted)
        .group_by_col(of_box)
        .group_by_col((box_rows::Entity, box_rows::Column::Name))
        .group_by_col((box_rows::Entity, box_rows::Column::NameKey));
    sums(&mut select, backend, "blob_id");
    let by = match sort {
        UsageSort::Name => Expr::col((box_rows::Entity, box_rows::Column::NameKey)),
        UsageSort::Bytes => Expr::col("bytes"),
        UsageSort::StoredBytes => Expr::col("stored_bytes"),
        UsageSort::Files => Expr::col("files"),
    };
    select.order_by_expr(by, order.into());
    select
        .order_by(of_box, sea_orm::Order::Asc)
        .limit(page.size())
        .offset((page.number() - 1) * page.size());
    let rows = BoxRow::find_by_statement(backend.build(&select)).all(db).await?;
    let items = rows.into_iter().map(BoxRow::into_usage).collect::<Result<_>>()?;
    Ok(Paged { items, total })
}

/// What each store holds, by name; nothing for a store that holds nothing.
pub async fn of_stores(catalog: &Catalog) -> Result<Vec<StoreContents>> {
    let db = catalog.reader();
    let backend = db.get_database_backend();
    let size = || Expr::col(blob_rows::Column::SizeBytes);
    let orphaned = |then: Expr| {
        let case = CaseStatement::new()
            .case(Expr::col(blob_rows::Column::OrphanedAt).is_not_null(), then)
            .finally(0_i64);
        Expr::Case(Box::new(case))
    };
    let mut select = Query::select();
    select
        .column(blob_rows::Column::Store)
        .expr_as(whole(backend, Expr::col(blob_rows::Column::Id).count()), "blobs")
        .expr_as(whole(backend, size().sum()), "bytes")
        .expr_as(whole(backend, orphaned(Expr::val(1_i64)).sum()), "unreferenced_blobs")
        .expr_as(whole(backend, orphaned(size()).sum()), "unreferenced_bytes")
        .from(blob_rows::Entity)
        .group_by_col(blob_rows::Column::Store)
        .order_by(blob_rows::Column::Store, sea_orm::Order::Asc);
    let rows = ContentsRow::find_by_statement(backend.build(&select)).all(db).await?;
    Ok(rows.into_iter().map(ContentsRow::into_contents).collect())
}

/// The bytes of all files of an organization, each file counted.
pub(crate) async fn bytes_of<C: ConnectionTrait>(db: &C, id: OrganizationId) -> Result<i64> {
    let sum = whole(db.get_database_backend(), blob_rows::Column::SizeBytes.sum());
    let row = held_by(id).column_as(sum, "bytes").into_tuple::<Option<i64>>().one(db).await?;
    Ok(row.flatten().unwrap_or_default())
}

/// The bytes of all files of a box, each file counted, and those of its largest.
pub(crate) async fn bytes_of_box<C: ConnectionTrait>(db: &C, id: BoxId) -> Result<(i64, i64)> {
    let backend = db.get_database_backend();
    let size = blob_rows::Column::SizeBytes;
    let row = held()
        .column_as(whole(backend, size.sum()), "bytes")
        .column_as(whole(backend, size.max()), "largest")
        .filter(box_rows::Column::Id.eq(id.0))
        .into_tuple()
        .one(db)
        .await?;
    Ok(row.unwrap_or_default())
}

/// Every artifact of an organization that has a file, with its blob and its box.
fn held_by(id: OrganizationId) -> sea_orm::Select<artifact_rows::Entity> {
    held().filter(box_rows::Column::OrganizationId.eq(id.0))
}

fn held() -> sea_orm::Select<artifact_rows::Entity> {
    artifact_rows::Entity::find()
        .select_only()
        .join(JoinType::InnerJoin, to_blob())
        .join(JoinType::InnerJoin, to_provider())
        .join(JoinType::InnerJoin, to_version())
        .join(JoinType::InnerJoin, to_box())
}

/// Adds the four sums over the rows of [`HELD`]; `blob` is a column of it that is null where there is no blob.
fn sums(select: &mut SelectStatement, backend: DatabaseBackend, blob: &'static str) {
    let of = |name: &'static str| Expr::col((HELD, name));
    select
        .expr_as(whole(backend, of("files").sum()), "files")
        .expr_as(whole(backend, of("files").mul(of("size_bytes")).sum()), "bytes")
        .expr_as(whole(backend, of(blob).count()), "stored_files")
        .expr_as(whole(backend, of("size_bytes").sum()), "stored_bytes");
}

/// A sum as the 64-bit number that it is: two of the databases make a decimal of it; and none is zero.
pub(crate) fn whole(backend: DatabaseBackend, sum: Expr) -> Expr {
    let kind = match backend {
        DatabaseBackend::MySql => "SIGNED",
        _ => "BIGINT",
    };
    sum.if_null(0_i64).cast_as(kind)
}

#[derive(Debug, FromQueryResult)]
struct StoreRow {
    store: String,
    files: i64,
    bytes: i64,
    stored_files: i64,
    stored_bytes: i64,
}

impl StoreRow {
    fn into_usage(self) -> StoreUsage {
        let Self { store, files, bytes, stored_files, stored_bytes } = self;
        StoreUsage { store, usage: Usage { files, bytes, stored_files, stored_bytes } }
    }
}

#[derive(Debug, FromQueryResult)]
struct BoxRow {
    id: Uuid,
    name: String,
    files: i64,
    bytes: i64,
    stored_files: i64,
    stored_bytes: i64,
}

impl BoxRow {
    fn into_usage(self) -> Result<BoxUsage> {
        let Self { id, name, files, bytes, stored_files, stored_bytes } = self;
        Ok(BoxUsage {
            box_id: BoxId(id),
            name: stored("boxes.name", BoxName::parse(&name))?,
            usage: Usage { files, bytes, stored_files, stored_bytes },
        })
    }
}

#[derive(Debug, FromQueryResult)]
struct ContentsRow {
    store: String,
    blobs: i64,
    bytes: i64,
    unreferenced_blobs: i64,
    unreferenced_bytes: i64,
}

impl ContentsRow {
    fn into_contents(self) -> StoreContents {
        let Self { store, blobs, bytes, unreferenced_blobs, unreferenced_bytes } = self;
        StoreContents { store, blobs, bytes, unreferenced_blobs, unreferenced_bytes }
    }
}
