//! The keys of the ldap provider.

use std::path::PathBuf;

use boxvault_plugin_sdk::{
    PluginError, Result, Secret,
    schemars::{self, JsonSchema},
    serde::Deserialize,
};
use ldap3::parse_filter;
use url::Url;

use crate::template;

/// The ldap provider's table in the configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// The servers of the directory, `ldap://host` or `ldaps://host`, each with a port if it is not the usual one. When one
    /// does not answer, the next is asked.
    #[schemars(length(min = 1))]
    pub urls: Vec<String>,
    /// Whether TLS begins on `ldap://` before anything is said (StartTLS).
    #[serde(default = "yes")]
    pub start_tls: bool,
    /// Whether passwords may go over the network as they are: on `ldap://` without `start_tls`.
    #[serde(default)]
    pub plaintext_allowed: bool,
    /// Certificates, PEM, that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// The account that searches. Not set: nobody is named, which the directory must allow.
    pub bind_dn: Option<String>,
    /// Its password.
    pub bind_password: Option<Secret>,
    /// What kind of directory it is: how its entries are usually found and named.
    #[serde(default)]
    pub directory: Directory,
    /// Below which entry people are, such as `ou=people,dc=example,dc=org`.
    pub user_base: String,
    /// How somebody is found; `{username}` is what they typed. Not set: as the kind of directory says.
    pub user_filter: Option<String>,
    /// The entry of somebody who types `{username}`, where that tells it, such as `uid={username},ou=people,dc=example,dc=org`.
    /// Set, nobody is searched before they are signed in, and each reads their own entry if there is no `bind_dn`.
    pub user_dn: Option<String>,
    /// The attribute that never changes and is never given to somebody else. Not set: as the kind of directory says.
    pub subject_attribute: Option<String>,
    /// The attribute with the name of the account. Not set: as the kind of directory says.
    pub username_attribute: Option<String>,
    /// The attribute with the e-mail address.
    #[serde(default = "email_attribute")]
    pub email_attribute: String,
    /// Whether addresses in the directory are known to be theirs.
    #[serde(default = "yes")]
    pub email_verified: bool,
    /// The attribute with the name for people to read.
    #[serde(default = "display_name_attribute")]
    pub display_name_attribute: String,
    /// Whose entry fits it may not sign in, such as `(employeeType=left)`. Not set: as the kind of directory says.
    pub disabled_filter: Option<String>,
    /// Below which entry groups are. Not set: nobody is in any.
    pub group_base: Option<String>,
    /// How somebody's groups are found; `{dn}` is their entry, `{username}` the name of the account. Not set: as the
    /// kind of directory says.
    pub group_filter: Option<String>,
    /// The attribute with a group's name, or `dn` for its whole entry.
    #[serde(default = "group_attribute")]
    pub group_attribute: String,
    /// Whether groups of groups count, up to ten in each other.
    #[serde(default = "yes")]
    pub nested_groups: bool,
    /// How the groups of a group are found; `{dn}` is its entry. Not set: as the kind of directory says.
    pub nested_group_filter: Option<String>,
    /// How many results one answer may bring; more come in several.
    #[serde(default = "page_size")]
    #[schemars(range(min = 1, max = 10_000))]
    pub page_size: i32,
    /// How many connections that search are kept.
    #[serde(default = "connections_max")]
    #[schemars(range(min = 1, max = 100))]
    pub connections_max: usize,
    /// How long a server may take to be connected to, TLS included, in seconds: 1 to 30.
    #[serde(default = "connect_timeout_s")]
    #[schemars(range(min = 1, max = 30))]
    pub connect_timeout_s: u64,
    /// How long it may take to answer, in seconds: 1 to 30.
    #[serde(default = "request_timeout_s")]
    #[schemars(range(min = 1, max = 30))]
    pub request_timeout_s: u64,
}

/// A kind of directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "kebab-case")]
pub enum Directory {
    /// OpenLDAP, 389 Directory Server and others with people as `inetOrgPerson`.
    #[default]
    Standard,
    /// Microsoft's, and Samba's.
    ActiveDirectory,
}

fn yes() -> bool {
    true
}

fn email_attribute() -> String {
    "mail".to_owned()
}

fn display_name_attribute() -> String {
    "displayName".to_owned()
}

fn group_attribute() -> String {
    "cn".to_owned()
}

/// Half of what Active Directory gives at most.
fn page_size() -> i32 {
    500
}

