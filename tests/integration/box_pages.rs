//! What a box tells of itself: texts, links and its picture.

use boxvault_tests::{
    Client, Publication, TestServer,
    bytes::PNG,
    client::send,
    outcome::{assert_field_refused, expect},
};
use reqwest::Method;
use serde_json::{Value, json};

const BOX: &str = "/api/organization/acme/box/web";
const ARTWORK: &str = "/api/organization/acme/box/web/artwork";
/// The head of another picture, which is all that is looked at.
const WEBP: &[u8] = b"RIFF\x10\0\0\0WEBPVP8L\x05\0\0\0\x2f\0\0\0\0";

#[tokio::test]
async fn texts_are_rendered_to_html_that_is_safe_in_a_page() {
    let (server, admin) = TestServer::with_a_box().await;
    let text = "# Hi\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![p](https://t.example/p.png)";
    let body = json!({ "description": text, "readme": format!("{text}\n\n**r**") });
    expect(200, admin.put(BOX, &body).await);
    let notes = json!({ "description": text, "releaseNotes": text });
    expect(200, admin.put(&format!("{BOX}/version/1.0.0"), &notes).await);
    let rendered = expect(200, server.anonymous().get(&format!("{BOX}/rendered")).await);
    let of_version = expect(200, admin.get(&format!("{BOX}/version/1.0.0/rendered")).await).data();
    for (name, html) in [
        ("description", rendered.data()["description"].clone()),
        ("readme", rendered.data()["readme"].clone()),
        ("description of the version", of_version["description"].clone()),
        ("release notes", of_version["releaseNotes"].clone()),
    ] {
        let html = html.as_str().unwrap_or_else(|| panic!("no {name}"));
        assert!(html.contains("<h1>Hi</h1>"), "{name}: {html}");
        for bad in ["<script", "javascript:", "<img"] {
            assert!(!html.contains(bad), "{name}: {html}");
        }
        assert!(html.contains("rel=\"nofollow noopener noreferrer\""), "{name}: {html}");
    }
    // what was written is kept as it was written
    assert_eq!(admin.get(BOX).await.data()["description"], text);
    let tag = rendered.header("etag").unwrap();
    let again = admin.get_with(&format!("{BOX}/rendered"), &[("if-none-match", tag)]).await;
    assert_eq!(again.status, 304);
    expect(200, admin.put(BOX, &json!({ "isPublic": false, "readme": "" })).await);
    assert_eq!(admin.get(&format!("{BOX}/rendered")).await.data()["readme"], Value::Null);
    assert_eq!(server.anonymous().get(&format!("{BOX}/rendered")).await.status, 404);
    // of a version that is not released, strangers read nothing
    expect(200, admin.put(BOX, &json!({ "isPublic": true })).await);
    let hidden = server.anonymous().get(&format!("{BOX}/version/1.0.0/rendered")).await;
    assert_eq!(hidden.status, 404);
}

#[tokio::test]
async fn links_are_https_and_hold_no_secrets() {
    let (_server, admin) = TestServer::with_a_box().await;
    for field in ["homepageUrl", "sourceUrl", "documentationUrl"] {
        for bad in [
            "http://example.com",
            "javascript:alert(1)",
            "ftp://example.com",
            "//example.com",
            "example.com",
            "https://",
            "https://user:secret@example.com",
            &format!("https://example.com/{}", "x".repeat(2048)),
        ] {
            assert_field_refused(&admin.put(BOX, &json!({ field: bad })).await, field);
        }
        let changed =
            expect(200, admin.put(BOX, &json!({ field: "HTTPS://Example.com/a b" })).await);
        assert_eq!(changed.data()[field], "https://example.com/a%20b");
        let kept = expect(200, admin.put(BOX, &json!({ "readme": "r" })).await);
        assert_eq!(kept.data()[field], "https://example.com/a%20b");
        let gone = expect(200, admin.put(BOX, &json!({ field: "" })).await);
        assert_eq!(gone.data()[field], Value::Null);
    }
    let made = json!({ "name": "new", "homepageUrl": "https://example.com", "sourceUrl": "" });
    let made = expect(201, admin.post("/api/organization/acme/box", &made).await).data();
    assert_eq!(
        (&made["homepageUrl"], &made["sourceUrl"]),
        (&json!("https://example.com/"), &Value::Null)
    );
}

