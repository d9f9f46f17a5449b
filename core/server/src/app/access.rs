//! The one place where is decided who may do what: for HTTP routes, Vagrant's dialect and lists alike.

use std::sync::Arc;

use boxvault_catalog::{
    boxes::{self, OwnedBox},
    organizations::{self, AccessMode, Organization},
};
use boxvault_policy::{AccessRequest, Policy, Relations};
use boxvault_types::{
    action::{Action, Resource},
    error::ErrorCode,
    identity::Identity,
};

use super::App;
use crate::error::{AppError, Result};

/// The thing that a request is about, with what the catalog knows of it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) resource: Resource,
    /// The organization, where the resource is one or belongs to one; `None` if there is no such.
    pub(crate) organization: Option<Arc<Organization>>,
    /// The box, where the resource is one or belongs to one; `None` if there is no such.
    pub(crate) vagrant_box: Option<Arc<OwnedBox>>,
}

/// What a caller gets to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Go ahead.
    Allowed,
    /// They may know of it, but not do this.
    Refused,
    /// They may not know whether it exists.
    Hidden,
}

impl Target {
    /// Looks up what a decision about a resource needs: one query at most.
    pub(crate) async fn find(app: &App, resource: Resource, action: Action) -> Result<Self> {
        let mut target = Self { resource, organization: None, vagrant_box: None };
        match &target.resource {
            Resource::Organization(Some(name))
            | Resource::Audit(Some(name))
            | Resource::Member(name, _)
            | Resource::Box(name, None) => {
                target.organization = organizations::find(&app.catalog, name).await?.map(Arc::new);
            }
            Resource::Box(organization, Some(name))
            | Resource::Version(organization, name, _)
            | Resource::Provider(organization, name, ..)
            | Resource::Architecture(organization, name, ..)
            | Resource::File(organization, name, ..) => {
                target.vagrant_box = match action {
                    Action::Read | Action::Download => {
                        app.box_for_reading(organization, name).await?
                    }
                    _ => boxes::find(&app.catalog, organization, name).await?.map(Arc::new),
                };
            }
            _ => {}
        }
        Ok(target)
    }

    /// How the caller stands to the thing.
    fn relations(&self, identity: &Identity) -> Relations {
        let caller = identity.caller().map(|caller| caller.user_id);
        if let Some(found) = &self.vagrant_box {
            let creator = caller.is_some() && found.vagrant_box.created_by == caller;
            return Relations { creator, public: found.vagrant_box.is_public };
        }
        let public = self
            .organization
            .as_ref()
            .is_some_and(|organization| organization.access_mode != AccessMode::Private);
        Relations { creator: false, public }
    }

    /// The organization.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND`.
    pub(crate) fn organization(&self) -> Result<&Organization> {
        self.organization.as_deref().ok_or_else(|| {
            let name = self.resource.organization().map(ToString::to_string).unwrap_or_default();
            AppError::new(
                ErrorCode::OrganizationNotFound,
                format!("there is no organization {name:?}"),
            )
        })
    }

    /// The box.
    ///
    /// # Errors
    /// `BOX_NOT_FOUND`.
    pub(crate) fn vagrant_box(&self) -> Result<&OwnedBox> {
        self.vagrant_box.as_deref().ok_or_else(|| {
            let object = self.resource.object();
            let name = object.split('/').nth(1).unwrap_or_default();
            let organization =
                self.resource.organization().map(ToString::to_string).unwrap_or_default();
            AppError::new(
                ErrorCode::BoxNotFound,
                format!("there is no box {name:?} in {organization:?}"),
            )
        })
    }
}

impl App {
    /// Decides, and says how much of a refusal the caller may see.
    pub(crate) fn answer(
        &self,
        policy: &Policy,
        identity: &Identity,
        target: &Target,
        action: Action,
    ) -> Answer {
        let relations = target.relations(identity);
        let decide = |resource: &Resource, action: Action| {
            policy.decide(&AccessRequest::new(identity, resource, action, relations)).allowed
        };
        let allowed = decide(&target.resource, action);
        self.metrics.decided(allowed);
        if allowed {
            return Answer::Allowed;
        }
        let visible = match visible_through(&target.resource) {
            Some(container) => decide(&container, Action::Read),
            None => true,
        };
        if visible { Answer::Refused } else { Answer::Hidden }
    }

    /// Decides on something that the path does not name, such as a box that is about to be created.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub(crate) fn require(
        &self,
        policy: &Policy,
        identity: &Identity,
        resource: &Resource,
        action: Action,
        relations: Relations,
    ) -> Result<()> {
        let allowed =
            policy.decide(&AccessRequest::new(identity, resource, action, relations)).allowed;
        self.metrics.decided(allowed);
        if allowed {
            return Ok(());
        }
        Err(AppError::new(
            ErrorCode::PermissionDenied,
            format!(
                "you may not {action} this {}; ask an admin of the organization for the right to",
                resource.kind()
            ),
        ))
    }
}

/// What somebody must be able to read to know of a thing: its box, its organization, or itself.
fn visible_through(resource: &Resource) -> Option<Resource> {
    match resource {
        Resource::Organization(Some(name))
        | Resource::Audit(Some(name))
        | Resource::Member(name, _) => Some(Resource::Organization(Some(name.clone()))),
        Resource::Box(organization, None) => {
            Some(Resource::Organization(Some(organization.clone())))
        }
        Resource::Box(organization, Some(name))
        | Resource::Version(organization, name, _)
        | Resource::Provider(organization, name, ..)
        | Resource::Architecture(organization, name, ..)
        | Resource::File(organization, name, ..) => {
            Some(Resource::Box(organization.clone(), Some(name.clone())))
        }
        Resource::User(Some(name)) => Some(Resource::User(Some(name.clone()))),
        _ => None,
    }
}
