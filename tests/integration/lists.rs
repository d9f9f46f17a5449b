//! Lists: every one of the API document is paged, searched and sorted in the same way, and costs as many queries for
//! fifty rows as for one.

use boxvault_tests::{Client, TestServer, server::PASSWORD};
use serde_json::{Value, json};

/// The operations of the document that answer with pages.
fn lists(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let get = &item["get"];
        let schema = &get["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        if schema.as_str().is_some_and(|name| name.contains("/ListEnvelope_")) {
            let id = get["operationId"].as_str().unwrap().to_owned();
            all.push((id, path.clone(), get.clone()));
        }
    }
    assert!(all.len() >= 10, "only {} lists", all.len());
    all
}

fn at(path: &str) -> String {
    path.replace("{organization}", "acme")
        .replace("{box}", "b0")
        .replace("{version}", "1.0.0")
        .replace("{provider}", "p0")
}

/// Makes rows `from..to` of everything that is listed.
async fn fill(server: &TestServer, owner: &Client, admin: &Client, from: u32, to: u32) {
    for n in from..to {
        let name = format!("u{n}");
        let user = json!({ "username": name, "email": format!("u{n}@example.com"), "password": PASSWORD });
        let box_path = "/api/organization/acme/box";
        let version = format!("{box_path}/b0/version");
        let provider = format!("{version}/1.0.0/provider");
        let steps = [
            (admin, "/api/users".to_owned(), user),
            (owner, "/api/organization".to_owned(), json!({ "name": format!("o{n}") })),
            (owner, box_path.to_owned(), json!({ "name": format!("b{n}"), "isPublic": true })),
            (owner, version.clone(), json!({ "versionNumber": format!("1.{n}.0") })),
            (owner, provider.clone(), json!({ "name": format!("p{n}") })),
            (owner, format!("{provider}/p0/architecture"), json!({ "name": format!("a{n}") })),
            (owner, "/api/user/tokens".to_owned(), json!({ "description": name })),
            (owner, "/api/organization/acme/members".to_owned(), json!({ "username": name, "role": "member" })),
        ];
        for (client, path, body) in steps {
            let reply = client.post(&path, &body).await;
            assert_eq!(reply.status, 201, "{path}: {}", reply.text());
        }
        server.anonymous().sign_in("owner", PASSWORD).await;
    }
}

/// How many statements the server has sent to its database.
async fn queries(server: &TestServer) -> u64 {
    let text = server.anonymous().get("/metrics").await.text();
    let prefix = "boxvault_database_queries_total{outcome=\"done\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(prefix)).expect("it is counted");
    line.parse().unwrap()
}

/// The fewest statements that a request cost in some tries: now and then the server has work of its own.
async fn cost(server: &TestServer, client: &Client, path: &str) -> u64 {
    let mut fewest = u64::MAX;
    for _ in 0..5 {
        let before = queries(server).await;
        let reply = client.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        fewest = fewest.min(queries(server).await - before);
    }
    fewest
}

#[tokio::test]
async fn a_list_costs_as_many_queries_for_fifty_rows_as_for_one() {
    let server = TestServer::builder()
        .set("limits.requests_per_minute", "0")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await;
    let admin = server.admin().await;
    let owner = server.user("owner").await;
    owner.post("/api/organization", &json!({ "name": "acme" })).await;
    fill(&server, &owner, &admin, 0, 1).await;
    let document = admin.get("/api-docs/openapi.json").await.json();
    let lists = lists(&document);
    let client = |id: &str| if ["list_users", "list_audit"].contains(&id) { &admin } else { &owner };
    let mut before = Vec::new();
    for (id, path, _) in &lists {
        before.push(cost(&server, client(id), &format!("{}?per_page=200", at(path))).await);
    }
    fill(&server, &owner, &admin, 1, 50).await;
    let mut wrong = Vec::new();
    for ((id, path, _), before) in lists.iter().zip(before) {
        let path = format!("{}?per_page=200", at(path));
        let rows = client(id).get(&path).await.data().as_array().unwrap().len();
        assert!(rows >= 50, "{id} has {rows} rows: fill() does not know it");
        let after = cost(&server, client(id), &path).await;
        if after > before {
            wrong.push(format!("{id}: {before} for one row, {after} for {rows}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn every_list_is_paged_sorted_and_searched_in_the_same_way() {
    let server = TestServer::builder().set("limits.requests_per_minute", "0").start().await;
    let admin = server.admin().await;
    let owner = server.user("owner").await;
    owner.post("/api/organization", &json!({ "name": "acme" })).await;
    fill(&server, &owner, &admin, 0, 3).await;
    let document = admin.get("/api-docs/openapi.json").await.json();
    for (id, path, operation) in lists(&document) {
        let client = if ["list_users", "list_audit"].contains(&&*id) { &admin } else { &owner };
        let parameters: Vec<_> = operation["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        for name in ["page", "per_page", "sort", "order", "q"] {
            assert!(parameters.contains(&name), "{id} does not document {name}");
        }
        let path = at(&path);
        for (query, field) in [
            ("page=0", "page"),
            ("page=x", "page"),
            ("page=5000001", "page"),
            ("per_page=0", "per_page"),
            ("per_page=201", "per_page"),
            ("sort=nothing", "sort"),
            ("order=up", "order"),
            (&*format!("q={}", "x".repeat(129)), "q"),
        ] {
            let reply = client.get(&format!("{path}?{query}")).await;
            assert_eq!(reply.status, 400, "{id} ?{query}: {}", reply.text());
            assert!(reply.json()["error"]["fields"][field].is_string(), "{id} ?{query}");
        }
        let second = client.get(&format!("{path}?per_page=1&page=2")).await;
        assert_eq!(second.status, 200, "{id}: {}", second.text());
        let page = second.json()["page"].clone();
        assert_eq!((&page["number"], &page["size"]), (&json!(2), &json!(1)), "{id}");
        let total = page["total"].as_u64().unwrap();
        assert!(total >= 3, "{id}: {page}");
        let link = second.header("link").unwrap_or_else(|| panic!("{id} has no Link"));
        for (relation, number) in [("first", 1), ("prev", 1), ("next", 3), ("last", total)] {
            let expected = format!("page={number}>; rel=\"{relation}\"");
            assert!(link.contains(&expected), "{id}: no {expected} in {link}");
        }
        let beyond = client.get(&format!("{path}?page=4000000")).await;
        assert_eq!((beyond.status, beyond.data()), (200, json!([])), "{id}");
        // a page is a piece of the whole, without a gap or a row twice
        let whole = client.get(&format!("{path}?per_page=200")).await.data();
        if !id.contains("audit") {
            assert_eq!(second.data()[0], whole[1], "{id}");
        }
    }
}
