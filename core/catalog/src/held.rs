//! Writes that are held to the state which their caller has seen: the comparison is part of the write's transaction.
//!
//! The caller of the catalog says what the request is about and which states it has seen, around all that it does
//! ([`Held::scope`]); the first write transaction of the request then begins with the comparison, and holds the row
//! until it ends. So no function that writes has to be told, and none can leave it out: that is why the condition goes
//! along with the task and not through every signature.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use boxvault_types::action::Resource;
use boxvault_types::ids::{OrganizationId, UserId};
use boxvault_types::names::{BoxName, OrganizationName};
use boxvault_types::version::BoxVersion;
use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationDef,
    Select,
};

use crate::artifacts::{to_box, to_provider, to_version};
use crate::boxes::to_organization;
use crate::clock::whole_micros;
use crate::entity::{
    artifacts, boxes, organizations, providers, quotas, service_accounts, users, versions,
};
use crate::rows::digest;
use crate::{Catalog, CatalogError, ConflictReason, Result, policies};

tokio::task_local! {
    static HELD: Arc<Held>;
}

/// What has states that can be told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// An organization.
    Organization(OrganizationName),
    /// How much an organization may have.
    Quota(OrganizationName),
    /// What only the resource names: a user, a box, a version, a provider, an architecture, a file.
    Named(Resource),
    /// An account, with its preferences.
    Account(UserId),
    /// The picture of an account.
    Picture(UserId),
    /// The picture of a box.
    Artwork(OrganizationName, BoxName),
    /// The platform's policy.
    Policy,
    /// The rules of an organization's own.
    Rules(OrganizationName),
}

/// What a request is about, and which states of it its caller has seen.
#[derive(Debug)]
pub struct Held {
    thing: Thing,
    seen: Vec<String>,
    compared: AtomicBool,
    /// A write was made before anybody compared.
    passed_by: AtomicBool,
}

impl Thing {
    /// The thing that a resource names, if such a thing has states. `own` is the account of whoever asks.
    pub fn of(resource: &Resource, own: Option<UserId>) -> Option<Self> {
        match resource {
            Resource::Organization(Some(name)) | Resource::Suspension(name) => {
                Some(Self::Organization(name.clone()))
            }
            Resource::Storage(Some(name)) => Some(Self::Quota(name.clone())),
            Resource::Profile => own.map(Self::Account),
            Resource::Policy => Some(Self::Policy),
            Resource::Rules(name) => Some(Self::Rules(name.clone())),
            Resource::User(Some(_))
            | Resource::Box(_, Some(_))
            | Resource::Version(_, _, Some(_))
            | Resource::Provider(_, _, _, Some(_))
            | Resource::Architecture(_, _, _, _, Some(_))
            | Resource::File(..)
            | Resource::ServiceAccount(_, Some(_)) => Some(Self::Named(resource.clone())),
            _ => None,
        }
    }
}

/// The name of the state of a thing that was changed then, or never.
pub fn state_at(changed: Option<DateTime<Utc>>) -> String {
    changed
        .map_or_else(|| "0".to_owned(), |at| format!("{:x}", whole_micros(at).timestamp_micros()))
}

impl Held {
    /// A condition that holds while the thing is in one of these states.
    pub fn new(thing: Thing, seen: Vec<String>) -> Self {
        Self { thing, seen, compared: AtomicBool::default(), passed_by: AtomicBool::default() }
    }

    /// Does something whose first write is held to the condition.
    pub async fn scope<F: Future>(self: Arc<Self>, work: F) -> F::Output {
        HELD.scope(self, work).await
    }

    /// Compares before anything is done, for requests that turn out to change nothing.
    ///
    /// # Errors
    /// `Conflict(Stale)` when the thing has changed since its caller looked.
    pub async fn compare_first(&self, catalog: &Catalog) -> Result<()> {
        self.compare_in(catalog.reader()).await
    }

    /// Whether something was written that nobody held to the condition: a defect of a function that writes.
    pub fn was_passed_by(&self) -> bool {
        self.passed_by.load(Ordering::Relaxed) && !self.compared.load(Ordering::Relaxed)
    }

