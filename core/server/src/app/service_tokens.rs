//! Short-lived tokens of service accounts, for clients that sign in by OAuth client credentials.
//!
//! Like a download link it is a signed statement, so that it needs no row: which service account, by which of its secrets,
//! until when. Whoever presents it is that service account, as long as that is live, and its secret the same: its end tells
//! one secret from the next.

use boxvault_catalog::service_accounts;
use boxvault_types::{
    error::ErrorCode,
    identity::Caller,
    ids::{ServiceAccountId, UserId},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::{App, identify};
use crate::error::{AppError, Result};

const AUDIENCE: &str = "boxvault-service";
/// Lets people and secret scanners see what they have found.
pub(crate) const PREFIX: &str = "bvo_";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    svc: ServiceAccountId,
    /// Who vouched.
    usr: UserId,
    /// When the secret ends, in microseconds.
    end: i64,
}

impl App {
    /// A token for whoever has the id, or organization and name, and the secret of a service account; and for how long.
    ///
    /// # Errors
    /// `CREDENTIALS_INVALID`, without saying why.
    pub(crate) async fn service_token(&self, id: &str, secret: &str) -> Result<(String, Duration)> {
        let caller = self.identify(secret).await.map_err(|_| invalid())?;
        let service = caller.service.as_ref().ok_or_else(invalid)?;
        let names = format!("{}/{}", service.organization, service.name);
        // a token that was got so does not get the next one
        if secret.starts_with(PREFIX) || (id != service.id.to_string() && id != names) {
            return Err(invalid());
        }
        let found = service_accounts::find_live_by_id(&self.catalog, service.id).await?;
        let end = found.ok_or_else(invalid)?.service.expires_at;
        let time: Duration = self.config.limits.service_token_ttl.into();
        let now = self.catalog.now();
        let exp = (now + TimeDelta::from_std(time).map_err(AppError::internal)?).min(end);
        let claims = Claims {
            aud: AUDIENCE.to_owned(),
            exp: exp.timestamp(),
            svc: service.id,
            usr: caller.user_id,
            end: end.timestamp_micros(),
        };
        let token = format!("{PREFIX}{}", self.download_links.sign(&claims)?);
        Ok((token, (exp - now).to_std().unwrap_or_default()))
    }

    /// The service account that a token is of, and until when.
    pub(super) async fn identify_service_token(
        &self,
        statement: &str,
    ) -> Result<Option<(Caller, Option<DateTime<Utc>>)>> {
        let Some(claims) = self.download_links.verify::<Claims>(statement, AUDIENCE) else {
            return Ok(None);
        };
        let found = service_accounts::find_live_by_id(&self.catalog, claims.svc).await?;
        let same = found.filter(|it| it.service.expires_at.timestamp_micros() == claims.end);
        let caller = same.map(identify::service_caller);
        let caller = caller.filter(|caller| caller.user_id == claims.usr);
        Ok(caller.map(|caller| (caller, DateTime::from_timestamp(claims.exp, 0))))
    }
}

fn invalid() -> AppError {
    AppError::new(
        ErrorCode::CredentialsInvalid,
        "the client is no live service account; send its id, or organization/name, and its token",
    )
}
