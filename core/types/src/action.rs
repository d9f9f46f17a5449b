//! What can be done to what: the closed vocabulary that handlers, policy files and the access matrix share.
//!
//! An [`Action`] is a verb, a [`Resource`] is a thing in a domain (an organization, or [`SYSTEM_DOMAIN`]). A policy
//! file sees a resource as a path such as `box/debian12/version/1.0.0`; [`ResourceKind`] is its shape without names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::names::{
    ArchitectureName, BoxName, OrganizationName, ProviderName, ServiceAccountName, UserName,
};
use crate::version::BoxVersion;

/// The domain of things that belong to no organization. No organization can have this name.
pub const SYSTEM_DOMAIN: &str = "-";

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $error:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vdoc])* $variant),+
        }

        impl $name {
            /// Every member, in the order of its declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in policy files and in the API document.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .enum_values(Some(Self::ALL.iter().map(|word| word.as_str())))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| UnknownWord {
                    what: $error,
                    found: text.to_owned(),
                    known: Self::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

/// A word that is not in the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {what} {found:?}; known are: {known}")]
pub struct UnknownWord {
    what: &'static str,
    found: String,
    known: String,
}

words! {
    /// What somebody wants to do.
    Action, "action" {
        /// See a thing, and that it exists.
        Read = "read",
        /// Make a new thing. For a session: sign in. For an account: sign up.
        Create = "create",
        /// Change a thing. For a session: refresh it.
        Update = "update",
        /// Remove a thing. For a session: sign out.
        Delete = "delete",
        /// Put a file where none is.
        Upload = "upload",
        /// Put another file in the place of one.
        Replace = "replace",
        /// Read the bytes of a file.
        Download = "download",
        /// Read stored bytes again, and compare them with what came.
        Verify = "verify",
        /// Make a version visible to clients, for ever.
        Release = "release",
        /// Withdraw a released version.
        Revoke = "revoke",
        /// Hear of what becomes of a thing.
        Watch = "watch",
        /// Hand a thing over to another organization.
        Transfer = "transfer",
        /// Bring back what was deleted, and see what can be brought back.
        Restore = "restore",
    }
}

words! {
    /// The kinds of things that can be acted on.
    ResourceKind, "object" {
        /// The first set-up of a new server.
        Setup = "setup",
        /// An account that nobody is signed in to: made by signing up, changed by a link in a message.
        Account = "account",
        /// A sign-in.
        Session = "session",
        /// The caller's own account.
        Profile = "profile",
        /// The caller's own API tokens.
        Token = "token",
        /// Somebody's account.
        User = "user",
        /// An organization itself.
        Organization = "organization",
        /// Whether an organization serves and takes anything: to create one suspends, to delete one resumes.
        Suspension = "suspension",
        /// Somebody's place in an organization.
        Member = "member",
        /// An invitation into an organization.
        Invitation = "invitation",
        /// Somebody's wish to join an organization: to update one is to decide on it.
        JoinRequest = "join-request",
        /// A service account of an organization.
        ServiceAccount = "service",
        /// A box.
        Box = "box",
        /// A version of a box.
        Version = "version",
        /// A provider of a version.
        Provider = "provider",
        /// An architecture of a provider.
        Architecture = "architecture",
        /// The file of an architecture.
        File = "file",
        /// The policy files.
        Policy = "policy",
        /// The rules of an organization's own.
        Rules = "rules",
        /// How an organization mirrors another registry.
        Mirror = "mirror",
        /// The record of who did what.
        Audit = "audit",
        /// What files take, what they may take, and which store holds what.
        Storage = "storage",
        /// Health, metrics, the API document.
        System = "system",
    }
}

/// A thing somebody wants to act on. A missing name means the collection as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// The first set-up.
    Setup,
    /// A new account.
    Account,
    /// The caller's sessions.
    Session,
    /// The caller's own account.
    Profile,
    /// The caller's own API tokens.
    Token,
    /// All users, or one.
    User(Option<UserName>),
    /// All organizations (in the system domain), or one.
    Organization(Option<OrganizationName>),
    /// Whether an organization is suspended.
    Suspension(OrganizationName),
    /// The members of an organization, or one of them.
    Member(OrganizationName, Option<UserName>),
    /// The invitations into an organization.
    Invitation(OrganizationName),
    /// The requests to join an organization.
    JoinRequest(OrganizationName),
    /// The service accounts of an organization, or one of them.
    ServiceAccount(OrganizationName, Option<ServiceAccountName>),
    /// The boxes of an organization, or one of them.
    Box(OrganizationName, Option<BoxName>),
    /// The versions of a box, or one of them.
    Version(OrganizationName, BoxName, Option<BoxVersion>),
    /// The providers of a version, or one of them.
    Provider(OrganizationName, BoxName, BoxVersion, Option<ProviderName>),
    /// The architectures of a provider, or one of them.
    Architecture(OrganizationName, BoxName, BoxVersion, ProviderName, Option<ArchitectureName>),
    /// The file of an architecture.
    File(OrganizationName, BoxName, BoxVersion, ProviderName, ArchitectureName),
    /// The policy files.
    Policy,
    /// The rules of an organization's own.
    Rules(OrganizationName),
    /// How an organization mirrors another registry.
    Mirror(OrganizationName),
    /// The audit log, of everything or of one organization.
    Audit(Option<OrganizationName>),
    /// What files take and may take, of everything or of one organization.
    Storage(Option<OrganizationName>),
    /// Health, metrics, the API document: `health`, `metrics`, …
    System(&'static str),
}

impl Resource {
    /// Its kind.
    pub fn kind(&self) -> ResourceKind {
        match self {
            Self::Setup => ResourceKind::Setup,
            Self::Account => ResourceKind::Account,
            Self::Session => ResourceKind::Session,
            Self::Profile => ResourceKind::Profile,
            Self::Token => ResourceKind::Token,
            Self::User(..) => ResourceKind::User,
            Self::Organization(..) => ResourceKind::Organization,
            Self::Suspension(..) => ResourceKind::Suspension,
            Self::Member(..) => ResourceKind::Member,
            Self::Invitation(..) => ResourceKind::Invitation,
            Self::JoinRequest(..) => ResourceKind::JoinRequest,
            Self::ServiceAccount(..) => ResourceKind::ServiceAccount,
            Self::Box(..) => ResourceKind::Box,
            Self::Version(..) => ResourceKind::Version,
            Self::Provider(..) => ResourceKind::Provider,
            Self::Architecture(..) => ResourceKind::Architecture,
            Self::File(..) => ResourceKind::File,
            Self::Policy => ResourceKind::Policy,
            Self::Rules(..) => ResourceKind::Rules,
            Self::Mirror(..) => ResourceKind::Mirror,
            Self::Audit(..) => ResourceKind::Audit,
            Self::Storage(..) => ResourceKind::Storage,
            Self::System(..) => ResourceKind::System,
        }
    }

    /// The organization that it belongs to.
    pub fn organization(&self) -> Option<&OrganizationName> {
        match self {
            Self::Organization(organization)
            | Self::Audit(organization)
            | Self::Storage(organization) => organization.as_ref(),
            Self::Suspension(organization)
            | Self::Invitation(organization)
            | Self::JoinRequest(organization)
            | Self::Rules(organization)
            | Self::Mirror(organization)
            | Self::Member(organization, ..)
            | Self::ServiceAccount(organization, ..)
            | Self::Box(organization, ..)
            | Self::Version(organization, ..)
            | Self::Provider(organization, ..)
            | Self::Architecture(organization, ..)
            | Self::File(organization, ..) => Some(organization),
            _ => None,
        }
    }

    /// The names of the box that it is or belongs to.
    pub fn box_names(&self) -> Option<(&OrganizationName, &BoxName)> {
        match self {
            Self::Box(organization, Some(name))
            | Self::Version(organization, name, ..)
            | Self::Provider(organization, name, ..)
            | Self::Architecture(organization, name, ..)
            | Self::File(organization, name, ..) => Some((organization, name)),
            _ => None,
        }
    }

    /// The same thing in a box of other names, where it is a box or belongs to one.
    #[must_use]
    pub fn in_box(self, organization: OrganizationName, name: BoxName) -> Self {
        match self {
            Self::Box(_, Some(_)) => Self::Box(organization, Some(name)),
            Self::Version(_, _, version) => Self::Version(organization, name, version),
            Self::Provider(_, _, version, provider) => {
                Self::Provider(organization, name, version, provider)
            }
            Self::Architecture(_, _, version, provider, architecture) => {
                Self::Architecture(organization, name, version, provider, architecture)
            }
            Self::File(_, _, version, provider, architecture) => {
                Self::File(organization, name, version, provider, architecture)
            }
            other => other,
        }
    }

    /// The same thing of an organization with another name.
    #[must_use]
    pub fn in_organization(mut self, name: OrganizationName) -> Self {
        match &mut self {
            Self::Organization(Some(organization))
            | Self::Audit(Some(organization))
            | Self::Storage(Some(organization))
            | Self::Suspension(organization)
            | Self::Invitation(organization)
            | Self::JoinRequest(organization)
            | Self::Rules(organization)
            | Self::Mirror(organization)
            | Self::Member(organization, ..)
            | Self::ServiceAccount(organization, ..)
            | Self::Box(organization, ..)
            | Self::Version(organization, ..)
            | Self::Provider(organization, ..)
            | Self::Architecture(organization, ..)
            | Self::File(organization, ..) => *organization = name,
            _ => {}
        }
        self
    }

    /// The domain in policy files: the organization's name in lower case, or [`SYSTEM_DOMAIN`].
    pub fn domain(&self) -> String {
        self.organization().map_or_else(|| SYSTEM_DOMAIN.to_owned(), OrganizationName::key)
    }

    /// The object in policy files, names in lower case: `box/debian12/version/1.0.0`.
    ///
    /// A collection is its kind alone: `box`, `box/debian12/version`.
    pub fn object(&self) -> String {
        fn item(collection: String, name: Option<String>) -> String {
            match name {
                Some(name) => format!("{collection}/{name}"),
                None => collection,
            }
        }
        match self {
            Self::Setup
            | Self::Account
            | Self::Session
            | Self::Profile
            | Self::Token
            | Self::Organization(..)
            | Self::Suspension(..)
            | Self::Invitation(..)
            | Self::JoinRequest(..)
            | Self::Policy
            | Self::Rules(..)
            | Self::Mirror(..)
            | Self::Audit(..)
            | Self::Storage(..) => self.kind().as_str().to_owned(),
            Self::User(user) => item("user".to_owned(), user.as_ref().map(UserName::key)),
            Self::Member(_, user) => item("member".to_owned(), user.as_ref().map(UserName::key)),
            Self::ServiceAccount(_, name) => {
                item("service".to_owned(), name.as_ref().map(ServiceAccountName::key))
            }
            Self::Box(_, name) => item("box".to_owned(), name.as_ref().map(BoxName::key)),
            Self::Version(_, name, version) => item(
                format!("box/{}/version", name.key()),
                version.as_ref().map(|v| v.as_str().to_owned()),
            ),
            Self::Provider(_, name, version, provider) => item(
                format!("box/{}/version/{version}/provider", name.key()),
                provider.as_ref().map(ProviderName::key),
            ),
            Self::Architecture(_, name, version, provider, architecture) => item(
                format!(
                    "box/{}/version/{version}/provider/{}/architecture",
                    name.key(),
                    provider.key()
                ),
                architecture.as_ref().map(ArchitectureName::key),
            ),
            Self::File(_, name, version, provider, architecture) => format!(
                "box/{}/version/{version}/provider/{}/architecture/{}/file",
                name.key(),
                provider.key(),
                architecture.key()
            ),
            Self::System(part) => format!("system/{part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_reads_as_a_path_in_its_domain() {
        let organization = OrganizationName::parse("Acme").unwrap();
        let name = BoxName::parse("Debian12").unwrap();
        let version = BoxVersion::parse("1.0.0").unwrap();
        let resource = Resource::File(
            organization.clone(),
            name,
            version,
            ProviderName::parse("virtualbox").unwrap(),
            ArchitectureName::parse("amd64").unwrap(),
        );
        assert_eq!(resource.domain(), "acme");
        assert_eq!(
            resource.object(),
            "box/debian12/version/1.0.0/provider/virtualbox/architecture/amd64/file"
        );
        assert_eq!(Resource::Box(organization, None).object(), "box");
        assert_eq!(Resource::Organization(None).domain(), SYSTEM_DOMAIN);
        assert!(OrganizationName::parse(SYSTEM_DOMAIN).is_err());
    }

    #[test]
    fn an_unknown_action_names_the_known_ones() {
        let error = "Read".parse::<Action>().unwrap_err().to_string();
        assert!(error.contains("\"Read\"") && error.contains("read, create"), "{error}");
    }
}
