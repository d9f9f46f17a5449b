//! Lists of boxes and searches in them: what is found, by whom, and what becomes of it when boxes change.

use boxvault_tests::{
    Client, Publication, TestServer,
    bytes::BoxBuilder,
    outcome::{assert_field_refused, expect},
};
use serde_json::{Value, json};

const BOX: &str = "/api/organization/acme/box/web";

#[tokio::test]
async fn tags_are_few_short_words_and_find_their_boxes() {
    let (server, admin) = TestServer::with_a_box().await;
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
        ("visibility=public", "debian-arm debian12 draft", "debian-arm debian12 draft"),
        ("visibility=private&q=deb", "", "debian-secret"),
        ("q=%25", "debian-arm debian12 draft", "debian-arm debian-secret debian12 draft"),
    ] {
        assert_eq!(names(&anyone, query).await, public, "{query}");
        assert_eq!(names(&admin, query).await, all, "{query}");
    }
    for (query, field) in [
        ("provider=a/b", "provider"),
        ("architecture=..", "architecture"),
        ("organization=%20", "organization"),
        ("visibility=secret", "visibility"),
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
    let (server, admin) = TestServer::with_a_box().await;
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

#[tokio::test]
async fn a_box_that_is_renamed_handed_over_deleted_or_restored_is_found_as_it_is_now() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("libvirt").build();
    let at = Publication { provider: "libvirt", ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    expect(201, admin.post("/api/organization", &json!({ "name": "globex" })).await);
    let found = async |query: &str| {
        let list = server.anonymous().get(&format!("/api/discover?{query}")).await;
        let list = expect(200, list).json();
        let name = |item: &Value| format!("{}/{}", item["organization"], item["name"]);
        let names: Vec<_> = list["data"].as_array().unwrap().iter().map(name).collect();
        assert_eq!(list["page"]["total"], names.len(), "{query}");
        names.join(" ").replace('"', "")
    };
    expect(200, admin.put(BOX, &json!({ "name": "site-2" })).await);
    assert_eq!(found("q=web").await, "");
    assert_eq!(found("q=site%202&provider=libvirt").await, "acme/site-2");
    let site = "/api/organization/acme/box/site-2";
    let moved = admin.put(&format!("{site}/transfer"), &json!({ "organization": "globex" })).await;
    expect(200, moved);
    assert_eq!(found("q=site&organization=acme").await, "");
    assert_eq!(found("q=site&organization=globex").await, "globex/site-2");
    let site = "/api/organization/globex/box/site-2";
    expect(200, admin.delete(site).await);
    for query in ["q=site", "provider=libvirt", "organization=globex", "sort=downloads"] {
        assert_eq!(found(query).await, "", "{query}");
    }
    expect(200, admin.put(&format!("{site}/restore"), &json!({})).await);
    assert_eq!(found("q=site&provider=libvirt").await, "globex/site-2");
    expect(200, admin.put(&format!("{site}/version/1.0.0/revoke"), &json!({})).await);
    assert_eq!(found("provider=libvirt").await, "", "what clients cannot fetch");
    assert_eq!(found("q=site").await, "globex/site-2");
}

#[tokio::test]
async fn w20_a_box_that_is_not_for_everybody_is_in_nobody_elses_lists() {
    let (server, admin) = TestServer::with_a_box().await;
    let body = json!({ "isPublic": false, "tags": ["hidden"], "shortDescription": "findme" });
    expect(200, admin.put(BOX, &body).await);
    let zoe = server.user("zoe").await;
    for client in [&server.anonymous(), &zoe] {
        for path in [BOX, "/acme/web", &format!("{BOX}/version")] {
            assert_eq!(client.get(path).await.status, 404, "{path}");
        }
        for query in
            ["q=findme", "tag=hidden", "organization=acme", "visibility=private", "sort=updated"]
        {
            let list = client.get(&format!("/api/discover?{query}")).await.json();
            assert_eq!((&list["page"]["total"], &list["data"]), (&json!(0), &json!([])), "{query}");
        }
    }
    let mine = admin.get("/api/discover?visibility=private&q=findme").await.json();
    assert_eq!(mine["data"][0]["name"], "web");
    assert_eq!(admin.get("/api/discover?visibility=public").await.json()["page"]["total"], 0);
    // who is let in finds it at once, and who is put out does not any more
    let member = json!({ "username": "zoe", "role": "member" });
    expect(201, admin.post("/api/organization/acme/members", &member).await);
    assert_eq!(zoe.get("/api/discover?q=findme").await.json()["page"]["total"], 1);
    expect(200, admin.delete("/api/organization/acme/members/zoe").await);
    assert_eq!(zoe.get("/api/discover?q=findme").await.json()["page"]["total"], 0);
}
