//! `If-Match`: holds the write of a request to the state that its caller has seen. The comparison itself is part of the
//! write's transaction ([`Held`]).

use std::sync::Arc;

use boxvault_catalog::{Held, Thing};
use boxvault_types::{action::Resource, error::ErrorCode, identity::Identity};
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, Writer as _, async_trait, http::header::IF_MATCH,
};
use tracing::error;

use crate::{
    error::AppError,
    http::{
        call::{Call, RequestFacts},
        etag,
    },
};

/// What the `If-Match` of a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum HeldTo {
    /// What its path names.
    #[default]
    Resource,
    /// The picture of the caller, or of the box that its path names.
    Picture,
    /// Nothing that has an entity tag.
    Nothing,
}

/// See the module.
pub(crate) struct Hold(pub(crate) HeldTo);

impl Hold {
    fn thing(&self, call: &Call) -> Option<Thing> {
        let own = call.identity.caller().map(|caller| caller.user_id);
        match self.0 {
            HeldTo::Resource => Thing::of(&call.target.resource, own),
            HeldTo::Picture => match &call.target.resource {
                Resource::Box(organization, Some(name)) => {
                    Some(Thing::Artwork(organization.clone(), name.clone()))
                }
                _ => own.map(Thing::Picture),
            },
            HeldTo::Nothing => None,
        }
    }
}

#[async_trait]
impl Handler for Hold {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let seen = req.headers().get(IF_MATCH).map(etag::seen);
        let (Some(Some(seen)), Ok(call)) = (seen, depot.get_typed::<Call>().cloned()) else {
            ctrl.call_next(req, depot, res).await;
            return;
        };
        let thing = self.thing(&call);
        if thing.is_none() && call.identity == Identity::Anonymous {
            // the handler says that they have to sign in first
            ctrl.call_next(req, depot, res).await;
            return;
        }
        let Some(thing) = thing else {
            let error = AppError::new(
                ErrorCode::PreconditionFailed,
                "this has no ETag that If-Match could name; leave If-Match out",
            );
            ctrl.skip_rest();
            return error.write(req, depot, res).await;
        };
        let held = Arc::new(Held::new(thing, seen));
        if let Err(error) = held.compare_first(&call.app.catalog).await {
            ctrl.skip_rest();
            return AppError::from(error).write(req, depot, res).await;
        }
        Arc::clone(&held).scope(ctrl.call_next(req, depot, res)).await;
        if held.was_passed_by() {
            // the tests look for this line
            let request_id = RequestFacts::of(depot).request_id;
            error!(%request_id, "a write did not look at If-Match");
        }
    }
}
