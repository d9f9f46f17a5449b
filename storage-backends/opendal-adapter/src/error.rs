//! OpenDAL's errors in the words of the boundary, and what an operator can do about those of object stores.

use std::{error::Error as StdError, io};

use boxvault_plugin_sdk::{PluginError, PluginErrorKind as Kind};
use opendal::{Error, ErrorKind};

/// What object stores call their errors, what they are to us, and what to do.
const ADVICE: &[(&str, Kind, &str)] = &[
    (
        "AccessDenied",
        Kind::PermissionDenied,
        "give the access key the rights to list the bucket, and to read, write and delete objects",
    ),
    (
        "AuthenticationFailed",
        Kind::PermissionDenied,
        "correct account_key or sas_token, and look at this machine's clock",
    ),
    (
        "AuthorizationFailure",
        Kind::PermissionDenied,
        "correct account_key or sas_token, or allow this machine in the account's firewall",
    ),
    (
        "AuthorizationHeaderMalformed",
        Kind::InvalidConfig,
        "the bucket is in another region: correct region",
    ),
    (
        "AuthorizationPermissionMismatch",
        Kind::PermissionDenied,
        "give the identity the role Storage Blob Data Contributor, or the sas_token the rights racwdl",
    ),
    ("ContainerNotFound", Kind::InvalidConfig, "create the container, or correct container"),
    ("ExpiredToken", Kind::PermissionDenied, "the session token has expired: set another one"),
    ("InvalidAccessKeyId", Kind::PermissionDenied, "correct access_key_id"),
    ("NoSuchBucket", Kind::InvalidConfig, "create the bucket, or correct bucket"),
    ("PermanentRedirect", Kind::InvalidConfig, "the bucket is elsewhere: correct region"),
    ("QuotaExceeded", Kind::StorageFull, "the store's quota is used up"),
    ("RequestTimeTooSkewed", Kind::PermissionDenied, "set this machine's clock"),
    ("SignatureDoesNotMatch", Kind::PermissionDenied, "correct secret_access_key, or region"),
    ("XMinioStorageFull", Kind::StorageFull, "the store is full"),
];

/// What Garage calls `AccessDenied` as well, by what it says then, and what others call it.
const DENIED: &[(&str, &str)] =
    &[("No such key", "InvalidAccessKeyId"), ("Invalid signature", "SignatureDoesNotMatch")];

/// Translates an error of OpenDAL.
///
/// The kind of an I/O error underneath wins over OpenDAL's own, which knows no full disk, and what a store calls its
/// error wins over both.
#[expect(clippy::needless_pass_by_value, reason = "used as map_err(from_opendal)")]
pub fn from_opendal(error: Error) -> PluginError {
    let underneath = io_error(&error);
    // what was tried again in vain is called persistent then
    let may_pass = error.is_temporary() || error.is_persistent();
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
        _ if may_pass => Kind::Unavailable,
        _ => Kind::Unexpected,
    };
    let retry = may_pass || kind.is_temporary();
    if let Some(io) = underneath {
        return PluginError::new(kind, io.to_string()).with_retry(retry);
    }
    match words(error.message()) {
        Some((code, text)) => answered(kind, code, text).with_retry(retry),
        // some answer with a page for people
        None if error.message().trim_start().starts_with('<') || error.message().is_empty() => {
            PluginError::new(kind, "the store says no more than that").with_retry(retry)
        }
        None => PluginError::new(kind, error.message()).with_retry(retry),
    }
}

/// What a store answered, in its words: the code of an error and its text.
///
/// `kind` is what the rest of the answer says; a code that is known says it better.
pub fn answered(kind: Kind, code: &str, text: &str) -> PluginError {
    // Azure adds lines that help nobody but Azure
    let text = text.split(['\n', '\r']).next().unwrap_or(text);
    let text = text.split(" RequestId:").next().unwrap_or(text).trim_end_matches('.');
    let denied = DENIED.iter().find(|(words, _)| code == "AccessDenied" && text.contains(words));
    let name = denied.map_or(code, |(_, name)| name);
    match ADVICE.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, advice)) => PluginError::new(*kind, format!("{text} ({code}); {advice}")),
        None => PluginError::new(kind, format!("{text} ({code})")),
    }
}

