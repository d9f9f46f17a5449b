//! Whether a token is the provider's, for this client, and of now.

use std::time::{SystemTime, UNIX_EPOCH};

use boxvault_plugin_sdk::{LogoutNotice, PluginError, Result};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use serde_json::{Map, Value};
use tracing::info;

use crate::issuer::{Description, Issuer};

/// What a provider may sign with. Nothing that a client's secret could sign, too.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// The event that a logout token tells of.
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long ago a notice may have been written, in seconds.
const NOTICE_AGE_MAX_S: u64 = 600;

/// The claims of a token.
pub(crate) type Claims = Map<String, Value>;

/// Why a token is not believed.
pub(crate) enum Doubt {
    /// It is not one of the provider's, for this client, of now.
    Refused(&'static str),
    /// The key that signed it is not among the provider's.
    UnknownKey,
    /// The provider could not be asked.
    Failed(PluginError),
}

impl From<PluginError> for Doubt {
    fn from(error: PluginError) -> Self {
        Self::Failed(error)
    }
}

impl Issuer {
    /// The claims of an ID token that came straight from the provider.
    pub(crate) async fn read_id_token(
        &self,
        description: &Description,
        token: &str,
        nonce: &str,
    ) -> Result<Claims> {
        let required = ["exp", "iat", "iss", "aud", "sub"];
        let checked = self.read(description, token, &required).await;
        match checked.and_then(|claims| self.check_id_token(claims, nonce)) {
            Ok(claims) => Ok(claims),
            Err(Doubt::Refused(why)) => {
                info!(why, "an ID token is refused: {why}");
                Err(PluginError::bad_credentials())
            }
            Err(Doubt::UnknownKey) => Err(PluginError::unavailable(
                "the provider signs with a key that it does not name; it may be about to",
            )),
            Err(Doubt::Failed(error)) => Err(error),
        }
    }

    fn check_id_token(&self, claims: Claims, nonce: &str) -> Result<Claims, Doubt> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        // what is for several has to say for whom it was made
        let several = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
        let party = text("azp");
        if several && party.is_none() || party.is_some_and(|party| party != self.config.client_id) {
            return Err(Doubt::Refused("it was made for another client"));
        }
        if nonce.is_empty() || text("nonce") != Some(nonce) {
            return Err(Doubt::Refused("it belongs to another sign-in"));
        }
        if number(&claims, "iat").is_none_or(|at| at > now() + self.config.clock_skew_s) {
            return Err(Doubt::Refused("it is of a time to come"));
        }
        Ok(claims)
    }

    /// What a logout token says. Anybody may have sent it.
    pub(crate) async fn read_notice(
        &self,
        description: &Description,
        token: &str,
    ) -> Result<LogoutNotice> {
        let checked = self.read(description, token, &["iss", "aud"]).await;
        match checked.and_then(|claims| self.check_notice(&claims)) {
            Ok(notice) => Ok(notice),
            Err(Doubt::Failed(error)) => Err(error),
            Err(doubt) => {
                let why = match doubt {
                    Doubt::Refused(why) => why,
                    _ => "no key of the provider signed it",
                };
                info!(why, "a logout token is refused: {why}");
                Err(PluginError::bad_credentials())
            }
        }
    }

    fn check_notice(&self, claims: &Claims) -> Result<LogoutNotice, Doubt> {
        let skew = self.config.clock_skew_s;
        let event = claims.get("events").and_then(|events| events.get(LOGOUT_EVENT));
        if event.is_none_or(|event| !event.is_object()) {
            return Err(Doubt::Refused("it tells of no session that ended"));
        }
        if claims.contains_key("nonce") {
            return Err(Doubt::Refused("it is an ID token"));
        }
        let issued = number(claims, "iat").ok_or(Doubt::Refused("it does not say when"))?;
        if issued > now() + skew || issued + NOTICE_AGE_MAX_S + skew < now() {
            return Err(Doubt::Refused("it is of another time"));
        }
        if claims.contains_key("exp")
            && number(claims, "exp").is_none_or(|until| until + skew < now())
        {
            return Err(Doubt::Refused("it has expired"));
        }
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        let notice = LogoutNotice { subject: text("sub"), session: text("sid"), issued };
        notice.check().map_err(|_| Doubt::Refused("it names neither a subject nor a session"))?;
        Ok(notice)
    }

    /// The claims of a token that the provider signed for this client.
    async fn read(
        &self,
        description: &Description,
        token: &str,
        required: &[&str],
    ) -> Result<Claims, Doubt> {
        let header = decode_header(token).map_err(|_| Doubt::Refused("it is no signed token"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(Doubt::Refused("it is signed in a way that is not taken"));
        }
        let keys = self.keys(description).await?;
        match self.verify(token, &header, &keys, required) {
            Err(Doubt::UnknownKey) => {
                let keys = self.newer_keys(description).await?;
                self.verify(token, &header, &keys, required)
            }
            checked => checked,
        }
    }

    fn verify(
        &self,
        token: &str,
        header: &Header,
        keys: &JwkSet,
        required: &[&str],
    ) -> Result<Claims, Doubt> {
        let mut validation = Validation::new(header.alg);
        validation.leeway = self.config.clock_skew_s;
        validation.validate_nbf = true;
        validation.validate_exp = required.contains(&"exp");
        validation.set_audience(&[&self.config.client_id]);
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_required_spec_claims(required);
        let fitting = keys.keys.iter().filter(|key| fits(key, header));
        let decoding = fitting.filter_map(|key| DecodingKey::from_jwk(key).ok());
        let mut doubt = Doubt::UnknownKey;
        for key in decoding.filter(|key| key.family() == header.alg.family()) {
            match decode::<Claims>(token, &key, &validation) {
                Ok(decoded) => return Ok(decoded.claims),
                Err(error) => doubt = Doubt::Refused(words(&error)),
            }
        }
        Err(doubt)
    }
}

/// Whether a key may have signed what has this header. One without a name is tried whenever its kind fits.
fn fits(key: &Jwk, header: &Header) -> bool {
    let common = &key.common;
    let named = header.kid.is_none() || common.key_id == header.kid;
    let signs = !matches!(common.public_key_use, Some(PublicKeyUse::Encryption));
    let alg = common.key_algorithm.and_then(|alg| alg.to_string().parse::<Algorithm>().ok());
    named && signs && (common.key_algorithm.is_none() || alg == Some(header.alg))
}

fn words(error: &jsonwebtoken::errors::Error) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => "its signature is not of the key that it names",
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is of a time to come",
        ErrorKind::InvalidIssuer => "it is of another provider",
        ErrorKind::InvalidAudience => "it was made for another client",
        ErrorKind::MissingRequiredClaim(_) => "a claim is missing that it must have",
        _ => "it is no token that can be read",
    }
}

fn number(claims: &Claims, name: &str) -> Option<u64> {
    let value = claims.get(name)?;
    value.as_u64().or_else(|| {
        let value = value.as_f64().filter(|value| value.is_finite() && *value >= 0.0)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and a cast stops at the largest number"
        )]
        Some(value as u64)
    })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
