//! The web pages as files embedded into the program.
//!
//! `ui/` holds the sources of the interface, and `dist/` what its build makes of them. A program that was built without
//! Node has no `dist/`, and shows `page/` instead: two plain pages, which say how to get the interface and take what
//! links in messages lead to. Neither needs `unsafe-inline`. Knows no framework and no HTTP beyond the facts about a file
//! that a server has to send. The files are embedded in every profile, so that a debug build runs from anywhere.
#![forbid(unsafe_code)]

use std::{borrow::Cow, fmt::Write as _};

use rust_embed::{EmbeddedFile, RustEmbed};

/// What shows while there is no interface.
#[derive(RustEmbed)]
#[folder = "page/"]
struct Plain;

/// The interface.
#[derive(RustEmbed)]
#[folder = "dist/"]
#[allow_missing = true]
struct Built;

/// The page that a browser gets at every path that is for people.
const PAGE: &str = "index.html";
/// Where the interface has files whose names change with their bytes.
const HASHED: &str = "assets/";

/// How a file may be packed, best first, and what such a file's name ends with.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// One file, and what a client has to be told about it.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The file, packed as `encoding` says.
    pub bytes: Cow<'static, [u8]>,
    /// The media type, with the character set where it is text.
    pub content_type: &'static str,
    /// The value for `Content-Encoding`.
    pub encoding: Option<&'static str>,
    /// The value for `Cache-Control`.
    pub cache: &'static str,
    /// A strong entity tag, with its quotation marks: the SHA-256 of the bytes.
    pub etag: String,
}

/// Whether the interface was built before the program was.
pub fn has_interface() -> bool {
    Built::get(PAGE).is_some()
}

/// Finds a file by its path without the leading slash, such as `assets/icon.svg`, packed in a way that the client
/// accepts.
pub fn asset(path: &str, accepts: impl Fn(&str) -> bool) -> Option<Asset> {
    if ENCODINGS.iter().any(|(_, ending)| path.ends_with(ending)) {
        return None;
    }
    let cache = match Built::get(path) {
        Some(_) if path.starts_with(HASHED) => "public, max-age=31536000, immutable",
        _ => "no-cache",
    };
    let packed = ENCODINGS.iter().filter(|(encoding, _)| accepts(encoding)).find_map(
        |(encoding, ending)| Some((Some(*encoding), Built::get(&format!("{path}{ending}"))?)),
    );
    let (encoding, file) = match packed {
        Some(packed) => packed,
        None => (None, Built::get(path).or_else(|| Plain::get(path))?),
    };
    let etag = etag(&file)?;
    Some(Asset { bytes: file.data, content_type: content_type(path), encoding, cache, etag })
}

/// The page at a path that is for people; the interface finds out itself what to show there. Without it, what links in
/// messages lead to has a plain page of its own.
pub fn page(path: &str, accepts: impl Fn(&str) -> bool) -> Option<Asset> {
    let is_link = matches!(
        path,
        "reset-password"
            | "verify-email"
            | "stop-watching"
            | "invitation"
            | "organization/join-request"
    );
    asset(if is_link && !has_interface() { "account.html" } else { PAGE }, accepts)
}

/// The paths of all files, without the packed ones.
pub fn paths() -> impl Iterator<Item = Cow<'static, str>> {
    let is_packed = |path: &str| ENCODINGS.iter().any(|(_, ending)| path.ends_with(ending));
    Built::iter().chain(Plain::iter()).filter(move |path| !is_packed(path))
}

fn etag(file: &EmbeddedFile) -> Option<String> {
    let mut etag = String::with_capacity(66);
    etag.push('"');
    for byte in file.metadata.sha256_hash() {
        // writing to a string cannot fail
        write!(etag, "{byte:02x}").ok()?;
    }
    etag.push('"');
    Some(etag)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
