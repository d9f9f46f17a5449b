//! The versions of the policy: every accepted text, who it is from, and the one in force.
//!
//! The platform's files are one history, each organization's own rules are another; all take their numbers from one
//! sequence, so that a server sees by the highest number alone whether anything has changed. A version is never
//! changed, and outlives the account and the organization that it names.

use std::collections::HashMap;

use boxvault_types::ids::OrganizationId;
use boxvault_types::names::OrganizationName;
use chrono::{DateTime, Utc};
use sea_orm::prelude::{Expr, Uuid};
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{from_str, to_string};

use crate::audit::{self, NewEntry};
use crate::entity::{
    organizations as organization_rows, policy_versions as table, settings as setting_rows,
};
use crate::rows::{clean, insert, stored, stored_some};
use crate::{Catalog, CatalogError, Page, Paged, Result, paging};

/// The row of `settings` that whoever adds a version waits on. Its value changes with the organizations' names.
const LOCK: &str = "lock.policy_versions";

/// The greatest number of a scope, as a column.
const NEWEST: &str = "newest";
/// So many versions are named in one query.
const TEXTS_AT_ONCE: usize = 500;

/// Whose rules they are; `None` is the platform.
pub type Scope = Option<OrganizationId>;

/// Where a version came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The files of a server's folder.
    Files,
    /// The API.
    Api,
    /// A command on the server's host.
    Command,
}

impl Origin {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Api => "api",
            Self::Command => "command",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Files, Self::Api, Self::Command].into_iter().find(|origin| origin.as_str() == text)
    }
}

/// A text to accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// Whose rules they are.
    pub scope: Scope,
    /// SHA-256 over names and texts, in lower-case hexadecimal.
    pub digest: String,
    /// Name and text of each file.
    pub files: Vec<(String, String)>,
    /// Where it came from.
    pub origin: Origin,
    /// Who it is from, as their name was.
    pub author: Option<String>,
    /// Why.
    pub message: String,
    /// The version that it brings back.
    pub restores: Option<i64>,
}

/// What is known of a version without its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionHead {
    /// Its number: higher than those of all versions before it, of any scope.
    pub number: i64,
    /// Whose rules they are.
    pub scope: Scope,
    /// SHA-256 over names and texts, in lower-case hexadecimal.
    pub digest: String,
    /// Where it came from.
    pub origin: Origin,
    /// Who it is from, as their name was.
    pub author: Option<String>,
    /// Why.
    pub message: String,
    /// The version that it brought back.
    pub restores: Option<i64>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
}

/// A version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// What is known of it.
    pub head: VersionHead,
    /// Name and text of each file.
    pub files: Vec<(String, String)>,
}

/// What has to be the same for nothing to have changed: neither a version of any scope, nor which organization has which
/// name, nor which of them are there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// The number of the newest version of any scope; 0 if there is none.
    pub newest: i64,
    /// Changes whenever an organization gets another name, goes or comes back.
    pub organizations: String,
}

/// Which version an organization's own rules are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnHead {
    /// The organization's present name.
    pub organization: OrganizationName,
    /// The number of their newest version.
    pub number: i64,
}

/// A text of an organization's own rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnText {
    /// The version's number.
    pub number: i64,
    /// Name and text of its file; absent where what is stored is none.
    pub file: Option<(String, String)>,
}

/// Reads what tells whether anything has changed: two small queries.
pub async fn mark(catalog: &Catalog) -> Result<Mark> {
    let row = setting_rows::Entity::find_by_id(LOCK).one(catalog.reader()).await?;
    let organizations = row.map(|row| row.value).unwrap_or_default();
    Ok(Mark { newest: newest_number_in(catalog.reader()).await?, organizations })
}

/// Says, in a transaction, that an organization has another name, is gone or is back.
pub(crate) async fn organizations_changed<C: ConnectionTrait>(db: &C) -> Result<()> {
    let change = setting_rows::Entity::update_many()
        .col_expr(setting_rows::Column::Value, Expr::value(Uuid::now_v7().to_string()))
        .filter(setting_rows::Column::Name.eq(LOCK));
    change.exec(db).await?;
    Ok(())
}

