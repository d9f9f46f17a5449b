//! Lists: each one of the API document is paged, sorted and searched in the same way, and costs as many queries for
//! many rows as for one. So do the catalogues that stock clients read, and knowing who asks costs none.
//!
//! The lists are found in the document; one that this file makes no rows for fails.

use std::collections::BTreeMap;

use boxvault_tests::{
    Client, Publication, Reply, TestServer, bytes::BoxBuilder, faults, server::PASSWORD, wait_for,
};
use reqwest::Method;
use serde_json::{Value, json};

/// How many rows are many.
const MANY: usize = 9;
/// How often something is looked at again that seems to cost more than it should.
const RETRIES: usize = 30;
const BOXES: &str = "/api/organization/acme/box";

struct World {
    server: TestServer,
    admin: Client,
    owner: Client,
}

impl World {
    async fn new() -> Self {
        let server = TestServer::builder()
            .set("limits.requests_per_minute", "0")
            .set("limits.sign_in_requests_per_minute", "0")
            .set("organizations.invitation_pause", "0 s")
            .set("organizations.join_request_pause", "0 s")
            .set("stores.main.plugin", "fs")
            .set("stores.main.root", "data/store")
            .set("stores.spare.plugin", "memory")
            .start()
            .await;
        let admin = server.admin().await;
        let owner = server.user("owner").await;
        let acme = json!({ "name": "acme", "accessMode": "request_to_join" });
        done(owner.post("/api/organization", &acme).await);
        Self { server, admin, owner }
    }

    /// Makes row `n` of everything that is listed.
    async fn add_row(&self, n: usize) {
        let (admin, owner) = (&self.admin, &self.owner);
        let post = async |path: &str, body: Value| done(owner.post(path, &body).await);
        let name = format!("u{n}");
        let user = json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD });
        done(admin.post("/api/users", &user).await);
        post(
            "/api/organization",
            json!({ "name": format!("o{n}"), "accessMode": "request_to_join" }),
        )
        .await;
        post("/api/organization", json!({ "name": format!("gone{n}") })).await;
        done(owner.delete(&format!("/api/organization/gone{n}?confirm=gone{n}")).await);
        let asking = self.server.user(&format!("j{n}")).await;
        done(asking.post("/api/organization/acme/requests", &json!({})).await);
        let other = json!({ "name": format!("other{n}"), "accessMode": "request_to_join" });
        done(admin.post("/api/organization", &other).await);
        post(&format!("/api/organization/other{n}/requests"), json!({})).await;
        post("/api/organization/acme/members", json!({ "username": name, "role": "member" })).await;
        let address = format!("i{n}@example.com");
        post("/api/organization/acme/invitations", json!({ "email": address, "role": "member" }))
            .await;
        post("/api/organization/acme/service-accounts", json!({ "name": format!("s{n}") })).await;
        post("/api/user/tokens", json!({ "description": name })).await;
        self.add_policy_version(n).await;
        // nothing lies there
        let wish = json!({ "from": "spare", "to": "main" });
        done(admin.post("/api/storage/moves", &wish).await);
        self.server.anonymous().sign_in("owner", PASSWORD).await;
        self.add_boxes(n).await;
    }

    async fn add_policy_version(&self, n: usize) {
        let mut files = self.admin.get("/api/policies").await.data()["files"].clone();
        let files = files.as_array_mut().unwrap();
        files.retain(|file| file["name"] != "site.csv");
        files.push(json!({ "name": "site.csv", "text": format!("# {n}\n") }));
        let body = json!({ "files": files, "message": format!("row {n}") });
        done(self.admin.put("/api/policies", &body).await);
        let own = json!({ "text": format!("# {n}\n"), "message": format!("row {n}") });
        done(self.owner.put("/api/organization/acme/policy", &own).await);
    }

    async fn add_boxes(&self, n: usize) {
        let owner = &self.owner;
        let post = async |path: &str, body: Value| done(owner.post(path, &body).await);
        post(BOXES, json!({ "name": format!("gone{n}") })).await;
        done(owner.delete(&format!("{BOXES}/gone{n}")).await);
        let seed = u64::try_from(n).unwrap();
        let file = BoxBuilder::new("virtualbox").seed(seed).disk_bytes(100).build();
        let name = format!("b{n}");
        owner.publish(&Publication::new("acme", &name, &file.bytes)).await;
        done(owner.put(&format!("{BOXES}/{name}/watch"), &json!({})).await);
        // and of what a box consists of
        let number = format!("2.{n}.0");
        let of_first =
            |file| Publication { version: &number, ..Publication::new("acme", "b0", file) };
        owner.publish(&of_first(&file.bytes)).await;
        let open = format!("{BOXES}/b0/version/3.0.0");
        if n == 0 {
            post(&format!("{BOXES}/b0/version"), json!({ "versionNumber": "3.0.0" })).await;
        }
        post(&format!("{open}/provider"), json!({ "name": format!("p{n}") })).await;
        post(&format!("{open}/provider/p0/architecture"), json!({ "name": format!("a{n}") })).await;
    }

    /// Damages every stored file, and lets it be found.
    async fn damage(&self, boxes: usize) {
        for file in faults::stored_files(&self.server) {
            faults::write_file(&file, b"damaged").unwrap();
        }
        for n in 0..boxes {
            let name = format!("b{n}");
            let file = Publication::new("acme", &name, &[]).file_path();
            done(self.owner.post(&format!("{file}/verify"), &json!({})).await);
            wait_for("the damage to be found", std::time::Duration::from_secs(40), async || {
                let info = self.owner.get(&format!("{file}/info")).await.data();
                (info["verification"]["state"] == "damaged").then_some(())
            })
            .await;
        }
    }

    /// How many statements the server has sent to its database.
    async fn queries(&self) -> u64 {
        let text = self.server.anonymous().get("/metrics").await.text();
        let series = "boxvault_database_queries_total{outcome=\"done\"} ";
        let value = text.lines().find_map(|line| line.strip_prefix(series));
        value.expect("statements are counted").parse().unwrap()
    }

    /// How many statements a read costs: the fewest of some tries, since now and then the server has work of its own,
    /// less what it costs to ask for the numbers.
    async fn cost(&self, client: &Client, path: &str) -> u64 {
        let (mut read, mut nothing) = (u64::MAX, u64::MAX);
        for _ in 0..4 {
            let before = self.queries().await;
            let between = self.queries().await;
            let reply = client.get(path).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            nothing = nothing.min(between - before);
            read = read.min(self.queries().await - between);
        }
        read.saturating_sub(nothing)
    }

    fn callers(&self) -> [(&'static str, Client); 3] {
        [
            ("a platform admin", self.admin.clone()),
            ("the owner", self.owner.clone()),
            ("anybody", self.server.anonymous()),
        ]
    }
}

