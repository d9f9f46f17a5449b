//! Signing in at another site: the browser goes there and comes back, and the provider says who it was.
//!
//! What went out and what comes back belong together by a row of the catalog: it is taken once, within minutes, and only
//! by the browser that began it, which shows a secret that no other site can read or send. The provider checks the rest.

use std::{sync::Arc, time::Duration};

use boxvault_catalog::{
    begun_sign_ins::{self, BegunSignIn},
    sessions::{self, EndedThere},
    users,
};
use boxvault_plugin_sdk::{
    AuthFacets, AuthProvider, PluginErrorKind, RedirectFinish, RedirectRequest, Secret,
};
use boxvault_types::{
    error::ErrorCode,
    identity::{Caller, Credential},
    ids::UserId,
    params::account::{BeginSignInParams, FinishSignInParams, LogoutNoticeParams},
    views::account::{BegunSignInView, FinishedSignInView, SignedOutView},
};
use chrono::{DateTime, TimeDelta};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    App, secrets,
    sessions::{Device, delta, out_of_reach},
};
use crate::error::{AppError, Result};

/// The longest path to go to afterwards, in bytes.
const NEXT_BYTES_MAX: usize = 2048;
/// How many parameters a provider may send back.
const ANSWER_FIELDS_MAX: usize = 32;
/// How far the provider's clock may be ahead or behind when it says that sessions have ended.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(1);
/// How long somebody who signs out waits for their provider's address.
const SIGN_OUT_PATIENCE: Duration = Duration::from_secs(5);

/// What stands in a part of a path as it is.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// What the provider and the browser must not be able to change, and others not to see.
#[derive(Serialize, Deserialize)]
struct Began {
    nonce: String,
    code_verifier: String,
    callback_url: String,
}

impl App {
    /// Begins a sign-in at another site, for the browser that knows `browser`. `base` is how it reaches this server.
    pub(crate) async fn begin_redirect(
        &self,
        name: &str,
        params: BeginSignInParams,
        browser: &str,
        base: &str,
    ) -> Result<BegunSignInView> {
        let provider = self.provider_with(name, AuthFacets::REDIRECT)?;
        if params.next.as_deref().is_some_and(|next| !is_path_here(next)) {
            return Err(AppError::invalid("next", "is not a path of this server"));
        }
        let id = Uuid::new_v4();
        let began = Began {
            nonce: random_text(),
            code_verifier: random_text(),
            callback_url: format!("{base}/login/callback/{}", utf8_percent_encode(name, PART)),
        };
        let request = RedirectRequest {
            callback_url: began.callback_url.clone(),
            state: id.simple().to_string(),
            nonce: began.nonce.clone(),
            code_challenge: BASE64URL_NOPAD.encode(&Sha256::digest(&began.code_verifier)),
        };
        let start = provider.start_redirect(request).await;
        let start = start.map_err(|error| out_of_reach(name, error))?;
        let text = serde_json::to_vec(&began).map_err(AppError::internal)?;
        let begun = BegunSignIn {
            id,
            provider: name.to_owned(),
            browser_hash: secrets::hash(browser),
            sealed: self.sealer.seal(&purpose(id), &text)?,
            stay_logged_in: params.stay_logged_in,
            next_path: params.next,
            expires_at: self.catalog.now() + delta(self.config.auth.redirect_ttl.into()),
        };
        begun_sign_ins::create(&self.catalog, begun).await?;
        Ok(BegunSignInView { url: start.url })
    }

    /// Signs in whoever came back.
    pub(crate) async fn finish_redirect(
        &self,
        name: &str,
        params: FinishSignInParams,
        browser: Option<&str>,
        device: Device,
    ) -> Result<FinishedSignInView> {
        let provider = self.provider_with(name, AuthFacets::REDIRECT)?;
        if params.answer.len() > ANSWER_FIELDS_MAX {
            let why = format!("must have at most {ANSWER_FIELDS_MAX} parameters");
            return Err(AppError::invalid("answer", why));
        }
        let state = params.answer.get("state");
        let state: Option<Uuid> = state.and_then(|state| state.expose().parse().ok());
        let (Some(id), Some(browser)) = (state, browser) else { return Err(expired()) };
        let hash = secrets::hash(browser);
        let begun = begun_sign_ins::take(&self.catalog, id, name, &hash).await?;
        let begun = begun.ok_or_else(expired)?;
        let began = self.sealer.open(&purpose(id), &begun.sealed)?;
        let began: Began = serde_json::from_slice(&began).map_err(AppError::internal)?;
        let parameters = params.answer.into_iter();
        let callback = RedirectFinish {
            callback_url: began.callback_url,
            parameters: parameters.map(|(name, text)| (name, text.expose().to_owned())).collect(),
            nonce: began.nonce,
            code_verifier: began.code_verifier,
        };
        let checked = provider.finish_redirect(callback).await;
        let claims = match checked.and_then(|claims| claims.check().map(|()| claims)) {
            Ok(claims) => claims,
            Err(error)
                if matches!(
                    error.kind,
                    PluginErrorKind::BadCredentials | PluginErrorKind::AccountDisabled
                ) =>
            {
                self.metrics.signed_in("refused");
                info!(issuer = name, address = %device.address, "sign-in refused");
                return Err(refused());
            }
            Err(error) => {
                self.metrics.signed_in("failed");
                return Err(out_of_reach(name, error));
            }
        };
        let there = claims.session.as_deref().map(session_there);
        let user = self.account_of(name, claims).await?;
        if user.suspended_at.is_some() {
            self.metrics.signed_in("refused");
            return Err(refused());
        }
        // a second factor is the provider's business: an account that it vouches for has none here
        users::record_sign_in(&self.catalog, user.id).await?;
        self.metrics.signed_in("accepted");
        info!(user = %user.name, issuer = name, address = %device.address, "{} signed in", user.name);
        let session = self.open_session(&user, begun.stay_logged_in, device, there).await?;
        Ok(FinishedSignInView { session, next: begun.next_path })
    }

