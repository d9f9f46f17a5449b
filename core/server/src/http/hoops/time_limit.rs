//! How long an answer may take that moves no file. What moves files is bounded by progress instead.

use std::time::Duration;

use boxvault_types::error::ErrorCode;
use salvo::{Depot, FlowCtrl, Handler, Request, Response, Writer, async_trait};
use tokio::time::timeout;

use crate::{error::AppError, http::SharedApp};

/// See the module.
pub(crate) struct TimeLimit;

#[async_trait]
impl Handler for TimeLimit {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let limit: Duration = match SharedApp::of(depot) {
            Ok(app) => app.config.limits.request_timeout.into(),
            Err(error) => return error.write(req, depot, res).await,
        };
        if timeout(limit, ctrl.call_next(req, depot, res)).await.is_err() {
            let error = AppError::new(
                ErrorCode::Busy,
                format!(
                    "the answer took longer than {} s (limits.request_timeout); try again",
                    limit.as_secs()
                ),
            )
            .with_retry_after(limit);
            error.write(req, depot, res).await;
            ctrl.skip_rest();
        }
    }
}
