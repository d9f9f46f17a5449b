//! Sessions: signing in through an auth provider, refreshing, signing out.
//!
//! An access token is short and checked by its signature and its session; a refresh token is opaque, works once, and
//! ends the whole session when it comes a second time, because then two hold it. A client that lost the answer asks
//! again within a grace, and gets the same next token: it is made of the one before with the installation's key, so that
//! it can be given again though only its hash is kept. A fresh one each time would be void in the hands of whichever tab
//! or reloaded page got the answer that was not the last, and would end the session when that one used it.

use std::{net::IpAddr, time::Duration};

use boxvault_catalog::{
    attempts::{self, AttemptKey, BackOff},
    sessions::{self, NewSession, Refresh, Rotation, Session},
    users::{self, Claims as ExternalClaims, User},
};
use boxvault_plugin_sdk::{AuthFacets, Claims, Credentials, PluginError, PluginErrorKind};
use boxvault_types::{
    error::ErrorCode,
    identity::{Caller, Credential, LOCAL_ISSUER},
    ids::SessionId,
    names::UserName,
    params::{ListQuery, account::SignInParams},
    views::{
        PageView,
        account::{SessionView, SignInMethodView, SignInView},
    },
};
use chrono::TimeDelta;
use tracing::{info, warn};

use super::{App, lists, secrets, secrets::TokenKind};
use crate::error::{AppError, Result};

/// The longest user agent that is kept, in characters.
const USER_AGENT_CHARS_MAX: usize = 255;
/// What the first failure beyond the free ones costs; each further one twice as much.
const LOCK_FIRST: Duration = Duration::from_secs(5);

/// How long a client may ask again for an answer that it lost. Longer than the pages' lease on the exchange (10 s), which
/// a page that crashed leaves behind; short, since until then two who hold one token are not told apart.
const REFRESH_GRACE: Duration = Duration::from_secs(30);
/// What the next refresh token is made for, so that the key serves nothing else with the same result.
const NEXT_REFRESH_TOKEN: &str = "next refresh token";

/// From where somebody signs in.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) address: IpAddr,
    pub(crate) user_agent: Option<String>,
}

impl App {
    /// The ways to sign in.
    pub(crate) fn sign_in_methods(&self) -> Vec<SignInMethodView> {
        let kinds = [(AuthFacets::PASSWORD, "password"), (AuthFacets::REDIRECT, "redirect")];
        self.auth_providers
            .iter()
            .flat_map(|(name, provider)| {
                let facets = provider.facets();
                kinds.iter().filter(move |(facet, _)| facets.contains(*facet)).map(|(_, kind)| {
                    SignInMethodView { name: name.clone(), kind: (*kind).to_owned() }
                })
            })
            .collect()
    }

    /// Signs in by name and password.
    pub(crate) async fn sign_in(&self, params: SignInParams, device: Device) -> Result<SignInView> {
        let user = self.prove(&params, &device).await?;
        self.open_session(&user, params.stay_logged_in, device, None).await
    }

