//! The record of who did what. Rows are only added; they outlive what they speak of.

use boxvault_types::ids::{AuditId, UserId};
use boxvault_types::names::OrganizationName;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder,
};

use crate::clock::whole_micros;
use crate::entity::audit as table;
use crate::rows::{clean, stored};
use crate::{Catalog, CatalogError, Page, Paged, Result, paging};

/// How many rows one statement adds.
const CHUNK: usize = 500;

/// A row to add. Its time is now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewEntry {
    /// Who; nothing for anonymous callers.
    pub actor_id: Option<UserId>,
    /// The name at that time.
    pub actor_name: Option<String>,
    /// What was presented: `none`, `session`, `token`, `service`.
    pub credential: String,
    /// What was to be done.
    pub action: String,
    /// In which organization.
    pub organization: Option<OrganizationName>,
    /// To what.
    pub object: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// From where.
    pub address: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// By which policy.
    pub policy_digest: Option<String>,
    /// What else is worth knowing; no secrets.
    pub detail: Option<serde_json::Value>,
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
    /// What was presented: `none`, `session`, `token`, `service`.
    pub credential: String,
    /// What was to be done.
    pub action: String,
    /// In which organization: its name at that time, in lower case.
    pub organization: Option<String>,
    /// To what.
    pub object: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// From where.
    pub address: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// By which policy.
    pub policy_digest: Option<String>,
    /// What else is worth knowing.
    pub detail: Option<serde_json::Value>,
}

/// Which rows to list, newest first; `None` does not limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// In which organization.
    pub organization: Option<OrganizationName>,
    /// Who.
    pub actor_id: Option<UserId>,
    /// From when on.
    pub since: Option<DateTime<Utc>>,
    /// Until before when.
    pub until: Option<DateTime<Utc>>,
}

/// Adds rows: all or none.
pub async fn insert(catalog: &Catalog, entries: Vec<NewEntry>) -> Result<()> {
    if entries.len() <= CHUNK {
        return insert_in(catalog.writer(), catalog.now(), entries).await;
    }
    let transaction = catalog.begin().await?;
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

/// Lists rows, newest first.
pub async fn list(catalog: &Catalog, filter: &AuditFilter, page: Page) -> Result<Paged<Entry>> {
    let mut select = table::Entity::find();
    if let Some(organization) = &filter.organization {
        select = select.filter(table::Column::Organization.eq(organization.key()));
    }
    if let Some(actor) = filter.actor_id {
        select = select.filter(table::Column::ActorId.eq(actor.0));
    }
    if let Some(since) = filter.since {
        select = select.filter(table::Column::At.gte(whole_micros(since)));
    }
    if let Some(until) = filter.until {
        select = select.filter(table::Column::At.lt(whole_micros(until)));
    }
    let select = select.order_by_desc(table::Column::At).order_by_desc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_row).await
}

fn to_row(entry: NewEntry, now: DateTime<Utc>) -> Result<table::Model> {
    let detail = entry.detail.as_ref().map(serde_json::to_string).transpose();
    Ok(table::Model {
        id: AuditId::new().0,
        at: now,
        actor_id: entry.actor_id.map(|user| user.0),
        actor_name: entry.actor_name,
        credential: entry.credential,
        action: entry.action,
        organization: entry.organization.map(|name| name.key()),
        object: clean(&entry.object),
        allowed: entry.allowed,
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
        address: row.address,
        request_id: row.request_id,
        policy_digest: row.policy_digest,
        detail: stored("audit.detail", detail)?,
    })
}
