//! How the catalog fails, in words that do not depend on the database.
//!
//! The three databases say the same failure in three ways; this is the one place that reads them. Unique violations
//! are recognized by the table of [`Taken`], lost connections and lost locks are [`CatalogError::Unavailable`].

use std::error::Error;
use std::fmt;

use sea_orm::{DbErr, RuntimeErr};
use sqlx::error::{DatabaseError, ErrorKind};
use thiserror::Error;

use crate::quotas::OverQuota;

/// A thing that the catalog keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Noun {
    /// A user.
    User,
    /// An organization.
    Organization,
    /// Somebody's place in an organization.
    Member,
    /// A box.
    Box,
    /// A version of a box.
    Version,
    /// A provider of a version.
    Provider,
    /// An architecture of a provider.
    Architecture,
    /// The file of an architecture.
    File,
    /// Bytes in a store.
    Blob,
    /// An unfinished upload.
    Upload,
    /// A session.
    Session,
    /// An API token.
    Token,
    /// A service account.
    ServiceAccount,
    /// An invitation.
    Invitation,
    /// A request to join an organization.
    JoinRequest,
    /// A move from store to store.
    StoreMove,
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Organization => "organization",
            Self::Member => "member",
            Self::Box => "box",
            Self::Version => "version",
            Self::Provider => "provider",
            Self::Architecture => "architecture",
            Self::File => "file",
            Self::Blob => "blob",
            Self::Upload => "upload",
            Self::Session => "session",
            Self::Token => "token",
            Self::ServiceAccount => "service account",
            Self::Invitation => "invitation",
            Self::JoinRequest => "request to join",
            Self::StoreMove => "move",
        })
    }
}

macro_rules! taken {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $index:literal, $columns:literal;)+) => {
        /// What exists already. All but the last two stand for one unique index of the schema each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Taken {
            $($(#[$doc])* $variant,)+
            /// A membership.
            Member,
            /// A row with the same primary key.
            Id,
        }

        impl fmt::Display for Taken {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $text,)+
                    Self::Member => "member",
                    Self::Id => "id",
                })
            }
        }

        /// (what, the index's name, the table and columns as SQLite names them)
        pub(crate) const UNIQUE_INDEXES: &[(Taken, &str, &str)] =
            &[$((Taken::$variant, $index, $columns)),+];
    };
}

taken! {
    /// A user's name, whatever its case.
    UserName = "user name", "uq_users_name", "users.name_key";
    /// A user's e-mail address, whatever its case.
    Email = "e-mail address", "uq_users_email", "users.email_key";
    /// An account of an auth provider.
    ExternalAccount = "account of the auth provider", "uq_users_subject", "users.issuer, users.subject";
    /// An organization's name, whatever its case.
    OrganizationName = "organization name", "uq_organizations_name", "organizations.name_key";
    /// A box's name in its organization, whatever its case.
    BoxName = "box name", "uq_boxes_name", "boxes.organization_id, boxes.name_key";
    /// A version of a box; `1.0` and `1.0.0` are the same.
    Version = "version", "uq_versions_number", "versions.box_id, versions.sort_key";
    /// A provider of a version.
    Provider = "provider", "uq_providers_name", "providers.version_id, providers.name_key";
    /// An architecture of a provider.
    Architecture = "architecture", "uq_artifacts_name", "artifacts.provider_id, artifacts.name_key";
    /// The one default architecture of a provider.
    DefaultArchitecture = "default architecture", "uq_artifacts_default", "artifacts.provider_id, artifacts.default_mark";
    /// A key in a store.
    BlobKey = "blob key", "uq_blobs_key", "blobs.store, blobs.object_key";
    /// A key that an upload writes to.
    UploadKey = "upload key", "uq_uploads_key", "uploads.store, uploads.object_key";
    /// A refresh token.
    RefreshToken = "refresh token", "uq_sessions_refresh", "sessions.refresh_hash";
    /// A link in a message.
    Link = "link", "uq_account_links_token", "account_links.token_hash";
    /// An API token.
    Token = "token", "uq_api_tokens_hash", "api_tokens.token_hash";
    /// A service account's name in its organization, whatever its case.
    ServiceAccount = "service account name", "uq_service_accounts_name", "service_accounts.organization_id, service_accounts.name_key";
    /// The one open invitation of an address into an organization.
    Invitation = "invitation", "uq_invitations_open", "invitations.organization_id, invitations.email_key, invitations.open_mark";
    /// The token of an invitation.
    InvitationToken = "invitation token", "uq_invitations_token", "invitations.token_hash";
    /// The one open request of a user to join an organization.
    JoinRequest = "request to join", "uq_join_requests_open", "join_requests.organization_id, join_requests.user_id, join_requests.open_mark";
    /// A service account's secret.
    ServiceSecret = "secret", "uq_service_accounts_secret", "service_accounts.secret_hash";
}