    /// Whose name and password these are. A wrong name and a wrong password are one answer, after the same work.
    pub(crate) async fn prove(&self, params: &SignInParams, device: &Device) -> Result<User> {
        let issuer = params.provider.as_deref().unwrap_or(LOCAL_ISSUER);
        let provider = self
            .auth_providers
            .get(issuer)
            .filter(|provider| provider.facets().contains(AuthFacets::PASSWORD))
            .ok_or_else(|| {
                AppError::invalid("provider", "is not a way to sign in by password on this server")
            })?;
        // guesses at one account are counted together, by whichever of its names
        let known = users::find_by_name_or_email(&self.catalog, &params.username).await?;
        let known = known.filter(|user| user.issuer == issuer);
        let name = known.map_or_else(|| params.username.clone(), |user| user.name.to_string());
        let keys = attempt_keys(&name, device.address);
        self.refuse_while_locked(&keys).await?;
        let credentials = Credentials::new(params.username.clone(), params.password.expose());
        let checked = match credentials.check() {
            Ok(()) => provider.authenticate_password(credentials).await,
            Err(error) => Err(error),
        };
        let claims = match checked.and_then(|claims| claims.check().map(|()| claims)) {
            Ok(claims) => claims,
            Err(error)
                if matches!(
                    error.kind,
                    PluginErrorKind::BadCredentials | PluginErrorKind::AccountDisabled
                ) =>
            {
                self.note_failure(&keys).await?;
                self.metrics.signed_in("refused");
                info!(issuer, address = %device.address, "sign-in refused");
                return Err(sign_in_failed());
            }
            Err(error) => {
                self.metrics.signed_in("failed");
                return Err(out_of_reach(issuer, error));
            }
        };
        let user = self.account_of(issuer, claims).await?;
        if user.suspended_at.is_some() {
            self.metrics.signed_in("refused");
            return Err(sign_in_failed());
        }
        let unproven = issuer == LOCAL_ISSUER && user.email_verified_at.is_none();
        if unproven && self.config.auth.email_verification_required {
            return Err(AppError::new(
                ErrorCode::EmailUnverified,
                "open the link in the message that was sent to your e-mail address first; POST /api/auth/resend-verification sends another one",
            ));
        }
        if let Err(error) = self.check_second_factor(user.id, params.code.as_ref()).await {
            if error.code() == ErrorCode::SecondFactorInvalid {
                self.note_failure(&keys).await?;
                self.metrics.signed_in("refused");
            }
            return Err(error);
        }
        let [account, _] = &keys;
        attempts::record_success(&self.catalog, account).await?;
        users::record_sign_in(&self.catalog, user.id).await?;
        self.metrics.signed_in("accepted");
        info!(user = %user.name, issuer, address = %device.address, "{} signed in", user.name);
        Ok(user)
    }

    /// The name of the account that somebody who typed this means, if there is one; for the audit log, which does
    /// without it when the catalog does not answer.
    pub(crate) async fn account_named(
        &self,
        typed: &str,
        issuer: Option<&str>,
    ) -> Option<UserName> {
        let issuer = issuer.unwrap_or(LOCAL_ISSUER);
        let known = users::find_by_name_or_email(&self.catalog, typed).await.ok().flatten();
        known.filter(|user| user.issuer == issuer).map(|user| user.name)
    }

    /// The account that claims belong to. A provider other than the built-in one brings its accounts with it.
    pub(super) async fn account_of(&self, issuer: &str, claims: Claims) -> Result<User> {
        if issuer == LOCAL_ISSUER {
            let found =
                users::find_by_subject(&self.catalog, LOCAL_ISSUER, &claims.subject).await?;
            return found.ok_or_else(sign_in_failed);
        }
        let name = UserName::parse(&claims.username).map_err(|error| {
            AppError::invalid(
                "username",
                format!("the auth provider's name for you is not one here: {error}"),
            )
        })?;
        let email = claims.email.filter(|_| claims.email_verified);
        let external = ExternalClaims {
            issuer: issuer.to_owned(),
            subject: claims.subject,
            name,
            email,
            display_name: claims.display_name.unwrap_or_default(),
            groups: claims.groups,
        };
        let user = users::upsert_external(&self.catalog, external).await?;
        self.identities.clear();
        Ok(user)
    }

    /// Opens a session and gives its first pair of tokens. It may have come of a session at a provider.
    pub(crate) async fn open_session(
        &self,
        user: &User,
        stay: bool,
        device: Device,
        provider_session: Option<String>,
    ) -> Result<SignInView> {
        let id = SessionId::new();
        let refresh_token = refresh_token(id);
        let user_agent = device
            .user_agent
            .map(|agent| agent.chars().take(USER_AGENT_CHARS_MAX).collect::<String>());
        let new = NewSession {
            id,
            user_id: user.id,
            expires_at: self.catalog.now() + self.session_lifetime(stay),
            stay_logged_in: stay,
            user_agent,
            address: Some(device.address.to_string()),
            refresh_hash: secrets::hash(&refresh_token),
            provider_session,
        };
        let session = sessions::create(&self.catalog, new).await?;
        self.signed_in_view(&session, refresh_token).await
    }

