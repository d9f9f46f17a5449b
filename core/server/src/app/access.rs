//! The one place where is decided who may do what: for HTTP routes, Vagrant's dialect and lists alike.

use std::sync::Arc;

use boxvault_catalog::{
    boxes::{self, OwnedBox},
    organizations::{self, AccessMode, Organization},
    versions::{self, Version, VersionStatus},
};
use boxvault_policy::{AccessRequest, Policy, Relations};
use boxvault_types::{
    action::{Action, Resource},
    error::ErrorCode,
    identity::Identity,
    version::BoxVersion,
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
    /// The version, where the resource is one or belongs to one of a public box; `None` if there is no such.
    pub(crate) version: Option<Arc<Version>>,
    /// Whether it is the same for everybody: a part of the system; the metrics where the configuration opens them.
    pub(crate) public_by_configuration: bool,
}

/// What a caller gets to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Go ahead.
    Allowed,
    /// They may know of it, but not do this.
    Refused,
    /// They may not know whether this exists: the thing itself, or what it belongs to.
    Hidden(Resource),
}

impl Target {
    /// A resource that nobody looked up.
    pub(crate) fn unknown(resource: Resource) -> Self {
        Self {
            resource,
            organization: None,
            vagrant_box: None,
            version: None,
            public_by_configuration: false,
        }
    }

    /// Looks up what a decision about a resource needs: one query, and one for a version of a public box.
    pub(crate) async fn find(app: &App, resource: Resource, action: Action) -> Result<Self> {
        let mut target = Self::unknown(resource);
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
        if let (Some(found), Some(number)) = (&target.vagrant_box, version_of(&target.resource))
            && found.vagrant_box.is_public
        {
            target.version =
                versions::find(&app.catalog, found.vagrant_box.id, number).await?.map(Arc::new);
        }
        Ok(target)
    }

    /// How the caller stands to the thing. Of a public box everybody sees what was released; a version that does not
    /// exist is to them as one that is being prepared, lest the difference tells.
    fn relations(&self, identity: &Identity) -> Relations {
        let released = match &self.version {
            Some(version) => version.status == VersionStatus::Released,
            None => version_of(&self.resource).is_none(),
        };
        let own = self.box_relations(identity);
        Relations { public: (own.public && released) || self.public_by_configuration, ..own }
    }

    /// How the caller stands to the box or organization that the thing belongs to.
    pub(crate) fn box_relations(&self, identity: &Identity) -> Relations {
        let caller = identity.caller().map(|caller| caller.user_id);
        match (&self.vagrant_box, &self.organization) {
            (Some(found), _) => Relations {
                creator: caller.is_some() && found.vagrant_box.created_by == caller,
                public: found.vagrant_box.is_public,
            },
            (None, Some(organization)) => Relations {
                creator: false,
                public: organization.access_mode != AccessMode::Private,
            },
            (None, None) => Relations::default(),
        }
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
        let decide = |resource: &Resource, action: Action, relations: Relations| {
            policy.decide(&AccessRequest::new(identity, resource, action, relations)).allowed
        };
        let relations = target.relations(identity);
        let allowed = decide(&target.resource, action, relations);
        self.metrics.decided(allowed);
        if allowed {
            return Answer::Allowed;
        }
        if let Some(container) = container(&target.resource)
            && !decide(&container, Action::Read, target.box_relations(identity))
        {
            return Answer::Hidden(container);
        }
        match version_in(&target.resource) {
            Some(version) if !decide(&version, Action::Read, relations) => Answer::Hidden(version),
            _ => Answer::Refused,
        }
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

/// Whether the caller sees more of a box than what everybody sees of a public one.
pub(crate) fn sees_unreleased(policy: &Policy, identity: &Identity, target: &Target) -> bool {
    let own = Relations { public: false, ..target.box_relations(identity) };
    policy.decide(&AccessRequest::new(identity, &target.resource, Action::Read, own)).allowed
}

/// What somebody must be able to read to know of a thing: its box, its organization, or itself.
fn container(resource: &Resource) -> Option<Resource> {
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

/// The version that a thing is or belongs to.
fn version_of(resource: &Resource) -> Option<&BoxVersion> {
    match resource {
        Resource::Version(_, _, number) => number.as_ref(),
        Resource::Provider(_, _, number, _)
        | Resource::Architecture(_, _, number, ..)
        | Resource::File(_, _, number, ..) => Some(number),
        _ => None,
    }
}

fn version_in(resource: &Resource) -> Option<Resource> {
    match resource {
        Resource::Version(organization, name, Some(number))
        | Resource::Provider(organization, name, number, _)
        | Resource::Architecture(organization, name, number, ..)
        | Resource::File(organization, name, number, ..) => {
            Some(Resource::Version(organization.clone(), name.clone(), Some(number.clone())))
        }
        _ => None,
    }
}