fn connections_max() -> usize {
    8
}

fn connect_timeout_s() -> u64 {
    3
}

fn request_timeout_s() -> u64 {
    5
}

impl Directory {
    fn is_active_directory(self) -> bool {
        self == Self::ActiveDirectory
    }
}

impl Config {
    pub(crate) fn user_filter(&self) -> &str {
        self.user_filter.as_deref().unwrap_or(if self.directory.is_active_directory() {
            "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={username})(userPrincipalName={username})))"
        } else {
            "(&(objectClass=inetOrgPerson)(uid={username}))"
        })
    }

    pub(crate) fn subject_attribute(&self) -> &str {
        let usual = if self.directory.is_active_directory() { "objectGUID" } else { "entryUUID" };
        self.subject_attribute.as_deref().unwrap_or(usual)
    }

    pub(crate) fn username_attribute(&self) -> &str {
        let usual = if self.directory.is_active_directory() { "sAMAccountName" } else { "uid" };
        self.username_attribute.as_deref().unwrap_or(usual)
    }

    /// The bit 2 of `userAccountControl` is `ACCOUNTDISABLE`.
    pub(crate) fn disabled_filter(&self) -> Option<&str> {
        let usual = "(userAccountControl:1.2.840.113556.1.4.803:=2)";
        let usual = self.directory.is_active_directory().then_some(usual);
        self.disabled_filter.as_deref().or(usual)
    }

    pub(crate) fn group_filter(&self) -> &str {
        let usual = if self.directory.is_active_directory() {
            "(&(objectClass=group)(member={dn}))"
        } else {
            "(|(member={dn})(uniqueMember={dn})(memberUid={username}))"
        };
        self.group_filter.as_deref().unwrap_or(usual)
    }

    pub(crate) fn nested_group_filter(&self) -> &str {
        let usual = if self.directory.is_active_directory() {
            "(&(objectClass=group)(member={dn}))"
        } else {
            "(|(member={dn})(uniqueMember={dn}))"
        };
        self.nested_group_filter.as_deref().unwrap_or(usual)
    }

    /// Checks what the types do not.
    pub(crate) fn check(&self) -> Result<()> {
        for (number, url) in self.urls.iter().enumerate() {
            self.check_url(url).or_else(|problem| bad(&format!("urls.{number}"), &problem))?;
        }
        if self.urls.is_empty() {
            return bad("urls", "name at least one server");
        }
        if self.bind_dn.is_some() != self.bind_password.is_some() {
            return bad("bind_dn", "it goes with bind_password; set both, or neither");
        }
        if self.bind_password.as_ref().is_some_and(Secret::is_empty) {
            return bad("bind_password", "it is empty, which many servers take for nobody at all");
        }
        if self.user_dn.as_ref().is_some_and(|dn| !dn.contains(template::USERNAME)) {
            return bad("user_dn", "it holds no {username}, so everybody would be the same");
        }
        for (key, filter, place) in [
            ("user_filter", self.user_filter(), Some(template::USERNAME)),
            ("group_filter", self.group_filter(), None),
            ("nested_group_filter", self.nested_group_filter(), Some(template::DN)),
            ("disabled_filter", self.disabled_filter().unwrap_or("(uid=x)"), None),
        ] {
            if parse_filter(template::filter(filter, "cn=x", "x")).is_err() {
                return bad(key, "it is no LDAP filter, such as (uid={username})");
            }
            if let Some(place) = place.filter(|place| !filter.contains(place)) {
                return bad(key, &format!("it holds no {place}, so everybody would be the same"));
            }
        }
        Ok(())
    }

    fn check_url(&self, url: &str) -> std::result::Result<(), String> {
        let parsed = Url::parse(url).map_err(|error| format!("{url:?} is no URL: {error}"))?;
        if parsed.host_str().is_none_or(str::is_empty) {
            return Err("it names no server".to_owned());
        }
        match parsed.scheme() {
            "ldaps" => Ok(()),
            "ldap" if self.start_tls || self.plaintext_allowed => Ok(()),
            "ldap" => Err("passwords would go over the network as they are; set start_tls, use ldaps://, or say \
                           plaintext_allowed = true"
                .to_owned()),
            other => Err(format!("{other}:// is not spoken here; write ldap:// or ldaps://")),
        }
    }
}

fn bad(key: &str, problem: &str) -> Result<()> {
    Err(PluginError::invalid_config(format!("{key}: {problem}")))
}
