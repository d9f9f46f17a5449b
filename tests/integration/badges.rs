//! How often a box was fetched, and the badge that tells it on other people's pages.

use std::time::Duration;

use boxvault_tests::{Client, Publication, TestServer, bytes::BoxBuilder, wait_for};
use serde_json::{Value, json};

const BOX: &str = "/api/organization/acme/box/web";
const BADGE: &str = "/badge/acme/web.svg";
const DEADLINE: Duration = Duration::from_secs(30);

async fn published() -> (TestServer, Client) {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(50_000).build();
    for version in ["1.9.0", "1.10.0"] {
        let at = Publication { version, ..Publication::new("acme", "web", &file.bytes) };
        admin.publish(&at).await;
    }
    (server, admin)
}

async fn downloads(client: &Client) -> Value {
    let reply = client.get(&format!("{BOX}/downloads")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.data()
}

#[tokio::test]
async fn w15_a_download_counts_once_for_its_version_its_box_and_its_day() {
    let (server, admin) = published().await;
    let anyone = server.anonymous();
    let old = Publication { version: "1.9.0", ..Publication::new("acme", "web", &[]) };
    let new = Publication { version: "1.10.0", ..old };
    assert_eq!(anyone.head(&new.vagrant_path()).await.status, 200);
    // two that only look, then one that is continued twice, by itself or by a client of several connections
    for range in [
        "bytes=0-0",
        "bytes=0-1",
        "bytes=0-999",
        "bytes=1000-1999",
        "bytes=2000-,1500-1600",
        "bytes=-9",
    ] {
        let part = anyone.get_with(&new.vagrant_path(), &[("range", range)]).await;
        assert_eq!(part.status, 206, "{range}");
    }
    assert_eq!(anyone.get(&old.vagrant_path()).await.status, 200);
    assert_eq!(anyone.get(&format!("{}/download", old.file_path())).await.status, 200);
    let counts = wait_for("three downloads", DEADLINE, async || {
        let counts = downloads(&anyone).await;
        (counts["downloadCount"] == 3).then_some(counts)
    })
    .await;
    let expected = json!([
        { "versionNumber": "1.10.0", "downloadCount": 1 },
        { "versionNumber": "1.9.0", "downloadCount": 2 },
    ]);
    assert_eq!(counts["versions"], expected);
    let days = counts["days"].as_array().unwrap();
    assert_eq!(days.iter().map(|day| day["downloadCount"].as_u64().unwrap()).sum::<u64>(), 3);
    assert_eq!(admin.get(BOX).await.data()["downloadCount"], 3);
    let badge = anyone.get(&format!("{BADGE}?show=downloads")).await;
    assert!(badge.text().contains("acme/web downloads: 3"), "{}", badge.text());
    // strangers do not learn of versions that are withdrawn or being prepared
    assert_eq!(admin.put(&format!("{BOX}/version/1.9.0/revoke"), &json!({})).await.status, 200);
    assert_eq!(downloads(&anyone).await["versions"].as_array().unwrap().len(), 1);
    assert_eq!(downloads(&admin).await["versions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn downloads_that_are_not_written_down_yet_are_when_the_server_stops() {
    let (mut server, _) = published().await;
    let file = Publication { version: "1.9.0", ..Publication::new("acme", "web", &[]) };
    for number in 1..=3 {
        assert_eq!(server.anonymous().get(&file.vagrant_path()).await.status, 200);
        assert!(server.stop().await.success());
        server.restart().await;
        assert_eq!(downloads(&server.anonymous()).await["downloadCount"], number);
    }
}

#[tokio::test]
async fn a_badge_shows_the_newest_released_version() {
    let (server, admin) = published().await;
    let anyone = server.anonymous();
    admin.post(&format!("{BOX}/version"), &json!({ "versionNumber": "2.0.0" })).await;
    let badge = anyone.get(BADGE).await;
    assert_eq!((badge.status, badge.header("content-type")), (200, Some("image/svg+xml")));
    assert!(badge.text().contains("acme/web: 1.10.0<"), "{}", badge.text());
    assert_eq!(badge.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(badge.header("x-content-type-options"), Some("nosniff"));
    let policy = badge.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    let tag = badge.header("etag").unwrap();
    let same = anyone.get_with(BADGE, &[("if-none-match", tag)]).await;
    assert_eq!((same.status, same.bytes.len()), (304, 0));
    let body = json!({ "deprecated": true, "deprecationReason": "<b>old</b>" });
    assert_eq!(admin.put(&format!("{BOX}/version/1.10.0"), &body).await.status, 200);
    let badge = anyone.get(BADGE).await.text();
    assert!(badge.contains("1.10.0 deprecated") && !badge.contains("<b>"), "{badge}");
    for version in ["1.9.0", "1.10.0"] {
        admin.put(&format!("{BOX}/version/{version}/revoke"), &json!({})).await;
    }
    assert!(anyone.get(BADGE).await.text().contains("no release"));
    assert_eq!(anyone.get(&format!("{BADGE}?show=secrets")).await.status, 400);
}

#[tokio::test]
async fn a_private_box_has_no_badge_for_anybody() {
    let (server, admin) = published().await;
    assert_eq!(admin.put(BOX, &json!({ "isPublic": false })).await.status, 200);
    for client in [&admin, &server.anonymous()] {
        for path in [
            BADGE,
            "/badge/acme/none.svg",
            "/badge/nowhere/web.svg",
            "/badge/acme/web",
            "/badge/acme/web.png",
        ] {
            let reply = client.get(path).await;
            assert_eq!(reply.status, 404, "{path}: {}", reply.text());
            assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
        }
    }
    assert_eq!(server.anonymous().get(&format!("{BOX}/downloads")).await.status, 404);
    assert_eq!(server.anonymous().get("/badge/acme/.svg").await.status, 400);
}
