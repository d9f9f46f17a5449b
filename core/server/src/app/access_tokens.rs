//! The access tokens of sessions: JWTs, signed with keys that live in the catalog, so that every instance knows them.
//!
//! The algorithm is pinned by our own entry for the token's `kid`, never by what the token says.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use boxvault_catalog::{Catalog, signing_keys};
use boxvault_types::{
    action::Action,
    ids::{SessionId, UserId},
};
use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::{App, audit::By, sessions::delta};
use crate::error::{AppError, Result};

const ISSUER: &str = "boxvault";
const AUDIENCE: &str = "boxvault-api";
const ALGORITHM: Algorithm = Algorithm::HS256;
/// How long another server may go on signing with a key that was exchanged, before it has noticed.
const RETIREMENT_MARGIN: Duration = Duration::minutes(10);
/// How far the clocks of two instances may differ.
const LEEWAY_S: u64 = 10;
/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 4096;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    nbf: i64,
    exp: i64,
}

struct Key {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

struct Keys {
    by_kid: BTreeMap<String, Key>,
    newest: String,
}

/// Signs and checks access tokens.
pub(crate) struct AccessTokens {
    keys: ArcSwap<Keys>,
}

impl AccessTokens {
    /// Loads the keys; a new server makes its first one. Two that start at once agree on one.
    pub(crate) async fn load(catalog: &Catalog) -> Result<Self> {
        signing_keys::first_or_insert(catalog, fresh_key(catalog)).await?;
        let keys = Self::read(catalog).await?;
        Ok(Self { keys: ArcSwap::from_pointee(keys) })
    }

    /// Loads the keys again, as another instance may have added one.
    pub(crate) async fn reload(&self, catalog: &Catalog) -> Result<()> {
        self.keys.store(Arc::new(Self::read(catalog).await?));
        Ok(())
    }

    async fn read(catalog: &Catalog) -> Result<Keys> {
        let now = catalog.now();
        let mut rows = signing_keys::list(catalog).await?;
        rows.retain(|row| row.retire_at.is_none_or(|end| end > now));
        let newest = rows
            .iter()
            .max_by_key(|row| row.created_at)
            .map(|row| row.kid.clone())
            .ok_or_else(|| AppError::internal("the catalog holds no signing key"))?;
        let by_kid = rows
            .into_iter()
            .map(|row| {
                let key = Key {
                    encoding: EncodingKey::from_secret(&row.secret),
                    decoding: DecodingKey::from_secret(&row.secret),
                };
                (row.kid, key)
            })
            .collect();
        Ok(Keys { by_kid, newest })
    }

    /// A token for a session.
    pub(crate) fn issue(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
        lifetime: Duration,
    ) -> Result<(String, DateTime<Utc>)> {
        let keys = self.keys.load();
        let key =
            keys.by_kid.get(&keys.newest).ok_or_else(|| AppError::internal("no signing key"))?;
        let expires = now + lifetime;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: expires.timestamp(),
        };
        let header = Header { kid: Some(keys.newest.clone()), ..Header::new(ALGORITHM) };
        let token =
            jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(AppError::internal)?;
        Ok((token, expires))
    }

    /// Whose session a token belongs to, and until when it holds; `None` if it is not ours, or not good any more.
    pub(crate) fn verify(&self, token: &str) -> Option<(UserId, SessionId, DateTime<Utc>)> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        let keys = self.keys.load();
        let key = keys.by_kid.get(&kid)?;
        let mut validation = Validation::new(ALGORITHM);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_S;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation).ok()?.claims;
        Some((claims.sub, claims.sid, DateTime::from_timestamp(claims.exp, 0)?))
    }

    /// Whether the key of a token is unknown here, so that it is worth asking the catalog for new ones.
    pub(crate) fn is_from_unknown_key(&self, token: &str) -> bool {
        token.len() <= TOKEN_BYTES_MAX
            && jsonwebtoken::decode_header(token)
                .ok()
                .and_then(|header| header.kid)
                .is_some_and(|kid| !self.keys.load().by_kid.contains_key(&kid))
    }
}

