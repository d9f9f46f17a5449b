//! Organizations and their members: made, changed, handed over, emptied, deleted; listed page by page.

use boxvault_tests::{Client, Publication, TestServer, bytes::BoxBuilder, client::send};
use reqwest::Method;
use serde_json::{Value, json};

async fn add(client: &Client, organization: &str, username: &str, role: &str) -> u16 {
    let path = format!("/api/organization/{organization}/members");
    client.post(&path, &json!({ "username": username, "role": role })).await.status
}

fn names(list: &Value) -> Vec<String> {
    let items = list["data"].as_array().unwrap();
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_organization_lives_from_its_creation_to_its_end() {
    let server = TestServer::start().await;
    server.admin().await;
    let (owner, stranger) = (server.user("olivia").await, server.user("sam").await);
    let made =
        owner.post("/api/organization", &json!({ "name": "Acme", "description": "a" })).await;
    assert_eq!(made.status, 201);
    assert_eq!(
        (&made.data()["role"], &made.data()["accessMode"]),
        (&json!("owner"), &json!("private"))
    );
    assert_eq!(owner.post("/api/organization", &json!({ "name": "acme" })).await.status, 409);
    assert_eq!(stranger.get("/api/organization/acme").await.status, 404);
    let profile = owner.get("/api/user").await.data();
    let place = json!({ "name": "Acme", "role": "owner", "primary": false });
    assert_eq!(profile["organizations"], json!([place]));

    let changed =
        owner.put("/api/organization/acme", &json!({ "accessMode": "invite_only" })).await;
    assert_eq!(
        (changed.status, &changed.data()["description"]),
        (200, &json!("a")),
        "the rest stays"
    );
    assert_eq!(stranger.get("/api/organization/acme").await.status, 200);
    assert_eq!(stranger.put("/api/organization/acme", &json!({})).await.status, 403);

    let renamed = owner.put("/api/organization/acme", &json!({ "name": "initech" })).await;
    let now = owner.get("/api/organization/initech").await;
    assert_eq!((renamed.status, renamed.data()), (200, now.data()));
    assert_eq!(renamed.header("etag"), now.header("etag"));
    let gone = owner.delete("/api/organization/initech?confirm=initech").await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    assert_eq!(owner.get("/api/organization/initech").await.status, 404);
    assert_eq!(owner.get("/api/user").await.data()["organizations"], json!([]));
}

#[tokio::test]
async fn a_write_is_held_to_the_state_that_was_read() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.prepare(&Publication::new("acme", "web", &file.bytes)).await;
    server.user("bob").await;
    let version = "/api/organization/acme/box/web/version/1.0.0";
    for (path, change) in [
        ("/api/user".to_owned(), json!({ "name": "Root" })),
        ("/api/users/bob".to_owned(), json!({ "name": "Bob" })),
        (format!("{version}/provider/virtualbox/architecture/amd64"), json!({ "name": "arm64" })),
        (format!("{version}/provider/virtualbox"), json!({ "description": "new" })),
        (version.to_owned(), json!({ "description": "new" })),
        ("/api/organization/acme/box/web".to_owned(), json!({ "description": "new" })),
        ("/api/organization/acme".to_owned(), json!({ "description": "new" })),
    ] {
        let read = admin.get(&path).await;
        let tag = read.header("etag").unwrap_or_else(|| panic!("{path} has no ETag")).to_owned();
        assert!(tag.starts_with('"'), "{path}: {tag} is not strong");
        let same = admin.get_with(&path, &[("if-none-match", &tag)]).await;
        assert_eq!((same.status, same.bytes.len()), (304, 0), "{path}");
        assert_eq!(same.header("etag"), Some(&*tag), "{path}");
        let write = async |method: Method, tag: &str| {
            send(admin.request(method, &path).header("if-match", tag).json(&change)).await
        };
        for method in [Method::PUT, Method::DELETE] {
            let stale = write(method.clone(), "\"stale\"").await;
            assert_eq!(
                (stale.status, &*stale.code()),
                (412, "PRECONDITION_FAILED"),
                "{method} {path}"
            );
        }
        assert_eq!(admin.get(&path).await.header("etag"), Some(&*tag), "{path} has changed");
        let done = write(Method::PUT, &tag).await;
        assert_eq!(done.status, 200, "{path}: {}", done.text());
        assert_eq!(
            write(Method::PUT, &tag).await.status,
            if path.ends_with("amd64") { 404 } else { 412 }
        );
    }
    for verb in ["release", "revoke"] {
        let request = admin.request(Method::PUT, &format!("{version}/{verb}"));
        assert_eq!(send(request.header("if-match", "\"stale\"")).await.status, 412, "{verb}");
    }
}

