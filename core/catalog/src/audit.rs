//! The record of who did what. Rows are only added, and removed by age; they outlive what they speak of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use boxvault_types::ids::{AuditId, OrganizationId, UserId};
use boxvault_types::names::{OrganizationName, UserName};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::clock::whole_micros;
use crate::entity::{audit as table, organizations as organization_rows};
use crate::rows::{clean, escape_like, stored};
use crate::{Catalog, CatalogError, Page, Paged, Result, paging};

/// How many rows one statement adds or removes.
const CHUNK: usize = 500;

/// A row to add.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewEntry {
    /// When; now, if absent.
    pub at: Option<DateTime<Utc>>,
    /// Who; nothing for anonymous callers.
    pub actor_id: Option<UserId>,
    /// The name at that time.
    pub actor_name: Option<String>,
    /// What was presented: `none`, `session`, `token`, `service`, or `invalid`; `server` and `command` where no request
    /// was made.
    pub credential: String,
    /// What was to be done.
    pub action: String,
    /// In which organization.
    pub organization: Option<OrganizationName>,
    /// The organization's id, if it is known; else [`insert`] looks for who has the name.
    pub organization_id: Option<OrganizationId>,
    /// To what.
    pub object: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// The status of the answer.
    pub status: Option<u16>,
    /// From where.
    pub address: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// By which policy.
    pub policy_digest: Option<String>,
    /// What else is worth knowing; no secrets.
    pub detail: Option<serde_json::Value>,
}

impl NewEntry {
    /// The same with one more thing worth knowing; no secrets.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        let detail = self.detail.get_or_insert_with(|| serde_json::json!({}));
        if let Some(all) = detail.as_object_mut() {
            all.insert(name.to_owned(), value.into());
        }
        self
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its id.
    pub id: AuditId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who; nothing for anonymous callers.
    pub actor_id: Option<UserId>,
    /// The name at that time.
    pub actor_name: Option<String>,
    /// What was presented: `none`, `session`, `token`, `service`, or `invalid`; `server` and `command` where no request
    /// was made.
    pub credential: String,
    /// What was to be done.
    pub action: String,
    /// In which organization: its name at that time, in lower case.
    pub organization: Option<String>,
    /// To what.
    pub object: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// The status of the answer.
    pub status: Option<u16>,
    /// From where.
    pub address: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// By which policy.
    pub policy_digest: Option<String>,
    /// What else is worth knowing.
    pub detail: Option<serde_json::Value>,
}

/// Which rows to list; `None` does not limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// In which organization.
    pub organization: Option<OrganizationId>,
    /// Who: the name as it is written in the rows.
    pub actor: Option<UserName>,
    /// Which action.
    pub action: Option<String>,
    /// To what, and to everything in it: `box/web` finds `box/web/version/1.0.0`.
    pub object: Option<String>,
    /// Whether it was allowed.
    pub allowed: Option<bool>,
    /// From when on.
    pub since: Option<DateTime<Utc>>,
    /// Until before when.
    pub until: Option<DateTime<Utc>>,
}

/// Adds rows: all or none. Organizations that are known by name alone get their id, by one query for all.
pub async fn insert(catalog: &Catalog, mut entries: Vec<NewEntry>) -> Result<()> {
    resolve_organizations(catalog, &mut entries).await?;
    if entries.len() <= CHUNK {
        return insert_in(catalog.writer(), catalog.now(), entries).await;
    }
    let transaction = catalog.begin_aside().await?;
    insert_in(&transaction, catalog.now(), entries).await?;
    transaction.commit().await?;
    Ok(())
}

pub(crate) async fn insert_in<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
    entries: Vec<NewEntry>,
) -> Result<()> {
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        rows.push(to_row(entry, now)?.into_active_model().reset_all());
    }
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(CHUNK));
        table::Entity::insert_many(rows).exec_without_returning(db).await?;
        rows = rest;
    }
    Ok(())
}

async fn resolve_organizations(catalog: &Catalog, entries: &mut [NewEntry]) -> Result<()> {
    let unknown: BTreeSet<_> = entries
        .iter()
        .filter(|entry| entry.organization_id.is_none())
        .filter_map(|entry| entry.organization.as_ref().map(OrganizationName::key))
        .collect();
    let unknown: Vec<_> = unknown.into_iter().collect();
    let mut ids = BTreeMap::new();
    for some in unknown.chunks(CHUNK) {
        let found: Vec<(String, sea_orm::prelude::Uuid)> = organization_rows::Entity::find()
            .select_only()
            .columns([organization_rows::Column::NameKey, organization_rows::Column::Id])
            .filter(organization_rows::Column::NameKey.is_in(some))
            .into_tuple()
            .all(catalog.reader())
            .await?;
        ids.extend(found);
    }
    for entry in entries.iter_mut().filter(|entry| entry.organization_id.is_none()) {
        let id = entry.organization.as_ref().and_then(|name| ids.get(&name.key()));
        entry.organization_id = id.copied().map(OrganizationId);
    }
    Ok(())
}

