//! The one error that crosses the boundary: a kind with a fixed number, a message, a retry hint.
//!
//! A kind is what the other side acts on, so the list is short and its numbers never change; the
//! message is for people. Sources are flattened into the message, because no Rust type crosses.

use std::{any::Any, fmt, io};

/// The result of everything a plugin does.
pub type Result<T, E = PluginError> = std::result::Result<T, E>;

/// What went wrong, in the words of the boundary.
///
/// The numbers are part of the ABI: they are never changed and never used again for another
/// meaning. A number that this side does not know reads as [`PluginErrorKind::Unexpected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum PluginErrorKind {
    /// Anything without a better name. Somebody should look.
    Unexpected = 16,
    /// There is no such object, account or session.
    NotFound = 17,
    /// The key exists, and this backend does not replace it.
    AlreadyExists = 18,
    /// The outside world refused us: file mode, bucket policy, bind account.
    PermissionDenied = 19,
    /// The outside world does not answer, or says "later".
    Unavailable = 20,
    /// The configuration cannot work. The message names the key.
    InvalidConfig = 21,
    /// The caller passed something that can never work: a bad key, a range past the end.
    InvalidInput = 22,
    /// This plugin does not do that.
    Unsupported = 23,
    /// No space or no quota is left (`ENOSPC`, `EDQUOT`, HTTP 507).
    StorageFull = 24,
    /// The operation ended because somebody gave it up.
    Cancelled = 25,
    /// The plugin panicked; the panic was caught.
    Panicked = 26,
    /// The plugin did not answer in time.
    DeadlineExceeded = 27,
    /// User name or password are wrong, or the token is not valid. Never says which.
    BadCredentials = 28,
    /// The credentials are right, and the account may not sign in.
    AccountDisabled = 29,
    /// Too many attempts; try again later.
    TooManyRequests = 30,
    /// What came across the table breaks the contract (no handle, text that is no UTF-8, …).
    ContractViolation = 31,
}

impl PluginErrorKind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 16] = [
        Self::Unexpected,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::Unavailable,
        Self::InvalidConfig,
        Self::InvalidInput,
        Self::Unsupported,
        Self::StorageFull,
        Self::Cancelled,
        Self::Panicked,
        Self::DeadlineExceeded,
        Self::BadCredentials,
        Self::AccountDisabled,
        Self::TooManyRequests,
        Self::ContractViolation,
    ];

    /// The number that stands for this kind in the C table.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// Reads a number from the C table; an unknown one is `Unexpected`.
    pub fn from_number(number: u32) -> Self {
        Self::ALL.into_iter().find(|kind| kind.number() == number).unwrap_or(Self::Unexpected)
    }

    /// The kind as words, for messages and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::PermissionDenied => "permission denied",
            Self::Unavailable => "unavailable",
            Self::InvalidConfig => "invalid configuration",
            Self::InvalidInput => "invalid input",
            Self::Unsupported => "unsupported",
            Self::StorageFull => "storage full",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
            Self::DeadlineExceeded => "deadline exceeded",
            Self::BadCredentials => "bad credentials",
            Self::AccountDisabled => "account disabled",
            Self::TooManyRequests => "too many requests",
            Self::ContractViolation => "contract violation",
        }
    }

    /// Says whether trying the same again can help, when nothing better is known.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Unavailable | Self::DeadlineExceeded | Self::TooManyRequests)
    }
}

impl fmt::Display for PluginErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure, as it crosses the boundary.
///
/// Shape: the message is lower case, without a full stop, and says what failed on what. It never
/// holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
#[non_exhaustive]
pub struct PluginError {
    /// What went wrong.
    pub kind: PluginErrorKind,
    /// What failed on what, for people.
    pub message: String,
    /// Whether the same call can succeed later without anybody changing anything.
    pub retry: bool,
}

impl PluginError {
    /// An error of this kind; `retry` follows from the kind.
    pub fn new(kind: PluginErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry: kind.is_temporary() }
    }

    /// The same error with another retry hint.
    #[must_use]
    pub fn with_retry(mut self, retry: bool) -> Self {
        self.retry = retry;
        self
    }

    /// The same error, with what was being done put in front of the message.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// Anything without a better name.
    pub fn unexpected(message: impl Into<String>) -> Self {
        Self::new(PluginErrorKind::Unexpected, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(PluginErrorKind::NotFound, message)
    }

    /// The key is taken.
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new(PluginErrorKind::AlreadyExists, message)
    }

    /// The outside world does not answer; `retry` is true.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(PluginErrorKind::Unavailable, message)
    }

    /// The configuration cannot work.
    pub fn invalid_config(message: impl Into<String>) -> Self {
        Self::new(PluginErrorKind::InvalidConfig, message)
    }

    /// The caller passed something that can never work.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(PluginErrorKind::InvalidInput, message)
    }

    /// This plugin does not do `what`.
    pub fn unsupported(what: &str) -> Self {
        Self::new(PluginErrorKind::Unsupported, format!("this plugin does not support {what}"))
    }

    /// User name or password are wrong; says no more than that.
    pub fn bad_credentials() -> Self {
        Self::new(PluginErrorKind::BadCredentials, "wrong user name or password")
    }

    /// Turns the payload of a caught panic into an error.
    pub fn from_panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("without a message");
        Self::new(PluginErrorKind::Panicked, format!("the plugin panicked: {text}"))
    }
}

