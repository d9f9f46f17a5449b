//! The trip of the browser: where it is sent, and what it brings back.

use std::borrow::Cow;

use boxvault_plugin_sdk::{
    AuthFacets, AuthProvider, Claims, LogoutNotice, PluginError, PluginErrorKind, RedirectFinish,
    RedirectRequest, RedirectStart, Result, Secret, async_trait,
};
use data_encoding::BASE64;
use reqwest::{StatusCode, header::AUTHORIZATION};
use serde::Deserialize;
use tracing::info;
use url::{Url, form_urlencoded::byte_serialize};

use crate::{
    ClientAuthentication, Config, Userinfo, claims,
    client_key::{ASSERTION_TYPE, ClientKey},
    http,
    issuer::{Description, Issuer},
    token,
};

/// A provider that signs people in.
pub(crate) struct Provider {
    issuer: Issuer,
}

/// What a code is exchanged for.
#[derive(Deserialize)]
struct Tokens {
    access_token: Secret,
    id_token: Option<Secret>,
}

/// Why it is not.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
}

impl Provider {
    pub(crate) async fn new(config: Config) -> Result<Self> {
        Ok(Self { issuer: Issuer::new(config).await? })
    }

    fn config(&self) -> &Config {
        &self.issuer.config
    }

    async fn exchange(&self, description: &Description, finish: &RedirectFinish) -> Result<Tokens> {
        let code = finish.parameters.get("code").ok_or_else(PluginError::bad_credentials)?;
        let client_id = self.config().client_id.as_str();
        let mut fields: Vec<(&str, &str)> = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &finish.callback_url),
            ("code_verifier", &finish.code_verifier),
        ];
        let mut request = self.issuer.client.post(&description.token_endpoint);
        let assertion = match ClientKey::read(self.config()).await? {
            Some(key) => Some(key.assertion(self.config(), description)?),
            None => None,
        };
        match (&assertion, &self.config().client_secret) {
            (Some(assertion), _) => fields.extend([
                ("client_id", client_id),
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", assertion.expose()),
            ]),
            (None, Some(secret)) if self.sends_in_header(description) => {
                let pair = format!("{}:{}", escaped(client_id), escaped(secret.expose()));
                let pair = BASE64.encode(pair.as_bytes());
                request = request.header(AUTHORIZATION, format!("Basic {pair}"));
            }
            (None, Some(secret)) => {
                fields.extend([("client_id", client_id), ("client_secret", secret.expose())]);
            }
            (None, None) => fields.push(("client_id", client_id)),
        }
        let answer = http::ask("the token", http::form(request, &fields)).await?;
        if answer.status.is_success() {
            return answer.json("the token");
        }
        let refusal: Refusal = answer.json("the token").unwrap_or_default();
        match (answer.status, refusal.error.as_str()) {
            (_, "invalid_grant") => Err(PluginError::bad_credentials()),
            (StatusCode::UNAUTHORIZED, _) | (_, "invalid_client" | "unauthorized_client") => {
                let proof = match (&assertion, &self.config().client_secret) {
                    (Some(_), _) => "with the key of private_key_jwt_file",
                    (None, Some(_)) => "with client_secret",
                    (None, None) => "without client_secret or private_key_jwt_file",
                };
                Err(PluginError::new(
                    PluginErrorKind::PermissionDenied,
                    format!("the provider does not take client_id {proof}"),
                ))
            }
            (status, error) => Err(PluginError::unexpected(format!(
                "the token of the provider: status {status}, {}",
                plain(error)
            ))),
        }
    }

    fn sends_in_header(&self, description: &Description) -> bool {
        let configured = self.config().client_authentication;
        configured.map_or_else(
            || {
                let methods = description.token_endpoint_auth_methods_supported.as_deref();
                // what is not said is this
                methods.is_none_or(|all| all.iter().any(|method| method == "client_secret_basic"))
            },
            |configured| configured == ClientAuthentication::Basic,
        )
    }

    /// Adds what the provider says of whoever has the access token, if that is wanted.
    async fn complete(
        &self,
        description: &Description,
        access_token: &Secret,
        mut known: token::Claims,
    ) -> Result<token::Claims> {
        let wanted = match self.config().userinfo {
            Userinfo::Never => false,
            Userinfo::Always => true,
            Userinfo::WhenMissing => claims::is_incomplete(self.config(), &known),
        };
        let Some(url) = description.userinfo_endpoint.as_ref().filter(|_| wanted) else {
            return Ok(known);
        };
        let request = self.issuer.client.get(url).bearer_auth(access_token.expose());
        let answer = http::ask("the claims", request).await?;
        if !answer.status.is_success() {
            let problem = format!("the claims of the provider: status {}", answer.status);
            return Err(PluginError::unexpected(problem));
        }
        let told: token::Claims = answer.json("the claims")?;
        if told.get("sub") != known.get("sub") {
            info!("the claims are of another subject than the ID token");
            return Err(PluginError::bad_credentials());
        }
        for (name, value) in told {
            if self.config().userinfo == Userinfo::Always && name != "sid" {
                known.insert(name, value);
            } else {
                known.entry(name).or_insert(value);
            }
        }
        Ok(known)
    }

    /// What the provider says in the address instead of a code.
    fn refusal(error: &str) -> PluginError {
        match error {
            "access_denied"
            | "login_required"
            | "interaction_required"
            | "consent_required"
            | "account_selection_required" => PluginError::bad_credentials(),
            "temporarily_unavailable" | "server_error" => {
                PluginError::unavailable(format!("the provider says {error}"))
            }
            other => PluginError::unexpected(format!(
                "the provider refuses to sign anybody in: {}",
                plain(other)
            )),
        }
    }
}