#[tokio::test]
async fn an_organization_always_has_an_owner() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (owner, second) = (server.user("olivia").await, server.user("oscar").await);
    owner.post("/api/organization", &json!({ "name": "acme" })).await;
    assert_eq!(add(&owner, "acme", "oscar", "member").await, 201);
    let path = "/api/organization/acme/members/olivia";
    for client in [&owner, &admin] {
        for reply in
            [client.put(path, &json!({ "role": "admin" })).await, client.delete(path).await]
        {
            assert_eq!((reply.status, &*reply.code()), (409, "LAST_OWNER"), "{}", reply.text());
        }
    }
    let leaving = owner.delete_account().await;
    assert_eq!((leaving.status, &*leaving.code()), (409, "LAST_OWNER"));
    assert_eq!(admin.delete("/api/users/olivia").await.status, 409);
    // handed over, everybody may go
    let promote =
        owner.put("/api/organization/acme/members/oscar", &json!({ "role": "owner" })).await;
    assert_eq!(promote.status, 200);
    assert_eq!(owner.delete_account().await.status, 200);
    assert_eq!(second.get("/api/organization/acme").await.data()["role"], "owner");
    // two owners who leave at the same moment do not both get away
    let third = server.user("otto").await;
    assert_eq!(add(&second, "acme", "otto", "owner").await, 201);
    let member = json!({ "role": "member" });
    let (a, b) = futures_util::join!(
        second.put("/api/organization/acme/members/oscar", &member),
        third.put("/api/organization/acme/members/otto", &member),
    );
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn deleting_a_user_leaves_the_boxes_that_they_created() {
    let server = TestServer::start().await;
    server.admin().await;
    let (owner, maker) = (server.user("olivia").await, server.user("mark").await);
    owner.post("/api/organization", &json!({ "name": "acme" })).await;
    assert_eq!(add(&owner, "acme", "mark", "member").await, 201);
    let file = BoxBuilder::new("virtualbox").build();
    let publication = Publication::new("acme", "web", &file.bytes);
    maker.publish(&publication).await;
    assert_eq!(maker.delete_account().await.status, 200);
    let kept = server.anonymous().get(&publication.vagrant_path()).await;
    assert!(kept.status == 200 && kept.bytes == file.bytes, "the box went with its creator");
    assert_eq!(owner.get("/api/organization/acme/members").await.json()["page"]["total"], 1);
}

#[tokio::test]
async fn nobody_gives_or_takes_a_role_above_their_own() {
    let server = TestServer::start().await;
    server.admin().await;
    let owner = server.user("olivia").await;
    let (admin, member) = (server.user("ada").await, server.user("mark").await);
    server.user("nina").await;
    owner.post("/api/organization", &json!({ "name": "acme" })).await;
    assert_eq!(add(&owner, "acme", "ada", "admin").await, 201);
    assert_eq!(add(&owner, "acme", "mark", "member").await, 201);
    assert_eq!(add(&owner, "acme", "mark", "admin").await, 409, "they are one already");
    assert_eq!(add(&owner, "acme", "nobody", "member").await, 404);
    let member_path = |name: &str| format!("/api/organization/acme/members/{name}");
    // an admin among owners
    assert_eq!(add(&admin, "acme", "nina", "owner").await, 403);
    for (name, role) in [("ada", "owner"), ("mark", "owner"), ("olivia", "member")] {
        let reply = admin.put(&member_path(name), &json!({ "role": role })).await;
        assert_eq!(reply.status, 403, "{name} to {role}: {}", reply.text());
    }
    assert_eq!(admin.delete(&member_path("olivia")).await.status, 403);
    assert_eq!(add(&admin, "acme", "nina", "admin").await, 201);
    // a member among all
    for (name, role) in [("mark", "admin"), ("ada", "member")] {
        let reply = member.put(&member_path(name), &json!({ "role": role })).await;
        assert_eq!(reply.status, 403, "{name} to {role}");
    }
    assert_eq!(add(&member, "acme", "nina", "member").await, 403);
    let bad = owner.put(&member_path("mark"), &json!({ "role": "king" })).await;
    assert_eq!((bad.status, &*bad.code()), (400, "INVALID_INPUT"));
    let list = owner.get("/api/organization/acme/members").await.json();
    let roles: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["username"].as_str().unwrap(), item["role"].as_str().unwrap()))
        .collect();
    let expected = [("ada", "admin"), ("mark", "member"), ("nina", "admin"), ("olivia", "owner")];
    let mut sorted = roles.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert!(!list.to_string().contains("@example.com"), "addresses are not for other members");
}