fn done(reply: Reply) -> Reply {
    assert!(matches!(reply.status, 200..=202), "{}: {}", reply.status, reply.text());
    reply
}

/// The operations of the document that answer with pages, with their paths.
fn lists(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let get = &item["get"];
        let schema = &get["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        if schema.as_str().is_some_and(|name| name.contains("/ListEnvelope_")) {
            let id = get["operationId"].as_str().unwrap().to_owned();
            all.push((id, at(path), get.clone()));
        }
    }
    assert!(all.len() >= 20, "only {} lists", all.len());
    all
}

fn at(path: &str) -> String {
    // of the version that holds the rows
    let version = if ["/provider", "/architecture", "/files"].iter().any(|end| path.ends_with(end))
    {
        "3.0.0"
    } else {
        "2.0.0"
    };
    path.replace("{organization}", "acme")
        .replace("{box}", "b0")
        .replace("{version}", version)
        .replace("{provider}", "p0")
}

#[tokio::test]
async fn a_list_costs_as_many_queries_for_many_rows_as_for_one() {
    let world = World::new().await;
    let document = world.admin.get("/api-docs/openapi.json").await.json();
    let mut reads: Vec<(String, String)> = lists(&document)
        .into_iter()
        .map(|(id, path, _)| (id, format!("{path}?per_page=200")))
        .collect();
    let lists = reads.len();
    // what is read whole, however much there is of it
    for path in [
        "/acme/b0",
        "/api/v2/vagrant/acme/b0",
        "/api/organization/acme/box/b0",
        "/api/organization/acme/box/b0/downloads",
        "/api/organization/acme/usage",
        "/api/organization/acme",
        "/api/user",
    ] {
        reads.push((path.to_owned(), path.to_owned()));
    }
    world.add_row(0).await;
    world.damage(1).await;
    let mut costs = BTreeMap::new();
    for (who, client) in world.callers() {
        for (id, path) in &reads {
            if client.get(path).await.status == 200 {
                costs.insert((id.clone(), who), world.cost(&client, path).await);
            }
        }
    }
    for n in 1..MANY {
        world.add_row(n).await;
    }
    world.damage(MANY).await;
    let mut problems = Vec::new();
    for (who, client) in world.callers() {
        for (id, path) in &reads {
            let Some(one) = costs.get(&(id.clone(), who)) else { continue };
            let mut many = world.cost(&client, path).await;
            // messages that are being sent cost some as well, for a while
            for _ in 0..RETRIES {
                if many > *one {
                    many = world.cost(&client, path).await;
                }
            }
            if many > *one {
                problems.push(format!("{id} for {who}: {one} for one row, {many} for many"));
            }
        }
    }
    for (id, path) in reads.iter().take(lists) {
        let mut rows = 0;
        for (_, client) in world.callers() {
            let data = client.get(path).await.json()["data"].take();
            rows = rows.max(data.as_array().map_or(0, Vec::len));
        }
        if rows < MANY {
            problems.push(format!("{id} has {rows} rows: add_row makes none for it"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[tokio::test]
async fn who_asks_and_whether_they_may_is_known_without_a_query_once_it_was_asked() {
    let world = World::new().await;
    world.add_row(0).await;
    let ci = json!({ "name": "ci" });
    let service = world.owner.post("/api/organization/acme/service-accounts", &ci).await;
    let service = service.data()["token"].as_str().unwrap().to_owned();
    let anyone = world.server.anonymous();
    let known = [
        ("a session", world.owner.clone()),
        ("an admin's session", world.admin.clone()),
        ("an API token", anyone.with_token(&world.server.api_token("owner").await)),
        ("a service account", anyone.with_token(&service)),
    ];
    let nothing = "/api/auth/methods";
    for path in [nothing, "/api/organization/acme/box/b0"] {
        let nobody = world.cost(&anyone, path).await;
        for (what, client) in &known {
            assert_eq!(world.cost(client, path).await, nobody, "{path} by {what}");
        }
    }
    assert_eq!(world.cost(&world.owner, nothing).await, 0);
}

#[tokio::test]
async fn every_list_is_paged_sorted_and_searched_in_the_same_way() {
    let world = World::new().await;
    for n in 0..3 {
        world.add_row(n).await;
    }
    world.damage(3).await;
    let document = world.admin.get("/api-docs/openapi.json").await.json();
    for (id, path, operation) in lists(&document) {
        let mut client = &world.owner;
        if client.get(&path).await.status != 200 {
            client = &world.admin;
        }
        let parameters: Vec<_> = operation["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        for name in ["page", "per_page", "sort", "order", "q"] {
            assert!(parameters.contains(&name), "{id} does not document {name}");
        }
        refuses_what_makes_no_sense(client, &id, &path).await;
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
        // to the audit log, rows come while it is read
        if !id.contains("audit") {
            assert_eq!(second.data()[0], whole[1], "{id}");
        }
        let head = boxvault_tests::client::send(client.request(Method::HEAD, &path)).await;
        assert_eq!((head.status, head.bytes.len()), (200, 0), "{id}");
    }
}

async fn refuses_what_makes_no_sense(client: &Client, id: &str, path: &str) {
    let long = format!("q={}", "x".repeat(129));
    for (query, field) in [
        ("page=0", "page"),
        ("page=x", "page"),
        ("page=5000001", "page"),
        ("per_page=0", "per_page"),
        ("per_page=201", "per_page"),
        ("sort=nothing", "sort"),
        ("order=up", "order"),
        (&*long, "q"),
    ] {
        let reply = client.get(&format!("{path}?{query}")).await;
        assert_eq!(reply.status, 400, "{id} ?{query}: {}", reply.text());
        assert!(
            reply.json()["error"]["fields"][field].is_string(),
            "{id} ?{query}: {}",
            reply.text()
        );
    }
}