/// A word of the provider's that can be shown.
fn plain(error: &str) -> Cow<'_, str> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !error.is_empty() && error.len() <= 64 && error.chars().all(fine) {
        Cow::Borrowed(error)
    } else {
        Cow::Borrowed("without a word that can be shown")
    }
}

/// As RFC 6749, section 2.3.1, wants both halves of the header.
fn escaped(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

fn address(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|error| PluginError::unexpected(format!("{url:?}: {error}")))
}

#[async_trait]
impl AuthProvider for Provider {
    fn facets(&self) -> AuthFacets {
        let ends = if self.config().end_session { AuthFacets::LOGOUT } else { AuthFacets::NONE };
        AuthFacets::REDIRECT | AuthFacets::LOGOUT_NOTICE | ends
    }

    async fn health(&self) -> Result<()> {
        self.issuer.look_again().await
    }

    async fn start_redirect(&self, request: RedirectRequest) -> Result<RedirectStart> {
        let description = self.issuer.description().await?;
        let mut url = address(&description.authorization_endpoint)?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config().client_id)
            .append_pair("redirect_uri", &request.callback_url)
            .append_pair("scope", &self.config().scopes.join(" "))
            .append_pair("state", &request.state)
            .append_pair("nonce", &request.nonce)
            .append_pair("code_challenge", &request.code_challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(&self.config().authorization_parameters);
        Ok(RedirectStart { url: url.into() })
    }

    async fn finish_redirect(&self, callback: RedirectFinish) -> Result<Claims> {
        let description = self.issuer.description().await?;
        // an answer of another provider is not taken for this one's (RFC 9207)
        let named = callback.parameters.get("iss");
        let must_be_named = description.authorization_response_iss_parameter_supported;
        if named.is_none() && must_be_named || named.is_some_and(|iss| *iss != description.issuer) {
            info!("an answer that is not this provider's is refused");
            return Err(PluginError::bad_credentials());
        }
        if let Some(error) = callback.parameters.get("error") {
            return Err(Self::refusal(error));
        }
        let tokens = self.exchange(&description, &callback).await?;
        let id_token = tokens.id_token.ok_or_else(|| {
            PluginError::unexpected(
                "the provider gives no ID token; does it know the scope openid?",
            )
        })?;
        let known =
            self.issuer.read_id_token(&description, id_token.expose(), &callback.nonce).await?;
        let known = self.complete(&description, &tokens.access_token, known).await?;
        claims::read(self.config(), &known)
    }

    async fn logout(&self, subject: &str) -> Result<Option<String>> {
        if !self.config().end_session {
            return Err(PluginError::unsupported("signing out"));
        }
        let description = self.issuer.description().await?;
        let Some(url) = &description.end_session_endpoint else { return Ok(None) };
        let mut url = address(url)?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.config().client_id)
            .append_pair("logout_hint", subject);
        if let Some(back) = &self.config().post_logout_url {
            url.query_pairs_mut().append_pair("post_logout_redirect_uri", back);
        }
        Ok(Some(url.into()))
    }

    async fn read_logout_notice(&self, notice: Secret) -> Result<LogoutNotice> {
        let description = self.issuer.description().await?;
        self.issuer.read_notice(&description, notice.expose()).await
    }
}
