//! How a request fails, before anybody says so over HTTP.
//!
//! An [`AppError`] has two faces: `message` and `fields` are for the caller, the `source` is for the log alone. Its
//! [`ErrorCode`] decides the rest. Which status a code gets is written in one table, in `http/error.rs`.

use std::{collections::BTreeMap, error::Error, fmt, time::Duration};

use boxvault_catalog::{CatalogError, ConflictReason, Noun};
use boxvault_plugin_sdk::{PluginError, PluginErrorKind};
use boxvault_types::error::{ErrorCode, ErrorKind};
use boxvault_types::views::RefusalView;

/// What application functions and handlers return.
pub type Result<T> = std::result::Result<T, AppError>;

/// A failed request.
pub struct AppError(Box<Inner>);

struct Inner {
    code: ErrorCode,
    message: String,
    fields: BTreeMap<String, String>,
    retry_after: Option<Duration>,
    decision: Option<RefusalView>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl AppError {
    /// A failure with a message that says what to do.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            fields: BTreeMap::new(),
            retry_after: None,
            decision: None,
            source: None,
        }))
    }

    /// One value that is not allowed.
    pub fn invalid(field: impl Into<String>, why: impl fmt::Display) -> Self {
        let field = field.into();
        Self::new(ErrorCode::InvalidInput, format!("{field}: {why}")).with_field(field, why)
    }

    /// A defect of ours, with what is known of it for the log.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(
            ErrorCode::Internal,
            "something went wrong on the server; the request id finds it in the server's log",
        )
        .with_source(source)
    }

    /// Names a field that was refused, and why.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, why: impl fmt::Display) -> Self {
        self.0.fields.insert(field.into(), why.to_string());
        self
    }

    /// Keeps the cause, for the log only.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Says which rule refused, to whom may know it.
    #[must_use]
    pub fn with_decision(mut self, decision: Option<RefusalView>) -> Self {
        self.0.decision = decision;
        self
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// Its class.
    pub fn kind(&self) -> ErrorKind {
        self.0.code.kind()
    }

    /// What the caller reads.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The refused fields.
    pub fn fields(&self) -> &BTreeMap<String, String> {
        &self.0.fields
    }

    /// When to come back.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Which rule refused, where the caller may know it.
    pub fn decision(&self) -> Option<&RefusalView> {
        self.0.decision.as_ref()
    }

    /// The chain of causes as one line, for the log.
    pub fn causes(&self) -> String {
        let mut line = String::new();
        let mut next: Option<&(dyn Error + 'static)> = self.source();
        while let Some(cause) = next {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause.to_string());
            next = cause.source();
        }
        line
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.0.code, self.0.message, self.causes())
    }
}

impl Error for AppError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// What the catalog says. Every refusal of it has one answer, wherever it came up.
impl From<CatalogError> for AppError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::NotFound { what: Noun::Upload } => Self::new(
                ErrorCode::UploadNotFound,
                "this upload ended before it was done: it expired, it was given up, or a sweep took it for abandoned; \
                 begin a new one",
            ),
            CatalogError::NotFound { what } => {
                Self::new(not_found_code(what), format!("there is no such {what}"))
            }
            CatalogError::AlreadyExists { what } => Self::new(
                ErrorCode::AlreadyExists,
                format!("this {what} is taken; choose another one"),
            ),
            CatalogError::Conflict { why } => Self::new(conflict_code(why), why.to_string()),
            CatalogError::OverQuota { why } => why.into(),
            CatalogError::Unavailable { .. } => Self::new(
                ErrorCode::CatalogUnavailable,
                "the database is out of reach for the moment; try again",
            )
            .with_retry_after(Duration::from_secs(2))
            .with_source(error),
            CatalogError::Unexpected { .. } => Self::internal(error),
        }
    }
}

fn not_found_code(what: Noun) -> ErrorCode {
    match what {
        Noun::User => ErrorCode::UserNotFound,
        Noun::Organization => ErrorCode::OrganizationNotFound,
        Noun::Member => ErrorCode::MemberNotFound,
        Noun::Box => ErrorCode::BoxNotFound,
        Noun::Version => ErrorCode::VersionNotFound,
        Noun::Provider => ErrorCode::ProviderNotFound,
        Noun::Architecture => ErrorCode::ArchitectureNotFound,
        Noun::File | Noun::Blob => ErrorCode::FileNotFound,
        Noun::Upload => ErrorCode::UploadNotFound,
        Noun::Session => ErrorCode::SessionNotFound,
        Noun::Token => ErrorCode::TokenNotFound,
        Noun::Invitation => ErrorCode::InvitationNotFound,
        Noun::JoinRequest => ErrorCode::JoinRequestNotFound,
        Noun::StoreMove => ErrorCode::MoveNotFound,
        Noun::ServiceAccount => ErrorCode::ServiceAccountNotFound,
    }
}

fn conflict_code(why: ConflictReason) -> ErrorCode {
    match why {
        ConflictReason::OtherAddress => ErrorCode::InvitationForOther,
        ConflictReason::InvitedLately
        | ConflictReason::TooManyInvitations
        | ConflictReason::AskedLately
        | ConflictReason::TooManyRequests => ErrorCode::RateLimited,
        ConflictReason::RequestsClosed => ErrorCode::JoinRequestsClosed,
        ConflictReason::AccountSuspended => ErrorCode::AccountSuspended,
        ConflictReason::VersionReleased => ErrorCode::VersionReleased,
        ConflictReason::VersionEmpty => ErrorCode::VersionEmpty,
        ConflictReason::VersionState => ErrorCode::VersionState,
        ConflictReason::LostRace => ErrorCode::LostRace,
        ConflictReason::Stale => ErrorCode::PreconditionFailed,
        ConflictReason::LastOwner => ErrorCode::LastOwner,
        ConflictReason::LastAdmin => ErrorCode::LastAdmin,
        ConflictReason::TooManyUploads => ErrorCode::TooManyUploads,
        ConflictReason::FormerName => ErrorCode::FormerName,
        ConflictReason::NotDeleted => ErrorCode::NotDeleted,
        ConflictReason::AlreadySetUp => ErrorCode::AlreadySetUp,
    }
}

/// What a store says.
impl From<PluginError> for AppError {
    fn from(error: PluginError) -> Self {
        match error.kind {
            PluginErrorKind::StorageFull => Self::new(
                ErrorCode::StorageFull,
                "the store has no room left; free some space or add a store, then try again",
            )
            .with_source(error),
            // a store that refuses us (a disk that turned read-only, a bucket's policy) is the operator's to mend
            PluginErrorKind::Unavailable
            | PluginErrorKind::DeadlineExceeded
            | PluginErrorKind::PermissionDenied => Self::new(
                ErrorCode::StoreUnavailable,
                "the store is out of reach for the moment; try again",
            )
            .with_retry_after(Duration::from_secs(5))
            .with_source(error),
            _ => Self::internal(error),
        }
    }
}