    async fn compare_in<C: ConnectionTrait>(&self, db: &C) -> Result<()> {
        match present(db, &self.thing).await? {
            // what is not there any more is for the write to say
            None => Ok(()),
            Some(state) if self.seen.contains(&state) => Ok(()),
            Some(_) => Err(CatalogError::conflict(ConflictReason::Stale)),
        }
    }
}

/// Compares, in a write transaction that has just begun.
///
/// # Errors
/// `Conflict(Stale)` when the thing has changed since its caller looked.
pub(crate) async fn compare<C: ConnectionTrait>(db: &C) -> Result<()> {
    let Ok(held) = HELD.try_with(Arc::clone) else { return Ok(()) };
    if !held.compared.load(Ordering::Relaxed) {
        held.compare_in(db).await?;
        held.compared.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Notes a write that is not part of a transaction of [`Catalog::begin`].
pub(crate) fn pass_by() {
    if let Ok(held) = HELD.try_with(Arc::clone) {
        held.passed_by.store(true, Ordering::Relaxed);
    }
}

/// The state that a thing is in; its row stays locked. `None` where there is no such thing.
async fn present<C: ConnectionTrait>(db: &C, thing: &Thing) -> Result<Option<String>> {
    let changed = match thing {
        Thing::Organization(name) => {
            let of = organizations::Entity::find()
                .filter(organizations::Column::NameKey.eq(name.key()))
                .filter(organizations::Column::DeletedAt.is_null());
            lock(db, of, organizations::Column::Id, organizations::Column::UpdatedAt).await?
        }
        Thing::Quota(name) => return quota(db, name).await,
        Thing::Account(id) => {
            let of = users::Entity::find_by_id(id.0);
            lock(db, of, users::Column::Id, users::Column::UpdatedAt).await?
        }
        Thing::Picture(id) => {
            let row = users::Entity::find_by_id(id.0).lock_exclusive().one(db).await?;
            return row.map(|row| state_of_picture(row.avatar_digest)).transpose();
        }
        Thing::Artwork(organization, name) => {
            let of = of_box(boxes::Entity::find(), organization, name);
            let found: Option<Uuid> =
                of.select_only().column(boxes::Column::Id).into_tuple().one(db).await?;
            let Some(found) = found else { return Ok(None) };
            let row = boxes::Entity::find_by_id(found).lock_exclusive().one(db).await?;
            return row.map(|row| state_of_picture(row.artwork)).transpose();
        }
        Thing::Policy => policies::hold(db, None).await?.map(Some),
        Thing::Rules(name) => return rules(db, name).await,
        Thing::Named(resource) => named(db, resource).await?,
    };
    Ok(changed.map(state_at))
}

/// A picture is told by its bytes: other changes of what it belongs to are none of it.
fn state_of_picture(bytes: Option<Vec<u8>>) -> Result<String> {
    bytes.map_or_else(|| Ok(state_at(None)), |bytes| Ok(digest(bytes)?.to_string()))
}

/// When a thing that its resource names was last changed, if ever.
async fn named<C: ConnectionTrait>(
    db: &C,
    resource: &Resource,
) -> Result<Option<Option<DateTime<Utc>>>> {
    match resource {
        Resource::User(Some(name)) => {
            let of = users::Entity::find().filter(users::Column::NameKey.eq(name.key()));
            lock(db, of, users::Column::Id, users::Column::UpdatedAt).await
        }
        Resource::ServiceAccount(organization, Some(name)) => {
            let to_organization: RelationDef =
                service_accounts::Entity::belongs_to(organizations::Entity)
                    .from(service_accounts::Column::OrganizationId)
                    .to(organizations::Column::Id)
                    .into();
            let of = service_accounts::Entity::find()
                .join(JoinType::InnerJoin, to_organization)
                .filter(organizations::Column::NameKey.eq(organization.key()))
                .filter(service_accounts::Column::NameKey.eq(name.key()));
            let (id, changed) = (service_accounts::Column::Id, service_accounts::Column::UpdatedAt);
            lock(db, of, id, changed).await
        }
        Resource::Box(organization, Some(name)) => {
            let of = of_box(boxes::Entity::find(), organization, name);
            lock(db, of, boxes::Column::Id, boxes::Column::UpdatedAt).await
        }
        Resource::Version(organization, name, Some(number)) => {
            lock_version(db, organization, name, number).await
        }
        Resource::Provider(organization, name, number, Some(provider)) => {
            lock_version(db, organization, name, number).await?;
            let of = providers::Entity::find().join(JoinType::InnerJoin, to_version());
            let of = of_version(of, organization, name, number)
                .filter(providers::Column::NameKey.eq(provider.key()));
            lock(db, of, providers::Column::Id, providers::Column::UpdatedAt).await
        }
        Resource::Architecture(organization, name, number, provider, Some(architecture))
        | Resource::File(organization, name, number, provider, architecture) => {
            lock_version(db, organization, name, number).await?;
            let of = artifacts::Entity::find()
                .join(JoinType::InnerJoin, to_provider())
                .join(JoinType::InnerJoin, to_version());
            let of = of_version(of, organization, name, number)
                .filter(providers::Column::NameKey.eq(provider.key()))
                .filter(artifacts::Column::NameKey.eq(architecture.key()));
            // a file is told by when it was uploaded: making its architecture the default does not change it
            let changed = match resource {
                Resource::File(..) => artifacts::Column::UploadedAt,
                _ => artifacts::Column::UpdatedAt,
            };
            lock(db, of, artifacts::Column::Id, changed).await
        }
        _ => Ok(None),
    }
}

/// The state of a quota. The organization is what is locked: the quota may have no row yet.
async fn quota<C: ConnectionTrait>(db: &C, name: &OrganizationName) -> Result<Option<String>> {
    let organization = organizations::Entity::find()
        .filter(organizations::Column::NameKey.eq(name.key()))
        .lock_exclusive()
        .one(db)
        .await?;
    let Some(organization) = organization else { return Ok(None) };
    let row = quotas::Entity::find_by_id(organization.id).one(db).await?;
    Ok(Some(state_at(row.map(|row| row.updated_at))))
}

/// The state of the rules of an organization's own, of which there may be none yet.
async fn rules<C: ConnectionTrait>(db: &C, name: &OrganizationName) -> Result<Option<String>> {
    let found: Option<Uuid> = organizations::Entity::find()
        .select_only()
        .column(organizations::Column::Id)
        .filter(organizations::Column::NameKey.eq(name.key()))
        .filter(organizations::Column::DeletedAt.is_null())
        .into_tuple()
        .one(db)
        .await?;
    let Some(found) = found else { return Ok(None) };
    Ok(Some(state_at(policies::hold(db, Some(OrganizationId(found))).await?)))
}

/// Locks a version, which everybody who changes something in it locks first.
async fn lock_version<C: ConnectionTrait>(
    db: &C,
    organization: &OrganizationName,
    name: &BoxName,
    number: &BoxVersion,
) -> Result<Option<Option<DateTime<Utc>>>> {
    let of = of_version(versions::Entity::find(), organization, name, number);
    lock(db, of, versions::Column::Id, versions::Column::UpdatedAt).await
}

/// Reads when a row was last changed, and locks it alone: what it was found by is looked up before.
async fn lock<C, E>(
    db: &C,
    of: Select<E>,
    id: E::Column,
    changed: E::Column,
) -> Result<Option<Option<DateTime<Utc>>>>
where
    C: ConnectionTrait,
    E: EntityTrait,
{
    let found: Option<Uuid> = of.select_only().column(id).into_tuple().one(db).await?;
    let Some(found) = found else { return Ok(None) };
    let row = E::find().select_only().column(changed).filter(id.eq(found)).lock_exclusive();
    Ok(row.into_tuple().one(db).await?)
}

/// A box that is there: one that was deleted has no state.
fn of_box<E: EntityTrait>(
    of: Select<E>,
    organization: &OrganizationName,
    name: &BoxName,
) -> Select<E> {
    of.join(JoinType::InnerJoin, to_organization())
        .filter(organizations::Column::NameKey.eq(organization.key()))
        .filter(boxes::Column::NameKey.eq(name.key()))
        .filter(boxes::Column::DeletedAt.is_null())
}

fn of_version<E: EntityTrait>(
    of: Select<E>,
    organization: &OrganizationName,
    name: &BoxName,
    number: &BoxVersion,
) -> Select<E> {
    of_box(of.join(JoinType::InnerJoin, to_box()), organization, name)
        .filter(versions::Column::SortKey.eq(number.sort_key()))
}
