//! The ways to present a credential: which of them a path takes, and what the API document says of each.
//!
//! One table, read by the hoop that looks for credentials and by whoever writes the document, so that what is written
//! is what is taken.

use salvo::http::Method;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};

use super::vagrant;

/// A way to present a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The header of the reference.
    AccessToken,
    /// What most clients send; stock Vagrant sends two tokens in one.
    Bearer,
    /// For clients that can do no better.
    Basic,
    /// The header of older tools for Vagrant Cloud.
    AtlasToken,
    /// Tokens in a URL end up in the logs of proxies, so only paths that old clients read take them.
    Query,
    /// What a download link carries.
    Link,
    /// What the upload address of a stock client carries.
    Ticket,
}

impl Way {
    /// All of them, in the order in which they are looked for.
    pub(crate) const ALL: [Self; 7] = [
        Self::AccessToken,
        Self::Bearer,
        Self::Basic,
        Self::AtlasToken,
        Self::Query,
        Self::Link,
        Self::Ticket,
    ];

    /// Its name in the document.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "accessToken",
            Self::Bearer => "bearer",
            Self::Basic => "basic",
            Self::AtlasToken => "atlasToken",
            Self::Query => "queryToken",
            Self::Link => "downloadLink",
            Self::Ticket => "uploadTicket",
        }
    }

    /// Whether a request may present its credential so. `path` is what the router reads, or a route, without a slash at
    /// its ends.
    pub(crate) fn is_taken_at(self, method: &Method, path: &str) -> bool {
        let read = method == Method::GET || method == Method::HEAD;
        match self {
            Self::AccessToken | Self::Bearer | Self::Basic | Self::AtlasToken => true,
            Self::Query => read && (is_download(path) || vagrant::takes_token_in_query(path)),
            Self::Link => read && is_download(path),
            Self::Ticket => {
                (method == Method::PUT || method == Method::POST) && vagrant::is_upload(path)
            }
        }
    }

    /// What the document says of it.
    pub(crate) fn scheme(self) -> SecurityScheme {
        let header = |name: &str, what: &str| {
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, what)))
        };
        let query = |name: &str, what: &str| {
            SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description(name, what)))
        };
        let http = |scheme, what: &str| {
            let scheme = HttpBuilder::new().scheme(scheme).description(Some(what));
            SecurityScheme::Http(scheme.build())
        };
        match self {
            Self::AccessToken => header("x-access-token", TOKENS),
            Self::Bearer => http(HttpAuthScheme::Bearer, TOKENS),
            Self::Basic => http(
                HttpAuthScheme::Basic,
                "An API token, or the token of a service account, as the password, with any user name, for clients that \
                 can do no better, such as `curl -u`. Never the password of an account.",
            ),
            Self::AtlasToken => header(
                "x-atlas-token",
                "The same tokens, where tools that were made for Vagrant Cloud put them.",
            ),
            Self::Query => query(
                "access_token",
                "The same tokens, for old clients that put them into the address. Only catalogues, downloads and what \
                 the Vagrant Cloud API reads take it, and the log does not show it.",
            ),
            Self::Link => query(
                "link",
                "What a download link carries. It is made by `get-download-link`, good for this file as it is and for a \
                 while, and gives what its maker may.",
            ),
            Self::Ticket => query(
                "ticket",
                "What the upload address of the Vagrant Cloud API carries. It is good for one file of this architecture, \
                 for a while, and gives what its maker may; other credentials are not looked at beside it.",
            ),
        }
    }
}

/// What the token headers take.
const TOKENS: &str = "The access token of a session (15 minutes unless configured otherwise; then it is exchanged at \
                      `/api/auth/refresh-token`, which takes the refresh token in its body), an API token, or the token of a \
                      service account.";

/// Whether a path is for the bytes of one file by our own API.
fn is_download(path: &str) -> bool {
    path.starts_with("api/organization/") && path.ends_with("/file/download")
}

/// The alternatives of an operation, for the document: none at all where it answers anonymous callers, then each way
/// that it takes.
pub(crate) fn requirements(
    method: &Method,
    path: &str,
    anonymous: bool,
) -> Vec<SecurityRequirement> {
    let ways = Way::ALL.into_iter().filter(|way| way.is_taken_at(method, path));
    let named = ways.map(|way| SecurityRequirement::new(way.name(), Vec::<String>::new()));
    anonymous.then(SecurityRequirement::default).into_iter().chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_in_addresses_are_taken_where_old_clients_read_and_nowhere_else() {
        let file = "api/organization/acme/box/web/version/1.0.0/provider/virtualbox/architecture/amd64/file";
        for (method, path, query, link) in [
            (Method::GET, format!("{file}/download"), true, true),
            (Method::HEAD, format!("{file}/download"), true, true),
            (Method::GET, format!("{file}/info"), false, false),
            (Method::PUT, format!("{file}/download"), false, false),
            (Method::GET, "acme/web".to_owned(), true, false),
            (Method::GET, "{organization}/{box}".to_owned(), true, false),
            (Method::GET, "api/v2/vagrant/acme/web".to_owned(), true, false),
            (Method::GET, "api/user".to_owned(), false, false),
            (Method::GET, "badge/acme/web.svg".to_owned(), false, false),
        ] {
            assert_eq!(Way::Query.is_taken_at(&method, &path), query, "{method} {path}");
            assert_eq!(Way::Link.is_taken_at(&method, &path), link, "{method} {path}");
            assert!(Way::Basic.is_taken_at(&method, &path));
        }
    }
}