    /// Gives a new pair of tokens for a refresh token, once; again while the answer may have been lost. Of one that is
    /// refused, `aims_at` is told whose session it names.
    pub(crate) async fn refresh_session(
        &self,
        presented: &str,
        aims_at: impl FnOnce(UserName),
    ) -> Result<SignInView> {
        let invalid = || {
            AppError::new(
                ErrorCode::RefreshTokenInvalid,
                "the refresh token is unknown, expired or was used before; sign in again",
            )
        };
        let id = session_named_by(presented).ok_or_else(invalid)?;
        let Some((known, account)) = sessions::find_live(&self.catalog, id).await? else {
            return Err(invalid());
        };
        if account.user.suspended_at.is_some() {
            return Err(invalid());
        }
        let next = self.refresh_token_after(presented, id)?;
        let refresh = Refresh {
            session_id: id,
            presented: secrets::hash(presented),
            next: secrets::hash(&next),
            expires_at: self.catalog.now() + self.session_lifetime(known.stay_logged_in),
            grace: REFRESH_GRACE,
        };
        match sessions::rotate(&self.catalog, refresh).await? {
            Rotation::Rotated(session) => self.signed_in_view(&session, next).await,
            Rotation::Repeated(session) => {
                info!(session = %session.id, user = %account.user.name, "a refresh token came again before the next one was used; its answer was given again");
                self.signed_in_view(&session, next).await
            }
            Rotation::Reused(session) => {
                self.identities.clear();
                warn!(session = %session.id, user = %account.user.name, "a refresh token came twice; its session was ended");
                aims_at(account.user.name);
                Err(invalid())
            }
            Rotation::JustRotated | Rotation::Invalid => Err(invalid()),
        }
    }

    /// Ends the session that asks.
    pub(crate) async fn sign_out(&self, caller: &Caller) -> Result<()> {
        if let Credential::Session(session) = caller.credential {
            sessions::revoke(&self.catalog, caller.user_id, session).await?;
            self.identities.clear();
        }
        Ok(())
    }

    /// Ends every session of the caller but the one that asks.
    pub(crate) async fn sign_out_others(&self, caller: &Caller) -> Result<u64> {
        let ended = match caller.credential {
            Credential::Session(own) => {
                sessions::revoke_others(&self.catalog, caller.user_id, own).await?
            }
            _ => sessions::revoke_all(&self.catalog, caller.user_id).await?,
        };
        self.identities.clear();
        Ok(ended)
    }

    /// Ends every session of the caller, the one that asks included.
    pub(crate) async fn sign_out_everywhere(&self, caller: &Caller) -> Result<u64> {
        let ended = sessions::revoke_all(&self.catalog, caller.user_id).await?;
        self.identities.clear();
        Ok(ended)
    }

    /// The caller's sessions, newest first.
    pub(crate) async fn list_sessions(
        &self,
        caller: &Caller,
        query: ListQuery,
    ) -> Result<(Vec<SessionView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found = sessions::list(&self.catalog, caller.user_id, page).await?;
        let views = found
            .items
            .into_iter()
            .map(|session| SessionView {
                id: session.id,
                current: caller.credential == Credential::Session(session.id),
                user_agent: session.user_agent,
                address: session.address,
                created_at: session.created_at,
                last_used_at: session.last_used_at,
                expires_at: session.expires_at,
            })
            .collect();
        Ok((views, lists::view(page, found.total)))
    }

