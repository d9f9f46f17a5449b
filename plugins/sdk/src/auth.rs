//! What an auth provider does: says *who* somebody is, never what they may do.
//!
//! The same trait stands on both sides of the boundary. Each way of signing in is a facet that a
//! provider declares ([`AuthFacets`]); the default method of an undeclared one says so.
//!
//! Not here: sessions, tokens, account linking and everything else that the server does with the
//! [`Claims`] it gets.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    ops::BitOr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use crate::{
    error::{PluginError, Result},
    secret::Secret,
};

/// The longest user name that may cross, in bytes.
pub const USERNAME_BYTES_MAX: usize = 1024;

/// The longest password or token that may cross, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 16 * 1024;

/// A set of ways in which a provider can sign somebody in.
///
/// The bits are part of the ABI. Unknown bits are kept and mean nothing to this side.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct AuthFacets(u64);

impl AuthFacets {
    /// No way at all.
    pub const NONE: Self = Self(0);
    /// User name and password.
    pub const PASSWORD: Self = Self(1);
    /// A trip of the browser to the provider and back.
    pub const REDIRECT: Self = Self(1 << 1);
    /// Checking a token that the provider issued.
    pub const INTROSPECT: Self = Self(1 << 2);
    /// Asking again about somebody who signed in before.
    pub const REFRESH: Self = Self(1 << 3);
    /// Ending the session at the provider too.
    pub const LOGOUT: Self = Self(1 << 4);
    /// Looking up somebody's groups without them.
    pub const GROUPS: Self = Self(1 << 5);
    /// Hearing from the provider itself that a session ended there.
    pub const LOGOUT_NOTICE: Self = Self(1 << 6);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::PASSWORD, "password"),
        (Self::REDIRECT, "redirect"),
        (Self::INTROSPECT, "introspect"),
        (Self::REFRESH, "refresh"),
        (Self::LOGOUT, "logout"),
        (Self::GROUPS, "groups"),
        (Self::LOGOUT_NOTICE, "logout_notice"),
    ];

    /// Reads the bits of the C table.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits for the C table.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Says whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together; usable in constants.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names of what is in the set, as configuration and logs spell them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(one, _)| self.contains(*one)).map(|(_, name)| name)
    }
}

impl BitOr for AuthFacets {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl fmt::Debug for AuthFacets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// What somebody typed to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user name or e-mail address, as typed.
    pub username: String,
    /// The password, as typed. Never empty when a loaded provider sees it.
    pub password: Secret,
}

impl Credentials {
    /// A pair.
    pub fn new(username: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self { username: username.into(), password: password.into() }
    }

    /// Refuses what no provider may be asked about: an empty name or password, a NUL, too much.
    ///
    /// An empty password matters most: many LDAP servers take it for an anonymous bind that
    /// succeeds.
    ///
    /// # Errors
    /// `BadCredentials`, without saying why.
    pub fn check(&self) -> Result<()> {
        let password = self.password.expose();
        let fine = !self.username.trim().is_empty()
            && self.username.len() <= USERNAME_BYTES_MAX
            && !self.username.contains(char::is_control)
            && !password.is_empty()
            && password.len() <= PASSWORD_BYTES_MAX
            && !password.contains('\0');
        if fine { Ok(()) } else { Err(PluginError::bad_credentials()) }
    }
}

/// Who somebody is, as a provider vouches for it.
///
/// `issuer` and `subject` together name the account for ever; everything else may change from one
/// sign-in to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// Who vouches, for instance `https://id.example.org` or `ldap://ldap.example.org`.
    pub issuer: String,
    /// The account at the issuer; never given to somebody else. Not empty.
    pub subject: String,
    /// The name for people to use.
    pub username: String,
    /// An address, if known.
    pub email: Option<String>,
    /// Whether the issuer knows that the address is theirs. Only then accounts are linked by it.
    pub email_verified: bool,
    /// The name for people to read.
    pub display_name: Option<String>,
    /// The groups they are in now, all of them.
    pub groups: Vec<String>,
    /// Whatever else the provider was told to pass on.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// Until when this holds, if the provider says so. Crosses in whole seconds.
    #[serde(with = "unix_seconds")]
    pub expires: Option<SystemTime>,
    /// The session at the provider, as it names it when it ends ([`LogoutNotice`]).
    pub session: Option<String>,
}