async fn newest_number_in<C: ConnectionTrait>(db: &C) -> Result<i64> {
    let newest: Option<Option<i64>> = table::Entity::find()
        .select_only()
        .column_as(table::Column::Number.max(), "number")
        .into_tuple()
        .one(db)
        .await?;
    Ok(newest.flatten().unwrap_or_default())
}

/// Finds the newest version of a scope, which is the one in force.
pub async fn find_newest(catalog: &Catalog, scope: Scope) -> Result<Option<Version>> {
    let newest = of(scope).order_by_desc(table::Column::Number);
    newest.one(catalog.reader()).await?.map(from_row).transpose()
}

/// Lists the newest version of every organization that is there and has rules of its own, without its text.
pub async fn list_newest_of_organizations(catalog: &Catalog) -> Result<Vec<OwnHead>> {
    let newest = table::Entity::find()
        .select_only()
        .column(table::Column::OrganizationId)
        .column_as(table::Column::Number.max(), NEWEST)
        .filter(table::Column::OrganizationId.is_not_null())
        .group_by(table::Column::OrganizationId)
        .order_by_asc(Expr::col(NEWEST));
    let newest: Vec<(Uuid, i64)> = newest.into_tuple().all(catalog.reader()).await?;
    let with_rules = Query::select()
        .column(table::Column::OrganizationId)
        .from(table::Entity)
        .and_where(table::Column::OrganizationId.is_not_null())
        .take();
    let names: Vec<(Uuid, String)> = organization_rows::Entity::find()
        .select_only()
        .columns([organization_rows::Column::Id, organization_rows::Column::Name])
        .filter(organization_rows::Column::Id.in_subquery(with_rules))
        .filter(organization_rows::Column::DeletedAt.is_null())
        .into_tuple()
        .all(catalog.reader())
        .await?;
    let names: HashMap<Uuid, String> = names.into_iter().collect();
    let named = newest.into_iter().filter_map(|(id, number)| Some((names.get(&id)?, number)));
    let head = |(name, number): (&String, i64)| {
        let organization = stored("organizations.name", OrganizationName::parse(name))?;
        Ok(OwnHead { organization, number })
    };
    named.map(head).collect()
}

/// Loads the texts of some versions of organizations' own rules, in the order of their numbers.
pub async fn load_own_texts(catalog: &Catalog, numbers: &[i64]) -> Result<Vec<OwnText>> {
    let mut found = Vec::with_capacity(numbers.len());
    for some in numbers.chunks(TEXTS_AT_ONCE) {
        let rows = table::Entity::find()
            .select_only()
            .columns([table::Column::Number, table::Column::Files])
            .filter(table::Column::Number.is_in(some.iter().copied()));
        found.extend(rows.into_tuple::<(i64, String)>().all(catalog.reader()).await?);
    }
    found.sort_by_key(|(number, _)| *number);
    // one that cannot be read is no reason to leave out the others
    let text = |(number, files): (i64, String)| {
        let files: Vec<(String, String)> = from_str(&files).unwrap_or_default();
        OwnText { number, file: files.into_iter().next() }
    };
    Ok(found.into_iter().map(text).collect())
}

/// Finds a version of a scope.
pub async fn find(catalog: &Catalog, scope: Scope, number: i64) -> Result<Option<Version>> {
    let one = of(scope).filter(table::Column::Number.eq(number));
    one.one(catalog.reader()).await?.map(from_row).transpose()
}

/// Finds the newest version of a scope that has these texts.
pub async fn find_by_digest(
    catalog: &Catalog,
    scope: Scope,
    digest: &str,
) -> Result<Option<VersionHead>> {
    let found = heads(scope)
        .filter(table::Column::Digest.eq(digest))
        .into_model::<HeadRow>()
        .one(catalog.reader())
        .await?;
    found.map(HeadRow::into_head).transpose()
}