    /// Whether there is a provider that tells of ended sessions.
    ///
    /// # Errors
    /// `SIGN_IN_METHOD_NOT_FOUND`.
    pub(crate) fn require_logout_notices(&self, name: &str) -> Result<()> {
        self.provider_with(name, AuthFacets::LOGOUT_NOTICE).map(drop)
    }

    /// Ends the sessions that ended at their provider, which says so itself.
    pub(crate) async fn hear_of_logout(
        &self,
        name: &str,
        params: LogoutNoticeParams,
    ) -> Result<()> {
        let provider = self.provider_with(name, AuthFacets::LOGOUT_NOTICE)?;
        let read = provider.read_logout_notice(Secret::new(params.logout_token.expose())).await;
        let notice = match read.and_then(|notice| notice.check().map(|()| notice)) {
            Ok(notice) => notice,
            Err(error) if error.kind == PluginErrorKind::BadCredentials => {
                let why = "is not a statement of this auth provider that a session ended";
                return Err(AppError::invalid("logout_token", why));
            }
            Err(error) => return Err(out_of_reach(name, error)),
        };
        let issued = i64::try_from(notice.issued).ok();
        let issued = issued.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let there = notice.session.as_deref().map(session_there);
        let ended = EndedThere {
            issuer: name,
            subject: notice.subject.as_deref(),
            provider_session: there.as_deref(),
            begun_until: issued.unwrap_or_default() + CLOCKS_APART,
        };
        let count = sessions::revoke_ended_there(&self.catalog, &ended).await?;
        self.identities.clear();
        info!(issuer = name, count, "{count} sessions ended, as they did at {name}");
        Ok(())
    }

    /// Where whoever signed out ends the session at their provider, too.
    pub(crate) async fn sign_out_elsewhere(&self, caller: &Caller) -> SignedOutView {
        let provider_url = match caller.credential {
            Credential::Session(_) => self.end_session_address(caller.user_id).await,
            _ => None,
        };
        SignedOutView { provider_url }
    }

    /// A provider that does not answer keeps nobody here.
    async fn end_session_address(&self, user: UserId) -> Option<String> {
        let user = users::find(&self.catalog, user).await.ok().flatten()?;
        let provider = self.provider_with(&user.issuer, AuthFacets::LOGOUT).ok()?;
        match timeout(SIGN_OUT_PATIENCE, provider.logout(&user.subject)).await {
            Ok(Ok(url)) => url,
            Ok(Err(error)) => {
                warn!(issuer = user.issuer, %error, "the session at an auth provider goes on");
                None
            }
            Err(_) => {
                warn!(issuer = user.issuer, "the session at an auth provider goes on: no answer");
                None
            }
        }
    }

    fn provider_with(&self, name: &str, facet: AuthFacets) -> Result<&Arc<dyn AuthProvider>> {
        let provider = self.auth_providers.get(name);
        provider.filter(|provider| provider.facets().contains(facet)).ok_or_else(|| {
            AppError::new(
                ErrorCode::SignInMethodNotFound,
                "there is no such way to sign in on this server; GET /api/auth/methods lists them",
            )
        })
    }
}

/// A path of this server, and of none that only looks like it: `//` and `/\\` begin the name of another one.
fn is_path_here(next: &str) -> bool {
    next.len() <= NEXT_BYTES_MAX
        && next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(|c: char| c == '\\' || c.is_control())
}

/// What the nonce and the verifier of a sign-in are sealed for: no row can be given to another one.
fn purpose(id: Uuid) -> String {
    format!("sign-in:{id}")
}

/// 256 random bits, as the standard for code verifiers wants them.
fn random_text() -> String {
    BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>())
}

/// What a provider's name for a session is kept as: some are long.
fn session_there(name: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(name))
}

fn expired() -> AppError {
    AppError::new(
        ErrorCode::SignInExpired,
        "this sign-in was not begun in this browser, was finished before, or took too long; begin again",
    )
}

fn refused() -> AppError {
    AppError::new(
        ErrorCode::SignInRefused,
        "the auth provider did not say who you are, or the account may not sign in; try again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_this_server_is_gone_to() {
        for next in ["/", "/acme/debian", "/discover?q=a%2F%2Fb#x", "/a//b"] {
            assert!(is_path_here(next), "{next}");
        }
        let long = format!("/{}", "a".repeat(NEXT_BYTES_MAX));
        for next in [
            "",
            "acme",
            "//evil.example",
            "/\\evil.example",
            "/a\\b",
            "https://evil.example/",
            "/a\nb",
            "javascript:alert(1)",
            &long,
        ] {
            assert!(!is_path_here(next), "{next}");
        }
    }
}
