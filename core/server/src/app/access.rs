//! The one place where is decided who may do what: for HTTP routes, Vagrant's dialect and lists alike.

use std::{mem, sync::Arc};

use boxvault_catalog::{
    boxes::{self, OwnedBox},
    organizations::{self, AccessMode, Organization},
    versions::{self, Version, VersionStatus},
};
use boxvault_policy::{AccessRequest, Policy, Relations, RuleRef};
use boxvault_types::{
    action::{Action, Resource},
    error::ErrorCode,
    identity::Identity,
    names::{BoxName, OrganizationName},
    version::BoxVersion,
    views::RefusalView,
};

use super::{App, policies::rule_view};
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
    /// The thing as the path names it, where it, or its box or organization, has another name now.
    pub(crate) former: Option<Resource>,
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
    /// The organization is suspended, which they may know.
    Suspended(Box<Organization>),
    /// They may know of it, and that it is called otherwise now; by its old name it is only read.
    Renamed,
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
            former: None,
            public_by_configuration: false,
        }
    }

    /// Looks up what a decision about a resource needs: one query, and one for a version of a public box.
    pub(crate) async fn find(app: &App, resource: Resource, action: Action) -> Result<Self> {
        let mut target = Self::unknown(resource);
        match &target.resource {
            Resource::Organization(Some(name)) if action == Action::Restore => {
                let found = organizations::find_deleted(&app.catalog, name).await?;
                target.organization = found.map(Arc::new);
            }
            Resource::Organization(Some(name))
            | Resource::Rules(name)
            | Resource::Mirror(name)
            | Resource::Audit(Some(name))
            | Resource::Storage(Some(name))
            | Resource::Suspension(name)
            | Resource::Invitation(name)
            | Resource::JoinRequest(name)
            | Resource::Member(name, _)
            | Resource::ServiceAccount(name, _)
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
                    Action::Restore => boxes::find_even_deleted(&app.catalog, organization, name)
                        .await?
                        .map(Arc::new),
                    _ => boxes::find(&app.catalog, organization, name).await?.map(Arc::new),
                };
            }
            _ => {}
        }
        target.follow();
        if let (Some(found), Some(number)) = (&target.vagrant_box, version_of(&target.resource))
            && found.vagrant_box.is_public
        {
            target.version =
                versions::find(&app.catalog, found.vagrant_box.id, number).await?.map(Arc::new);
        }
        Ok(target)
    }

    /// Decides on the thing under the names that it has, whatever it was asked for by: roles and rules speak of those.
    fn follow(&mut self) {
        let resource = self.resource.clone();
        let present = match (&self.vagrant_box, &self.organization) {
            (Some(found), _) => {
                resource.in_box(found.organization.name.clone(), found.vagrant_box.name.clone())
            }
            (None, Some(organization)) => resource.in_organization(organization.name.clone()),
            (None, None) => return,
        };
        let names = |resource: &Resource| (resource.domain(), resource.object());
        if names(&present) != names(&self.resource) {
            self.former = Some(mem::replace(&mut self.resource, present));
        }
    }

    /// The version of a public box that the path names and that is not here.
    pub(crate) fn unknown_version(&self) -> Option<&BoxVersion> {
        let is_public = self.vagrant_box.as_ref().is_some_and(|it| it.vagrant_box.is_public);
        version_of(&self.resource).filter(|_| is_public && self.version.is_none())
    }

    /// The thing as the path names it.
    pub(crate) fn asked(&self) -> &Resource {
        self.former.as_ref().unwrap_or(&self.resource)
    }

    /// The names of a box to a stock client: as its owner writes them, or those that it had before when the client
    /// asked for these.
    pub(crate) fn shown_names<'a>(
        &'a self,
        found: &'a OwnedBox,
    ) -> (&'a OrganizationName, &'a BoxName) {
        let former = self.former.as_ref().and_then(Resource::box_names);
        former.unwrap_or((&found.organization.name, &found.vagrant_box.name))
    }

    /// The organization that the thing is or belongs to.
    pub(crate) fn owner(&self) -> Option<&Organization> {
        let of_box = self.vagrant_box.as_ref().map(|found| &found.organization);
        of_box.or(self.organization.as_deref())
    }

    /// The organization, where its suspension stands in the way. Platform admins, who suspend, look into it; its own
    /// people see that it is there, and why.
    fn suspension_of(&self, identity: &Identity, action: Action) -> Option<&Organization> {
        let sees = identity.caller().is_some_and(|caller| caller.platform_admin)
            || (matches!(self.resource, Resource::Organization(_)) && action == Action::Read);
        self.owner().filter(|organization| !sees && organization.suspension.is_some())
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
        let serves = self.owner().is_some_and(|organization| {
            organization.suspension.is_none() && organization.deleted_at.is_none()
        });
        match (&self.vagrant_box, &self.organization) {
            (Some(found), _) => Relations {
                creator: caller.is_some() && found.vagrant_box.created_by == caller,
                public: serves
                    && found.vagrant_box.is_public
                    && found.vagrant_box.deleted_at.is_none(),
            },
            (None, Some(organization)) => Relations {
                creator: false,
                public: serves && organization.access_mode != AccessMode::Private,
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
        if !allowed {
            // by the names that were asked for: the present ones are not theirs to know
            if let (Some(container), Some(asked)) =
                (container(&target.resource), container(target.asked()))
                && !decide(&container, Action::Read, target.box_relations(identity))
            {
                return Answer::Hidden(asked);
            }
            if let (Some(version), Some(asked)) =
                (version_in(&target.resource), version_in(target.asked()))
                && !decide(&version, Action::Read, relations)
            {
                return Answer::Hidden(asked);
            }
        }
        if let Some(by) = target.suspension_of(identity, action) {
            return Answer::Suspended(Box::new(by.clone()));
        }
        if !allowed {
            return Answer::Refused;
        }
        let reads = matches!(action, Action::Read | Action::Download | Action::Restore);
        if target.former.is_some() && !reads { Answer::Renamed } else { Answer::Allowed }
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
        if allowed { Ok(()) } else { Err(refusal(policy, identity, resource, action, relations)) }
    }
}

/// What somebody hears who may not do something. Who may read the policy hears which rule it was.
fn refusal(
    policy: &Policy,
    identity: &Identity,
    resource: &Resource,
    action: Action,
    relations: Relations,
) -> AppError {
    let decide = |resource: &Resource, action: Action, relations: Relations| {
        policy.decide(&AccessRequest::new(identity, resource, action, relations))
    };
    let reads_policy = decide(&Resource::Policy, Action::Read, Relations::default()).allowed;
    let decision = reads_policy.then(|| decide(resource, action, relations));
    AppError::new(
        ErrorCode::PermissionDenied,
        format!(
            "you may not {action} this {}; ask an admin of the organization for the right to",
            resource.kind()
        ),
    )
    .with_decision(decision.filter(|decision| !decision.allowed).map(|decision| RefusalView {
        reason: decision.reason.as_str().to_owned(),
        rule: decision.rule.map(|rule| rule_view(RuleRef::clone(&rule))),
    }))
}

impl Target {
    /// What the caller hears who may know of the thing, but not do this.
    pub(crate) fn refusal(&self, policy: &Policy, identity: &Identity, action: Action) -> AppError {
        refusal(policy, identity, &self.resource, action, self.relations(identity))
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
        | Resource::Rules(name)
        | Resource::Mirror(name)
        | Resource::Audit(Some(name))
        | Resource::Storage(Some(name))
        | Resource::Suspension(name)
        | Resource::Invitation(name)
        | Resource::JoinRequest(name)
        | Resource::Member(name, _)
        | Resource::ServiceAccount(name, _) => Some(Resource::Organization(Some(name.clone()))),
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
