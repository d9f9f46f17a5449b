//! Moves from store to store that somebody asked a running server for: what, how fast, how far, and how it ended.
//!
//! Any server on the catalog takes one that waits, and holds a lease that ends by itself when it dies; the next one goes
//! on where it was, since what is moved already lies elsewhere ([`crate::moves`]).

use std::time::Duration;

use boxvault_types::ids::{BoxId, OrganizationId, StoreMoveId};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::audit::{self, NewEntry};
use crate::entity::store_moves as table;
use crate::moves::{Amount, Mover, Selection};
use crate::rows::{clean, insert, stored_some};
use crate::{Catalog, CatalogError, Noun, Page, Paged, Result, paging};

/// Where a move stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No server has taken it yet.
    Waiting,
    /// A server works on it, or did when it died.
    Running,
    /// All that was asked for lies in the other store.
    Done,
    /// It ended with files left that could not be moved.
    Failed,
    /// Somebody ended it.
    Canceled,
}

impl State {
    const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Canceled];

    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// What shall go.
    pub selection: Selection,
    /// The name that the organization had when it was asked for.
    pub organization_name: Option<String>,
    /// The name that the box had.
    pub box_name: Option<String>,
    /// Where to.
    pub to: String,
    /// At most so many bytes a second.
    pub bytes_per_second: Option<i64>,
    /// How many files at once.
    pub concurrency: i32,
}

/// How far a move is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// What there was to move when it began.
    pub total: Amount,
    /// What lies in the other store.
    pub moved: Amount,
    /// Bytes that were copied, those of files in the middle included.
    pub copied_bytes: i64,
    /// Files that could not be copied.
    pub failed_files: i64,
    /// Files whose stored bytes are damaged.
    pub damaged_files: i64,
}

/// A move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreMove {
    /// Its id.
    pub id: StoreMoveId,
    /// What is asked for.
    pub wish: Wish,
    /// Where it stands.
    pub state: State,
    /// How far it is.
    pub progress: Progress,
    /// What went wrong last, for people.
    pub problem: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When a server first took it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Writes a wish down.
pub async fn create(catalog: &Catalog, wish: Wish, entry: NewEntry) -> Result<StoreMove> {
    let now = catalog.now();
    let row = table::Model {
        id: StoreMoveId::new().0,
        from_store: wish.selection.from,
        to_store: wish.to,
        organization_id: wish.selection.organization.map(|id| id.0),
        box_id: wish.selection.vagrant_box.map(|id| id.0),
        organization_name: wish.organization_name,
        box_name: wish.box_name,
        larger_than: wish.selection.larger_than,
        bytes_per_second: wish.bytes_per_second,
        concurrency: wish.concurrency,
        state: State::Waiting.as_str().to_owned(),
        total_files: 0,
        total_bytes: 0,
        moved_files: 0,
        moved_bytes: 0,
        copied_bytes: 0,
        failed_files: 0,
        damaged_files: 0,
        problem: None,
        created_at: now,
        started_at: None,
        ended_at: None,
        held_by: None,
        held_until: None,
    };
    let transaction = catalog.begin().await?;
    insert(&transaction, row.clone()).await?;
    audit::insert_in(&transaction, now, vec![entry]).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Finds a move.
pub async fn find(catalog: &Catalog, id: StoreMoveId) -> Result<Option<StoreMove>> {
    let row = table::Entity::find_by_id(id.0).one(catalog.reader()).await?;
    row.map(from_row).transpose()
}

/// Lists moves, newest first.
pub async fn list(catalog: &Catalog, page: Page) -> Result<Paged<StoreMove>> {
    let select = table::Entity::find().order_by_desc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_row).await
}

/// Counts the moves that are not over.
pub async fn count_open(catalog: &Catalog) -> Result<u64> {
    Ok(table::Entity::find().filter(is_open()).count(catalog.reader()).await?)
}

/// Takes the move that waits longest, or that a server left when it died.
pub async fn take(catalog: &Catalog, mover: Mover<'_>) -> Result<Option<StoreMove>> {
    let now = catalog.now();
    let free = Condition::all().add(is_open()).add(
        Condition::any()
            .add(table::Column::HeldUntil.is_null())
            .add(table::Column::HeldUntil.lte(now)),
    );
    let next = table::Entity::find()
        .filter(free.clone())
        .order_by_asc(table::Column::Id)
        .limit(1)
        .one(catalog.reader())
        .await?;
    let Some(next) = next else { return Ok(None) };
    let taken = table::Entity::update_many()
        .col_expr(table::Column::State, Expr::value(State::Running.as_str()))
        .col_expr(table::Column::HeldBy, Expr::value(Some(mover.holder.to_owned())))
        .col_expr(table::Column::HeldUntil, Expr::value(Some(until(catalog, mover.lease))))
        .col_expr(table::Column::StartedAt, Expr::value(Some(next.started_at.unwrap_or(now))))
        .filter(table::Column::Id.eq(next.id))
        .filter(free)
        .exec(catalog.writer())
        .await?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    find(catalog, StoreMoveId(next.id)).await
}

