//! Presigned addresses, tried out as a client uses them: over the network, with nothing but the address.
//!
//! So what is switched off is also what this machine cannot follow: a name that does not resolve, a certificate that its
//! system does not trust. Clients could not either, most likely.

use std::time::Duration;

use boxvault_plugin_sdk::{PartOptions, PluginError, PresignOptions, StorageBackend, WriteOptions};
use reqwest::{
    Client, Method, Response,
    header::{CONTENT_DISPOSITION, RANGE},
    redirect::Policy,
};

use super::{ByteRange, ok_if, read};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the addresses work.
const EXPIRES_IN: Duration = Duration::from_mins(1);
const DISPOSITION: &str = "attachment; filename=\"probe\"";

/// Whether an address reads the object, as a file of that name, in ranges too.
pub(super) async fn reads(
    backend: &dyn StorageBackend,
    key: &str,
    text: &[u8],
) -> Result<(), String> {
    let mut options = PresignOptions::expires_in(EXPIRES_IN);
    options.content_disposition = Some(DISPOSITION.to_owned());
    let url = backend.presign_read(key, options).await.map_err(said)?;
    let whole = ask(Method::GET, &url, None, &[]).await?;
    let named = whole.headers().get(CONTENT_DISPOSITION).is_some_and(|name| name == DISPOSITION);
    let bytes = body(whole).await?;
    ok_if(bytes == text, "a presigned address brings other bytes")?;
    ok_if(named, "a presigned address does not bring the asked Content-Disposition")?;
    let part = ask(Method::GET, &url, Some("bytes=9-13"), &[]).await?;
    let partial = part.status().as_u16() == 206;
    let same = text.get(9..14) == Some(&body(part).await?[..]);
    ok_if(partial && same, "a presigned address brings no ranges")
}

/// Whether an address takes an object, and changes nothing once that is finished.
pub(super) async fn writes(
    backend: &dyn StorageBackend,
    key: &str,
    text: &[u8],
) -> Result<(), String> {
    let outcome = written(backend, key, text).await;
    let removed = backend.delete(key).await;
    let aborted = backend.abort_unfinished(key).await;
    outcome?;
    removed.and(aborted).map_err(said)
}

async fn written(backend: &dyn StorageBackend, key: &str, text: &[u8]) -> Result<(), String> {
    let size = text.len() as u64;
    let options = WriteOptions::with_size_hint(Some(size));
    let begun = backend.begin_direct(key, options).await.map_err(said)?;
    let part = PartOptions::new(1, Some(size), EXPIRES_IN);
    let url = backend.presign_part(key, &begun.token, part).await.map_err(said)?;
    ask(Method::PUT, &url, None, text).await?;
    let meta = backend.finish_direct(key, &begun.token).await.map_err(said)?;
    ok_if(meta.size == size, "what was sent to a presigned address has another length")?;
    let late: Vec<u8> = text.iter().map(|byte| byte ^ 1).collect();
    // refused or not: what counts is what is there then
    drop(ask(Method::PUT, &url, None, &late).await);
    let kept = read(backend, key, ByteRange::FULL).await.map_err(said)?;
    ok_if(kept == text, "a presigned address changes what is finished, or brought other bytes")
}

/// Sends a request; gives a good answer.
async fn ask(
    method: Method,
    url: &str,
    range: Option<&str>,
    body: &[u8],
) -> Result<Response, String> {
    let client = Client::builder().timeout(TIMEOUT).redirect(Policy::none()).build();
    let mut request = client.map_err(failed)?.request(method.clone(), url).body(body.to_owned());
    if let Some(range) = range {
        request = request.header(RANGE, range);
    }
    let answer = request.send().await.map_err(failed)?;
    let status = answer.status();
    if status.is_success() {
        Ok(answer)
    } else {
        Err(format!("{method} of a presigned address is answered with {status}"))
    }
}

async fn body(answer: Response) -> Result<Vec<u8>, String> {
    Ok(answer.bytes().await.map_err(failed)?.to_vec())
}

/// Without the address, which is a credential.
fn failed(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    format!("a presigned address cannot be used from this machine: {text}")
}

#[expect(clippy::needless_pass_by_value, reason = "used as map_err(said)")]
fn said(error: PluginError) -> String {
    error.to_string()
}
