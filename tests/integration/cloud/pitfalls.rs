//! Pitfalls that no other file here is about, by their numbers; what has to hold for every client and every command.

use boxvault_tests::{
    Publication, TestServer,
    bytes::BoxBuilder,
    client::send,
    server::{ADMIN_NAME, PASSWORD},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{BASES, good, path_of, server, waiting};

#[tokio::test]
async fn pitfall_1_every_success_is_200() {
    let (server, client) = server().await;
    // it asserts so of box, version and provider
    let provider = waiting(&client).await;
    let file = BoxBuilder::new("virtualbox").build();
    let given = good(&client, Method::GET, &format!("{provider}/upload/direct"), None).await;
    let put = path_of(&server, &given, "upload_path");
    assert_eq!(server.anonymous().upload(&put, file.bytes, &[]).await.status, 200);
    good(&client, Method::PUT, &path_of(&server, &given, "callback"), None).await;
    let version = "/api/v2/box/acme/web/version/1.0.0";
    good(&client, Method::PUT, &format!("{version}/release"), None).await;
    good(&client, Method::PUT, &format!("{version}/revoke"), None).await;
    good(&client, Method::DELETE, version, None).await;
    good(&client, Method::DELETE, "/api/v2/box/acme/web", None).await;
}

#[tokio::test]
async fn pitfall_10_addresses_are_absolute_and_under_the_name_that_the_client_used() {
    let server =
        TestServer::builder().set("server.public_url", "http://boxes.test:5001").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let next = Publication { version: "2.0.0", ..Publication::new("acme", "web", &file.bytes) };
    admin.prepare(&next).await;
    let version = "/api/v2/box/acme/web/version/2.0.0";
    let provider = format!("{version}/provider/virtualbox/amd64");
    for (path, field) in [
        (format!("{provider}/upload"), "upload_path"),
        (format!("{provider}/upload/direct"), "callback"),
        (provider.clone(), "download_url"),
        (version.to_owned(), "release_url"),
    ] {
        // a name that is not ours is not taken over
        for (host, base) in [
            ("boxes.test:5001", "http://boxes.test:5001/"),
            ("evil.test", "http://boxes.test:5001/"),
        ] {
            let answer = admin.get_with(&path, &[("host", host)]).await;
            let address = answer.json()[field].as_str().unwrap().to_owned();
            assert!(address.starts_with(base), "{host}: {address}");
        }
    }
}

#[tokio::test]
async fn pitfall_13_and_14_who_fails_thrice_with_a_bad_token_is_not_locked_out() {
    let (server, client) = server().await;
    let bad = server.anonymous().with_token("nonsense");
    for base in BASES {
        let path = format!("{base}/authenticate");
        for _ in 0..3 {
            let request =
                bad.request(Method::GET, &path).header("x-request-id", "one-and-the-same");
            assert_eq!(send(request).await.status, 401);
        }
        for _ in 0..20 {
            good(&client, Method::GET, &path, None).await;
        }
    }
    let login = json!({ "user": { "login": ADMIN_NAME, "password": PASSWORD } });
    good(&server.anonymous(), Method::POST, "/api/v1/authenticate", Some(login)).await;
}

#[tokio::test]
async fn pitfall_17_the_box_is_json_to_clients_and_a_page_to_browsers() {
    let (server, _) = server().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let anyone = server.anonymous();
    for (accept, kind) in [
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "text/html"),
    ] {
        let reply = anyone.get_with("/acme/web", &[("accept", accept)]).await;
        assert!(reply.header("content-type").unwrap().starts_with(kind), "{accept}");
        let vary = reply.header("vary").unwrap_or_default().to_ascii_lowercase();
        assert!(vary.contains("accept") && vary.contains("authorization"), "{accept}: {vary}");
    }
    let unknown = anyone.get_with("/acme/none", &[("accept", "application/json")]).await;
    assert_eq!(unknown.status, 404);
    for name in ["api", "search", "oauth2", "vagrant", "operation", "assets", "settings", "login"] {
        let reply = admin.post("/api/organization", &json!({ "name": name })).await;
        assert_eq!(reply.status, 400, "{name}");
    }
}

