//! What a box tells of itself: texts, links, tags and its picture; and how it is found by them.

use boxvault_tests::{Client, Publication, Reply, TestServer, bytes::BoxBuilder, client::send};
use reqwest::Method;
use serde_json::{Value, json};

const BOX: &str = "/api/organization/acme/box/web";
const ARTWORK: &str = "/api/organization/acme/box/web/artwork";
/// The beginning of a picture, which is all that is looked at.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";
const WEBP: &[u8] = b"RIFF\x10\0\0\0WEBPVP8L rest";

#[track_caller]
fn expect(status: u16, reply: Reply) -> Reply {
    assert_eq!(reply.status, status, "{}", reply.text());
    reply
}

#[track_caller]
fn assert_field_refused(reply: &Reply, field: &str) {
    assert_eq!((reply.status, &*reply.code()), (400, "INVALID_INPUT"), "{}", reply.text());
    let body = reply.json();
    let fields = body["error"]["fields"].as_object().unwrap_or_else(|| panic!("{body}"));
    assert!(fields.keys().any(|key| key.starts_with(field)), "{field}: {body}");
}

async fn prepared() -> (TestServer, Client) {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.prepare(&Publication::new("acme", "web", &[])).await;
    (server, admin)
}

#[tokio::test]
async fn texts_are_rendered_to_html_that_is_safe_in_a_page() {
    let (server, admin) = prepared().await;
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
    let (_server, admin) = prepared().await;
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

#[tokio::test]
async fn tags_are_few_short_words_and_find_their_boxes() {
    let (server, admin) = prepared().await;
    let tags = json!({ "tags": ["Linux", "lts-22.04", "linux", "c++"] });
    let changed = expect(200, admin.put(BOX, &tags).await).data();
    assert_eq!(changed["tags"], json!(["linux", "lts-22.04", "c++"]));
    let many: Vec<_> = (0..21).map(|number| format!("t{number}")).collect();
    for bad in [
        json!(["a b"]),
        json!([""]),
        json!(["x".repeat(33)]),
        json!(["<b>"]),
        json!(many),
        json!("linux"),
    ] {
        assert_field_refused(&admin.put(BOX, &json!({ "tags": bad })).await, "tags");
    }
    let total = async |query: &str| {
        let found = server.anonymous().get(&format!("/api/discover?{query}")).await;
        expect(200, found).json()["page"]["total"].as_u64().unwrap()
    };
    assert_eq!(total("tag=LINUX").await, 1);
    assert_eq!(total("tag=lin").await, 0);
    assert_eq!(total("q=22.04").await, 1);
    assert_field_refused(&server.anonymous().get("/api/discover?tag=a%20b").await, "tag");
    expect(200, admin.put(BOX, &json!({ "tags": [] })).await);
    assert_eq!(total("tag=linux").await, 0);
}

#[tokio::test]
async fn boxes_are_found_by_words_platforms_and_organizations_as_far_as_they_may_be_seen() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (virtualbox, libvirt) =
        (BoxBuilder::new("virtualbox").build(), BoxBuilder::new("libvirt").build());
    let of = |organization, name, provider, architecture, public, file| Publication {
        organization,
        name,
        version: "1.0.0",
        provider,
        architecture,
        public,
        file,
    };
    admin.publish(&of("acme", "debian12", "virtualbox", "amd64", true, &virtualbox.bytes)).await;
    admin.publish(&of("acme", "debian-arm", "libvirt", "arm64", true, &libvirt.bytes)).await;
    admin.publish(&of("globex", "debian-secret", "libvirt", "amd64", false, &libvirt.bytes)).await;
    admin.prepare(&of("globex", "draft", "libvirt", "amd64", true, &[])).await;
    let names = async |client: &Client, query: &str| {
        let list = expect(200, client.get(&format!("/api/discover?{query}")).await).json();
        let items = list["data"].as_array().unwrap().clone();
        assert_eq!(list["page"]["total"], items.len(), "{query}");
        let mut names: Vec<_> =
            items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names.join(" ")
    };
    let anyone = server.anonymous();
    for (query, public, all) in [
        ("q=debian", "debian-arm debian12", "debian-arm debian-secret debian12"),
        ("q=DEB%2012", "debian12", "debian12"),
        ("provider=libvirt", "debian-arm", "debian-arm debian-secret"),
        ("provider=libvirt&architecture=amd64", "", "debian-secret"),
        ("architecture=amd64", "debian12", "debian-secret debian12"),
        ("organization=acme", "debian-arm debian12", "debian-arm debian12"),
        ("organization=GLOBEX", "draft", "debian-secret draft"),
        ("organization=nowhere", "", ""),
        ("organization=globex&q=debian", "", "debian-secret"),
        (
            "q=debian&provider=virtualbox&organization=acme&sort=downloads&order=desc",
            "debian12",
            "debian12",
        ),
        ("q=%25", "debian-arm debian12 draft", "debian-arm debian-secret debian12 draft"),
    ] {
        assert_eq!(names(&anyone, query).await, public, "{query}");
        assert_eq!(names(&admin, query).await, all, "{query}");
    }
    for (query, field) in [
        ("provider=a/b", "provider"),
        ("architecture=..", "architecture"),
        ("organization=%20", "organization"),
        ("sort=secret", "sort"),
        ("order=up", "order"),
        (&*format!("q={}", "x".repeat(129)), "q"),
    ] {
        assert_field_refused(&anyone.get(&format!("/api/discover?{query}")).await, field);
    }
    // what fits best comes first, unless another order is wanted
    let first = anyone.get("/api/discover?q=debian12").await.json()["data"][0]["name"].clone();
    assert_eq!(first, "debian12");
    let list = expect(200, admin.get("/api/organization/acme/box?provider=libvirt&q=arm").await);
    assert_eq!(list.json()["page"]["total"], 1);
}

