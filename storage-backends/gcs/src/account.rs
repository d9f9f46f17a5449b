//! The key of a service account: what it signs, and the tokens that Google gives for that.
//!
//! reqsign gets tokens of such keys as well, but asks another place than the key names, and parses the key anew for each
//! signature.

use std::{fmt, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use boxvault_plugin_sdk::{
    PluginError, Result, Secret,
    serde::{Deserialize, Serialize},
};
use boxvault_storage_opendal::{
    ProvideCredential, SigningContext, SigningError, SigningTime, built, query, read_json,
};
use chrono::Utc;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::{Request, header::CONTENT_TYPE};
use reqsign_google::{Credential, Token};

use crate::credentials::SCOPE;

/// How long Google lets a token work at most.
const TOKEN_TIME: Duration = Duration::from_hours(1);
/// What a token is asked for with.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A service account, with its key.
pub(crate) struct Account {
    /// Who it is.
    pub(crate) email: String,
    key: RsaKeyPair,
    /// Where it gets tokens.
    token_uri: String,
}

/// It has a key in it.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("email", &self.email).finish_non_exhaustive()
    }
}

/// The file that Google gives. Others of its kind have another `type`.
#[derive(Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde")]
struct KeyFile {
    client_email: String,
    private_key: Secret,
    #[serde(default = "token_uri")]
    token_uri: String,
}

#[derive(Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde")]
struct Kind {
    #[serde(rename = "type")]
    name: String,
}

/// What is signed to get a token.
#[derive(Serialize)]
#[serde(crate = "boxvault_plugin_sdk::serde")]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde")]
struct Given {
    access_token: String,
    expires_in: Option<u64>,
}

fn token_uri() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

impl Account {
    /// Reads a key. Nothing if what is configured is of another kind.
    ///
    /// # Errors
    /// `InvalidConfig` if it is a key that cannot be used.
    pub(crate) fn of(credential: &Secret) -> Result<Option<Self>> {
        let json = credential.expose().as_bytes();
        match read_json::<Kind>("credential", json) {
            Ok(kind) if kind.name == "service_account" => {}
            _ => return Ok(None),
        }
        // what is wrong with it may be shown, and what it holds may not
        let unusable = |what: &str| PluginError::invalid_config(format!("credential: {what}"));
        let file: KeyFile = read_json("credential", json).map_err(|_| {
            unusable("this key of a service account lacks client_email or private_key")
        })?;
        let pem = file.private_key.expose().lines().filter(|line| !line.starts_with("-----"));
        let der = BASE64.decode(pem.collect::<String>().as_bytes());
        let key = der.ok().and_then(|der| RsaKeyPair::from_pkcs8(&der).ok());
        let key = key.ok_or_else(|| unusable("its private_key is no RSA key in PEM (PKCS #8)"))?;
        Ok(Some(Self { email: file.client_email, key, token_uri: file.token_uri }))
    }

    /// Signs with RSA and SHA-256. The same text has the same signature.
    pub(crate) fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let signed = self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature);
        signed
            .map_err(|_| PluginError::unexpected("the key of the service account signs nothing"))?;
        Ok(signature)
    }

    /// A signed statement of who asks, as Google takes it for a token. Source: RFC 7523, and "Using OAuth 2.0 for server to
    /// server applications".
    fn statement(&self) -> Result<String> {
        let now = Utc::now().timestamp();
        let claims = Claims {
            iss: &self.email,
            scope: SCOPE,
            aud: &self.token_uri,
            iat: now,
            exp: now.saturating_add(TOKEN_TIME.as_secs().cast_signed()),
        };
        let claims = serde_json::to_vec(&claims)
            .map_err(|error| PluginError::unexpected(error.to_string()))?;
        let head = BASE64URL_NOPAD.encode(br#"{"alg":"RS256","typ":"JWT"}"#);
        let text = format!("{head}.{}", BASE64URL_NOPAD.encode(&claims));
        let signature = BASE64URL_NOPAD.encode(&self.sign(text.as_bytes())?);
        Ok(format!("{text}.{signature}"))
    }

    async fn token(&self, context: &SigningContext) -> Result<Given> {
        let statement = self.statement()?;
        let form = query(&[("grant_type", GRANT_TYPE), ("assertion", &statement)]);
        let request = Request::post(&self.token_uri)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = context.http_send(built(request, form.into())?).await;
        let answer = answer.map_err(|error| PluginError::unavailable(error.to_string()))?;
        let status = answer.status();
        if !status.is_success() {
            let said = String::from_utf8_lossy(answer.body()).into_owned();
            let message = format!("{} answers {status}: {said}", self.token_uri);
            return Err(PluginError::unexpected(message));
        }
        read_json("a token", answer.body())
    }
}

/// Gives tokens of the account.
#[derive(Debug)]
pub(crate) struct Tokens(pub(crate) std::sync::Arc<Account>);

impl ProvideCredential for Tokens {
    type Credential = Credential;

    async fn provide_credential(
        &self,
        context: &SigningContext,
    ) -> std::result::Result<Option<Credential>, SigningError> {
        let given = self.0.token(context).await;
        let given = given.map_err(|error| SigningError::unexpected(error.to_string()))?;
        let expires_at =
            given.expires_in.map(|seconds| SigningTime::now() + Duration::from_secs(seconds));
        Ok(Some(Credential::with_token(Token { access_token: given.access_token, expires_at })))
    }
}
