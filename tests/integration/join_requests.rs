//! Requests to join: what an access mode means, who is told, who decides.

use boxvault_tests::{
    Client, TestServer,
    client::send,
    mail::{ARRIVAL_DEADLINE, files},
    server::PASSWORD,
    wait_for,
};
use reqwest::Method;
use serde_json::{Value, json};

const REQUESTS: &str = "/api/organization/acme/requests";
const OWN: &str = "/api/user/requests";

/// Olivia's acme with an access mode, Ada as its admin, and Carol; all with proven addresses.
struct World {
    server: TestServer,
    root: Client,
    owner: Client,
    admin: Client,
    carol: Client,
}

impl World {
    async fn new(mode: &str, settings: &[(&str, &str)]) -> Self {
        let mut builder = TestServer::builder().set("organizations.join_request_pause", "0 s");
        for (key, value) in settings {
            builder = builder.set(key, value);
        }
        let server = builder.start().await;
        let root = server.admin().await;
        let mut clients = Vec::new();
        for name in ["olivia", "ada", "carol"] {
            let email = format!("{name}@example.com");
            let body = json!({ "username": name, "email": email, "password": PASSWORD });
            assert_eq!(root.post("/api/users", &body).await.status, 201);
            clients.push(server.anonymous().sign_in(name, PASSWORD).await);
        }
        let [owner, admin, carol] = clients.try_into().expect("three");
        let acme = json!({ "name": "acme", "accessMode": mode });
        assert_eq!(owner.post("/api/organization", &acme).await.status, 201);
        let ada = json!({ "username": "ada", "role": "admin" });
        assert_eq!(owner.post("/api/organization/acme/members", &ada).await.status, 201);
        Self { server, root, owner, admin, carol }
    }

    /// Waits for a message to somebody with this subject.
    async fn message(&self, to: &str, subject: &str) -> String {
        let folder = self.server.data_dir().join("mail");
        let (to, subject) =
            (format!("To: {to}@example.com\r\n"), format!("Subject: {subject}\r\n"));
        wait_for(&format!("{subject} {to}"), ARRIVAL_DEADLINE, async || {
            let fits = |message: &String| message.contains(&to) && message.contains(&subject);
            files(&folder).into_iter().find(fits)
        })
        .await
    }

    /// Makes a request of Carol; gives its id.
    async fn asked(&self) -> String {
        let reply = self.carol.post(REQUESTS, &json!({})).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.data()["id"].as_str().unwrap().to_owned()
    }

    async fn decide(&self, by: &Client, id: &str, verb: &str, body: &Value) -> (u16, String) {
        let reply = by.post(&format!("{REQUESTS}/{id}/{verb}"), body).await;
        (reply.status, if reply.status < 400 { String::new() } else { reply.code() })
    }