/// Lists rows, newest first.
pub async fn list(catalog: &Catalog, filter: &AuditFilter, page: Page) -> Result<Paged<Entry>> {
    let select = filtered(filter).order_by_desc(table::Column::At).order_by_desc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_row).await
}

/// Reads on from a row, oldest first, at most so many: for who wants all of them, piece by piece.
pub async fn read_on(
    catalog: &Catalog,
    filter: &AuditFilter,
    after: Option<&Entry>,
    rows_max: u64,
) -> Result<Vec<Entry>> {
    let mut select = filtered(filter);
    if let Some(after) = after {
        let at = whole_micros(after.at);
        let same = table::Column::At.eq(at).and(table::Column::Id.gt(after.id.0));
        select = select.filter(table::Column::At.gt(at).or(same));
    }
    let rows = select
        .order_by_asc(table::Column::At)
        .order_by_asc(table::Column::Id)
        .limit(rows_max)
        .all(catalog.reader())
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// Removes rows above an age, some at a time so that nobody waits for long. Tells how many.
pub async fn forget_older_than(catalog: &Catalog, age: Duration) -> Result<u64> {
    let age = TimeDelta::from_std(age).unwrap_or(TimeDelta::days(36_500));
    let before = whole_micros(catalog.now() - age);
    let mut gone = 0;
    loop {
        let old: Vec<sea_orm::prelude::Uuid> = table::Entity::find()
            .select_only()
            .column(table::Column::Id)
            .filter(table::Column::At.lt(before))
            .order_by_asc(table::Column::At)
            .limit(CHUNK as u64)
            .into_tuple()
            .all(catalog.reader())
            .await?;
        if old.is_empty() {
            return Ok(gone);
        }
        let old = table::Entity::delete_many().filter(table::Column::Id.is_in(old));
        gone += old.exec(catalog.writer()).await?.rows_affected;
    }
}

fn filtered(filter: &AuditFilter) -> Select<table::Entity> {
    let mut all = Condition::all();
    if let Some(organization) = filter.organization {
        all = all.add(table::Column::OrganizationId.eq(organization.0));
    }
    if let Some(actor) = &filter.actor {
        all = all.add(table::Column::ActorName.eq(actor.as_str()));
    }
    if let Some(action) = &filter.action {
        all = all.add(table::Column::Action.eq(action.as_str()));
    }
    if let Some(object) = &filter.object {
        let object = clean(object);
        let inside = LikeExpr::new(format!("{}/%", escape_like(&object))).escape('!');
        let is_inside = Expr::col(table::Column::Object).like(inside);
        all = all.add(table::Column::Object.eq(object).or(is_inside));
    }
    if let Some(allowed) = filter.allowed {
        all = all.add(table::Column::Allowed.eq(allowed));
    }
    if let Some(since) = filter.since {
        all = all.add(table::Column::At.gte(whole_micros(since)));
    }
    if let Some(until) = filter.until {
        all = all.add(table::Column::At.lt(whole_micros(until)));
    }
    table::Entity::find().filter(all)
}

fn to_row(entry: NewEntry, now: DateTime<Utc>) -> Result<table::Model> {
    let detail = entry.detail.as_ref().map(serde_json::to_string).transpose();
    Ok(table::Model {
        id: AuditId::new().0,
        at: entry.at.map_or(now, whole_micros),
        actor_id: entry.actor_id.map(|user| user.0),
        actor_name: entry.actor_name,
        credential: entry.credential,
        action: entry.action,
        organization: entry.organization.map(|name| name.key()),
        organization_id: entry.organization_id.map(|organization| organization.0),
        object: clean(&entry.object),
        allowed: entry.allowed,
        status: entry.status.map(i32::from),
        address: entry.address,
        request_id: entry.request_id.as_deref().map(clean),
        policy_digest: entry.policy_digest,
        detail: detail.map_err(CatalogError::unexpected)?,
    })
}

fn from_row(row: table::Model) -> Result<Entry> {
    let detail = row.detail.as_deref().map(serde_json::from_str).transpose();
    Ok(Entry {
        id: AuditId(row.id),
        at: row.at,
        actor_id: row.actor_id.map(UserId),
        actor_name: row.actor_name,
        credential: row.credential,
        action: row.action,
        organization: row.organization,
        object: row.object,
        allowed: row.allowed,
        status: stored("audit.status", row.status.map(u16::try_from).transpose())?,
        address: row.address,
        request_id: row.request_id,
        policy_digest: row.policy_digest,
        detail: stored("audit.detail", detail)?,
    })
}
