//! The web page as files embedded into the program.
//!
//! `page/` is what a browser gets: plain HTML, CSS and two short scripts, in files of their own so that the
//! content security policy needs no `unsafe-inline`. Knows no framework and no HTTP beyond the three facts about a
//! file that a server has to send. The files are embedded in every profile, so that a debug build runs from anywhere.
#![forbid(unsafe_code)]

use std::{borrow::Cow, fmt::Write as _};

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "page/"]
struct Page;

/// One file, and what a client has to be told about it.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The file.
    pub bytes: Cow<'static, [u8]>,
    /// The media type, with the character set where it is text.
    pub content_type: &'static str,
    /// The value for `Cache-Control`.
    pub cache: &'static str,
    /// A strong entity tag, with its quotation marks: the SHA-256 of the file.
    pub etag: String,
}

/// Finds a file by its path without the leading slash, such as `assets/page.css`; an empty path is the page itself, and
/// what links in messages lead to is one page as well.
pub fn asset(path: &str) -> Option<Asset> {
    let path = match path {
        "" => "index.html",
        "reset-password"
        | "verify-email"
        | "stop-watching"
        | "invitation"
        | "organization/join-request" => "account.html",
        other => other,
    };
    let file = Page::get(path)?;
    let mut etag = String::with_capacity(66);
    etag.push('"');
    for byte in file.metadata.sha256_hash() {
        // writing to a string cannot fail
        write!(etag, "{byte:02x}").ok()?;
    }
    etag.push('"');
    Some(Asset { bytes: file.data, content_type: content_type(path), cache: "no-cache", etag })
}

/// The paths of all files.
pub fn paths() -> impl Iterator<Item = Cow<'static, str>> {
    Page::iter()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> String {
        String::from_utf8(asset("").unwrap().bytes.into_owned()).unwrap()
    }

    #[test]
    fn links_in_messages_lead_to_a_form_each() {
        let script = asset("assets/account.js").unwrap().bytes;
        let script = String::from_utf8(script.into_owned()).unwrap();
        for (path, api) in [
            ("reset-password", "data-path=\"/api/auth/reset-password\""),
            ("verify-email", "data-path=\"/api/auth/verify-email\""),
            ("stop-watching", "data-path=\"/api/watches/stop\""),
            ("invitation", "/api/invitations/accept"),
            ("organization/join-request", "/requests/"),
        ] {
            let text = String::from_utf8(asset(path).unwrap().bytes.into_owned()).unwrap();
            let place = path.rsplit('/').next().unwrap();
            assert!(text.contains(&format!("id=\"{place}\"")), "{path}");
            assert!(text.contains(api) || script.contains(api), "{api}");
        }
    }

    #[test]
    fn the_empty_path_is_the_page() {
        let asset = asset("").unwrap();
        assert_eq!(asset.content_type, "text/html; charset=utf-8");
        assert!(page().contains("<title>BoxVault</title>"));
        assert_eq!(asset.etag.len(), 66);
    }

    #[test]
    fn every_file_has_a_type_that_browsers_take() {
        for path in paths() {
            let asset = asset(&path).unwrap();
            assert_ne!(asset.content_type, "application/octet-stream", "{path}");
            assert!(!asset.bytes.is_empty(), "{path}");
        }
    }

    #[test]
    fn every_file_that_the_page_names_exists() {
        let page = page();
        let named: Vec<_> =
            page.split(['"']).filter_map(|part| part.strip_prefix("/assets/")).collect();
        assert!(named.len() >= 3, "{named:?}");
        for path in named {
            assert!(asset(&format!("assets/{path}")).is_some(), "{path}");
        }
    }

    #[test]
    fn the_page_needs_no_unsafe_inline() {
        let page = page();
        for inline in ["<style", " style=", "<script>", " onclick=", " onload=", "javascript:"] {
            assert!(!page.contains(inline), "{inline}");
        }
        assert!(!page.contains("http://"), "nothing is loaded from elsewhere");
    }

    #[test]
    fn an_unknown_path_is_no_file() {
        for path in ["nothing", "../Cargo.toml", "/index.html", "assets", "assets/../index.html"] {
            assert!(asset(path).is_none(), "{path}");
        }
    }
}
