//! The Vagrant Cloud API, as `vagrant cloud …` and Packer speak it: another dress of what `api/` does.
//!
//! Handlers take other names and shapes to the same functions of the application. Success is always 200, since Packer
//! takes nothing else. Both editions, v1 and v2, are answered by one handler each, which tells them apart by its path; the
//! router mounts it twice.
//! Source: the `vagrant_cloud` gem 3.0.5 to 3.1.3, and Packer's `post-processor/vagrant-cloud`.

pub(crate) mod authentication;
pub(crate) mod boxes;
pub(crate) mod hcp;
pub(crate) mod owner;
pub(crate) mod providers;
pub(crate) mod search;
pub(crate) mod uploads;
pub(crate) mod versions;

use boxvault_types::params::cloud::{CloudBoxParams, CloudProviderParams, CloudVersionParams};
use salvo::{
    Depot, Request, Response, Writer, async_trait,
    extract::{Extractible, Metadata},
    http::StatusCode,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    call::{Call, parse_json, read_json},
    reply, vagrant,
};
use crate::{
    app::cloud::{Edition, Place},
    error::{AppError, Result},
};

static METADATA: Metadata = Metadata::new("");

/// How this client reaches us, and the edition that it speaks.
fn place(req: &Request, call: &Call) -> Place {
    let is_first = call.facts.path.starts_with("api/v1/");
    Place {
        base: vagrant::base_url(&call.app, req),
        edition: if is_first { Edition::V1 } else { Edition::V2 },
    }
}

/// 200, and the thing itself.
#[derive(Debug)]
pub(crate) struct Plain<T>(T);

#[async_trait]
impl<T: Serialize + Send> Writer for Plain<T> {
    async fn write(self, _: &mut Request, depot: &mut Depot, res: &mut Response) {
        reply::json(StatusCode::OK, &self.0, depot, res);
    }
}

/// What clients send of a noun: bare, or below the noun's name.
pub(crate) trait Noun: DeserializeOwned {
    const NAME: &'static str;
}

impl Noun for CloudBoxParams {
    const NAME: &'static str = "box";
}

impl Noun for CloudVersionParams {
    const NAME: &'static str = "version";
}

impl Noun for CloudProviderParams {
    const NAME: &'static str = "provider";
}

/// A JSON body about a noun.
#[derive(Debug)]
pub(crate) struct NounBody<T>(T);

impl<'ex, T: Noun> Extractible<'ex> for NounBody<T> {
    fn metadata() -> &'static Metadata {
        &METADATA
    }

    #[expect(refining_impl_trait, reason = "the error type is ours")]
    async fn extract(req: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self> {
        let call = depot
            .get_typed::<Call>()
            .map_err(|_| AppError::internal("the route has no authorization"))?;
        let bytes = unwrapped(&read_json(req, &call.app).await?, T::NAME)?;
        let body = parse_json(&bytes)?;
        call.notes.body(&bytes);
        Ok(Self(body))
    }
}

/// What is below the name of a noun, or else all of it.
fn unwrapped(bytes: &[u8], name: &str) -> Result<Vec<u8>> {
    let mut whole: Value = parse_json(bytes)?;
    let inner = whole.get_mut(name).filter(|inner| inner.is_object()).map(Value::take);
    serde_json::to_vec(&inner.unwrap_or(whole)).map_err(AppError::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noun_comes_bare_or_below_its_name() {
        for body in [
            r#"{"name":"web","is_private":null,"unknown":1}"#,
            r#"{"box":{"name":"web","is_private":null},"box_unknown":2}"#,
        ] {
            let bytes = unwrapped(body.as_bytes(), CloudBoxParams::NAME).unwrap();
            let params: CloudBoxParams = parse_json(&bytes).unwrap();
            assert_eq!(params.name.unwrap().as_str(), "web", "{body}");
            assert!(params.is_private.is_none());
        }
        // the number of a version has the name of its noun
        let bytes = unwrapped(br#"{"version":"1.0.0"}"#, CloudVersionParams::NAME).unwrap();
        let params: CloudVersionParams = parse_json(&bytes).unwrap();
        assert_eq!(params.version.unwrap().as_str(), "1.0.0");
    }
}