/// Lists the versions of a scope, newest first.
pub async fn list(catalog: &Catalog, scope: Scope, page: Page) -> Result<Paged<VersionHead>> {
    let select = heads(scope).into_model::<HeadRow>();
    paging::fetch(catalog.reader(), select, page, HeadRow::into_head).await
}

fn heads(scope: Scope) -> sea_orm::Select<table::Entity> {
    of(scope)
        .select_only()
        .columns([
            table::Column::Number,
            table::Column::OrganizationId,
            table::Column::Digest,
            table::Column::Origin,
            table::Column::Author,
            table::Column::Message,
            table::Column::Restores,
            table::Column::CreatedAt,
        ])
        .order_by_desc(table::Column::Number)
}

/// Accepts a version, if the newest of its scope is still the expected one (0: there is none). The audit row is written
/// with it. `None` if somebody was faster. Of several servers that add at once, one after the other does.
pub async fn add(
    catalog: &Catalog,
    version: NewVersion,
    expected: i64,
    entry: Option<NewEntry>,
) -> Result<Option<VersionHead>> {
    let transaction = catalog.begin().await?;
    setting_rows::Entity::find_by_id(LOCK).lock_exclusive().one(&transaction).await?;
    let newest: Option<i64> = of(version.scope)
        .select_only()
        .column(table::Column::Number)
        .order_by_desc(table::Column::Number)
        .into_tuple()
        .one(&transaction)
        .await?;
    if newest.unwrap_or_default() != expected {
        return Ok(None);
    }
    let row = table::Model {
        number: newest_number_in(&transaction).await? + 1,
        organization_id: version.scope.map(|organization| organization.0),
        digest: version.digest,
        files: to_string(&version.files).map_err(CatalogError::unexpected)?,
        origin: version.origin.as_str().to_owned(),
        author: version.author,
        message: clean(&version.message),
        restores: version.restores,
        created_at: catalog.now(),
    };
    insert(&transaction, row.clone()).await?;
    if let Some(entry) = entry {
        audit::insert_in(&transaction, catalog.now(), vec![entry]).await?;
    }
    transaction.commit().await?;
    from_row(row).map(|version| Some(version.head))
}

/// When the version in force was accepted, with the lock on adding another held. `None` where there is none.
pub(crate) async fn hold<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
) -> Result<Option<DateTime<Utc>>> {
    setting_rows::Entity::find_by_id(LOCK).lock_exclusive().one(db).await?;
    let newest = of(scope).select_only().column(table::Column::CreatedAt);
    Ok(newest.order_by_desc(table::Column::Number).into_tuple().one(db).await?)
}

fn of(scope: Scope) -> sea_orm::Select<table::Entity> {
    let whose = match scope {
        Some(organization) => table::Column::OrganizationId.eq(organization.0),
        None => table::Column::OrganizationId.is_null(),
    };
    table::Entity::find().filter(whose)
}

fn from_row(row: table::Model) -> Result<Version> {
    let files = stored("policy_versions.files", from_str(&row.files))?;
    let head = HeadRow {
        number: row.number,
        organization_id: row.organization_id,
        digest: row.digest,
        origin: row.origin,
        author: row.author,
        message: row.message,
        restores: row.restores,
        created_at: row.created_at,
    };
    Ok(Version { head: head.into_head()?, files })
}

/// What [`list`] selects.
#[derive(Debug, sea_orm::FromQueryResult)]
struct HeadRow {
    number: i64,
    organization_id: Option<Uuid>,
    digest: String,
    origin: String,
    author: Option<String>,
    message: String,
    restores: Option<i64>,
    created_at: DateTime<Utc>,
}

impl HeadRow {
    fn into_head(self) -> Result<VersionHead> {
        Ok(VersionHead {
            number: self.number,
            scope: self.organization_id.map(OrganizationId),
            digest: self.digest,
            origin: stored_some("policy_versions.origin", Origin::parse(&self.origin))?,
            author: self.author,
            message: self.message,
            restores: self.restores,
            created_at: self.created_at,
        })
    }
}
