//! The keys that several backends have: their defaults, and what is checked of them beyond their types.
//!
//! Each backend lists all of its keys itself, with what they mean there: that list is what operators read.

use std::{fmt::Display, ops::RangeInclusive};

use boxvault_plugin_sdk::{PluginError, Result};

/// How often a request is sent again.
pub const fn retries() -> usize {
    4
}

/// The server waits 30 seconds for an answer to a small question.
pub const fn request_timeout_s() -> u64 {
    10
}

/// A piece of 8 MiB then needs 1.2 Mbit/s, one of 16 MiB 2.4 Mbit/s.
pub const fn transfer_timeout_s() -> u64 {
    55
}

/// Says what is wrong with the value of a key.
///
/// # Errors
/// `InvalidConfig`, always.
pub fn bad<T>(key: &str, problem: impl Display) -> Result<T> {
    Err(PluginError::invalid_config(format!("{key}: {problem}")))
}

/// Checks a number.
///
/// # Errors
/// `InvalidConfig` if it lies outside of the range.
pub fn between(key: &str, value: usize, range: RangeInclusive<usize>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    bad(key, format!("{value} is not between {} and {}", range.start(), range.end()))
}

/// Checks the name of what holds the objects, such as a bucket.
///
/// # Errors
/// `InvalidConfig` if it cannot be one.
pub fn check_name(key: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.contains('/') {
        return bad(key, format!("it is the name of a {key}, without slashes"));
    }
    Ok(())
}

/// Checks where a service is, if that is said.
///
/// # Errors
/// `InvalidConfig` if it is no address of one.
pub fn check_endpoint(key: &str, endpoint: Option<&str>) -> Result<()> {
    match endpoint {
        Some(url) if !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) => {
            bad(key, "it begins with http:// or https://")
        }
        _ => Ok(()),
    }
}

/// Checks what all names begin with.
///
/// # Errors
/// `InvalidConfig` if it leads elsewhere.
pub fn check_folder(key: &str, folder: &str) -> Result<()> {
    if folder.split('/').any(|segment| matches!(segment, "." | "..")) {
        return bad(key, "it has a dot segment");
    }
    Ok(())
}