fn put(client: &Client, body: &[u8], headers: &[(&'static str, &str)]) -> reqwest::RequestBuilder {
    let request = client.request(Method::PUT, ARTWORK).body(body.to_vec());
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

#[tokio::test]
async fn a_picture_is_kept_as_it_came_and_runs_nothing() {
    let (server, admin) = TestServer::with_a_box().await;
    assert_eq!(admin.get(ARTWORK).await.code(), "FILE_NOT_FOUND");
    assert_eq!(admin.delete(ARTWORK).await.code(), "FILE_NOT_FOUND");
    // what is said of it does not count
    expect(200, send(put(&admin, PNG, &[("content-type", "text/html")])).await);
    assert_eq!(admin.get(BOX).await.data()["hasArtwork"], true);
    let read = expect(200, server.anonymous().get(ARTWORK).await);
    assert_eq!((read.header("content-type"), &*read.bytes), (Some("image/png"), PNG));
    for (name, part) in [
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "private"),
    ] {
        let value = read.header(name).unwrap_or_default();
        assert!(value.contains(part), "{name}: {value}");
    }
    let tag = read.header("etag").unwrap().to_owned();
    let same = server.anonymous().get_with(ARTWORK, &[("if-none-match", &tag)]).await;
    assert_eq!((same.status, same.bytes.len()), (304, 0));
    let stale = send(put(&admin, WEBP, &[("if-match", "\"other\"")])).await;
    assert_eq!((stale.status, &*stale.code()), (412, "PRECONDITION_FAILED"));
    expect(200, send(put(&admin, WEBP, &[("if-match", &tag)])).await);
    let other = expect(200, server.anonymous().get(ARTWORK).await);
    assert_eq!(other.header("content-type"), Some("image/webp"));
    assert_ne!(other.header("etag"), Some(&*tag));
    let none = send(put(&admin, PNG, &[("if-match", &tag)])).await;
    assert_eq!(none.status, 412, "it is another one by now");
    expect(200, admin.put(BOX, &json!({ "isPublic": false })).await);
    assert_eq!(server.anonymous().get(ARTWORK).await.status, 404);
    expect(200, admin.delete(ARTWORK).await);
    assert_eq!(admin.get(BOX).await.data()["hasArtwork"], false);
}

#[tokio::test]
async fn w25_a_picture_that_can_hold_a_script_is_refused() {
    let server = TestServer::builder().set("limits.artwork_bytes_max", "100 B").start().await;
    let admin = server.admin().await;
    admin.prepare(&Publication::new("acme", "web", &[])).await;
    for (body, kind) in [
        (b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"a()\"/>".as_slice(), "image/svg+xml"),
        (b"<svg/onload=a()>", "image/png"),
        (b"<html><script>a()</script>", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"", "image/png"),
    ] {
        let refused = send(put(&admin, body, &[("content-type", kind)])).await;
        assert_eq!((refused.status, &*refused.code()), (415, "UNSUPPORTED_MEDIA_TYPE"), "{kind}");
    }
    let mut huge = PNG.to_vec();
    huge[16..20].copy_from_slice(&100_000_u32.to_be_bytes());
    let refused = send(put(&admin, &huge, &[])).await;
    assert_eq!((refused.status, &*refused.code()), (413, "FILE_TOO_LARGE"), "{}", refused.text());
    let large = [PNG, &[0; 64]].concat();
    let refused = send(put(&admin, &large, &[])).await;
    assert_eq!((refused.status, &*refused.code()), (413, "BODY_TOO_LARGE"), "{}", refused.text());
    assert_eq!(admin.get(BOX).await.data()["hasArtwork"], false);
}