#[tokio::test]
async fn pitfall_19_a_head_is_the_get_without_its_body() {
    let (server, _) = server().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let anyone = server.anonymous();
    for path in [
        "/acme/web",
        "/api/v2/vagrant/acme/web",
        "/acme/boxes/web/versions/1.0.0/providers/virtualbox.box",
        "/acme/boxes/web/versions/1.0.0/providers/virtualbox/amd64/vagrant.box",
    ] {
        let (head, get) = (anyone.head(path).await, anyone.get(path).await);
        assert_eq!((head.status, head.bytes.len()), (get.status, 0), "{path}");
        for header in ["content-type", "content-length", "etag"] {
            assert_eq!(head.header(header), get.header(header), "{header} of {path}");
        }
        let is_json = get.header("content-type").unwrap().starts_with("application/json");
        assert_eq!(is_json, !path.starts_with("/acme/boxes/"), "{path}");
    }
}

#[tokio::test]
async fn pitfall_20_a_range_at_the_end_is_the_whole_file_and_pitfall_21_slashes_may_be_double() {
    let (server, _) = server().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let anyone = server.anonymous();
    let path = "//acme/boxes/web/versions/1.0.0/providers/virtualbox/amd64/vagrant.box";
    let size = file.bytes.len();
    for (start, status, length) in [(10, 206, size - 10), (size, 200, size), (size + 1, 200, size)]
    {
        let range = format!("bytes={start}-");
        let reply = anyone.get_with(path, &[("range", &range), ("accept-encoding", "gzip")]).await;
        assert_eq!((reply.status, reply.bytes.len()), (status, length), "{range}");
        assert!(reply.header("etag").unwrap().starts_with('"'), "{range}");
        assert_eq!(reply.header("content-encoding"), None);
    }
    assert_eq!(anyone.get("//api/v2/vagrant/acme/web").await.status, 200);
}

#[tokio::test]
async fn pitfall_23_a_box_is_private_unless_the_client_says_otherwise() {
    let (_server, client) = server().await;
    for (name, said, private) in
        [("a", Value::Null, true), ("b", json!(true), true), ("c", json!(false), false)]
    {
        let new = json!({ "box": { "username": "acme", "name": name, "is_private": said } });
        let made = good(&client, Method::POST, "/api/v2/boxes", Some(new)).await;
        assert_eq!(made["private"], private, "{name}");
    }
}

#[tokio::test]
async fn pitfall_24_tokens_in_addresses_are_in_no_log() {
    let (server, client) = server().await;
    waiting(&client).await;
    let token = client.token().unwrap();
    let anyone = server.anonymous();
    for base in ["/api/v2/box", "/api/v1/box", "/api/v2/vagrant", ""] {
        let path = format!("{base}/acme/web?access_token={token}");
        assert_ne!(anyone.get(&path).await.status, 401, "{base}");
    }
    let given = good(
        &client,
        Method::GET,
        "/api/v2/box/acme/web/version/1.0.0/provider/virtualbox/upload",
        None,
    )
    .await;
    let put = path_of(&server, &given, "upload_path");
    let (_, ticket) = put.split_once("ticket=").unwrap();
    anyone.upload(&put, b"no box".to_vec(), &[]).await;
    let log = server.log();
    assert!(log.contains("/acme/web") && !log.contains(token) && !log.contains(ticket));
}

#[tokio::test]
async fn pitfall_25_and_26_nothing_leads_elsewhere() {
    let (server, client) = server().await;
    let provider = waiting(&client).await;
    for path in [
        "/api/v2/box/acme/web",
        "/api/v2/box/acme/web/",
        "//api/v2/box/acme/web",
        "/api/v2/user/acme",
        "/api/v2/authenticate",
        "/api/v2/search?q=web",
        &*format!("{provider}/upload"),
    ] {
        let reply = client.get(path).await;
        assert!(!(300..400).contains(&reply.status), "{path}: {}", reply.status);
        assert_eq!(reply.header("location"), None, "{path}");
    }
    assert!(!server.log().contains("panicked"));
}
