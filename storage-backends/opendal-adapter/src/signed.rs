//! Requests that OpenDAL has no words for: signed as it signs its own, sent again as often as its own, and answered in
//! the words of the boundary.

use std::{fmt, time::Duration};

use boxvault_plugin_sdk::{PluginError, PluginErrorKind, Result, serde::de::DeserializeOwned};
use http::{Request, Response, StatusCode};
use opendal::{Buffer, HttpTransporter};
use reqsign_core::{Context, OsEnv, ProvideCredential, SignRequest, Signer, SigningCredential};
use reqsign_file_read_tokio::TokioFileRead;
use tokio::time::timeout;

use crate::{
    error::{answered, from_opendal},
    patience::Patience,
};

/// The service of a cloud that knows a machine's role may be asked, which outside of that cloud does not answer.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(15);

/// Sends signed requests.
pub struct SignedRequests<C: SigningCredential> {
    transport: HttpTransporter,
    signer: Signer<C>,
    patience: Patience,
}

impl<C: SigningCredential> fmt::Debug for SignedRequests<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequests").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl<C: SigningCredential> SignedRequests<C> {
    /// Requests that are sent this way, and signed that way.
    pub fn new(
        transport: HttpTransporter,
        credentials: impl ProvideCredential<Credential = C>,
        signer: impl SignRequest<Credential = C>,
        patience: Patience,
    ) -> Self {
        let signer = Signer::new(context(transport.clone()), credentials, signer);
        Self { transport, signer, patience }
    }

    /// Asks a small question; gives a good answer.
    ///
    /// # Errors
    /// What the store says, in its own words.
    pub async fn ask(&self, request: Request<Buffer>) -> Result<Response<Vec<u8>>> {
        self.patience.again(|| self.send(request.clone(), self.patience.question)).await
    }

    /// Sends a part of an object; gives a good answer.
    ///
    /// # Errors
    /// What the store says, in its own words.
    pub async fn transfer(&self, request: Request<Buffer>) -> Result<Response<Vec<u8>>> {
        self.patience.again(|| self.send(request.clone(), self.patience.transfer)).await
    }

    /// The address of a request that somebody else may send, for so long: its signature is in its query.
    ///
    /// The headers of the request are signed as well; whoever sends it has to send the same.
    ///
    /// # Errors
    /// `PermissionDenied` if there are no credentials that last so long.
    pub async fn presign(&self, request: Request<()>, expires_in: Duration) -> Result<String> {
        let (mut head, ()) = request.into_parts();
        self.signer.sign(&mut head, Some(expires_in)).await.map_err(unsigned)?;
        Ok(head.uri.to_string())
    }

    async fn send(
        &self,
        request: Request<Buffer>,
        patience: Duration,
    ) -> Result<Response<Vec<u8>>> {
        let (mut head, body) = request.into_parts();
        self.signer.sign(&mut head, None).await.map_err(unsigned)?;
        let answer = self.send_as_it_is(Request::from_parts(head, body), patience).await?;
        if answer.status().is_success() { Ok(answer) } else { Err(refused(&answer)) }
    }

    /// Sends a request once, without a signature, and gives whatever is answered: for a URL that is itself the key.
    ///
    /// # Errors
    /// `Unavailable` if there is no answer.
    pub async fn send_as_it_is(
        &self,
        request: Request<Buffer>,
        patience: Duration,
    ) -> Result<Response<Vec<u8>>> {
        let answer = timeout(patience, self.transport.send(request))
            .await
            .map_err(|_| PluginError::unavailable(format!("no answer within {patience:?}")))?
            .map_err(from_opendal)?;
        Ok(answer.map(|body| body.to_vec()))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as map_err(unsigned)")]
fn unsigned(error: reqsign_core::Error) -> PluginError {
    PluginError::new(PluginErrorKind::PermissionDenied, format!("no signature: {error}"))
}

/// Whether there are credentials.
///
/// # Errors
/// What the search says, if it says anything: a text that begins with a colon, or an empty one.
pub async fn find_credentials(
    credentials: &impl ProvideCredential,
    transport: &HttpTransporter,
) -> Result<(), String> {
    let context = context(transport.clone());
    match timeout(SEARCH_TIMEOUT, credentials.provide_credential(&context)).await {
        Ok(Ok(Some(_))) => Ok(()),
        Ok(Err(error)) => Err(format!(": {error}")),
        Ok(Ok(None)) | Err(_) => Err(String::new()),
    }
}

/// What providers of credentials and signers may use.
fn context(transport: HttpTransporter) -> Context {
    Context::new().with_file_read(TokioFileRead).with_env(OsEnv).with_http_send(transport)
}

/// Reads what a store answers.
///
/// # Errors
/// `Unexpected`, naming what it should have been.
pub fn read_xml<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T> {
    quick_xml::de::from_reader(body)
        .map_err(|error| PluginError::unexpected(format!("{what} cannot be read: {error}")))
}

/// Reads what a store answers.
///
/// # Errors
/// `Unexpected`, naming what it should have been.
pub fn read_json<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body)
        .map_err(|error| PluginError::unexpected(format!("{what} cannot be read: {error}")))
}

/// As Google writes it.
#[derive(Debug, boxvault_plugin_sdk::serde::Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde")]
struct JsonRefusal {
    error: JsonError,
}

#[derive(Debug, Default, boxvault_plugin_sdk::serde::Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default)]
struct JsonError {
    message: String,
    errors: Vec<JsonReason>,
}

#[derive(Debug, Default, boxvault_plugin_sdk::serde::Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default)]
struct JsonReason {
    reason: String,
}

/// As S3 and Azure write it.
#[derive(Debug, Default, boxvault_plugin_sdk::serde::Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default, rename_all = "PascalCase")]
struct Refusal {
    code: String,
    message: String,
}

/// What a store refuses, in its own words.
pub fn refused(answer: &Response<Vec<u8>>) -> PluginError {
    let status = answer.status();
    let kind = match status {
        StatusCode::NOT_FOUND => PluginErrorKind::NotFound,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => PluginErrorKind::PermissionDenied,
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => PluginErrorKind::AlreadyExists,
        StatusCode::TOO_MANY_REQUESTS => PluginErrorKind::Unavailable,
        StatusCode::NOT_IMPLEMENTED => PluginErrorKind::Unsupported,
        status if status.is_server_error() => PluginErrorKind::Unavailable,
        _ => PluginErrorKind::Unexpected,
    };
    let body = answer.body().as_slice();
    if let Ok(JsonRefusal { error }) = serde_json::from_slice(body) {
        let reason = error.errors.into_iter().next().unwrap_or_default().reason;
        return answered(
            kind,
            if reason.is_empty() { status.as_str() } else { &reason },
            &error.message,
        );
    }
    match quick_xml::de::from_reader::<_, Refusal>(body) {
        Ok(Refusal { code, message }) if !code.is_empty() => answered(kind, &code, &message),
        _ => PluginError::new(kind, format!("the store answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: StatusCode, body: &[u8]) -> PluginError {
        let mut answer = Response::new(body.to_vec());
        *answer.status_mut() = status;
        refused(&answer)
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_store() {
        let body = b"<Error><Code>RequestTimeTooSkewed</Code><Message>Too far.</Message></Error>";
        let error = answer(StatusCode::FORBIDDEN, body);
        assert_eq!(error.kind, PluginErrorKind::PermissionDenied);
        assert!(error.message.contains("set this machine's clock"), "{error}");
        let error = answer(StatusCode::BAD_GATEWAY, b"<html>");
        assert!(error.retry && error.message.contains("502"), "{error}");
    }
}