/// Why the present state does not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum ConflictReason {
    /// The invitation went to an address that is not this account's.
    #[error("this invitation was sent to another e-mail address")]
    OtherAddress,
    /// This address was sent an invitation a moment ago.
    #[error("this address was sent an invitation a moment ago; wait a little")]
    InvitedLately,
    /// The organization has sent as many invitations as a day allows.
    #[error(
        "the organization has sent as many invitations as it may within a day; try again tomorrow"
    )]
    TooManyInvitations,
    /// The organization takes members by invitation only.
    #[error("this organization takes members by invitation only; ask one of its admins for one")]
    RequestsClosed,
    /// This user asked to join the organization a moment ago.
    #[error("you asked to join this organization a while ago; wait a little before you ask again")]
    AskedLately,
    /// The user has made as many requests as a day allows.
    #[error(
        "you have asked to join as many organizations as one may within a day; try again tomorrow"
    )]
    TooManyRequests,
    /// The account that it is about is suspended.
    #[error("the account is suspended; an admin of the server can resume it")]
    AccountSuspended,
    /// The version was released: its files do not change any more.
    #[error("the version has been released, so its files are immutable")]
    VersionReleased,
    /// The version has no file that a client could fetch.
    #[error("the version has no file")]
    VersionEmpty,
    /// The version is in another state than this needs.
    #[error("the version is in a state that does not allow it")]
    VersionState,
    /// Somebody else changed it at the same time.
    #[error("it was changed by somebody else at the same time")]
    LostRace,
    /// It has changed since its caller looked ([`crate::Held`]).
    #[error("it was changed since you read it; read it again, then send its new ETag as If-Match")]
    Stale,
    /// An organization always has an owner.
    #[error("an organization must keep an owner")]
    LastOwner,
    /// Somebody must administer the server.
    #[error("the server must keep a platform admin who may sign in")]
    LastAdmin,
    /// A user has as many unfinished uploads as one may have.
    #[error("too many uploads are unfinished")]
    TooManyUploads,
    /// The name still leads to the box that had it before.
    #[error("the name still leads to another box, which had it before")]
    FormerName,
    /// It is there, so there is nothing to restore.
    #[error("it is not deleted")]
    NotDeleted,
    /// The first admin exists.
    #[error("the server has been set up")]
    AlreadySetUp,
}

/// The cause of a failure, kept for the log.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why the catalog could not answer.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// It is not there.
    #[error("there is no such {what}")]
    NotFound {
        /// What is missing.
        what: Noun,
    },
    /// Something of that name or value is there.
    #[error("this {what} exists already")]
    AlreadyExists {
        /// What is taken.
        what: Taken,
    },
    /// The present state does not allow it.
    #[error("{why}")]
    Conflict {
        /// Why not.
        why: ConflictReason,
    },
    /// It is more than the organization may have.
    #[error("it is more than the organization may have")]
    OverQuota {
        /// Which limit.
        #[source]
        why: OverQuota,
    },
    /// The database is out of reach, too busy or full; a later attempt may succeed.
    #[error("the database is out of reach or too busy")]
    Unavailable {
        /// What the driver said.
        source: Source,
    },
    /// A defect of ours, or a database that somebody changed by hand.
    #[error("the database did not do as expected")]
    Unexpected {
        /// What the driver said.
        source: Source,
    },
}

