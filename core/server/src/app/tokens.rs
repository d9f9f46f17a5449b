//! API tokens: opaque, random, kept as a hash, limited to actions, an organization or a box.

use std::{
    collections::HashSet,
    mem,
    sync::{Mutex, PoisonError},
};

use boxvault_catalog::tokens::{self, ApiToken, NewToken};
use boxvault_types::{
    identity::{Caller, TokenScope},
    ids::{TokenId, UserId},
    params::{ListQuery, account::CreateTokenParams},
    views::{
        PageView,
        account::{NewTokenView, TokenView},
    },
};
use chrono::TimeDelta;

use super::{App, lists, organizations::check_length, secrets, secrets::TokenKind};
use crate::error::{AppError, Result};

/// The longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 255;
/// The longest life of a token that has an end, in days.
const LIFETIME_DAYS_MAX: u32 = 3650;

/// Which tokens were used since the last flush. The catalog hears of it in batches.
#[derive(Debug, Default)]
pub(crate) struct TokenUses(Mutex<HashSet<TokenId>>);

impl TokenUses {
    /// Notes that a token was used just now.
    pub(crate) fn note(&self, token: TokenId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token);
    }

    fn take(&self) -> Vec<TokenId> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *uses).into_iter().collect()
    }
}

impl App {
    /// Makes a token for the caller. It shows once, here.
    pub(crate) async fn create_token(
        &self,
        caller: &Caller,
        params: CreateTokenParams,
    ) -> Result<NewTokenView> {
        if params.box_name.is_some() && params.organization.is_none() {
            return Err(AppError::invalid("box", "needs the organization as well"));
        }
        if params.actions.as_ref().is_some_and(Vec::is_empty) {
            return Err(AppError::invalid(
                "actions",
                "must name an action, or be absent for all of them",
            ));
        }
        let scope = TokenScope {
            actions: params.actions,
            organization: params.organization,
            box_name: params.box_name,
        };
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
        if expires_in_days.is_some_and(|days| days == 0 || days > LIFETIME_DAYS_MAX) {
            return Err(AppError::invalid(
                "expiresInDays",
                format!("must be between 1 and {LIFETIME_DAYS_MAX}"),
            ));
        }
        let token = TokenKind::Api.generate();
        let new = NewToken {
            user_id: user,
            description,
            token_hash: secrets::hash(&token),
            scope,
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

    /// Ends a token of the caller.
    pub(crate) async fn delete_token(&self, caller: &Caller, id: TokenId) -> Result<()> {
        tokens::revoke(&self.catalog, caller.user_id, id).await?;
        self.identities.clear();
        Ok(())
    }

    /// Tells the catalog which tokens were used.
    pub(crate) async fn flush_token_uses(&self) -> Result<()> {
        let uses = self.token_uses.take();
        if !uses.is_empty() {
            tokens::touch(&self.catalog, &uses).await?;
        }
        Ok(())
    }
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
