//! The keys of the oidc provider.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use boxvault_plugin_sdk::{
    PluginError, Result, Secret,
    schemars::{self, JsonSchema},
    serde::Deserialize,
};
use url::Url;

/// What this plugin says at the provider's sign-in address; nobody else may.
const OWN_PARAMETERS: [&str; 9] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "redirect_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// The oidc provider's table in the configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// The provider's address, as it calls itself: what its `/.well-known/openid-configuration` says as `issuer`.
    pub issuer: String,
    /// How the provider knows this server.
    pub client_id: String,
    /// What proves that. Not set: the provider takes it as a public client, unless there is a key.
    pub client_secret: Option<Secret>,
    /// How that is proven. Not set: by the key where there is one; with a secret as the provider's own description says,
    /// in a header where it leaves the choice.
    pub client_authentication: Option<ClientAuthentication>,
    /// A private key that proves it instead, as PEM without a passphrase: RSA from 2048 bits, P-256, P-384 or Ed25519. The
    /// provider knows its public half. A certificate in the same file is named by its thumbprint. Others must not be able
    /// to read or change the file. It is read for each sign-in.
    pub private_key_jwt_file: Option<PathBuf>,
    /// How the provider names the key. Not set: it is not named.
    pub private_key_jwt_kid: Option<String>,
    /// What is signed with the key. Not set: RS256, ES256, ES384 or `EdDSA`, as the key is.
    pub private_key_jwt_algorithm: Option<JwtAlgorithm>,
    /// For whom that is said to be.
    #[serde(default)]
    pub private_key_jwt_audience: JwtAudience,
    /// What is asked for; `openid` is needed.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// More that is said at the provider's sign-in address, such as `prompt` or `acr_values`.
    #[serde(default)]
    pub authorization_parameters: BTreeMap<String, String>,
    /// Whether the provider may be asked over `http://`, where everybody on the way can sign in as anybody.
    #[serde(default)]
    pub plaintext_allowed: bool,
    /// Certificates, PEM, that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// The claim with the name of the account; `a.b` is a claim within a claim.
    #[serde(default = "username_claim")]
    pub username_claim: String,
    /// Whether `ann@example.com` is `ann` here.
    #[serde(default)]
    pub username_strip_domain: bool,
    /// The claim with the e-mail address.
    #[serde(default = "email_claim")]
    pub email_claim: String,
    /// Whether addresses are known to be theirs although the provider does not say so (`email_verified`).
    #[serde(default)]
    pub email_always_verified: bool,
    /// The claim with the name for people to read.
    #[serde(default = "display_name_claim")]
    pub display_name_claim: String,
    /// The claim with the groups, a list of names or one name; `a.b` is a claim within a claim.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// Whether the provider is asked for claims that its token does not hold.
    #[serde(default)]
    pub userinfo: Userinfo,
    /// Whether signing out here ends the session at the provider, too.
    #[serde(default = "yes")]
    pub end_session: bool,
    /// Where the provider sends people who signed out; it must know the address. Not set: they stay there.
    pub post_logout_url: Option<String>,
    /// How far the clocks of the provider and of this machine may be apart, in seconds: 0 to 300.
    #[serde(default = "clock_skew_s")]
    #[schemars(range(max = 300))]
    pub clock_skew_s: u64,
    /// How long the provider's description and keys are believed, in seconds: 60 to 86 400.
    #[serde(default = "keys_max_age_s")]
    #[schemars(range(min = 60, max = 86_400))]
    pub keys_max_age_s: u64,
    /// How soon after one look at the keys an unknown key leads to the next, in seconds: 1 to 3 600.
    #[serde(default = "keys_pause_s")]
    #[schemars(range(min = 1, max = 3_600))]
    pub keys_pause_s: u64,
    /// How long the provider may take to be connected to, TLS included, in seconds: 1 to 30.
    #[serde(default = "connect_timeout_s")]
    #[schemars(range(min = 1, max = 30))]
    pub connect_timeout_s: u64,
    /// How long it may take to answer, in seconds: 1 to 30. One sign-in asks up to four times.
    #[serde(default = "request_timeout_s")]
    #[schemars(range(min = 1, max = 30))]
    pub request_timeout_s: u64,
}

