//! Identifiers: newtypes over `UUIDv7`, so that rows sort by their making and cannot be mixed up.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be an id, as lists show it")]
pub struct NotAnId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier, above every earlier one of this process.
            #[expect(clippy::new_without_default, reason = "a default id would be a different id each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.parse().map(Self).map_err(|_: uuid::Error| NotAnId)
            }
        }
    };
}

id! {
    /// A user.
    UserId
}
id! {
    /// An organization.
    OrganizationId
}
id! {
    /// A box.
    BoxId
}
id! {
    /// A version of a box.
    VersionId
}
id! {
    /// A provider of a version.
    ProviderId
}
id! {
    /// The artifact of one version, provider and architecture.
    ArtifactId
}
id! {
    /// Immutable bytes in a store.
    BlobId
}
id! {
    /// An unfinished upload.
    UploadId
}
id! {
    /// A move from store to store.
    StoreMoveId
}
id! {
    /// A session: one sign-in and all its refreshes.
    SessionId
}
id! {
    /// An API token.
    TokenId
}
id! {
    /// A message that waits to be sent.
    MailId
}
id! {
    /// An invitation.
    InvitationId
}
id! {
    /// A request to join an organization.
    JoinRequestId
}
id! {
    /// A service account.
    ServiceAccountId
}
id! {
    /// An audit row.
    AuditId
}
