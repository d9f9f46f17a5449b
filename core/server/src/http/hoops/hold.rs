//! `If-Match`: holds the write of a request to the state that its caller has seen. The comparison itself is part of the
//! write's transaction ([`Held`]).

use std::sync::Arc;

use boxvault_catalog::Held;
use boxvault_types::error::ErrorCode;
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, Writer as _, async_trait,
    http::{Method, header::IF_MATCH},
};
use tracing::error;

use crate::{
    error::AppError,
    http::{call::Call, etag},
};

/// See the module.
pub(crate) struct Hold;

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
        let thing = call.target.resource.clone();
        if !Held::is_possible(&thing) && req.method() != Method::POST {
            let error = AppError::new(
                ErrorCode::PreconditionFailed,
                "this has no ETag that If-Match could name; leave If-Match out",
            );
            ctrl.skip_rest();
            return error.write(req, depot, res).await;
        }
        let own_account = call.identity.caller().map(|caller| caller.user_id);
        let held = Arc::new(Held::new(thing, own_account, seen));
        if let Err(error) = held.compare_first(&call.app.catalog).await {
            ctrl.skip_rest();
            return AppError::from(error).write(req, depot, res).await;
        }
        Arc::clone(&held).scope(ctrl.call_next(req, depot, res)).await;
        if held.was_passed_by() {
            // the tests look for this line
            error!(request_id = %call.facts.request_id, "a write did not look at If-Match");
        }
    }
}
