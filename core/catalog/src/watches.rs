//! Watches: who wants to hear of new releases of a box, and what is still to be told them.
//!
//! A release leaves a notice, in its own transaction. Later, and some watchers at a time, the notice is turned into
//! messages; how far it has come is written down with them, so that nobody is told twice or not at all, whichever of
//! several servers does it, and whenever one dies. Whether a watcher may still read the box is asked only then.

use boxvault_types::identity::Role;
use boxvault_types::ids::{BoxId, UserId, VersionId};
use chrono::{DateTime, Utc};
use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    FromQueryResult, IntoActiveModel, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef,
};

use crate::boxes::{self, BoxSummary, OwnedBox, SummaryRow, Visibility};
use crate::entity::{
    box_watches as table, boxes as box_rows, memberships as member_rows,
    release_notices as notice_rows, users as user_rows, versions as version_rows,
};
use crate::outbox::{self, NewMail};
use crate::rows::{insert, stored_some};
use crate::users::{self, User};
use crate::versions::{self, Version};
use crate::{Catalog, CatalogError, Noun, Page, Paged, Result, paging};

/// How many watchers are told at once.
const WATCHERS_MAX: u64 = 100;

/// A box that somebody watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The box.
    pub found: BoxSummary,
    /// Since when.
    pub since: DateTime<Utc>,
}

#[derive(Debug, FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    found: SummaryRow,
    since: DateTimeUtc,
}

/// A release that watchers have still to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The version.
    pub version: Version,
    /// Its box.
    pub found: OwnedBox,
    after: Option<UserId>,
    since: DateTime<Utc>,
}

/// Somebody who watches a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watcher {
    /// The account.
    pub user: User,
    /// Their role in the organization that owns the box.
    pub role: Option<Role>,
}

/// Watches a box; once more changes nothing.
///
/// # Errors
/// `NotFound(Box)` when it is gone.
pub async fn watch(catalog: &Catalog, user: UserId, id: BoxId) -> Result<()> {
    let row = table::Model { box_id: id.0, user_id: user.0, created_at: catalog.now() };
    let columns = [table::Column::BoxId, table::Column::UserId];
    // written over with itself, as no form of "do nothing" is the same on all databases
    let mut same = OnConflict::columns(columns);
    same.update_column(table::Column::UserId);
    let transaction = catalog.begin().await?;
    table::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(same)
        .exec_without_returning(&transaction)
        .await
        .map_err(|error| CatalogError::from(error).without_parent(Noun::Box))?;
    transaction.commit().await?;
    Ok(())
}

