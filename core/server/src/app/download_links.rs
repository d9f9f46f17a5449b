//! Download links: an address that gives one file for a while to whoever has it, as for `wget` and `curl`.
//!
//! A link is a signed statement, so that it needs no row: who made it and with what, which file, which bytes, until
//! when. It is a credential like any other: whoever presents it is taken for its maker, and the one place that decides
//! is asked again. So it dies with the right, the session or the API token of its maker, and, as it names bytes, with
//! the file. It is read on the path of a download only, and there it gives that one file.

use boxvault_catalog::{
    Catalog, accounts::Account, artifacts::Located, service_accounts, sessions, settings, tokens,
    versions::VersionStatus,
};
use boxvault_types::{
    digest::Digest,
    error::ErrorCode,
    identity::{Credential, Identity, TokenScope},
    ids::{ArtifactId, ServiceAccountId, SessionId, TokenId, UserId},
};
use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE64;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};

use super::{App, identify};
use crate::error::{AppError, Result};

/// Where the key lies in the catalog, so that every server of one catalog takes the links of the others.
const KEY_SETTING: &str = "secret.download_links";
const ALGORITHM: Algorithm = Algorithm::HS256;
const AUDIENCE: &str = "boxvault-download";
/// The longest link that is looked at.
const LINK_BYTES_MAX: usize = 2048;

/// What a link states.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    /// The artifact.
    art: ArtifactId,
    /// The SHA-256 of the bytes.
    dig: String,
    #[serde(flatten)]
    maker: Maker,
}

/// Who made a signed statement, and with what.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Maker {
    /// Absent where anybody could.
    usr: Option<UserId>,
    /// The session, the API token or the service account that they made it with.
    ses: Option<SessionId>,
    tok: Option<TokenId>,
    svc: Option<ServiceAccountId>,
}

impl Maker {
    /// Whoever asks.
    pub(super) fn of(identity: &Identity) -> Self {
        let caller = identity.caller();
        let (ses, tok, svc) = match caller.map(|caller| caller.credential) {
            Some(Credential::Session(session)) => (Some(session), None, None),
            Some(Credential::Token(token)) => (None, Some(token), None),
            Some(Credential::Service(service)) => (None, None, Some(service)),
            Some(Credential::None) | None => (None, None, None),
        };
        Self { usr: caller.map(|caller| caller.user_id), ses, tok, svc }
    }
}

/// Signs links, and checks them.
pub(crate) struct DownloadLinks {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// What a presented link is good for, beside what its maker may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkGrant {
    artifact: ArtifactId,
    digest: String,
}

impl DownloadLinks {
    /// Loads the key; a new server makes it. Two that start at once agree on one.
    pub(crate) async fn load(catalog: &Catalog) -> Result<Self> {
        let fresh = BASE64.encode(&rand::random::<[u8; 32]>());
        let key = settings::put_if_absent(catalog, KEY_SETTING, &fresh).await?;
        let key = BASE64.decode(key.as_bytes()).map_err(AppError::internal)?;
        Ok(Self {
            encoding: EncodingKey::from_secret(&key),
            decoding: DecodingKey::from_secret(&key),
        })
    }

    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<String> {
        let header = Header::new(ALGORITHM);
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(AppError::internal)
    }

    pub(super) fn verify<T: DeserializeOwned>(&self, link: &str, audience: &str) -> Option<T> {
        if link.len() > LINK_BYTES_MAX {
            return None;
        }
        let mut validation = Validation::new(ALGORITHM);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "aud"]);
        // a link may end a moment early where clocks differ, and never late
        validation.leeway = 0;
        Some(jsonwebtoken::decode::<T>(link, &self.decoding, &validation).ok()?.claims)
    }
}

impl LinkGrant {
    /// Holds a link to the bytes that it was made for.
    ///
    /// # Errors
    /// `LINK_INVALID` for another file, other bytes, or a version that was revoked.
    pub(crate) fn require(&self, located: &Located, digest: &Digest) -> Result<()> {
        let same = self.artifact == located.artifact.id && self.digest == digest.to_hex();
        if same && located.version_status != VersionStatus::Revoked {
            return Ok(());
        }
        Err(invalid())
    }
}

