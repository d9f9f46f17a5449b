//! The decision in front of every handler: the path names a thing, the route names an action, the policy says yes.
//!
//! Who may not even know that the thing exists gets 404, whether it exists or not.

use std::sync::Arc;

use boxvault_policy::Policy;
use boxvault_types::{
    action::{Resource, ResourceKind},
    error::ErrorCode,
    identity::Identity,
};
use salvo::{Depot, FlowCtrl, Handler, Request, Response, Writer, async_trait};

use crate::{
    app::{
        access::{Answer, Target},
        organizations,
    },
    error::{AppError, Result},
    http::{
        SharedApp,
        call::{Call, RequestFacts, credentials_missing},
        error::Dialect,
        extract,
        hoops::record::{Asked, Denied},
        routes::Permission,
    },
};

/// Who can ask for what a route does, whatever the policy says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Asker {
    /// Whoever the policy lets in.
    #[default]
    Anybody,
    /// Whoever is signed in: it is about what is theirs.
    Somebody,
    /// A user. What a service account may is lent to it; a mailbox, or a wish of its own, is not.
    Person,
}

/// See the module.
pub(crate) struct Authorize {
    permission: Permission,
    asker: Asker,
    operation: Arc<str>,
    /// What the route shows of the system, where it shows that.
    system_part: &'static str,
}

impl Authorize {
    /// The decision for one route.
    pub(crate) fn new(
        permission: Permission,
        asker: Asker,
        operation: Arc<str>,
        path: &str,
    ) -> Self {
        Self { permission, asker, operation, system_part: extract::system_part(path) }
    }

    async fn decide(&self, req: &Request, depot: &mut Depot) -> Result<Call> {
        let app = SharedApp::of(depot)?;
        let identity = depot
            .get_typed::<Identity>()
            .cloned()
            .map_err(|_| AppError::internal("nobody looked at the credentials"))?;
        let facts = RequestFacts::of(depot);
        let Permission { action, kind } = self.permission;
        let resource = extract::resource(req, kind, self.system_part).map_err(|error| {
            match facts.dialect {
                // to stock clients a name that cannot be is a box that is not there
                Dialect::Vagrant => {
                    AppError::new(ErrorCode::PathNotFound, error.message().to_owned())
                }
                _ => error,
            }
        })?;
        let target = Target::find(&app, resource, action).await?;
        let policy = app.policy.load();
        let mut target = app.find_in_mirror(&policy, &identity, target, action).await?;
        target.public_by_configuration = match target.resource {
            Resource::System("metrics") => app.metrics_are_public_to(facts.address),
            Resource::System(part) => extract::is_for_all(part),
            _ => false,
        };
        let answer = match app.answer(&policy, &identity, &target, action) {
            Answer::Allowed if !self.asker.includes(&identity) => Answer::Refused,
            answer => answer,
        };
        match answer {
            Answer::Allowed => {
                if let Some(owner) = target.owner() {
                    app.refuse_change_of_mirror(owner, kind, action).await?;
                }
                let (notes, operation) = (Arc::default(), Arc::clone(&self.operation));
                Ok(Call { app, facts, identity, policy, action, operation, target, notes })
            }
            Answer::Hidden(hidden) => {
                depot.insert_typed(self.denied(target, policy));
                Err(extract::not_found(&hidden))
            }
            Answer::Suspended(organization) => {
                depot.insert_typed(self.denied(target, policy));
                Err(organizations::suspended(&organization, &identity))
            }
            Answer::Renamed => Err(organizations::renamed(&target)),
            Answer::Refused if identity == Identity::Anonymous => {
                // what is everybody's own is nobody's before they sign in: there is no access to speak of
                if !is_own(kind) {
                    depot.insert_typed(self.denied(target, policy));
                }
                Err(credentials_missing())
            }
            Answer::Refused if !self.asker.includes(&identity) => {
                depot.insert_typed(self.denied(target, policy));
                Err(AppError::new(
                    ErrorCode::PermissionDenied,
                    "a service account cannot do this; sign in as a user",
                ))
            }
            Answer::Refused => {
                let error = target.refusal(&policy, &identity, action);
                depot.insert_typed(self.denied(target, policy));
                Err(error)
            }
        }
    }

    fn denied(&self, target: Target, policy: Arc<Policy>) -> Denied {
        let (action, operation) = (self.permission.action, Arc::clone(&self.operation));
        Denied { asked: Asked { action, operation, target }, policy }
    }
}

impl Asker {
    fn includes(self, identity: &Identity) -> bool {
        match (self, identity.caller()) {
            (Self::Anybody, _) | (Self::Somebody, Some(_)) => true,
            (Self::Somebody | Self::Person, None) => false,
            (Self::Person, Some(caller)) => caller.service.is_none(),
        }
    }
}

fn is_own(kind: ResourceKind) -> bool {
    matches!(kind, ResourceKind::Profile | ResourceKind::Session | ResourceKind::Token)
}

#[async_trait]
impl Handler for Authorize {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        match self.decide(req, depot).await {
            Ok(call) => {
                depot.insert_typed(call);
            }
            Err(error) => {
                error.write(req, depot, res).await;
                ctrl.skip_rest();
            }
        }
    }
}