    async fn role_of_carol(&self) -> Value {
        self.carol.get("/api/organization/acme").await.data()["role"].clone()
    }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn words(list: &Value, field: &str) -> Vec<String> {
    let items = list["data"].as_array().unwrap().iter();
    items.map(|item| item[field].as_str().unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn a_request_to_join_is_told_to_admins_and_approved_with_a_role() {
    let world = World::new("request_to_join", &[]).await;
    let (carol, admin) = (&world.carol, &world.admin);
    let asked = carol.post(REQUESTS, &json!({ "message": "I <b>build</b> images" })).await;
    assert_eq!(
        (asked.status, &asked.data()["status"]),
        (201, &json!("pending")),
        "{}",
        asked.text()
    );
    for admin in ["olivia", "ada"] {
        let message = world.message(admin, "carol asks to join acme").await;
        assert!(message.contains("first decides"), "{message}");
        assert!(message.contains("I <b>build</b> images"), "{message}");
        assert!(message.contains("I &#60;b&#62;build"), "markup is text: {message}");
    }
    let twice = carol.post(REQUESTS, &json!({})).await;
    assert_eq!((twice.status, &*twice.code()), (409, "ALREADY_EXISTS"));

    let list = admin.get(REQUESTS).await.json();
    assert_eq!(
        (&list["page"]["total"], words(&list, "username")),
        (&json!(1), vec!["carol".to_owned()])
    );
    assert_eq!(list["data"][0]["email"], "carol@example.com");
    assert_eq!(carol.get(REQUESTS).await.status, 403, "who else asks is not for those who ask");
    let id = list["data"][0]["id"].as_str().unwrap();
    // the link leads to a page that knows which request it is about, and asks who decides
    let message = world.message("ada", "carol asks to join acme").await.replace("=\r\n", "");
    let link = format!("/organization/join-request#organization=acme&request={id}");
    assert!(message.replace("=3D", "=").contains(&link), "{message}");
    let page = world.server.anonymous().get("/organization/join-request").await;
    assert_eq!(page.status, 200);
    let there = ["id=\"join-request\"", "id=\"root\""].map(|part| page.text().contains(part));
    assert_ne!(there, [false, false], "{}", page.text());
    for verb in ["approve", "deny"] {
        assert_eq!(world.decide(carol, id, verb, &json!({})).await.0, 403, "{verb}");
    }
    let role = json!({ "assignedRole": "admin" });
    assert_eq!(world.decide(admin, id, "approve", &role).await.0, 200);
    assert_eq!(world.role_of_carol().await, "admin", "at once");
    let message = world.message("carol", "Your request to join acme").await;
    assert!(message.contains("You are now in acme, as admin."), "{message}");
    for verb in ["approve", "deny"] {
        let again = world.decide(admin, id, verb, &json!({})).await;
        assert_eq!(again, refused(404, "JOIN_REQUEST_NOT_FOUND"), "{verb}");
    }
    let member = carol.post(REQUESTS, &json!({})).await;
    assert_eq!((member.status, &*member.code()), (409, "ALREADY_EXISTS"));
    assert_eq!(words(&carol.get(OWN).await.json(), "status"), ["approved"]);
}

/// W-32: in the original an admin could hand out by approval what they could not hand out otherwise.
#[tokio::test]
async fn nobody_approves_with_a_role_above_their_own() {
    let world = World::new("request_to_join", &[]).await;
    let id = world.asked().await;
    let owner = json!({ "role": "owner" });
    assert_eq!(world.decide(&world.admin, &id, "approve", &owner).await.0, 403);
    let unknown = world.decide(&world.owner, &id, "approve", &json!({ "role": "king" })).await;
    assert_eq!(unknown, refused(400, "INVALID_INPUT"));
    assert_eq!(world.role_of_carol().await, Value::Null);
    assert_eq!(world.decide(&world.owner, &id, "approve", &owner).await.0, 200);
    assert_eq!(world.role_of_carol().await, "owner");
}

/// W-17: in the original a second denial of the same user was a 500.
#[tokio::test]
async fn somebody_is_denied_twice_and_may_ask_again() {
    let world = World::new("request_to_join", &[]).await;
    for _ in 0..2 {
        let id = world.asked().await;
        assert_eq!(world.decide(&world.admin, &id, "deny", &json!({})).await.0, 200);
    }
    let message = world.message("carol", "Your request to join acme").await;
    assert!(message.contains("was denied"), "{message}");
    let own = format!("{OWN}/{}", world.asked().await);
    let of_another = world.owner.delete(&own).await;
    assert_eq!((of_another.status, &*of_another.code()), (404, "JOIN_REQUEST_NOT_FOUND"));
    let withdrawn = world.carol.delete(&own).await;
    assert_eq!((withdrawn.status, &withdrawn.data()["status"]), (200, &json!("withdrawn")));
    assert_eq!(world.carol.delete(&own).await.status, 404);
    assert_eq!(world.owner.get(REQUESTS).await.json()["page"]["total"], 0);
    let list = world.carol.get(OWN).await.json();
    assert_eq!(words(&list, "status"), ["withdrawn", "denied", "denied"]);
    assert_eq!(words(&list, "organization"), ["acme"; 3]);
    assert_eq!(world.role_of_carol().await, Value::Null);
}

#[tokio::test]
async fn the_access_mode_says_who_may_ask() {
    for (mode, expected) in [
        ("private", refused(404, "ORGANIZATION_NOT_FOUND")),
        ("invite_only", refused(403, "JOIN_REQUESTS_CLOSED")),
        ("request_to_join", (201, String::new())),
    ] {
        let world = World::new(mode, &[]).await;
        let asked = world.carol.post(REQUESTS, &json!({})).await;
        let code = if asked.status < 400 { String::new() } else { asked.code() };
        assert_eq!((asked.status, code), expected, "{mode}: {}", asked.text());
        // whoever is nobody hears that first, whatever they sent
        let anonymous =
            send(world.server.anonymous().request(Method::POST, REQUESTS).body("x")).await;
        assert_eq!(anonymous.status, if mode == "private" { 404 } else { 401 }, "{mode}");
        let services = "/api/organization/acme/service-accounts";
        let ci = json!({ "name": "ci", "role": "admin" });
        let ci = world.owner.post(services, &ci).await.data()["token"].as_str().unwrap().to_owned();
        let ci = world.server.anonymous().with_token(&ci);
        assert_eq!(
            ci.post(REQUESTS, &json!({})).await.status,
            403,
            "{mode}: machines join nothing"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_a_message_is_refused() {
    let world = World::new("request_to_join", &[]).await;
    for (body, field) in [
        (json!({ "message": "x".repeat(1025) }), "message"),
        (json!({ "message": "a\u{0007}b" }), "message"),
        (json!({ "mesage": "" }), "mesage"),
    ] {
        let reply = world.carol.post(REQUESTS, &body).await;
        assert_eq!((reply.status, &*reply.code()), (400, "INVALID_INPUT"), "{body}");
        assert!(reply.json()["error"]["fields"][field].is_string(), "{}", reply.text());
    }
    let longest = json!({ "message": "ü\n".repeat(512) });
    assert_eq!(world.carol.post(REQUESTS, &longest).await.status, 201);
    assert_eq!(world.admin.get(&format!("{REQUESTS}?sort=name")).await.status, 400);
}

#[tokio::test]
async fn no_request_reaches_an_organization_that_is_suspended_or_deleted() {
    let world = World::new("request_to_join", &[]).await;
    let id = world.asked().await;
    assert_eq!(world.root.put("/api/organization/acme/suspend", &json!({})).await.status, 200);
    let dora = world.server.user("dora").await;
    let asked = dora.post(REQUESTS, &json!({})).await;
    assert_eq!((asked.status, &*asked.code()), (404, "ORGANIZATION_NOT_FOUND"));
    let decided = world.decide(&world.admin, &id, "approve", &json!({})).await;
    assert_eq!(decided, refused(403, "ORGANIZATION_SUSPENDED"));
    assert_eq!(world.root.put("/api/organization/acme/resume", &json!({})).await.status, 200);
    assert_eq!(world.owner.delete("/api/organization/acme?confirm=acme").await.status, 200);
    assert_eq!(dora.post(REQUESTS, &json!({})).await.status, 404);
    assert_eq!(world.decide(&world.admin, &id, "approve", &json!({})).await.0, 404);
    assert_eq!(world.carol.get(OWN).await.json()["page"]["total"], 0);
    assert_eq!(world.owner.post("/api/organization/acme/restore", &json!({})).await.status, 200);
    assert_eq!(world.decide(&world.admin, &id, "approve", &json!({})).await.0, 200);
    assert_eq!(world.role_of_carol().await, "member");
}

#[tokio::test]
async fn a_suspended_account_is_not_taken_in() {
    let world = World::new("request_to_join", &[]).await;
    let id = world.asked().await;
    let suspend = json!({ "suspended": true });
    assert_eq!(world.root.put("/api/users/carol", &suspend).await.status, 200);
    let approved = world.decide(&world.admin, &id, "approve", &json!({})).await;
    assert_eq!(approved, refused(409, "ACCOUNT_SUSPENDED"));
    assert_eq!(world.admin.get(REQUESTS).await.json()["data"][0]["suspended"], true);
    assert_eq!(world.admin.get("/api/organization/acme/members").await.json()["page"]["total"], 2);
    assert_eq!(world.decide(&world.admin, &id, "deny", &json!({})).await.0, 200);
}

#[tokio::test]
async fn nobody_asks_too_often() {
    let limits =
        [("organizations.join_request_pause", "1 h"), ("organizations.join_requests_per_day", "2")];
    let world = World::new("request_to_join", &limits).await;
    let id = world.asked().await;
    assert_eq!(world.decide(&world.admin, &id, "deny", &json!({})).await.0, 200);
    let soon = world.carol.post(REQUESTS, &json!({})).await;
    assert_eq!((soon.status, &*soon.code()), (429, "RATE_LIMITED"));
    assert_eq!(soon.header("retry-after"), Some("3600"));
    for (name, status) in [("b", 201), ("c", 429)] {
        let open = json!({ "name": name, "accessMode": "request_to_join" });
        assert_eq!(world.owner.post("/api/organization", &open).await.status, 201);
        let asked =
            world.carol.post(&format!("/api/organization/{name}/requests"), &json!({})).await;
        assert_eq!(asked.status, status, "{}", asked.text());
    }
}

#[tokio::test]
async fn who_asks_and_who_decides_is_in_the_log_of_the_organization() {
    let world = World::new("request_to_join", &[]).await;
    let id = world.asked().await;
    assert_eq!(world.decide(&world.admin, &id, "deny", &json!({})).await.0, 200);
    let own = format!("{OWN}/{}", world.asked().await);
    assert_eq!(world.carol.delete(&own).await.status, 200);
    let id = world.asked().await;
    assert_eq!(world.decide(&world.owner, &id, "approve", &json!({})).await.0, 200);
    let log = world.owner.get("/api/organization/acme/audit?per_page=6").await.json();
    let rows: Vec<_> = log["data"].as_array().unwrap().iter().collect();
    let short = |row: &&Value| {
        let word = |field: &str| row[field].as_str().unwrap_or("-").to_owned();
        [word("actor"), word("action"), word("object")].join(" ")
    };
    assert_eq!(
        rows.iter().map(short).collect::<Vec<_>>(),
        [
            "olivia update join-request/carol",
            "carol create join-request/carol",
            "carol update profile",
            "carol create join-request/carol",
            "ada update join-request/carol",
            "carol create join-request/carol",
        ]
    );
    assert_eq!(rows[2]["detail"]["operation"], "withdraw_join_request");
    assert_eq!(rows[0]["detail"]["operation"], "approve_join_request");
}

#[tokio::test]
async fn a_request_that_is_sent_again_with_its_key_is_made_once() {
    let world = World::new("request_to_join", &[]).await;
    let ask = async || {
        let request = world.carol.request(Method::POST, REQUESTS).json(&json!({}));
        send(request.header("idempotency-key", "one")).await
    };
    let (first, second) = (ask().await, ask().await);
    assert_eq!((first.status, second.status), (201, 201), "{}", second.text());
    assert_eq!(first.data(), second.data());
    assert_eq!(world.admin.get(REQUESTS).await.json()["page"]["total"], 1);
}