/// What a provider says when a session ended there: of one session, or of all that somebody has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogoutNotice {
    /// Whose sessions, if it says so.
    pub subject: Option<String>,
    /// Which session, if it says so: [`Claims::session`].
    pub session: Option<String>,
    /// When it was said, in seconds since 1970: sessions that began later are not meant.
    pub issued: u64,
}

impl Claims {
    /// Checks what the host relies on.
    ///
    /// # Errors
    /// `ContractViolation`, naming the field.
    pub fn check(&self) -> Result<()> {
        for (field, text) in
            [("issuer", &self.issuer), ("subject", &self.subject), ("username", &self.username)]
                .into_iter()
                .chain(self.session.iter().map(|session| ("session", session)))
        {
            if text.is_empty() || text.len() > USERNAME_BYTES_MAX || text.contains(char::is_control)
            {
                return Err(PluginError::new(
                    crate::PluginErrorKind::ContractViolation,
                    format!("the claims have an empty, overlong or unprintable {field}"),
                ));
            }
        }
        Ok(())
    }
}

impl LogoutNotice {
    /// Checks what the host relies on.
    ///
    /// # Errors
    /// `ContractViolation`.
    pub fn check(&self) -> Result<()> {
        let fine = |text: &String| !text.is_empty() && text.len() <= USERNAME_BYTES_MAX;
        let named = [&self.subject, &self.session];
        if named.iter().any(|text| text.is_some())
            && named.iter().all(|text| text.as_ref().is_none_or(fine))
        {
            return Ok(());
        }
        Err(PluginError::new(
            crate::PluginErrorKind::ContractViolation,
            "the notice names neither a subject nor a session, or an empty or overlong one",
        ))
    }
}

/// The start of a trip of the browser to the provider. The host makes state, nonce and challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectRequest {
    /// Where the provider shall send the browser afterwards.
    pub callback_url: String,
    /// A random text that must come back as it is.
    pub state: String,
    /// A random text that an ID token must repeat.
    pub nonce: String,
    /// The S256 code challenge (PKCE).
    pub code_challenge: String,
}

/// Where to send the browser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectStart {
    /// The address at the provider, `https` unless the configuration says otherwise.
    pub url: String,
}

/// The end of the trip. The host has already compared the state.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectFinish {
    /// The same address as in the request.
    pub callback_url: String,
    /// What came back in the query or the form.
    pub parameters: BTreeMap<String, String>,
    /// The nonce of the request.
    pub nonce: String,
    /// The text behind the challenge (PKCE).
    pub code_verifier: String,
}

impl fmt::Debug for RedirectFinish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.parameters.keys().collect();
        f.debug_struct("RedirectFinish")
            .field("callback_url", &self.callback_url)
            .field("parameters", &names)
            .finish_non_exhaustive()
    }
}

/// Somebody who knows who people are.
///
/// Rules for all methods: any may be called from any task at any time. A wrong name and a wrong
/// password are the same error, `BadCredentials`, after the same work.
#[async_trait]
pub trait AuthProvider: Send + Sync + 'static {
    /// In which ways this provider signs people in. Constant for the life of the instance.
    fn facets(&self) -> AuthFacets;

    /// Asks the outside world whether it answers.
    async fn health(&self) -> Result<()>;

    /// Signs in by name and password.
    ///
    /// # Errors
    /// `BadCredentials`, `AccountDisabled`, `TooManyRequests`, `Unavailable`.
    async fn authenticate_password(&self, credentials: Credentials) -> Result<Claims> {
        drop(credentials);
        Err(PluginError::unsupported("signing in by password"))
    }

    /// Says where to send the browser.
    async fn start_redirect(&self, request: RedirectRequest) -> Result<RedirectStart> {
        drop(request);
        Err(PluginError::unsupported("signing in by redirect"))
    }

    /// Takes what the browser brought back.
    ///
    /// # Errors
    /// `BadCredentials` if the code or token is not valid, `AccountDisabled`, `Unavailable`.
    async fn finish_redirect(&self, callback: RedirectFinish) -> Result<Claims> {
        drop(callback);
        Err(PluginError::unsupported("signing in by redirect"))
    }

    /// Reads what the provider sends when a session ended there. Anybody may have sent it.
    ///
    /// # Errors
    /// `BadCredentials` if the provider never said that, `Unavailable`.
    async fn read_logout_notice(&self, notice: Secret) -> Result<LogoutNotice> {
        drop(notice);
        Err(PluginError::unsupported("hearing of ended sessions"))
    }

    /// Checks a token that the provider issued.
    ///
    /// # Errors
    /// `BadCredentials`.
    async fn introspect_token(&self, token: Secret) -> Result<Claims> {
        drop(token);
        Err(PluginError::unsupported("token introspection"))
    }

    /// Asks again about somebody who signed in before, by subject.
    ///
    /// # Errors
    /// `NotFound` or `AccountDisabled` end their sessions.
    async fn refresh(&self, subject: &str) -> Result<Claims> {
        let _ = subject;
        Err(PluginError::unsupported("refreshing claims"))
    }

    /// Ends the session at the provider; may name an address to send the browser to.
    async fn logout(&self, subject: &str) -> Result<Option<String>> {
        let _ = subject;
        Err(PluginError::unsupported("signing out"))
    }

    /// The groups of somebody, by subject.
    ///
    /// # Errors
    /// `NotFound`.
    async fn groups(&self, subject: &str) -> Result<Vec<String>> {
        let _ = subject;
        Err(PluginError::unsupported("looking up groups"))
    }
}