#[tokio::test]
async fn w35_a_list_shows_summaries_by_the_page() {
    let (server, admin) = prepared().await;
    for number in 0..5 {
        let body = json!({
            "name": format!("box{number}"), "isPublic": true,
            "description": "long ".repeat(1000), "readme": "long ".repeat(1000),
        });
        expect(201, admin.post("/api/organization/acme/box", &body).await);
    }
    let page = server.anonymous().get("/api/discover?per_page=4").await;
    assert!(page.bytes.len() < 3_000, "{} bytes", page.bytes.len());
    let list = page.json();
    assert_eq!((list["data"].as_array().unwrap().len(), &list["page"]["total"]), (4, &json!(6)));
    assert!(page.header("link").unwrap().contains("rel=\"next\""));
    for item in list["data"].as_array().unwrap() {
        assert!(item.get("readme").is_none() && item.get("description").is_none(), "{item}");
    }
    assert_eq!(server.anonymous().get("/api/discover?per_page=201").await.status, 400);
}

fn put(client: &Client, body: &[u8], headers: &[(&'static str, &str)]) -> reqwest::RequestBuilder {
    let request = client.request(Method::PUT, ARTWORK).body(body.to_vec());
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

#[tokio::test]
async fn a_picture_is_kept_as_it_came_and_runs_nothing() {
    let (server, admin) = prepared().await;
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
        ("content-disposition", "inline; filename=\"web\""),
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
    expect(200, admin.put(BOX, &json!({ "isPublic": false })).await);
    assert_eq!(server.anonymous().get(ARTWORK).await.status, 404);
    expect(200, admin.delete(ARTWORK).await);
    assert_eq!(admin.get(BOX).await.data()["hasArtwork"], false);
}

#[tokio::test]
async fn w25_a_picture_that_can_hold_a_script_is_refused() {
    let server = TestServer::builder().set("limits.artwork_bytes_max", "64 B").start().await;
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
    let large = [PNG, &[0; 64]].concat();
    let refused = send(put(&admin, &large, &[])).await;
    assert_eq!((refused.status, &*refused.code()), (413, "BODY_TOO_LARGE"), "{}", refused.text());
    assert_eq!(admin.get(BOX).await.data()["hasArtwork"], false);
}

#[tokio::test]
async fn w20_a_box_that_is_not_for_everybody_is_nowhere_to_be_seen() {
    let (server, admin) = prepared().await;
    expect(200, send(put(&admin, PNG, &[])).await);
    let body = json!({ "isPublic": false, "tags": ["hidden"], "shortDescription": "findme" });
    expect(200, admin.put(BOX, &body).await);
    let anyone = server.anonymous();
    for path in [BOX, ARTWORK, "/acme/web", &format!("{BOX}/rendered"), &format!("{BOX}/version")] {
        assert_eq!(anyone.get(path).await.status, 404, "{path}");
    }
    for query in ["q=findme", "tag=hidden", "organization=acme", "q=web", "sort=updated"] {
        let list = anyone.get(&format!("/api/discover?{query}")).await.json();
        assert_eq!((&list["page"]["total"], &list["data"]), (&json!(0), &json!([])), "{query}");
    }
}
