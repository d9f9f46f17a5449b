//! Writes that are held to the state which their caller has seen: the comparison is part of the write's transaction.
//!
//! The caller of the catalog says what the request is about and which states it has seen, around all that it does
//! ([`Held::scope`]); the first write transaction of the request then begins with the comparison, and holds the row
//! until it ends. So no function that writes has to be told, and none can leave it out: that is why the condition goes
//! along with the task and not through every signature. A state is told by when the row was last changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use boxvault_types::action::Resource;
use boxvault_types::ids::UserId;
use boxvault_types::names::{BoxName, OrganizationName};
use boxvault_types::version::BoxVersion;
use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, Select,
};

use crate::artifacts::{locate::to_box, to_provider, to_version};
use crate::boxes::to_organization;
use crate::clock::whole_micros;
use crate::entity::{artifacts, boxes, organizations, providers, users, versions};
use crate::{Catalog, CatalogError, ConflictReason, Result};

tokio::task_local! {
    static HELD: Arc<Held>;
}

/// What a request is about, and which states of it its caller has seen.
#[derive(Debug)]
pub struct Held {
    thing: Resource,
    own_account: Option<UserId>,
    seen: Vec<DateTime<Utc>>,
    compared: AtomicBool,
    /// A write was made before anybody compared.
    passed_by: AtomicBool,
}

impl Held {
    /// A condition that holds while the thing is as it was at one of these moments. `own_account` is the caller's,
    /// for what a resource without a name is about.
    pub fn new(thing: Resource, own_account: Option<UserId>, seen: Vec<DateTime<Utc>>) -> Self {
        Self {
            thing,
            own_account,
            seen,
            compared: AtomicBool::default(),
            passed_by: AtomicBool::default(),
        }
    }

    /// Whether there are states of such a thing to tell apart.
    pub fn is_possible(thing: &Resource) -> bool {
        matches!(
            thing,
            Resource::Organization(Some(_))
                | Resource::User(Some(_))
                | Resource::Profile
                | Resource::Box(_, Some(_))
                | Resource::Version(_, _, Some(_))
                | Resource::Provider(_, _, _, Some(_))
                | Resource::Architecture(_, _, _, _, Some(_))
                | Resource::File(..)
        )
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
        match self.present(db).await? {
            // what is not there any more is for the write to say
            None => Ok(()),
            Some(Some(changed)) if self.seen.contains(&whole_micros(changed)) => Ok(()),
            Some(_) => Err(CatalogError::conflict(ConflictReason::Stale)),
        }
    }

    /// When the thing was last changed, if ever; its row stays locked. `None` where there is no such thing.
    async fn present<C: ConnectionTrait>(&self, db: &C) -> Result<Option<Option<DateTime<Utc>>>> {
        match &self.thing {
            Resource::Organization(Some(name)) => {
                let named = organizations::Column::NameKey.eq(name.key());
                let of = organizations::Entity::find().filter(named);
                lock(db, of, organizations::Column::Id, organizations::Column::UpdatedAt).await
            }
            Resource::User(Some(name)) => {
                let of = users::Entity::find().filter(users::Column::NameKey.eq(name.key()));
                lock(db, of, users::Column::Id, users::Column::UpdatedAt).await
            }
            Resource::Profile => {
                let id = self.own_account.map(|id| id.0);
                let of = users::Entity::find().filter(users::Column::Id.eq(id));
                lock(db, of, users::Column::Id, users::Column::UpdatedAt).await
            }
            Resource::Box(organization, Some(name)) => {
                let of = of_box(boxes::Entity::find(), organization, name);
                lock(db, of, boxes::Column::Id, boxes::Column::UpdatedAt).await
            }
            Resource::Version(organization, name, Some(number)) => {
                let of = of_version(versions::Entity::find(), organization, name, number);
                lock(db, of, versions::Column::Id, versions::Column::UpdatedAt).await
            }
            Resource::Provider(organization, name, number, Some(provider)) => {
                let of = providers::Entity::find().join(JoinType::InnerJoin, to_version());
                let of = of_version(of, organization, name, number)
                    .filter(providers::Column::NameKey.eq(provider.key()));
                lock(db, of, providers::Column::Id, providers::Column::UpdatedAt).await
            }
            Resource::Architecture(organization, name, number, provider, Some(architecture))
            | Resource::File(organization, name, number, provider, architecture) => {
                let of = artifacts::Entity::find()
                    .join(JoinType::InnerJoin, to_provider())
                    .join(JoinType::InnerJoin, to_version());
                let of = of_version(of, organization, name, number)
                    .filter(providers::Column::NameKey.eq(provider.key()))
                    .filter(artifacts::Column::NameKey.eq(architecture.key()));
                // a file is told by when it was uploaded: making its architecture the default does not change it
                let changed = match &self.thing {
                    Resource::File(..) => artifacts::Column::UploadedAt,
                    _ => artifacts::Column::UpdatedAt,
                };
                lock(db, of, artifacts::Column::Id, changed).await
            }
            _ => Ok(None),
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

fn of_box<E: EntityTrait>(
    of: Select<E>,
    organization: &OrganizationName,
    name: &BoxName,
) -> Select<E> {
    of.join(JoinType::InnerJoin, to_organization())
        .filter(organizations::Column::NameKey.eq(organization.key()))
        .filter(boxes::Column::NameKey.eq(name.key()))
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