/// A value in the database that the program cannot read.
#[derive(Debug, Error)]
#[error("the column {column} holds a value that does not parse")]
pub(crate) struct StoredValueError {
    pub(crate) column: &'static str,
    pub(crate) source: Option<Source>,
}

impl CatalogError {
    pub(crate) fn unexpected(source: impl Into<Source>) -> Self {
        Self::Unexpected { source: source.into() }
    }

    pub(crate) fn not_found(what: Noun) -> Self {
        Self::NotFound { what }
    }

    pub(crate) fn conflict(why: ConflictReason) -> Self {
        Self::Conflict { why }
    }

    /// Reads a failed insert into a table whose primary key is more than an id.
    pub(crate) fn taken_as(self, what: Taken) -> Self {
        match self {
            Self::AlreadyExists { what: Taken::Id } => Self::AlreadyExists { what },
            other => other,
        }
    }

    /// Reads a failed insert: when a row that it refers to is gone, names that row.
    pub(crate) fn without_parent(self, parent: Noun) -> Self {
        match self {
            Self::Conflict { why: ConflictReason::LostRace } => Self::not_found(parent),
            other => other,
        }
    }
}

impl From<DbErr> for CatalogError {
    fn from(error: DbErr) -> Self {
        match &error {
            DbErr::ConnectionAcquire(_) => Self::Unavailable { source: error.into() },
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => match verdict(cause) {
                Verdict::Taken(what) => Self::AlreadyExists { what },
                Verdict::ParentGone => Self::conflict(ConflictReason::LostRace),
                Verdict::TryAgain => Self::Unavailable { source: error.into() },
                Verdict::Other => Self::unexpected(error),
            },
            _ => Self::unexpected(error),
        }
    }
}

impl From<sqlx::Error> for CatalogError {
    fn from(error: sqlx::Error) -> Self {
        match verdict(&error) {
            Verdict::TryAgain => Self::Unavailable { source: error.into() },
            _ => Self::unexpected(error),
        }
    }
}

enum Verdict {
    Taken(Taken),
    ParentGone,
    TryAgain,
    Other,
}

fn verdict(error: &sqlx::Error) -> Verdict {
    match error {
        sqlx::Error::Database(cause) => match cause.kind() {
            ErrorKind::UniqueViolation => Verdict::Taken(taken(cause.as_ref())),
            ErrorKind::ForeignKeyViolation => Verdict::ParentGone,
            _ if is_passing(cause.as_ref()) => Verdict::TryAgain,
            _ => Verdict::Other,
        },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Verdict::TryAgain,
        _ => Verdict::Other,
    }
}

/// Which unique index refused: PostgreSQL and MariaDB name the index, SQLite its columns.
///
/// A primary key has no name of its own on MariaDB, so what is none of the unique indexes is [`Taken::Id`].
fn taken(error: &dyn DatabaseError) -> Taken {
    let message = error.message();
    let constraint = error.constraint();
    let columns = message.rsplit(": ").next().unwrap_or(message);
    let key = message.rsplit("for key ").next().unwrap_or(message).trim_matches(['\'', '`']);
    let key = key.rsplit('.').next().unwrap_or(key);
    UNIQUE_INDEXES
        .iter()
        .find(|(_, index, of)| constraint == Some(index) || key == *index || columns == *of)
        .map_or(Taken::Id, |(what, ..)| *what)
}

/// Whether the database said that a later attempt may succeed.
fn is_passing(error: &dyn DatabaseError) -> bool {
    if let Some(mysql) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        // too many connections, shutdown, lock wait, deadlock, connection killed, read only
        return matches!(
            mysql.number(),
            1040 | 1053 | 1152 | 1158..=1161 | 1205 | 1213 | 1290 | 1317 | 1927
        );
    }
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        // the low byte is the class: busy, locked, read only, input or output, full, cannot open
        let class = code.parse::<u32>().unwrap_or_default() & 0xff;
        return matches!(class, 5 | 6 | 8 | 10 | 13 | 14);
    }
    // PostgreSQL: connection, resources, shutdown, serialization, deadlock, lock timeout, read only, system
    ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class))
        || matches!(code.as_ref(), "40001" | "40P01" | "55P03" | "57014" | "25006")
}