    /// Ends one session of the caller.
    pub(crate) async fn end_session(&self, caller: &Caller, id: SessionId) -> Result<()> {
        sessions::revoke(&self.catalog, caller.user_id, id).await?;
        self.identities.clear();
        Ok(())
    }

    async fn signed_in_view(&self, session: &Session, refresh_token: String) -> Result<SignInView> {
        let lifetime = delta(self.config.auth.access_token_ttl.into());
        let (access_token, access_token_expires_at) =
            self.access_tokens.issue(session.user_id, session.id, self.catalog.now(), lifetime)?;
        Ok(SignInView {
            profile: self.profile(session.user_id).await?,
            access_token,
            access_token_expires_at,
            refresh_token,
            refresh_token_expires_at: session.expires_at,
            stay_logged_in: session.stay_logged_in,
        })
    }

    /// The refresh token that takes the place of this one: the same whenever it is asked for, and nobody's guess.
    fn refresh_token_after(&self, presented: &str, session: SessionId) -> Result<String> {
        let digest = self.sealer.digest(NEXT_REFRESH_TOKEN, presented.as_bytes())?;
        Ok(for_session(&TokenKind::Refresh.derive(&digest), session))
    }

    fn session_lifetime(&self, stay: bool) -> TimeDelta {
        let auth = &self.config.auth;
        delta(if stay { auth.refresh_token_ttl } else { auth.refresh_token_short_ttl }.into())
    }

    pub(super) async fn refuse_while_locked(&self, keys: &[AttemptKey]) -> Result<()> {
        let now = self.catalog.now();
        for key in keys {
            let until =
                attempts::read(&self.catalog, key).await?.locked_until.filter(|until| *until > now);
            if let Some(until) = until {
                let wait = (until - now).to_std().unwrap_or_default();
                return Err(AppError::new(
                    ErrorCode::SignInThrottled,
                    format!("too many failed sign-ins; try again in {} s", wait.as_secs() + 1),
                )
                .with_retry_after(wait + Duration::from_secs(1)));
            }
        }
        Ok(())
    }

    pub(super) async fn note_failure(&self, keys: &[AttemptKey; 2]) -> Result<()> {
        let auth = &self.config.auth;
        let [account, address] = keys;
        for (key, free) in
            [(account, auth.lockout_failures_max), (address, auth.lockout_address_failures_max)]
        {
            let back_off = BackOff {
                free,
                first: LOCK_FIRST,
                longest: auth.lockout_duration.into(),
                forget_after: auth.lockout_duration.into(),
            };
            attempts::record_failure(&self.catalog, key, &back_off).await?;
        }
        Ok(())
    }
}

/// What guesses at an account from an address are counted by.
pub(super) fn attempt_keys(name: &str, address: IpAddr) -> [AttemptKey; 2] {
    [AttemptKey::account(name), AttemptKey::address(address)]
}

/// A refresh token names its session, so that a second use of an old one can end it.
fn refresh_token(session: SessionId) -> String {
    for_session(&TokenKind::Refresh.generate(), session)
}

fn for_session(token: &str, session: SessionId) -> String {
    format!("{token}_{}", session.0.simple())
}

fn session_named_by(refresh_token: &str) -> Option<SessionId> {
    refresh_token.strip_prefix(TokenKind::Refresh.prefix())?.split_once('_')?.1.parse().ok()
}

/// A provider that does not answer, or not as it should; the log says why.
pub(super) fn out_of_reach(issuer: &str, error: PluginError) -> AppError {
    AppError::new(
        ErrorCode::AuthProviderUnavailable,
        format!("the auth provider {issuer:?} is out of reach for the moment; try again"),
    )
    .with_retry_after(Duration::from_secs(5))
    .with_source(error)
}

fn sign_in_failed() -> AppError {
    AppError::new(
        ErrorCode::SignInFailed,
        "the name or the password is wrong, or the account may not sign in",
    )
}

/// A configured duration as the catalog's arithmetic takes it; what is absurdly long becomes a century.
pub(crate) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(36_500))
}