/// Translates what a stream of OpenDAL fails with: its error within one of I/O.
pub(crate) fn from_io(error: io::Error) -> PluginError {
    match error.downcast::<Error>() {
        Ok(error) => from_opendal(error),
        Err(error) => error.into(),
    }
}

/// The code and the text of a store's answer. OpenDAL reads the answer, and prints it as Rust does.
fn words(message: &str) -> Option<(&str, &str)> {
    let field = |name: &str| {
        let (_, rest) = message.split_once(name)?;
        let (value, _) = rest.split_once("\", ").or_else(|| rest.split_once("\" }"))?;
        (!value.is_empty()).then_some(value)
    };
    let code = field("code: \"")?;
    let text = field("message: \"").unwrap_or("the store refused");
    Some((code, text))
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

    /// As the S3 service of OpenDAL prints what a store answers.
    fn refused(code: &str) -> PluginError {
        let text = format!(
            "S3Error {{ code: \"{code}\", message: \"As it is.\", resource: \"/b\", request_id: \"1\" }}"
        );
        from_opendal(Error::new(ErrorKind::PermissionDenied, text))
    }

    #[test]
    fn what_a_store_says_is_told_with_what_to_do() {
        let skewed = refused("RequestTimeTooSkewed");
        assert_eq!(skewed.kind, Kind::PermissionDenied);
        assert_eq!(skewed.message, "As it is (RequestTimeTooSkewed); set this machine's clock");
        assert_eq!(refused("NoSuchBucket").kind, Kind::InvalidConfig);
        assert_eq!(refused("XMinioStorageFull").kind, Kind::StorageFull);
        let other = refused("MethodNotAllowed");
        assert_eq!(
            (other.kind, other.message.as_str()),
            (Kind::PermissionDenied, "As it is (MethodNotAllowed)")
        );
    }

    #[test]
    fn what_garage_says_of_keys_is_told_apart_from_missing_rights() {
        for (text, advice) in [
            ("Forbidden: No such key: GK1", "correct access_key_id"),
            ("Forbidden: Invalid signature", "correct secret_access_key, or region"),
        ] {
            let error = answered(Kind::PermissionDenied, "AccessDenied", text);
            assert_eq!(error.message, format!("{text} (AccessDenied); {advice}"));
        }
        let rights = answered(Kind::PermissionDenied, "AccessDenied", "Access Denied");
        assert!(rights.message.contains("give the access key the rights"), "{rights}");
    }

    #[test]
    fn of_what_azure_says_the_sentence_is_told() {
        let text = "AzblobError { code: \"ContainerNotFound\", message: \"It does not exist. RequestId:1 Time:2\" }";
        let error = from_opendal(Error::new(ErrorKind::NotFound, text));
        let expected =
            "It does not exist (ContainerNotFound); create the container, or correct container";
        assert_eq!((error.kind, error.message.as_str()), (Kind::InvalidConfig, expected));
        let error = answered(Kind::AlreadyExists, "BlobAlreadyExists", "It is there.\nRequestId:1");
        assert_eq!(error.message, "It is there (BlobAlreadyExists)");
    }

    #[test]
    fn an_error_of_a_stream_is_the_one_within() {
        let within = Error::new(ErrorKind::NotFound, "gone");
        assert_eq!(from_io(io::Error::from(within)).kind, Kind::NotFound);
        assert_eq!(from_io(io::Error::from(io::ErrorKind::TimedOut)).kind, Kind::DeadlineExceeded);
    }

    #[test]
    fn a_temporary_error_asks_to_try_again() {
        let error = from_opendal(Error::new(ErrorKind::Unexpected, "503").set_temporary());
        assert_eq!((error.kind, error.retry), (Kind::Unavailable, true));
        let error = from_opendal(Error::new(ErrorKind::Unexpected, "503").set_persistent());
        assert_eq!((error.kind, error.retry), (Kind::Unavailable, true), "tried again in vain");
    }

    #[test]
    fn a_taken_key_already_exists() {
        let error = from_opendal(Error::new(ErrorKind::ConditionNotMatch, "taken"));
        assert_eq!(error.kind, Kind::AlreadyExists);
    }
}