/// What an author exports: how to make a provider from its configuration.
///
/// `Config` should carry `#[serde(deny_unknown_fields)]`; secrets in it are [`Secret`]s, so that
/// the schema marks them and the host redacts them.
pub trait AuthPlugin: Send + Sync + 'static {
    /// The plugin's own table in the configuration.
    type Config: DeserializeOwned + JsonSchema + Send + 'static;

    /// Checks what the schema cannot say, without side effects.
    ///
    /// # Errors
    /// `InvalidConfig`, naming the key.
    fn validate(config: &Self::Config) -> Result<()> {
        let _ = config;
        Ok(())
    }

    /// Makes an instance. Several can live at once.
    ///
    /// # Errors
    /// `InvalidConfig` if the values can never work; `Unavailable` if the outside world is away.
    fn create(config: Self::Config) -> impl Future<Output = Result<Box<dyn AuthProvider>>> + Send;
}

/// `Option<SystemTime>` as whole seconds since 1970.
mod unix_seconds {
    use super::{
        Deserialize, Deserializer, Duration, Serialize, Serializer, SystemTime, UNIX_EPOCH,
    };

    #[expect(clippy::ref_option, reason = "serde's `with` hands over a reference to the field")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
            .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        let seconds = Option::<u64>::deserialize(deserializer)?;
        Ok(seconds.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi;

    #[test]
    fn credentials_that_no_provider_may_see_are_refused() {
        let long = "p".repeat(PASSWORD_BYTES_MAX + 1);
        for (username, password) in [
            ("ann", ""),
            ("", "secret"),
            (" ", "secret"),
            ("ann", "a\0b"),
            ("a\0", "x"),
            ("ann", &*long),
        ] {
            let refusal = Credentials::new(username, password).check().unwrap_err();
            assert_eq!(refusal, PluginError::bad_credentials());
        }
        Credentials::new("ann", "pässwörd 🔑").check().unwrap();
    }

    #[test]
    fn credentials_print_without_the_password() {
        let text = format!("{:?}", Credentials::new("ann", "hunter2"));
        assert!(text.contains("ann") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn claims_survive_json() {
        let claims = Claims {
            issuer: "test".into(),
            subject: "1".into(),
            username: "ann".into(),
            groups: vec!["staff".into()],
            attributes: BTreeMap::from([("mail".into(), vec!["a@example.org".into()])]),
            expires: Some(UNIX_EPOCH + Duration::from_hours(500_000)),
            session: Some("s1".into()),
            ..Claims::default()
        };
        let text = serde_json::to_string(&claims).unwrap();
        assert_eq!(serde_json::from_str::<Claims>(&text).unwrap(), claims);
        claims.check().unwrap();
        assert!(Claims::default().check().is_err());
    }

    #[test]
    fn the_bits_of_the_table_are_those_of_the_set() {
        for (ours, bits) in [
            (AuthFacets::PASSWORD, abi::FACET_PASSWORD),
            (AuthFacets::REDIRECT, abi::FACET_REDIRECT),
            (AuthFacets::INTROSPECT, abi::FACET_INTROSPECT),
            (AuthFacets::REFRESH, abi::FACET_REFRESH),
            (AuthFacets::LOGOUT, abi::FACET_LOGOUT),
            (AuthFacets::GROUPS, abi::FACET_GROUPS),
            (AuthFacets::LOGOUT_NOTICE, abi::FACET_LOGOUT_NOTICE),
        ] {
            assert_eq!(ours.bits(), bits, "{ours:?}");
        }
    }
}