/// Watches a box no more.
pub async fn unwatch(catalog: &Catalog, user: UserId, id: BoxId) -> Result<()> {
    let transaction = catalog.begin().await?;
    table::Entity::delete_by_id((id.0, user.0)).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Whether somebody watches a box.
pub async fn is_watched(catalog: &Catalog, user: UserId, id: BoxId) -> Result<bool> {
    Ok(table::Entity::find_by_id((id.0, user.0)).one(catalog.reader()).await?.is_some())
}

/// Lists what somebody watches and may see, the last watched first.
pub async fn list(
    catalog: &Catalog,
    user: UserId,
    visibility: &Visibility,
    page: Page,
) -> Result<Paged<Watch>> {
    let select = box_rows::Entity::find()
        .join(JoinType::InnerJoin, to_box().rev())
        .filter(table::Column::UserId.eq(user.0))
        .filter(visibility.condition())
        .order_by_desc(table::Column::CreatedAt)
        .order_by_asc(table::Column::BoxId);
    let select = boxes::select_summaries(select)
        .column_as(table::Column::CreatedAt, "since")
        .into_model::<Row>();
    paging::fetch(catalog.reader(), select, page, |row| {
        Ok(Watch { found: boxes::summary_of(row.found)?, since: row.since })
    })
    .await
}

/// Leaves a notice of a release, in its transaction.
pub(crate) async fn note_release<C: ConnectionTrait>(
    db: &C,
    version: sea_orm::prelude::Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    let row = notice_rows::Model { version_id: version, after_user_id: None, created_at: now };
    insert(db, row).await
}

/// Finds the oldest release that watchers have still to be told of, by two queries, or by one when there is none.
///
/// A notice of a box that is deleted, or of a version that clients do not see any more, waits for nobody.
pub async fn find_notice(catalog: &Catalog) -> Result<Option<Notice>> {
    loop {
        let oldest = notice_rows::Entity::find()
            .join(JoinType::InnerJoin, to_version())
            .select_also(version_rows::Entity)
            .order_by_asc(notice_rows::Column::CreatedAt)
            .order_by_asc(notice_rows::Column::VersionId)
            .one(catalog.reader())
            .await?;
        let Some((notice, version)) = oldest else { return Ok(None) };
        let version = versions::from_row(stored_some("release_notices.version_id", version)?)?;
        let found = boxes::find_by_id(catalog, version.box_id).await?;
        if let (Some(found), versions::VersionStatus::Released) = (found, version.status) {
            let after = notice.after_user_id.map(UserId);
            return Ok(Some(Notice { version, found, after, since: notice.created_at }));
        }
        forget(catalog.writer(), version.id).await?;
    }
}

/// Some of those who watched the box when the version was released and were not told yet, by one query.
pub async fn list_untold(catalog: &Catalog, notice: &Notice) -> Result<Vec<Watcher>> {
    let box_id = notice.found.vagrant_box.id;
    let organization = notice.found.organization.id;
    let mut select = user_rows::Entity::find()
        .join(JoinType::InnerJoin, to_user().rev())
        .join(
            JoinType::LeftJoin,
            user_rows::Entity::belongs_to(member_rows::Entity)
                .from(user_rows::Column::Id)
                .to(member_rows::Column::UserId)
                .on_condition(move |_, _| {
                    Condition::all().add(member_rows::Column::OrganizationId.eq(organization.0))
                })
                .into(),
        )
        .select_also(member_rows::Entity)
        .filter(table::Column::BoxId.eq(box_id.0))
        .filter(table::Column::CreatedAt.lte(notice.since));
    if let Some(after) = notice.after {
        select = select.filter(table::Column::UserId.gt(after.0));
    }
    let rows = select
        .order_by_asc(table::Column::UserId)
        .limit(WATCHERS_MAX)
        .all(catalog.reader())
        .await?;
    rows.into_iter()
        .map(|(user, member)| {
            let role = member
                .map(|member| stored_some("memberships.role", Role::parse(&member.role)))
                .transpose()?;
            Ok(Watcher { user: users::from_row(user)?, role })
        })
        .collect()
}

/// Puts the messages to some watchers into the outbox, and notes that these were told; without any, that all were.
///
/// Says whether it did: another server may have been faster.
pub async fn tell(
    catalog: &Catalog,
    notice: &Notice,
    told: &[Watcher],
    mails: Vec<NewMail>,
) -> Result<bool> {
    let transaction = catalog.begin().await?;
    let row = notice_rows::Entity::find_by_id(notice.version.id.0)
        .lock_exclusive()
        .one(&transaction)
        .await?;
    let Some(row) = row.filter(|row| row.after_user_id == notice.after.map(|user| user.0)) else {
        return Ok(false);
    };
    let now = catalog.now();
    outbox::queue_all_in(&transaction, now, mails).await?;
    match told.last() {
        Some(last) => {
            let mut row = row.into_active_model();
            row.after_user_id = Set(Some(last.user.id.0));
            row.update(&transaction).await?;
        }
        None => forget(&transaction, notice.version.id).await?,
    }
    transaction.commit().await?;
    Ok(true)
}

async fn forget<C: ConnectionTrait>(db: &C, version: VersionId) -> Result<()> {
    notice_rows::Entity::delete_by_id(version.0).exec(db).await?;
    Ok(())
}

fn to_box() -> RelationDef {
    table::Entity::belongs_to(box_rows::Entity)
        .from(table::Column::BoxId)
        .to(box_rows::Column::Id)
        .into()
}

fn to_user() -> RelationDef {
    table::Entity::belongs_to(user_rows::Entity)
        .from(table::Column::UserId)
        .to(user_rows::Column::Id)
        .into()
}

fn to_version() -> RelationDef {
    notice_rows::Entity::belongs_to(version_rows::Entity)
        .from(notice_rows::Column::VersionId)
        .to(version_rows::Column::Id)
        .into()
}