#[tokio::test]
async fn lists_come_in_pages_sorted_searched_and_only_of_what_may_be_seen() {
    let server = TestServer::builder().set("limits.page_size_max", "50").start().await;
    server.admin().await;
    let (owner, stranger) = (server.user("olivia").await, server.user("sam").await);
    for number in 0..7 {
        let mode = if number % 2 == 0 { "invite_only" } else { "private" };
        let body = json!({ "name": format!("org{number}"), "accessMode": mode });
        assert_eq!(owner.post("/api/organization", &body).await.status, 201);
    }
    let first = owner.get("/api/organization?per_page=3").await;
    assert_eq!(first.json()["page"], json!({ "number": 1, "size": 3, "total": 7 }));
    assert_eq!(names(&first.json()), ["org0", "org1", "org2"]);
    let mut seen = names(&first.json());
    let mut link = first.header("link").unwrap().to_owned();
    while let Some(next) = link.split(", ").find(|one| one.ends_with("rel=\"next\"")) {
        let path = next.split(['<', '>']).nth(1).unwrap().to_owned();
        assert!(path.starts_with("/api/organization?"), "{path} is not relative");
        let page = owner.get(&path).await;
        seen.extend(names(&page.json()));
        link = page.header("link").unwrap().to_owned();
    }
    assert_eq!(seen.len(), 7);
    assert!(link.contains("rel=\"prev\"") && link.contains("page=1"), "{link}");
    let get = async |query: &str| owner.get(&format!("/api/organization?{query}")).await;
    assert_eq!(names(&get("order=desc&per_page=1").await.json()), ["org6"]);
    assert_eq!(names(&get("sort=created&order=desc&per_page=2").await.json()), ["org6", "org5"]);
    assert_eq!(names(&get("q=ORG3").await.json()), ["org3"]);
    // signs that a database might read as more than themselves
    for q in ["%25", "_", "%5C", "'", "org%25", "o_g3"] {
        let found = get(&format!("q={q}")).await.json();
        assert_eq!(names(&found), Vec::<String>::new(), "q={q}");
    }
    assert_eq!(get("page=1000").await.json()["data"], json!([]));
    for (query, field) in [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("per_page=0", "per_page"),
        ("per_page=51", "per_page"),
        ("sort=password", "sort"),
        ("order=up", "order"),
    ] {
        let reply = get(query).await;
        assert_eq!(reply.status, 400, "{query}");
        assert!(reply.json()["error"]["fields"][field].is_string(), "{query}: {}", reply.text());
    }
    let long = get(&format!("q={}", "x".repeat(129))).await;
    assert_eq!(long.status, 400);
    for client in [&stranger, &server.anonymous()] {
        let list = client.get("/api/organization").await.json();
        assert_eq!(names(&list), ["org0", "org2", "org4", "org6"]);
        assert_eq!(list["page"]["total"], 4, "the number tells of what is hidden");
    }
    for path in ["/api/user/tokens", "/api/auth/sessions", "/api/organization/org0/members"] {
        let reply = owner.get(&format!("{path}?sort=nothing")).await;
        assert_eq!(reply.status, 400, "{path} takes an order that it does not have");
    }
}
