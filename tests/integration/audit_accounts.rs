//! The audit log of what nobody is signed in for yet, of what is done to credentials, and of what no request asked for.

use std::{fs, time::Duration};

use boxvault_tests::{
    Client, Reply, TestServer,
    client::send,
    faults::write_file,
    mail::wait_for_link,
    server::{ADMIN_NAME, PASSWORD},
    totp, wait_for, workspace,
};
use reqwest::Method;
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_mins(1);
const NEW_PASSWORD: &str = "another horse battery";

/// The rows at a path, newest first.
async fn rows(client: &Client, path: &str) -> Vec<Value> {
    let reply = client.get(path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.data().as_array().unwrap().clone()
}

/// The newest row of an operation, as soon as it is there.
async fn row_of(client: &Client, operation: &str, allowed: bool) -> Value {
    wait_for(operation, DEADLINE, async || {
        let all = rows(client, &format!("/api/audit?allowed={allowed}&per_page=200")).await;
        all.into_iter().find(|row| row["detail"]["operation"] == operation)
    })
    .await
}

#[track_caller]
fn assert_who(row: &Value, actor: Option<&str>, credential: &str, object: &str) {
    assert_eq!(row["actor"].as_str(), actor, "{row}");
    assert_eq!(row["actorId"].is_string(), actor.is_some(), "{row}");
    assert_eq!(row["credential"], credential, "{row}");
    assert_eq!(row["object"], object, "{row}");
}

#[tokio::test]
async fn an_attempt_to_get_in_names_the_account_and_never_what_was_typed() {
    let server = TestServer::builder().set("limits.sign_in_requests_per_minute", "0").start().await;
    let root = server.admin().await;
    server.user("anna").await;
    let client = server.anonymous();
    let sign_in = async |name: &str, password: &str| {
        let body = json!({ "username": name, "password": password });
        client.post("/api/auth/signin", &body).await.status
    };
    for typed in ["anna", "Anna@Example.com"] {
        assert_eq!(sign_in(typed, "wrong horse").await, 401);
        let row = row_of(&root, "sign_in", false).await;
        assert_who(&row, None, "none", "session");
        assert_eq!(row["detail"]["account"], "anna", "{row}");
        assert_eq!(row["address"], "127.0.0.1", "{row}");
    }
    // somebody typed the password where the name belongs
    assert_eq!(sign_in("my secret password", "x").await, 401);
    // and somebody goes on until the account is locked
    wait_for("the lock", DEADLINE, async || {
        (sign_in("anna", "wrong horse").await == 429).then_some(())
    })
    .await;
    let locked = wait_for("the refusal of a locked account", DEADLINE, async || {
        let all = rows(&root, "/api/audit?allowed=false&per_page=200").await;
        all.into_iter().find(|row| row["status"] == 429)
    })
    .await;
    assert_eq!(locked["detail"]["account"], "anna", "{locked}");
    let all = root.get("/api/audit/export").await.text();
    assert!(!all.contains("my secret"), "{all}");
}

#[tokio::test]
async fn a_password_that_is_reset_is_in_the_log_from_the_wish_to_the_end() {
    let server = TestServer::start().await;
    let root = server.admin().await;
    let anna = server.user("anna").await;
    let client = server.anonymous();
    let folder = server.data_dir().join("mail");
    for typed in ["anna@example.com", "nobody@example.com"] {
        let wish = json!({ "email": typed });
        assert_eq!(client.post("/api/auth/forgot-password", &wish).await.status, 200);
        let row = row_of(&root, "request_reset_link", true).await;
        assert_who(&row, None, "none", "account");
        let named = row["detail"]["account"].as_str();
        assert_eq!(named, (typed == "anna@example.com").then_some("anna"), "{row}");
    }
    let token = wait_for_link(&folder, "reset_password", "anna@example.com", 1).await;
    let wrong = json!({ "token": "bvl_wrong", "newPassword": NEW_PASSWORD });
    assert_eq!(client.post("/api/auth/reset-password", &wrong).await.status, 401);
    let row = row_of(&root, "reset_password", false).await;
    assert_who(&row, None, "none", "account");
    let right = json!({ "token": token, "newPassword": NEW_PASSWORD });
    assert_eq!(client.post("/api/auth/reset-password", &right).await.status, 200);
    // the link has shown who it was
    let row = row_of(&root, "reset_password", true).await;
    assert_who(&row, Some("anna"), "none", "account");
    assert_eq!(row["detail"]["fields"], json!(["newPassword", "token"]), "{row}");
    assert_eq!(anna.get("/api/user").await.status, 401);

    let sent = root.post("/api/users/anna/reset-password", &json!({})).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    let row = row_of(&root, "send_reset_link", true).await;
    assert_who(&row, Some(ADMIN_NAME), "session", "user/anna");
    let all = root.get("/api/audit/export").await.text();
    for secret in [&*token, NEW_PASSWORD, "bvl_", "nobody@"] {
        assert!(!all.contains(secret), "{secret} is in the log:\n{all}");
    }
}

async fn delete(client: &Client, body: &Value) -> Reply {
    send(client.request(Method::DELETE, "/api/user").json(body)).await
}

#[tokio::test]
async fn a_wrong_present_password_is_a_refused_attempt_of_whoever_has_the_session() {
    let server = TestServer::builder()
        .set("limits.requests_per_minute", "0")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await;
    let root = server.admin().await;
    let anna = server.user("anna").await;
    let wrong = |mut body: Value| {
        body["currentPassword"] = json!("wrong horse battery");
        body
    };
    let password = wrong(json!({ "newPassword": NEW_PASSWORD }));
    let email = wrong(json!({ "email": "new@example.com" }));
    for (operation, reply) in [
        ("change_password", anna.put("/api/user/password", &password).await),
        ("change_email", anna.put("/api/user/email", &email).await),
        ("delete_profile", delete(&anna, &wrong(json!({}))).await),
        ("begin_second_factor", anna.post("/api/user/second-factor", &wrong(json!({}))).await),
    ] {
        assert_eq!((reply.status, &*reply.code()), (400, "CURRENT_PASSWORD_WRONG"), "{operation}");
        assert!(reply.json()["error"]["fields"]["currentPassword"].is_string(), "{}", reply.text());
        let row = row_of(&root, operation, false).await;
        assert_who(&row, Some("anna"), "session", "profile");
        assert_eq!((&row["status"], &row["address"]), (&json!(400), &json!("127.0.0.1")), "{row}");
    }
    // nor does anybody guess the code that confirms a second factor without a trace
    let begin = json!({ "currentPassword": PASSWORD });
    assert_eq!(anna.post("/api/user/second-factor", &begin).await.status, 201);
    let guess = anna.put("/api/user/second-factor", &json!({ "code": "000000x" })).await;
    assert_eq!((guess.status, &*guess.code()), (400, "CODE_WRONG"), "{}", guess.text());
    let row = row_of(&root, "confirm_second_factor", false).await;
    assert_who(&row, Some("anna"), "session", "profile");
    // or the token of an invitation
    for (path, operation, actor) in [
        ("/api/invitations/open", "open_invitation", None),
        ("/api/invitations/decline", "decline_invitation", None),
        ("/api/invitations/accept", "accept_invitation", Some("anna")),
    ] {
        let guess = json!({ "token": "bvl_guessed" });
        let caller = if actor.is_some() { anna.clone() } else { server.anonymous() };
        let reply = caller.post(path, &guess).await;
        assert_eq!((reply.status, &*reply.code()), (404, "INVITATION_NOT_FOUND"), "{path}");
        let row = row_of(&root, operation, false).await;
        assert_eq!((row["actor"].as_str(), &row["status"]), (actor, &json!(404)), "{row}");
    }
    let all = root.get("/api/audit/export").await.text();
    for typed in ["wrong horse battery", NEW_PASSWORD, "new@example.com", "bvl_guessed"] {
        assert!(!all.contains(typed), "{typed} is in the log");
    }
    // another mistake is none of it
    assert_eq!(delete(&anna, &json!({})).await.code(), "INVALID_INPUT");
    let short = json!({ "currentPassword": PASSWORD, "newPassword": "short" });
    assert_eq!(anna.put("/api/user/password", &short).await.code(), "INVALID_INPUT");
}

#[tokio::test]
async fn what_is_done_to_credentials_is_in_the_log_and_their_secrets_are_not() {
    let server = TestServer::start().await;
    let root = server.admin().await;
    let anna = server.user("anna").await;
    let password = json!({ "currentPassword": PASSWORD });
    let begun = anna.post("/api/user/second-factor", &password).await;
    let secret = begun.data()["secret"].as_str().unwrap().to_owned();
    let code = totp::code(&secret, totp::step());
    let on = anna.put("/api/user/second-factor", &json!({ "code": code })).await;
    assert_eq!(on.status, 200, "{}", on.text());
    let recovery = on.data()["recoveryCodes"][0].as_str().unwrap().to_owned();
    assert_eq!(anna.post("/api/user/second-factor/disable", &password).await.status, 200);
    for operation in ["begin_second_factor", "confirm_second_factor", "disable_second_factor"] {
        assert_who(&row_of(&root, operation, true).await, Some("anna"), "session", "profile");
    }
    let made = anna.post("/api/user/tokens", &json!({ "description": "ci" })).await;
    let (token, id) = (made.data()["token"].clone(), made.data()["id"].clone());
    let (token, id) = (token.as_str().unwrap(), id.as_str().unwrap());
    let by_token = server.anonymous().with_token(token);
    assert_eq!(by_token.post("/api/organization", &json!({ "name": "acme" })).await.status, 201);
    assert_who(
        &row_of(&root, "create_organization", true).await,
        Some("anna"),
        "token",
        "organization",
    );
    assert_eq!(anna.delete(&format!("/api/user/tokens/{id}")).await.status, 200);
    for operation in ["create_token", "delete_token"] {
        let row = row_of(&root, operation, true).await;
        assert_who(&row, Some("anna"), "session", &format!("token/{id}"));
    }
    assert_eq!(by_token.delete("/api/organization/acme").await.status, 401);
    let row = row_of(&root, "delete_organization", false).await;
    assert_who(&row, None, "invalid", "organization");
    let refreshed = json!({ "refreshToken": "bvr_nothing_0" });
    assert_eq!(server.anonymous().post("/api/auth/refresh-token", &refreshed).await.status, 401);
    assert_who(&row_of(&root, "refresh_session", false).await, None, "none", "session");
    // a copied token names whose session it ends
    let credentials = json!({ "username": "anna", "password": PASSWORD });
    let signed_in = server.anonymous().post("/api/auth/signin", &credentials).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.text());
    let first = json!({ "refreshToken": signed_in.data()["refreshToken"] });
    let refresh =
        async |body: &Value| server.anonymous().post("/api/auth/refresh-token", body).await;
    let next = refresh(&first).await.data();
    assert_who(&row_of(&root, "refresh_session", true).await, Some("anna"), "none", "session");
    assert_eq!(refresh(&json!({ "refreshToken": next["refreshToken"] })).await.status, 200);
    assert_eq!(refresh(&first).await.status, 401);
    wait_for("whose session was ended", DEADLINE, async || {
        let row = row_of(&root, "refresh_session", false).await;
        (row["detail"]["account"] == "anna").then_some(())
    })
    .await;
    let all = root.get("/api/audit/export").await.text();
    for secret in [&*secret, &code, &recovery, token, PASSWORD, "bvr_"] {
        assert!(!all.contains(secret), "{secret} is in the log:\n{all}");
    }
}

