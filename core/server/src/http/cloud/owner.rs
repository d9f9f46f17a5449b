//! The organization of a new box, which clients name in the body: put where the decision looks for it.

use boxvault_types::params::cloud::CloudBoxParams;
use salvo::{Depot, FlowCtrl, Handler, Request, Response, Writer as _, async_trait, http::ReqBody};
use serde_json::Value;

use super::{Noun as _, unwrapped};
use crate::{
    app::cloud::missing_field,
    error::Result,
    http::{
        SharedApp,
        call::{parse_json, read_json},
    },
};

/// See the module. Stands in front of the decision.
pub(crate) struct OwnerInBody;

impl OwnerInBody {
    async fn read(req: &mut Request, depot: &Depot) -> Result<()> {
        let app = SharedApp::of(depot)?;
        let bytes = read_json(req, &app).await?;
        let body: Value = parse_json(&unwrapped(&bytes, CloudBoxParams::NAME)?)?;
        let name = body.get("username").and_then(Value::as_str).map(ToOwned::to_owned);
        let name = name.ok_or_else(|| missing_field("username"))?;
        req.params_mut().insert("organization", name);
        req.replace_body(ReqBody::Once(bytes.into()));
        Ok(())
    }
}

#[async_trait]
impl Handler for OwnerInBody {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        if let Err(error) = Self::read(req, depot).await {
            error.write(req, depot, res).await;
            ctrl.skip_rest();
        }
    }
}
