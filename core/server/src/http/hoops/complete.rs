//! What changes something is done to its end, also when its client goes away: else a change could be made that is in
//! no audit log, and a request that is sent again could not be told from a new one.

use std::{mem, panic::resume_unwind, sync::Arc};

use salvo::{Depot, FlowCtrl, Handler, Request, Response, Writer as _, async_trait};
use tracing::{Instrument as _, Span};

use crate::http::{SharedApp, call::RequestFacts};

/// See the module.
pub(crate) struct Complete;

#[async_trait]
impl Handler for Complete {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let facts = RequestFacts::of(depot);
        let app = match SharedApp::of(depot) {
            Ok(app) => app,
            Err(error) => return error.write(req, depot, res).await,
        };
        let running = Arc::clone(&app.changes).read_owned().await;
        let mut own = (
            mem::take(req),
            mem::take(depot),
            mem::take(res),
            mem::replace(ctrl, FlowCtrl::new(Vec::new())),
        );
        // whoever stops waiting still has to answer, and to say in the log for which request
        depot.insert_typed(facts);
        let work = async move {
            let (req, depot, res, ctrl) = &mut own;
            ctrl.call_next(req, depot, res).await;
            drop(running);
            own
        };
        match tokio::spawn(work.instrument(Span::current())).await {
            Ok(own) => (*req, *depot, *res, *ctrl) = own,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // the runtime is going down, and nobody waits any more
                Err(_) => ctrl.skip_rest(),
            },
        }
    }
}
