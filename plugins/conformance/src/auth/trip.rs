//! A trip of somebody's browser to the provider and back, as the server makes it: what binds the two ends, too.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
};

use boxvault_plugin_sdk::{
    AuthProvider, Claims, PluginError, RedirectFinish, RedirectRequest, Result,
};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use super::Driver;
use crate::case::{Finding, ensure};

/// What the host makes for one trip.
pub(crate) struct Begun {
    url: String,
    state: String,
    nonce: String,
    verifier: String,
    callback_url: String,
}

/// Asks the provider where to send the browser.
pub(crate) async fn begin(provider: &dyn AuthProvider, driver: &Driver) -> Result<Begun> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    // Random in a server. What is judged here is that they come back, and nobody else's do.
    let text = |what: &str| {
        format!("{what}-{}-{number}-of-the-conformance-suite-0123456789", std::process::id())
    };
    let (state, nonce, verifier) = (text("state"), text("nonce"), text("verifier"));
    let callback_url = driver.callback_url.clone();
    let request = RedirectRequest {
        callback_url: callback_url.clone(),
        state: state.clone(),
        nonce: nonce.clone(),
        code_challenge: BASE64URL_NOPAD.encode(&Sha256::digest(&verifier)),
    };
    let url = provider.start_redirect(request).await?.url;
    Ok(Begun { url, state, nonce, verifier, callback_url })
}

impl Begun {
    /// Goes there as somebody's browser, signs in, and gives what it brings back.
    pub(crate) async fn visit(self, driver: &Driver, who: &str) -> Result<RedirectFinish, Finding> {
        let back = driver.tell(&format!("visit {who} {}", self.url)).await?;
        self.back(&back)
    }

    /// Goes there, and does not sign in.
    pub(crate) async fn decline(self, driver: &Driver) -> Result<RedirectFinish, Finding> {
        let back = driver.tell(&format!("decline {}", self.url)).await?;
        self.back(&back)
    }

    /// Reads the address that a browser came back to; fails when the provider does not repeat the state.
    fn back(self, url: &str) -> Result<RedirectFinish, Finding> {
        let at = url.split(['?', '#']).next().unwrap_or_default();
        ensure!(at == self.callback_url, "the browser was led to {at:?} in the end");
        let parsed = reqwest::Url::parse(url).map_err(|error| {
            Finding::Failed(format!("the browser was led to no address: {error}"))
        })?;
        let parameters: BTreeMap<_, _> = parsed.query_pairs().into_owned().collect();
        let state = parameters.get("state");
        ensure!(state == Some(&self.state), "the state came back as {state:?}");
        Ok(RedirectFinish {
            callback_url: self.callback_url,
            parameters,
            nonce: self.nonce,
            code_verifier: self.verifier,
        })
    }
}

/// All of it. What the provider under test answers is the inner result.
pub(crate) async fn sign_in(
    provider: &dyn AuthProvider,
    driver: &Driver,
    who: &str,
) -> Result<Result<Claims, PluginError>, Finding> {
    let begun = match begin(provider, driver).await {
        Ok(begun) => begun,
        Err(error) => return Ok(Err(error)),
    };
    let back = begun.visit(driver, who).await?;
    Ok(provider.finish_redirect(back).await)
}

/// What a browser brings back with another text in everything that the provider said.
pub(crate) fn forged(mut back: RedirectFinish, text: &str) -> RedirectFinish {
    for (name, value) in &mut back.parameters {
        if name != "state" {
            text.clone_into(value);
        }
    }
    back
}
