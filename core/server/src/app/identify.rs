//! From a presented token to a [`Caller`], whatever kind of token it is.
//!
//! What was found is kept for a second ([`CACHE_TTL`]), so that a burst of requests costs one look-up, and what
//! another instance revoked ends within that second. What this instance changes is forgotten at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use boxvault_catalog::{
    accounts::Account,
    service_accounts::{self, LiveServiceAccount},
    sessions, tokens,
};
use boxvault_types::{
    error::ErrorCode,
    identity::{Caller, Credential, ServiceCaller, TokenScope},
};
use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;

use super::{App, secrets, secrets::TokenKind, service_tokens, tokens::Used};
use crate::error::{AppError, Result};

/// How long an identity may be used without asking the catalog again.
const CACHE_TTL: Duration = Duration::from_secs(1);
/// How many identities are kept.
const CACHE_ENTRIES_MAX: usize = 10_000;

#[derive(Clone)]
struct Known {
    caller: Arc<Caller>,
    fresh_until: Instant,
    expires_at: Option<DateTime<Utc>>,
}

/// Who was found lately, by the hash of what they presented.
pub(crate) struct IdentityCache {
    known: Cache<[u8; 32], Known>,
    generation: AtomicU64,
}

impl IdentityCache {
    /// Knows nobody.
    pub(crate) fn new() -> Self {
        Self { known: Cache::new(CACHE_ENTRIES_MAX), generation: AtomicU64::new(0) }
    }

    /// Forgets everybody: rights, sessions or tokens have changed.
    pub(crate) fn clear(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.known.clear();
    }
}

impl App {
    /// Finds out who presents a token.
    ///
    /// # Errors
    /// `CREDENTIALS_INVALID`, without saying why.
    pub(crate) async fn identify(&self, token: &str) -> Result<Arc<Caller>> {
        let key = secrets::hash(token);
        if let Some(known) = self.identities.known.get(&key) {
            let expired = known.expires_at.is_some_and(|end| end <= Utc::now());
            if known.fresh_until > Instant::now() && !expired {
                return Ok(known.caller);
            }
        }
        let generation = self.identities.generation.load(Ordering::SeqCst);
        let found = if token.starts_with(TokenKind::Api.prefix()) {
            self.identify_api_token(&key).await?
        } else if token.starts_with(TokenKind::Service.prefix()) {
            self.identify_service_account(&key).await?
        } else if let Some(statement) = token.strip_prefix(service_tokens::PREFIX) {
            self.identify_service_token(statement).await?
        } else {
            self.identify_session(token).await?
        };
        let Some((caller, expires_at)) = found else { return Err(invalid()) };
        let caller = Arc::new(caller);
        let fresh_until = Instant::now() + CACHE_TTL;
        // what was read before something changed is not kept
        if self.identities.generation.load(Ordering::SeqCst) == generation {
            let known = Known { caller: Arc::clone(&caller), fresh_until, expires_at };
            self.identities.known.insert(key, known);
        }
        Ok(caller)
    }

    async fn identify_api_token(
        &self,
        hash: &[u8; 32],
    ) -> Result<Option<(Caller, Option<DateTime<Utc>>)>> {
        let Some((token, account)) = tokens::find_live(&self.catalog, hash).await? else {
            return Ok(None);
        };
        if account.user.suspended_at.is_some() {
            return Ok(None);
        }
        self.token_uses.note(Used::Token(token.id));
        let caller = caller(account, Credential::Token(token.id), token.scope);
        Ok(Some((caller, token.expires_at)))
    }

    async fn identify_service_account(
        &self,
        hash: &[u8; 32],
    ) -> Result<Option<(Caller, Option<DateTime<Utc>>)>> {
        let Some(found) = service_accounts::find_live(&self.catalog, hash).await? else {
            return Ok(None);
        };
        let expires_at = found.service.expires_at;
        self.token_uses.note(Used::Service(found.service.id));
        Ok(Some((service_caller(found), Some(expires_at))))
    }

    async fn identify_session(
        &self,
        token: &str,
    ) -> Result<Option<(Caller, Option<DateTime<Utc>>)>> {
        let mut verified = self.access_tokens.verify(token);
        if verified.is_none() && self.access_tokens.is_from_unknown_key(token) {
            self.access_tokens.reload(&self.catalog).await?;
            verified = self.access_tokens.verify(token);
        }
        let Some((user, session, expires_at)) = verified else { return Ok(None) };
        let Some((_, account)) = sessions::find_live(&self.catalog, session).await? else {
            return Ok(None);
        };
        if account.user.id != user || account.user.suspended_at.is_some() {
            return Ok(None);
        }
        let caller = caller(account, Credential::Session(session), TokenScope::default());
        Ok(Some((caller, Some(expires_at))))
    }
}

/// A known user, with what was presented and what that is limited to.
pub(super) fn caller(account: Account, credential: Credential, scope: TokenScope) -> Caller {
    Caller {
        user_id: account.user.id,
        name: account.user.name,
        groups: account
            .groups
            .iter()
            .map(|group| format!("{}:{group}", account.user.issuer))
            .collect(),
        issuer: account.user.issuer,
        platform_admin: account.user.platform_admin,
        language: account.user.preferences.language,
        memberships: account
            .memberships
            .into_iter()
            .map(|membership| (membership.organization_name, membership.role))
            .collect(),
        credential,
        scope,
        service: None,
    }
}

/// A service account may what its role allows, in its own organization, as long as its sponsor has that role or a higher
/// one there. Whose sponsor has left may nothing.
pub(super) fn service_caller(found: LiveServiceAccount) -> Caller {
    let LiveServiceAccount { service, organization, sponsor } = found;
    let credential = Credential::Service(service.id);
    let sponsor = caller(sponsor, credential, TokenScope::default());
    let role = match sponsor.role_in(&organization) {
        Some(highest) => Some(service.role.min(highest)),
        None => sponsor.platform_admin.then_some(service.role),
    };
    Caller {
        user_id: sponsor.user_id,
        name: sponsor.name.clone(),
        issuer: sponsor.issuer.clone(),
        platform_admin: false,
        // a program reads codes
        language: None,
        memberships: role.map(|role| (organization.clone(), role)).into_iter().collect(),
        groups: Vec::new(),
        credential,
        scope: TokenScope { organization: Some(organization.clone()), ..service.scope },
        service: Some(ServiceCaller {
            id: service.id,
            name: service.name,
            organization_id: service.organization_id,
            organization,
            sponsor: Box::new(sponsor),
        }),
    }
}

fn invalid() -> AppError {
    AppError::new(
        ErrorCode::CredentialsInvalid,
        "the credentials are unknown, expired or revoked; sign in again, or make a new API token",
    )
}