#[tokio::test]
async fn what_is_done_on_the_command_line_is_in_the_log_once_it_is_done() {
    let server = TestServer::start().await;
    let root = server.admin().await;
    let token = server.api_token(ADMIN_NAME).await;
    let rotated = server.command(&["keys", "rotate"], "").await;
    assert!(rotated.status.success(), "{rotated:?}");
    let refused = server.command(&["token", "create", "--user", "nobody"], "").await;
    assert!(!refused.status.success());
    let all = rows(&root, "/api/audit?per_page=200").await;
    let told = |row: &Value| {
        format!("{} {}", row["action"].as_str().unwrap(), row["object"].as_str().unwrap())
    };
    let commands: Vec<_> =
        all.iter().filter(|row| row["credential"] == "command").map(told).collect();
    assert_eq!(commands[0], "update system/signing-keys");
    assert!(commands[1].starts_with(&format!("create user/{ADMIN_NAME}/token/")), "{commands:?}");
    assert_eq!(commands[2], format!("create user/{ADMIN_NAME}"));
    assert_eq!(commands.len(), 3, "{commands:?}");
    let first = &all.iter().find(|row| row["credential"] == "command").unwrap();
    assert!(first["actor"].is_null() && first["policyDigest"].is_null(), "{first}");
    assert!(!root.get("/api/audit/export").await.text().contains(&token));
}