impl App {
    /// Exchanges the signing key when it has reached an age; what older keys signed holds until it ends by itself.
    ///
    /// # Errors
    /// When the catalog fails.
    pub(crate) async fn rotate_signing_key(
        &self,
        age: std::time::Duration,
        by: By,
    ) -> Result<bool> {
        let now = self.catalog.now();
        let ttl = delta(self.config.auth.access_token_ttl.into()) + RETIREMENT_MARGIN;
        let fresh = fresh_key(&self.catalog);
        let entry = self.own_entry(by, Action::Update, "system/signing-keys");
        let (made_after, retire_at) = (now - delta(age), now + ttl);
        let rotated =
            signing_keys::rotate(&self.catalog, fresh, made_after, retire_at, entry).await?;
        if rotated {
            info!("access tokens are signed with a new key from now on");
        }
        self.access_tokens.reload(&self.catalog).await?;
        Ok(rotated)
    }
}

fn fresh_key(catalog: &Catalog) -> signing_keys::SigningKey {
    signing_keys::SigningKey {
        kid: uuid::Uuid::new_v4().simple().to_string(),
        algorithm: "HS256".to_owned(),
        secret: rand::random::<[u8; 32]>().to_vec(),
        created_at: catalog.now(),
        retire_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> AccessTokens {
        let secret = [7_u8; 32];
        let key = Key {
            encoding: EncodingKey::from_secret(&secret),
            decoding: DecodingKey::from_secret(&secret),
        };
        let by_kid = BTreeMap::from([("k1".to_owned(), key)]);
        AccessTokens { keys: ArcSwap::from_pointee(Keys { by_kid, newest: "k1".to_owned() }) }
    }

    fn signed(claims: &Claims, kid: Option<&str>, secret: &[u8]) -> String {
        let header = Header { kid: kid.map(ToOwned::to_owned), ..Header::new(ALGORITHM) };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
    }

    fn claims() -> Claims {
        let now = Utc::now().timestamp();
        Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: UserId::new(),
            sid: SessionId::new(),
            iat: now,
            nbf: now,
            exp: now + 60,
        }
    }

    #[test]
    fn a_token_names_its_session() {
        let (tokens, user, session) = (tokens(), UserId::new(), SessionId::new());
        let (token, _) = tokens.issue(user, session, Utc::now(), Duration::minutes(15)).unwrap();
        let (found_user, found_session, _) = tokens.verify(&token).unwrap();
        assert_eq!((found_user, found_session), (user, session));
    }

    #[test]
    fn forged_expired_and_foreign_tokens_are_refused() {
        let tokens = tokens();
        let good = claims();
        assert!(tokens.verify(&signed(&good, Some("k1"), &[7; 32])).is_some());
        assert!(tokens.verify(&signed(&good, Some("k1"), &[8; 32])).is_none(), "another secret");
        assert!(tokens.verify(&signed(&good, Some("k2"), &[7; 32])).is_none(), "an unknown kid");
        assert!(tokens.verify(&signed(&good, None, &[7; 32])).is_none(), "no kid");
        let past = Utc::now().timestamp() - 3600;
        for (bad, why) in [
            (Claims { exp: past, ..claims() }, "expired"),
            (Claims { nbf: good.exp, ..claims() }, "not yet valid"),
            (Claims { iss: "x".to_owned(), ..claims() }, "another issuer"),
            (Claims { aud: "x".to_owned(), ..claims() }, "another audience"),
        ] {
            assert!(tokens.verify(&signed(&bad, Some("k1"), &[7; 32])).is_none(), "{why}");
        }
        // {"alg":"none","kid":"k1"} with the body of a good token and no signature
        let token = signed(&good, Some("k1"), &[7; 32]);
        let body = token.split('.').nth(1).unwrap();
        let header = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none","kid":"k1"}"#);
        assert!(tokens.verify(&format!("{header}.{body}.")).is_none(), "alg none");
        assert!(tokens.verify(&"a".repeat(10_000)).is_none(), "too long");
    }
}