impl From<io::ErrorKind> for PluginErrorKind {
    fn from(kind: io::ErrorKind) -> Self {
        use io::ErrorKind as Io;
        match kind {
            Io::NotFound => Self::NotFound,
            Io::AlreadyExists => Self::AlreadyExists,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => Self::PermissionDenied,
            // a limit on the size of files is a quota, too
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => Self::StorageFull,
            Io::InvalidInput | Io::InvalidFilename => Self::InvalidInput,
            Io::TimedOut => Self::DeadlineExceeded,
            Io::Interrupted
            | Io::WouldBlock
            | Io::ConnectionRefused
            | Io::ConnectionReset
            | Io::ConnectionAborted
            | Io::HostUnreachable
            | Io::NetworkUnreachable
            | Io::NotConnected
            | Io::BrokenPipe => Self::Unavailable,
            Io::Unsupported => Self::Unsupported,
            _ => Self::Unexpected,
        }
    }
}

impl From<io::Error> for PluginError {
    fn from(error: io::Error) -> Self {
        Self::new(error.kind().into(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi;

    #[test]
    fn every_kind_survives_the_trip_through_its_number() {
        for (index, kind) in PluginErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(PluginErrorKind::from_number(kind.number()), kind);
            assert_eq!(kind.number() as usize, index + 16, "{kind} changed its number");
        }
    }

    #[test]
    fn the_numbers_of_the_table_are_those_of_the_kinds() {
        for (number, kind) in [
            (abi::ERROR_UNEXPECTED, PluginErrorKind::Unexpected),
            (abi::ERROR_NOT_FOUND, PluginErrorKind::NotFound),
            (abi::ERROR_ALREADY_EXISTS, PluginErrorKind::AlreadyExists),
            (abi::ERROR_PERMISSION_DENIED, PluginErrorKind::PermissionDenied),
            (abi::ERROR_UNAVAILABLE, PluginErrorKind::Unavailable),
            (abi::ERROR_INVALID_CONFIG, PluginErrorKind::InvalidConfig),
            (abi::ERROR_INVALID_INPUT, PluginErrorKind::InvalidInput),
            (abi::ERROR_UNSUPPORTED, PluginErrorKind::Unsupported),
            (abi::ERROR_STORAGE_FULL, PluginErrorKind::StorageFull),
            (abi::ERROR_CANCELLED, PluginErrorKind::Cancelled),
            (abi::ERROR_PANICKED, PluginErrorKind::Panicked),
            (abi::ERROR_DEADLINE_EXCEEDED, PluginErrorKind::DeadlineExceeded),
            (abi::ERROR_BAD_CREDENTIALS, PluginErrorKind::BadCredentials),
            (abi::ERROR_ACCOUNT_DISABLED, PluginErrorKind::AccountDisabled),
            (abi::ERROR_TOO_MANY_REQUESTS, PluginErrorKind::TooManyRequests),
            (abi::ERROR_CONTRACT_VIOLATION, PluginErrorKind::ContractViolation),
        ] {
            assert_eq!(kind.number(), number, "{kind}");
        }
    }

    #[test]
    fn an_unknown_number_reads_as_unexpected() {
        for number in [0, 1, 15, 32, u32::MAX] {
            assert_eq!(PluginErrorKind::from_number(number), PluginErrorKind::Unexpected);
        }
    }

    #[test]
    fn a_full_disk_and_a_full_quota_are_storage_full() {
        for kind in
            [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge]
        {
            let error = PluginError::from(io::Error::from(kind));
            assert_eq!(error.kind, PluginErrorKind::StorageFull);
            assert!(!error.retry);
        }
    }

    #[test]
    fn a_panic_keeps_its_message() {
        let payload: Box<dyn Any + Send> = Box::new("ouch");
        assert!(PluginError::from_panic(&*payload).message.ends_with("ouch"));
    }
}