/// How the client secret is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// In the `Authorization` header (`client_secret_basic`).
    Basic,
    /// In the body (`client_secret_post`).
    Post,
    /// Not at all: a key signs that it is this client (`private_key_jwt`).
    PrivateKeyJwt,
}

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde")]
pub enum JwtAlgorithm {
    /// RSA, PKCS #1 v1.5.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA, PSS.
    #[serde(rename = "PS256")]
    Ps256,
    /// P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// P-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl JwtAlgorithm {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// For whom a signed statement is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "snake_case")]
pub enum JwtAudience {
    /// The address that it is sent to, which all providers take.
    #[default]
    TokenEndpoint,
    /// The provider, as it calls itself.
    Issuer,
}

/// When the provider is asked for more claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "snake_case")]
pub enum Userinfo {
    /// When the token holds no name, no address or no groups.
    #[default]
    WhenMissing,
    /// At each sign-in; what it says there counts more.
    Always,
    /// Never.
    Never,
}

fn yes() -> bool {
    true
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn username_claim() -> String {
    "preferred_username".to_owned()
}

fn email_claim() -> String {
    "email".to_owned()
}

fn display_name_claim() -> String {
    "name".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

fn clock_skew_s() -> u64 {
    60
}

/// A key that the provider took back is believed no longer than this.
fn keys_max_age_s() -> u64 {
    3_600
}

fn keys_pause_s() -> u64 {
    30
}

fn connect_timeout_s() -> u64 {
    3
}

fn request_timeout_s() -> u64 {
    5
}

impl Config {
    pub(crate) fn keys_max_age(&self) -> Duration {
        Duration::from_secs(self.keys_max_age_s)
    }

    pub(crate) fn keys_pause(&self) -> Duration {
        Duration::from_secs(self.keys_pause_s)
    }

    /// Checks what the types do not.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_url("issuer", &self.issuer)?;
        if self.issuer.contains(['?', '#']) {
            return bad("issuer", "it is an address without ? and #, as the provider calls itself");
        }
        if let Some(url) = &self.post_logout_url {
            Url::parse(url).map_or_else(
                |error| bad("post_logout_url", &format!("{url:?} is no URL: {error}")),
                |_| Ok(()),
            )?;
        }
        if self.client_id.is_empty() || self.client_id.contains(char::is_control) {
            return bad("client_id", "it is empty or unprintable; the provider tells it");
        }
        if self.client_secret.as_ref().is_some_and(Secret::is_empty) {
            return bad("client_secret", "it is empty; leave it out for a public client");
        }
        self.check_proof()?;
        if !self.scopes.iter().any(|scope| scope == "openid") {
            return bad(
                "scopes",
                "they do not hold \"openid\", without which nobody is told apart",
            );
        }
        for (number, scope) in self.scopes.iter().enumerate() {
            if scope.is_empty() || scope.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return bad(&format!("scopes.{number}"), "write one word for each scope");
            }
        }
        for (key, claim) in [
            ("username_claim", &self.username_claim),
            ("email_claim", &self.email_claim),
            ("display_name_claim", &self.display_name_claim),
            ("groups_claim", &self.groups_claim),
        ] {
            if claim.is_empty() {
                return bad(key, "it is empty; name a claim, or leave the key out");
            }
        }
        for name in self.authorization_parameters.keys() {
            if OWN_PARAMETERS.contains(&name.as_str()) {
                let key = format!("authorization_parameters.{name}");
                return bad(&key, "it is said by the plugin itself; leave it out");
            }
        }
        Ok(())
    }

    /// Checks that there is one way to prove to be the client, and what it needs.
    fn check_proof(&self) -> Result<()> {
        let by_key = self.client_authentication == Some(ClientAuthentication::PrivateKeyJwt);
        if self.private_key_jwt_file.is_none() {
            if by_key {
                return bad(
                    "client_authentication",
                    "it needs private_key_jwt_file, which is not set",
                );
            }
            for (key, is_set) in [
                ("private_key_jwt_kid", self.private_key_jwt_kid.is_some()),
                ("private_key_jwt_algorithm", self.private_key_jwt_algorithm.is_some()),
            ] {
                if is_set {
                    return bad(key, "it is about private_key_jwt_file, which is not set");
                }
            }
            if self.client_authentication.is_some() && self.client_secret.is_none() {
                return bad("client_authentication", "it sends client_secret, which is not set");
            }
            return Ok(());
        }
        if self.client_secret.is_some() {
            return bad(
                "private_key_jwt_file",
                "client_secret is set as well; leave one of them out",
            );
        }
        if self.client_authentication.is_some() && !by_key {
            return bad(
                "client_authentication",
                "it sends client_secret, and there is a key instead",
            );
        }
        if self.private_key_jwt_kid.as_ref().is_some_and(String::is_empty) {
            return bad(
                "private_key_jwt_kid",
                "it is empty; leave it out where the key has no name",
            );
        }
        Ok(())
    }

    /// Whether an address of the provider may be asked.
    pub(crate) fn check_url(&self, key: &str, url: &str) -> Result<()> {
        let parsed = match Url::parse(url) {
            Ok(parsed) => parsed,
            Err(error) => return bad(key, &format!("{url:?} is no URL: {error}")),
        };
        if parsed.host_str().is_none_or(str::is_empty) {
            return bad(key, "it names no server");
        }
        match parsed.scheme() {
            "https" => Ok(()),
            "http" if self.plaintext_allowed => Ok(()),
            "http" => bad(
                key,
                "everybody on the way could sign in as anybody; use https://, or say plaintext_allowed = true",
            ),
            other => bad(key, &format!("{other}:// is not spoken here; write https://")),
        }
    }
}

fn bad(key: &str, problem: &str) -> Result<()> {
    Err(PluginError::invalid_config(format!("{key}: {problem}")))
}