/// Notes how far a move is, and holds it for longer. Tells whether it was still held: not if somebody ended it.
pub async fn progress(
    catalog: &Catalog,
    id: StoreMoveId,
    mover: Mover<'_>,
    progress: Progress,
    problem: Option<&str>,
) -> Result<bool> {
    let noted = table::Entity::update_many()
        .set(numbers(progress, problem))
        .col_expr(table::Column::HeldUntil, Expr::value(Some(until(catalog, mover.lease))))
        .filter(held(id, mover.holder))
        .exec(catalog.writer())
        .await?;
    Ok(noted.rows_affected > 0)
}

/// Notes how a move ended, unless somebody else ended it.
pub async fn finish(
    catalog: &Catalog,
    id: StoreMoveId,
    holder: &str,
    state: State,
    progress: Progress,
    problem: Option<&str>,
) -> Result<()> {
    table::Entity::update_many()
        .set(numbers(progress, problem))
        .col_expr(table::Column::State, Expr::value(state.as_str()))
        .col_expr(table::Column::EndedAt, Expr::value(Some(catalog.now())))
        .col_expr(table::Column::HeldBy, Expr::value(None::<String>))
        .col_expr(table::Column::HeldUntil, Expr::value(None::<DateTime<Utc>>))
        .filter(held(id, holder))
        .exec(catalog.writer())
        .await?;
    Ok(())
}

/// Ends a move; what is moved stays where it is. Of one that has ended nothing changes.
///
/// # Errors
/// `NotFound(StoreMove)`.
pub async fn cancel(catalog: &Catalog, id: StoreMoveId, entry: NewEntry) -> Result<StoreMove> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    table::Entity::update_many()
        .col_expr(table::Column::State, Expr::value(State::Canceled.as_str()))
        .col_expr(table::Column::EndedAt, Expr::value(Some(now)))
        .col_expr(table::Column::HeldBy, Expr::value(None::<String>))
        .col_expr(table::Column::HeldUntil, Expr::value(None::<DateTime<Utc>>))
        .filter(table::Column::Id.eq(id.0))
        .filter(is_open())
        .exec(&transaction)
        .await?;
    let row = table::Entity::find_by_id(id.0).one(&transaction).await?;
    let row = row.ok_or(CatalogError::NotFound { what: Noun::StoreMove })?;
    audit::insert_in(&transaction, now, vec![entry]).await?;
    transaction.commit().await?;
    from_row(row)
}

fn is_open() -> Condition {
    let open = [State::Waiting.as_str(), State::Running.as_str()];
    Condition::all().add(table::Column::State.is_in(open))
}

fn held(id: StoreMoveId, holder: &str) -> Condition {
    Condition::all().add(table::Column::Id.eq(id.0)).add(table::Column::HeldBy.eq(holder))
}

fn numbers(progress: Progress, problem: Option<&str>) -> table::ActiveModel {
    use sea_orm::ActiveValue::Set;
    table::ActiveModel {
        total_files: Set(progress.total.files),
        total_bytes: Set(progress.total.bytes),
        moved_files: Set(progress.moved.files),
        moved_bytes: Set(progress.moved.bytes),
        copied_bytes: Set(progress.copied_bytes),
        failed_files: Set(progress.failed_files),
        damaged_files: Set(progress.damaged_files),
        problem: Set(problem.map(clean)),
        ..Default::default()
    }
}

fn until(catalog: &Catalog, lease: Duration) -> DateTime<Utc> {
    catalog.now() + TimeDelta::from_std(lease).unwrap_or(TimeDelta::minutes(1))
}

fn from_row(row: table::Model) -> Result<StoreMove> {
    Ok(StoreMove {
        id: StoreMoveId(row.id),
        wish: Wish {
            selection: Selection {
                from: row.from_store,
                organization: row.organization_id.map(OrganizationId),
                vagrant_box: row.box_id.map(BoxId),
                larger_than: row.larger_than,
            },
            organization_name: row.organization_name,
            box_name: row.box_name,
            to: row.to_store,
            bytes_per_second: row.bytes_per_second,
            concurrency: row.concurrency,
        },
        state: stored_some("store_moves.state", State::parse(&row.state))?,
        progress: Progress {
            total: Amount { files: row.total_files, bytes: row.total_bytes },
            moved: Amount { files: row.moved_files, bytes: row.moved_bytes },
            copied_bytes: row.copied_bytes,
            failed_files: row.failed_files,
            damaged_files: row.damaged_files,
        },
        problem: row.problem,
        created_at: row.created_at,
        started_at: row.started_at,
        ended_at: row.ended_at,
    })
}
