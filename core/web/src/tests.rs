//! What holds for the plain pages, and for the interface where it was built.

use super::*;

fn plain(path: &str) -> Asset {
    asset(path, |_| false).unwrap()
}

fn text(path: &str) -> String {
    let file = Plain::get(path).or_else(|| Built::get(path)).unwrap();
    String::from_utf8(file.data.into_owned()).unwrap()
}

#[test]
fn links_in_messages_lead_to_a_form_each() {
    let (page, script) = (text("account.html"), text("assets/account.js"));
    for (path, api) in [
        ("reset-password", "data-path=\"/api/auth/reset-password\""),
        ("verify-email", "data-path=\"/api/auth/verify-email\""),
        ("stop-watching", "data-path=\"/api/watches/stop\""),
        ("invitation", "/api/invitations/accept"),
        ("organization/join-request", "/requests/"),
    ] {
        let place = path.rsplit('/').next().unwrap();
        assert!(page.contains(&format!("id=\"{place}\"")), "{path}");
        assert!(page.contains(api) || script.contains(api), "{api}");
    }
}

#[test]
fn every_path_for_people_has_a_page() {
    for path in ["", "acme/web", "login", "reset-password"] {
        let page = page(path, |_| false).unwrap();
        assert_eq!((page.content_type, page.cache), ("text/html; charset=utf-8", "no-cache"));
        assert_eq!((page.etag.len(), page.encoding), (66, None));
    }
}

#[test]
fn every_file_has_a_type_that_browsers_take() {
    for path in paths() {
        let asset = plain(&path);
        assert_ne!(asset.content_type, "application/octet-stream", "{path}");
        assert!(!asset.bytes.is_empty(), "{path}");
    }
}

#[test]
fn every_file_that_a_page_names_exists() {
    for page in paths().filter(|path| path.ends_with(".html")) {
        let text = String::from_utf8(plain(&page).bytes.into_owned()).unwrap();
        let named: Vec<_> =
            text.split('"').filter_map(|part| part.strip_prefix("/assets/")).collect();
        assert!(named.len() >= 3, "{page}: {named:?}");
        for path in named {
            assert!(asset(&format!("assets/{path}"), |_| false).is_some(), "{path}");
        }
    }
}

#[test]
fn no_page_needs_unsafe_inline() {
    for page in paths().filter(|path| path.ends_with(".html")) {
        let text = String::from_utf8(plain(&page).bytes.into_owned()).unwrap();
        for inline in ["<style", " style=", "<script>", " onclick=", " onload=", "javascript:"] {
            assert!(!text.contains(inline), "{page}: {inline}");
        }
        assert!(!text.contains("http://"), "{page}: nothing is loaded from elsewhere");
    }
}

#[test]
fn what_the_interface_loads_is_packed_and_kept() {
    let mut packed = 0;
    for path in Built::iter().filter(|path| path.ends_with(".js") || path.ends_with(".css")) {
        let raw = plain(&path);
        assert_eq!(raw.cache, "public, max-age=31536000, immutable", "{path}");
        // what is too short to gain from it is not packed
        let best = asset(&path, |_| true).unwrap();
        let other = asset(&path, |encoding| encoding == "gzip").unwrap();
        if let Some(encoding) = best.encoding {
            packed += 1;
            assert_eq!((encoding, other.encoding), ("br", Some("gzip")), "{path}");
            assert!(best.bytes.len() < raw.bytes.len(), "{path}");
            assert!(best.etag != raw.etag && best.etag != other.etag, "{path}");
        }
        assert!(asset(&format!("{path}.br"), |_| true).is_none(), "{path}");
    }
    assert!(packed > 0 || !has_interface());
}

#[test]
fn an_unknown_path_is_no_file() {
    for path in ["nothing", "../Cargo.toml", "/index.html", "assets", "assets/../index.html"] {
        assert!(asset(path, |_| true).is_none(), "{path}");
    }
}
