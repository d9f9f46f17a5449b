//! API tokens: opaque, random, kept as a hash, limited to actions, an organization or some of its boxes.

use std::{
    collections::HashSet,
    mem,
    sync::{Mutex, PoisonError},
};

use boxvault_catalog::{
    organizations, service_accounts,
    tokens::{self, ApiToken, NewToken},
};
use boxvault_types::{
    action::Action,
    error::ErrorCode,
    identity::Caller,
    ids::{ServiceAccountId, TokenId, UserId},
    names::{BoxName, OrganizationName},
    params::{ListQuery, account::CreateTokenParams},
    scope::{BoxPattern, TokenScope},
    views::{
        PageView,
        account::{NewTokenView, TokenView},
    },
};
use chrono::TimeDelta;

use super::{App, lists, organizations::check_length, secrets, secrets::TokenKind};
use crate::error::{AppError, Result};

/// The longest description, in characters.
pub(crate) const DESCRIPTION_CHARS_MAX: usize = 255;
/// The longest life of a token that has an end, in days.
const LIFETIME_DAYS_MAX: u32 = 3650;

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Used {
    /// An API token.
    Token(TokenId),
    /// A service account.
    Service(ServiceAccountId),
}

/// Which tokens and service accounts were used since the last flush. The catalog hears of it in batches.
#[derive(Debug, Default)]
pub(crate) struct TokenUses(Mutex<HashSet<Used>>);

impl TokenUses {
    /// Notes that something was used just now.
    pub(crate) fn note(&self, used: Used) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(used);
    }

    fn take(&self) -> HashSet<Used> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl App {
    /// Makes a token for the caller. It shows once, here.
    pub(crate) async fn create_token(
        &self,
        caller: &Caller,
        params: CreateTokenParams,
    ) -> Result<NewTokenView> {
        let scope = scope_of(params.actions, params.organization, params.box_name, params.pattern)?;
        if let Some(name) = &scope.organization
            && !caller.platform_admin
            && caller.role_in(name).is_none()
        {
            return Err(AppError::invalid(
                "organization",
                format!("you are in no organization {:?}", name.as_str()),
            ));
        }
        self.create_token_for(caller.user_id, params.description, params.expires_in_days, scope)
            .await
    }

    /// Makes a token for a user, for whoever was allowed to.
    pub async fn create_token_for(
        &self,
        user: UserId,
        description: String,
        expires_in_days: Option<u32>,
        scope: TokenScope,
    ) -> Result<NewTokenView> {
        check_length("description", &description, DESCRIPTION_CHARS_MAX)?;
        check_lifetime(expires_in_days)?;
        let organization_id = match &scope.organization {
            None => None,
            Some(name) => {
                let found = organizations::find(&self.catalog, name).await?.ok_or_else(|| {
                    AppError::invalid(
                        "organization",
                        format!("there is no organization {:?}", name.as_str()),
                    )
                })?;
                Some(found.id)
            }
        };
        let token = TokenKind::Api.generate();
        let new = NewToken {
            user_id: user,
            description,
            token_hash: secrets::hash(&token),
            scope,
            organization_id,
            expires_at: expires_in_days
                .map(|days| self.catalog.now() + TimeDelta::days(days.into())),
        };
        let created = tokens::create(&self.catalog, new).await?;
        Ok(NewTokenView { info: view(created), token })
    }

    /// The caller's tokens, newest first.
    pub(crate) async fn list_tokens(
        &self,
        caller: &Caller,
        query: ListQuery,
    ) -> Result<(Vec<TokenView>, PageView)> {
        self.flush_token_uses().await?;
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found = tokens::list(&self.catalog, caller.user_id, page).await?;
        Ok((found.items.into_iter().map(view).collect(), lists::view(page, found.total)))
    }

    /// A token of the caller.
    ///
    /// # Errors
    /// `TOKEN_NOT_FOUND`.
    pub(crate) async fn token(&self, caller: &Caller, id: TokenId) -> Result<TokenView> {
        self.flush_token_uses().await?;
        let found = tokens::find(&self.catalog, caller.user_id, id).await?;
        found.map(view).ok_or_else(|| {
            AppError::new(ErrorCode::TokenNotFound, format!("you have no API token {id}"))
        })
    }

    /// Ends a token of the caller.
    pub(crate) async fn delete_token(&self, caller: &Caller, id: TokenId) -> Result<()> {
        tokens::revoke(&self.catalog, caller.user_id, id).await?;
        self.identities.clear();
        Ok(())
    }

    /// Tells the catalog which tokens and service accounts were used.
    pub(crate) async fn flush_token_uses(&self) -> Result<()> {
        let (mut used_tokens, mut used_services) = (Vec::new(), Vec::new());
        for used in self.token_uses.take() {
            match used {
                Used::Token(id) => used_tokens.push(id),
                Used::Service(id) => used_services.push(id),
            }
        }
        tokens::touch(&self.catalog, &used_tokens).await?;
        service_accounts::touch(&self.catalog, &used_services).await?;
        Ok(())
    }
}

/// What a credential is to be limited to, checked.
pub(crate) fn scope_of(
    actions: Option<Vec<Action>>,
    organization: Option<OrganizationName>,
    box_name: Option<BoxName>,
    pattern: Option<BoxPattern>,
) -> Result<TokenScope> {
    let pattern = match (box_name, pattern) {
        (Some(_), Some(_)) => {
            return Err(AppError::invalid("pattern", "name a box or a pattern, not both"));
        }
        (Some(name), None) => Some(("box", BoxPattern::of_box(&name))),
        (None, pattern) => pattern.map(|pattern| ("pattern", pattern)),
    };
    if let (Some((field, _)), None) = (&pattern, &organization) {
        return Err(AppError::invalid(*field, "needs the organization as well"));
    }
    if actions.as_ref().is_some_and(Vec::is_empty) {
        return Err(AppError::invalid(
            "actions",
            "must name an action, or be absent for all of them",
        ));
    }
    // named twice is named once, however often somebody names them
    let actions = actions.map(|named| {
        let known = Action::ALL.iter().copied();
        known.filter(|action| named.contains(action)).collect()
    });
    Ok(TokenScope { actions, organization, pattern: pattern.map(|(_, pattern)| pattern) })
}

/// Refuses a length of life that nobody can have meant.
pub(crate) fn check_lifetime(days: Option<u32>) -> Result<()> {
    if days.is_some_and(|days| days == 0 || days > LIFETIME_DAYS_MAX) {
        return Err(AppError::invalid(
            "expiresInDays",
            format!("must be between 1 and {LIFETIME_DAYS_MAX}"),
        ));
    }
    Ok(())
}

fn view(token: ApiToken) -> TokenView {
    TokenView {
        id: token.id,
        description: token.description,
        scope: token.scope,
        created_at: token.created_at,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
    }
}
