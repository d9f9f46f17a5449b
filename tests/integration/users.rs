//! Everybody's accounts, for platform admins: made, found, changed, suspended, reset; and closed to everybody else.

use boxvault_tests::{
    Client, TestServer,
    mail::{files, link_tokens, wait_for_link},
    server::{ADMIN_NAME, PASSWORD},
};
use reqwest::Method;
use serde_json::{Value, json};

const NEW_PASSWORD: &str = "another horse battery";

async fn world() -> (TestServer, Client) {
    let server = TestServer::builder().set("limits.sign_in_requests_per_minute", "0").start().await;
    let admin = server.admin().await;
    (server, admin)
}

async fn sign_in(server: &TestServer, name: &str, password: &str) -> (u16, String) {
    let body = json!({ "username": name, "password": password });
    let reply = server.anonymous().post("/api/auth/signin", &body).await;
    (reply.status, if reply.status < 400 { String::new() } else { reply.code() })
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["data"].as_array().unwrap().iter();
    items.map(|item| item["username"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_account_that_is_made_without_a_password_begins_with_a_link() {
    let (server, admin) = world().await;
    let body = json!({ "username": "dora", "email": "dora@example.com", "name": "Dora" });
    let made = admin.post("/api/users", &body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(
        (&made.data()["username"], &made.data()["platformAdmin"]),
        (&json!("dora"), &json!(false))
    );
    for password in ["", PASSWORD] {
        assert_eq!(sign_in(&server, "dora", password).await.0, 401, "nobody knows a password yet");
    }
    let folder = server.data_dir().join("mail");
    let token = wait_for_link(&folder, "reset_password", "dora@example.com", 1).await;
    assert!(!made.text().contains(&token), "the link is for whoever has the address");
    let messages = files(&folder).concat();
    assert!(messages.contains("Subject: Choose a password for your new account"), "{messages}");
    let choose = async |password: &str| {
        let body = json!({ "token": token, "newPassword": password });
        server.anonymous().post("/api/auth/reset-password", &body).await
    };
    assert_eq!(choose("short").await.status, 400, "and the link stays");
    assert_eq!(choose(NEW_PASSWORD).await.status, 200);
    assert_eq!(choose(PASSWORD).await.code(), "LINK_INVALID", "it works once");
    assert_eq!(sign_in(&server, "dora", NEW_PASSWORD).await.0, 200);
}

#[tokio::test]
async fn an_account_is_made_with_a_password_and_a_role_or_refused() {
    let (server, admin) = world().await;
    let user = server.user("mallory").await;
    let good = json!({
        "username": "dora", "email": "dora@example.com", "password": PASSWORD, "platformAdmin": true,
    });
    assert_eq!(user.post("/api/users", &good).await.status, 403);
    assert_eq!(server.anonymous().post("/api/users", &good).await.status, 401);
    for (field, value) in [
        ("username", json!("a b")),
        ("email", json!("dora")),
        ("password", json!("short")),
        ("password", json!("")),
        ("name", json!("x".repeat(256))),
        ("roles", json!(["admin"])),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let reply = admin.post("/api/users", &bad).await;
        assert_eq!((reply.status, &*reply.code()), (400, "INVALID_INPUT"), "{bad}");
        assert!(reply.json()["error"]["fields"][field].is_string(), "{}", reply.text());
    }
    assert_eq!(admin.post("/api/users", &good).await.status, 201);
    for (field, other) in [("username", "dora2"), ("email", "dora2@example.com")] {
        let mut twice = good.clone();
        twice[field] = json!(other);
        for body in [twice.clone(), {
            twice.as_object_mut().unwrap().remove("password");
            twice
        }] {
            let reply = admin.post("/api/users", &body).await;
            assert_eq!((reply.status, &*reply.code()), (409, "ALREADY_EXISTS"), "{body}");
        }
    }
    assert_eq!(admin.get("/api/users").await.json()["page"]["total"], 3);
    let dora = server.anonymous().sign_in("dora", PASSWORD).await;
    assert_eq!(dora.get("/api/users").await.status, 200, "she administers the server");
    let folder = server.data_dir().join("mail");
    assert!(link_tokens(&folder, "reset_password", "dora@example.com").is_empty());
}

#[tokio::test]
async fn accounts_are_listed_searched_sorted_and_paged() {
    let (server, admin) = world().await;
    for name in ["anna", "bert", "carl"] {
        server.user(name).await;
    }
    admin.put("/api/users/carl", &json!({ "name": "Bertold" })).await;
    let list = async |query: &str| admin.get(&format!("/api/users{query}")).await.json();
    assert_eq!(names(&list("?q=BERT").await), ["bert", "carl"]);
    assert_eq!(names(&list("?q=carl@example").await), ["carl"]);
    assert!(names(&list("?q=%25").await).is_empty(), "a sign that stands for itself");
    assert_eq!(names(&list("?sort=created&order=desc&per_page=2").await), ["carl", "bert"]);
    let second = list("?sort=created&order=desc&per_page=2&page=2").await;
    assert_eq!(
        (names(&second), &second["page"]["total"]),
        (vec!["anna", "root-of-tests"], &json!(4))
    );
    for query in ["?sort=password", "?per_page=100000", "?page=0"] {
        assert_eq!(admin.get(&format!("/api/users{query}")).await.status, 400, "{query}");
    }
    let read = admin.get("/api/users/ANNA").await;
    assert_eq!((read.status, &read.data()["email"]), (200, &json!("anna@example.com")));
    assert!(!read.text().contains("argon2"), "{}", read.text());
    assert_eq!(admin.get("/api/users/nobody").await.code(), "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_suspended_account_is_out_at_once_and_in_again_when_it_is_resumed() {
    let (server, admin) = world().await;
    let anna = server.user("anna").await;
    let token = anna.post("/api/user/tokens", &json!({ "description": "ci" })).await.data();
    let ci = server.anonymous().with_token(token["token"].as_str().unwrap());
    let set = async |suspended: bool| {
        let reply = admin.put("/api/users/anna", &json!({ "suspended": suspended })).await;
        assert_eq!((reply.status, &reply.data()["suspended"]), (200, &json!(suspended)));
    };
    set(true).await;
    for client in [&anna, &ci] {
        assert_eq!(client.get("/api/user").await.status, 401, "at once");
    }
    assert_eq!(sign_in(&server, "anna", PASSWORD).await, (401, "SIGN_IN_FAILED".to_owned()));
    set(true).await;
    set(false).await;
    assert_eq!(anna.get("/api/user").await.status, 401, "what has ended stays so");
    assert_eq!(ci.get("/api/organization").await.status, 200);
    assert_eq!(sign_in(&server, "anna", PASSWORD).await.0, 200);
}

#[tokio::test]
async fn a_change_of_an_account_is_made_whole_or_not_at_all() {
    let (server, admin) = world().await;
    server.user("anna").await;
    let bert = server.user("bert").await;
    let all = |email: &str| json!({ "name": "Bert", "email": email, "platformAdmin": true, "suspended": true });
    let before = admin.get("/api/users/bert").await.data();
    let taken = admin.put("/api/users/bert", &all("ANNA@example.com")).await;
    assert_eq!((taken.status, &*taken.code()), (409, "ALREADY_EXISTS"));
    assert_eq!(admin.get("/api/users/bert").await.data(), before);
    assert_eq!(bert.get("/api/user").await.status, 200);
    // the last admin is not lost, and keeps name and address with it
    let own = "/api/users/root-of-tests";
    let before = admin.get(own).await.data();
    let last = json!({ "name": "x", "email": "x@example.com", "platformAdmin": false });
    assert_eq!(admin.put(own, &last).await.code(), "LAST_ADMIN");
    assert_eq!(admin.get(own).await.data(), before);
    let changed = admin.put("/api/users/bert", &all("new@example.com")).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let now = changed.data();
    assert_eq!((&now["name"], &now["email"]), (&json!("Bert"), &json!("new@example.com")));
    assert_eq!((&now["platformAdmin"], &now["suspended"]), (&json!(true), &json!(true)));
    assert_eq!(now["emailVerified"], false);
    assert_eq!(bert.get("/api/user").await.status, 401);
}

#[tokio::test]
async fn a_reset_by_an_admin_ends_the_password_and_every_session_and_sends_a_link() {
    let (server, admin) = world().await;
    let (anna, bert) = (server.user("anna").await, server.user("bert").await);
    let reset = async |client: &Client, name: &str| {
        client.post(&format!("/api/users/{name}/reset-password"), &json!({})).await
    };
    assert_eq!(reset(&bert, "anna").await.status, 404, "whether there is one is not for everybody");
    assert_eq!(anna.get("/api/user").await.status, 200);
    assert_eq!(reset(&admin, "nobody").await.code(), "USER_NOT_FOUND");
    let machine = server.anonymous().with_token(&server.api_token("anna").await);
    let done = reset(&admin, "anna").await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(anna.get("/api/user").await.status, 401, "at once");
    assert_eq!(sign_in(&server, "anna", PASSWORD).await.0, 401, "before the link is used");
    assert_eq!(machine.get("/api/user").await.status, 200, "machines go on");
    assert!(done.text().contains("API tokens stay"), "{}", done.text());
    assert_eq!(bert.get("/api/user").await.status, 200);
    let folder = server.data_dir().join("mail");
    let token = wait_for_link(&folder, "reset_password", "anna@example.com", 1).await;
    assert!(!done.text().contains(&token));
    let told = files(&folder).into_iter().any(|message| message.contains("ended the password"));
    assert!(told, "whoever gets the link learns what happened");
    let body = json!({ "token": token, "newPassword": NEW_PASSWORD });
    assert_eq!(server.anonymous().post("/api/auth/reset-password", &body).await.status, 200);
    assert_eq!(sign_in(&server, "anna", PASSWORD).await.0, 401);
    assert_eq!(sign_in(&server, "anna", NEW_PASSWORD).await.0, 200);

    assert_eq!(admin.put("/api/users/bert", &json!({ "suspended": true })).await.status, 200);
    let suspended = reset(&admin, "bert").await;
    assert_eq!((suspended.status, &*suspended.code()), (400, "INVALID_INPUT"));
    assert!(link_tokens(&folder, "reset_password", "bert@example.com").is_empty());
    // nobody would be left who administers the server
    let last = reset(&admin, ADMIN_NAME).await;
    assert_eq!((last.status, &*last.code()), (409, "LAST_ADMIN"), "{}", last.text());
    assert_eq!(admin.get("/api/user").await.status, 200);
}

#[tokio::test]
async fn nobody_but_a_platform_admin_gets_at_accounts() {
    let (server, _admin) = world().await;
    let anna = server.user("anna").await;
    server.user("bert").await;
    let path = "/api/users/bert";
    for (method, path, body) in [
        (Method::GET, path.to_owned(), Value::Null),
        (Method::PUT, path.to_owned(), json!({ "suspended": true })),
        (Method::PUT, path.to_owned(), json!({ "platformAdmin": true })),
        (Method::DELETE, path.to_owned(), Value::Null),
        (Method::DELETE, format!("{path}/second-factor"), Value::Null),
        (Method::PUT, "/api/users/anna".to_owned(), json!({ "platformAdmin": true })),
    ] {
        let mut request = anna.request(method.clone(), &path);
        if !body.is_null() {
            request = request.json(&body);
        }
        let reply = boxvault_tests::client::send(request).await;
        assert_eq!((reply.status, &*reply.code()), (404, "USER_NOT_FOUND"), "{method} {path}");
    }
    assert_eq!(anna.get("/api/users").await.status, 403);
    assert_eq!(sign_in(&server, "bert", PASSWORD).await.0, 200);
}
