//! OpenDAL's errors in the words of the boundary.

use std::{error::Error as StdError, io};

use boxvault_plugin_sdk::{PluginError, PluginErrorKind as Kind};
use opendal::{Error, ErrorKind};

/// Translates an error of OpenDAL.
///
/// The kind of an I/O error underneath wins over OpenDAL's own, which knows no full disk.
#[expect(clippy::needless_pass_by_value, reason = "used as map_err(from_opendal)")]
pub fn from_opendal(error: Error) -> PluginError {
    let underneath = io_error(&error);
    let kind = match (error.kind(), underneath.map(|io| Kind::from(io.kind()))) {
        (ErrorKind::NotFound, _) => Kind::NotFound,
        (ErrorKind::ConditionNotMatch | ErrorKind::AlreadyExists, _) => Kind::AlreadyExists,
        (_, Some(kind)) if kind != Kind::Unexpected => kind,
        (ErrorKind::PermissionDenied, _) => Kind::PermissionDenied,
        (ErrorKind::ConfigInvalid, _) => Kind::InvalidConfig,
        (ErrorKind::Unsupported, _) => Kind::Unsupported,
        (ErrorKind::RateLimited, _) => Kind::Unavailable,
        (ErrorKind::RangeNotSatisfied | ErrorKind::IsADirectory | ErrorKind::NotADirectory, _) => {
            Kind::InvalidInput
        }
        _ if error.is_temporary() => Kind::Unavailable,
        _ => Kind::Unexpected,
    };
    let message = match underneath {
        Some(io) => io.to_string(),
        None => error.message().to_owned(),
    };
    let retry = error.is_temporary() || kind.is_temporary();
    PluginError::new(kind, message).with_retry(retry)
}

fn io_error(error: &Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        source = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(kind: io::ErrorKind) -> PluginError {
        from_opendal(Error::new(ErrorKind::Unexpected, "io").set_source(io::Error::from(kind)))
    }

    #[test]
    fn a_full_disk_is_storage_full() {
        assert_eq!(with(io::ErrorKind::StorageFull).kind, Kind::StorageFull);
        assert_eq!(with(io::ErrorKind::QuotaExceeded).kind, Kind::StorageFull);
    }

    #[test]
    fn a_temporary_error_asks_to_try_again() {
        let error = from_opendal(Error::new(ErrorKind::Unexpected, "503").set_temporary());
        assert_eq!((error.kind, error.retry), (Kind::Unavailable, true));
    }

    #[test]
    fn a_taken_key_already_exists() {
        let error = from_opendal(Error::new(ErrorKind::ConditionNotMatch, "taken"));
        assert_eq!(error.kind, Kind::AlreadyExists);
    }
}