impl App {
    /// A link to the bytes of an artifact for whoever makes it, and until when it works.
    pub(crate) fn download_link(
        &self,
        identity: &Identity,
        artifact: ArtifactId,
        digest: &Digest,
    ) -> Result<(String, DateTime<Utc>)> {
        let time: Duration = self.config.limits.download_link_ttl.into();
        let expires_at =
            self.catalog.now() + TimeDelta::from_std(time).map_err(AppError::internal)?;
        let claims = Claims {
            aud: AUDIENCE.to_owned(),
            exp: expires_at.timestamp(),
            art: artifact,
            dig: digest.to_hex(),
            maker: Maker::of(identity),
        };
        Ok((self.download_links.sign(&claims)?, expires_at))
    }

    /// Who made a link, and what it is good for.
    ///
    /// # Errors
    /// `LINK_INVALID`, without saying why.
    pub(crate) async fn identify_link(&self, link: &str) -> Result<(Identity, LinkGrant)> {
        let claims: Claims = self.download_links.verify(link, AUDIENCE).ok_or_else(invalid)?;
        let grant = LinkGrant { artifact: claims.art, digest: claims.dig };
        let maker = self.identify_maker(&claims.maker).await?.ok_or_else(invalid)?;
        Ok((maker, grant))
    }

    /// Who made a signed statement, unless they are not there any more, or what they made it with.
    pub(super) async fn identify_maker(&self, maker: &Maker) -> Result<Option<Identity>> {
        let Some(user) = maker.usr else { return Ok(Some(Identity::Anonymous)) };
        if let Some(service) = maker.svc {
            let found = service_accounts::find_live_by_id(&self.catalog, service).await?;
            // whoever vouches now may not be who did when it was made
            let caller = found.map(identify::service_caller);
            let caller = caller.filter(|caller| caller.user_id == user);
            return Ok(caller.map(|caller| Identity::User(Arc::new(caller))));
        }
        let found: Option<(Account, _, _)> = match (maker.ses, maker.tok) {
            (Some(session), None) => {
                let found = sessions::find_live(&self.catalog, session).await?;
                let scope = TokenScope::default();
                found.map(|(_, account)| (account, Credential::Session(session), scope))
            }
            (None, Some(token)) => {
                let found = tokens::find_live_by_id(&self.catalog, token).await?;
                found.map(|(token, account)| (account, Credential::Token(token.id), token.scope))
            }
            _ => None,
        };
        let live = found
            .filter(|(account, ..)| account.user.id == user && account.user.suspended_at.is_none());
        Ok(live.map(|(account, credential, scope)| {
            Identity::User(Arc::new(identify::caller(account, credential, scope)))
        }))
    }
}

fn invalid() -> AppError {
    AppError::new(
        ErrorCode::LinkInvalid,
        "the download link is expired, or what it was made for is gone; get another one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(key: u8) -> DownloadLinks {
        let key = [key; 32];
        DownloadLinks {
            encoding: EncodingKey::from_secret(&key),
            decoding: DecodingKey::from_secret(&key),
        }
    }

    fn claims() -> Claims {
        Claims {
            aud: AUDIENCE.to_owned(),
            exp: Utc::now().timestamp() + 60,
            art: ArtifactId::new(),
            dig: Digest([7; 32]).to_hex(),
            maker: Maker {
                usr: Some(UserId::new()),
                ses: Some(SessionId::new()),
                ..Maker::default()
            },
        }
    }

    #[test]
    fn a_link_states_what_was_signed_and_nothing_else_is_taken() {
        let good = claims();
        let link = links(1).sign(&good).unwrap();
        assert!(link.len() < 700, "{} characters", link.len());
        let verify = |key: u8, link: &str| links(key).verify::<Claims>(link, AUDIENCE);
        assert_eq!(verify(1, &link).unwrap().art, good.art);
        assert!(verify(2, &link).is_none(), "another key");
        let expired = Claims { exp: Utc::now().timestamp() - 1, ..claims() };
        assert!(verify(1, &links(1).sign(&expired).unwrap()).is_none(), "expired");
        let token = Claims { aud: "boxvault-api".to_owned(), ..claims() };
        assert!(verify(1, &links(1).sign(&token).unwrap()).is_none(), "an access token");
        let body = link.split('.').nth(1).unwrap();
        let header = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
        assert!(verify(1, &format!("{header}.{body}.")).is_none(), "alg none");
        assert!(verify(1, &"a".repeat(5000)).is_none(), "too long");
    }
}