#[tokio::test]
async fn another_policy_is_in_the_log_with_the_one_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    fs::create_dir_all(&policies).unwrap();
    for name in ["model.conf", "policy.csv"] {
        fs::copy(workspace::root().join("policies").join(name), policies.join(name)).unwrap();
    }
    let mut server = TestServer::builder()
        .set("policy.dir", policies.to_str().unwrap())
        .set("policy.watch_interval", "100 ms")
        .start()
        .await;
    let root = server.admin().await;
    root.post("/api/organization", &json!({ "name": "acme" })).await;
    let decided = rows(&root, "/api/organization/acme/audit").await;
    let first = decided[0]["policyDigest"].clone();
    // while the server runs, and while it does not
    let mut before = first;
    for running in [true, false] {
        if !running {
            server.stop().await;
        }
        let rule = format!("p, anonymous, *, box/x{running}/**, download, allow\n");
        write_file(&policies.join("site.csv"), &rule).unwrap();
        if !running {
            server.restart().await;
        }
        let changed = wait_for("the change of the policy", DEADLINE, async || {
            let all = rows(&root, "/api/audit?object=policy").await;
            all.into_iter().find(|row| row["detail"]["policyDigestBefore"] == before)
        })
        .await;
        assert_who(&changed, None, "server", "policy");
        assert_ne!(changed["policyDigest"], before);
        before = changed["policyDigest"].clone();
    }
    // what is decided from then on says so
    root.put("/api/organization/acme", &json!({ "description": "d" })).await;
    let decided = rows(&root, "/api/organization/acme/audit").await;
    assert_eq!(decided[0]["policyDigest"], before);
    assert_eq!(rows(&root, "/api/audit?object=policy").await.len(), 2);
}
