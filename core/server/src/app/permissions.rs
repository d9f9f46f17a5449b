//! What the caller may do, asked ahead: the same decisions that stand in front of the handlers, for pages that offer
//! nothing that would be refused.
//!
//! Where rules can name single things (a member, a provider), what is asked is one that none names.

use boxvault_policy::Policy;
use boxvault_types::{
    action::{
        Action::{
            self, Create, Delete, Download, Read, Release, Replace, Restore, Revoke, Transfer,
            Update, Upload, Verify, Watch,
        },
        Resource, ResourceKind,
    },
    identity::Identity,
    names::{ArchitectureName, ProviderName, ServiceAccountName, UserName},
    views::permissions::PermissionsView,
};

use super::{
    App,
    access::{Answer, Target},
    mirrors::is_change_of_upstream,
};
use crate::error::{AppError, Result};

/// The name of the thing that no rule names.
const ANY: &str = "any";

impl App {
    /// What the caller may do with the thing that a request is about, and with what belongs to it.
    ///
    /// # Errors
    /// None but a defect, and a catalog that is away.
    pub(crate) async fn permissions(
        &self,
        policy: &Policy,
        identity: &Identity,
        target: &Target,
    ) -> Result<PermissionsView> {
        let mut view = PermissionsView::default();
        let is_person = identity.caller().is_some_and(|caller| caller.service.is_none());
        let is_mirror = match target.owner() {
            Some(owner) => self.mirror_of(owner.id).await?.is_some(),
            None => false,
        };
        for (resource, actions) in questions(&target.resource)? {
            let kind = resource.kind();
            let about = Target { resource, former: None, ..target.clone() };
            let allowed = actions.iter().copied().filter(|action| {
                (is_person || !is_for_persons(kind, *action))
                    && !(is_mirror && is_change_of_upstream(kind, *action))
                    && self.answer(policy, identity, &about, *action) == Answer::Allowed
            });
            for action in allowed {
                let known = view.allowed.entry(kind).or_default();
                if !known.contains(&action) {
                    known.push(action);
                }
                if let (Resource::System(part), Read) = (&about.resource, action) {
                    view.system.push((*part).to_owned());
                }
            }
        }
        Ok(view)
    }
}

/// What no machine and nobody unknown does, whatever the policy says of it.
fn is_for_persons(kind: ResourceKind, action: Action) -> bool {
    matches!((kind, action), (ResourceKind::Box, Watch) | (ResourceKind::JoinRequest, Create))
}

type Question = (Resource, &'static [Action]);

fn questions(about: &Resource) -> Result<Vec<Question>> {
    use Resource as R;
    let user: UserName = any()?;
    Ok(match about {
        R::Organization(Some(name)) => {
            let (of, service): (_, ServiceAccountName) = (|| name.clone(), any()?);
            vec![
                (R::Organization(Some(of())), &[Read, Update, Delete]),
                (R::Suspension(of()), &[Create, Delete]),
                (R::Member(of(), None), &[Read, Create]),
                (R::Member(of(), Some(user)), &[Update, Delete]),
                (R::Invitation(of()), &[Read, Create, Update, Delete]),
                (R::JoinRequest(of()), &[Read, Create, Update]),
                (R::ServiceAccount(of(), None), &[Read, Create]),
                (R::ServiceAccount(of(), Some(service)), &[Update, Delete]),
                (R::Storage(Some(of())), &[Read, Update]),
                (R::Audit(Some(of())), &[Read]),
                (R::Rules(of()), &[Read, Update, Verify]),
                (R::Mirror(of()), &[Read, Update, Delete]),
                (R::Box(of(), None), &[Create, Restore]),
            ]
        }
        R::Box(organization, Some(name)) => vec![
            (about.clone(), &[Read, Update, Delete, Transfer, Watch]),
            (R::Version(organization.clone(), name.clone(), None), &[Create]),
        ],
        R::Version(organization, name, Some(number)) => {
            let of = || (organization.clone(), name.clone(), number.clone());
            let (provider, architecture): (ProviderName, ArchitectureName) = (any()?, any()?);
            let ((o, b, v), (o2, b2, v2), (o3, b3, v3)) = (of(), of(), of());
            vec![
                (about.clone(), &[Read, Update, Delete, Release, Revoke]),
                (R::Provider(o, b, v, None), &[Create]),
                (
                    R::Architecture(o2, b2, v2, provider.clone(), Some(architecture.clone())),
                    &[Create, Update, Delete],
                ),
                (
                    R::File(o3, b3, v3, provider, architecture),
                    &[Upload, Replace, Download, Verify, Delete],
                ),
            ]
        }
        // of the caller's own: the server as a whole
        _ => vec![
            (R::Organization(None), &[Read, Create]),
            (R::User(None), &[Read, Create]),
            (R::User(Some(user)), &[Update, Delete]),
            (R::Policy, &[Read, Update, Verify]),
            (R::Audit(None), &[Read]),
            (R::Storage(None), &[Read, Update, Verify]),
            (R::System("configuration"), &[Read]),
            (R::System("jobs"), &[Read]),
            (R::System("plugins"), &[Read]),
        ],
    })
}

fn any<T: std::str::FromStr>() -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    ANY.parse().map_err(AppError::internal)
}
