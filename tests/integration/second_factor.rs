//! The second factor: set up with a real authenticator's arithmetic, asked for, used once, lost and taken away.

use boxvault_tests::{
    Client, Reply, TestServer,
    mail::{self, ARRIVAL_DEADLINE, wait_for_link},
    server::{ADMIN_NAME, PASSWORD},
    totp::{code, step},
    wait_for,
};
use data_encoding::BASE32_NOPAD;
use serde_json::json;

async fn sign_in(client: &Client, code: Option<&str>) -> Reply {
    let body = json!({ "username": "alice", "password": PASSWORD, "code": code });
    client.post("/api/auth/signin", &body).await
}

/// Alice with a second factor: her session, the secret, and the recovery codes. The code of the present step is used.
async fn enrolled(server: &TestServer) -> (Client, String, Vec<String>) {
    let alice = server.user("alice").await;
    let password = json!({ "currentPassword": PASSWORD });
    let begun = alice.post("/api/user/second-factor", &password).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let secret = begun.data()["secret"].as_str().unwrap().to_owned();
    let uri = begun.data()["uri"].as_str().unwrap().to_owned();
    assert!(uri.starts_with("otpauth://totp/BoxVault") && uri.contains(&secret), "{uri}");
    // begun is not on
    assert_eq!(sign_in(&server.anonymous(), None).await.status, 200);
    let wrong = alice.put("/api/user/second-factor", &json!({ "code": "000000x" })).await;
    assert_eq!((wrong.status, &*wrong.code()), (400, "CODE_WRONG"));
    // the step before is good, too, and leaves the present one for what follows
    let confirmed =
        alice.put("/api/user/second-factor", &json!({ "code": code(&secret, step() - 1) })).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text());
    let codes = confirmed.data()["recoveryCodes"].as_array().unwrap().clone();
    (alice, secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

async fn start() -> TestServer {
    let server = TestServer::builder().set("limits.sign_in_requests_per_minute", "0").start().await;
    server.admin().await;
    server
}

#[tokio::test]
async fn signing_in_needs_a_code_and_each_code_works_once() {
    let server = start().await;
    let (alice, secret, recovery) = enrolled(&server).await;
    let client = server.anonymous();
    let without = sign_in(&client, None).await;
    assert_eq!((without.status, &*without.code()), (401, "SECOND_FACTOR_REQUIRED"));
    // a wrong password learns nothing of a second factor, with or without a code
    let body =
        json!({ "username": "alice", "password": "wrong horse", "code": code(&secret, step()) });
    assert_eq!(client.post("/api/auth/signin", &body).await.code(), "SIGN_IN_FAILED");

    // the next step is within the window, so that the test does not depend on the second
    let next = code(&secret, step() + 1);
    assert_eq!(sign_in(&client, Some(&next)).await.status, 200);
    let again = sign_in(&client, Some(&next)).await;
    assert_eq!((again.status, &*again.code()), (401, "SECOND_FACTOR_INVALID"), "a replay");
    // nor does one before it work any more
    assert_eq!(
        sign_in(&client, Some(&code(&secret, step()))).await.code(),
        "SECOND_FACTOR_INVALID"
    );

    assert_eq!(recovery.len(), 10);
    let written = recovery[0].to_uppercase().replace('-', " ");
    assert_eq!(sign_in(&client, Some(&written)).await.status, 200);
    assert_eq!(sign_in(&client, Some(&recovery[0])).await.code(), "SECOND_FACTOR_INVALID");
    let state = alice.get("/api/user/second-factor").await.data();
    assert_eq!((&state["enabled"], &state["recoveryCodesLeft"]), (&json!(true), &json!(9)));

    let password = json!({ "currentPassword": PASSWORD });
    let renewed = alice.post("/api/user/second-factor/recovery-codes", &password).await;
    assert_eq!(renewed.status, 201, "{}", renewed.text());
    assert_eq!(sign_in(&client, Some(&recovery[1])).await.code(), "SECOND_FACTOR_INVALID");
    let fresh = renewed.data()["recoveryCodes"][0].as_str().unwrap().to_owned();
    assert_eq!(sign_in(&client, Some(&fresh)).await.status, 200);

    // neither the secret nor a code is in the log or in clear in the catalog
    let raw = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    for file in ["catalog.sqlite3", "catalog.sqlite3-wal"] {
        let bytes = tokio::fs::read(server.data_dir().join(file)).await.unwrap_or_default();
        for secret in [secret.as_bytes(), &raw, recovery[2].as_bytes()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{file}");
        }
    }
    for secret in [&secret, &next, &recovery[2]] {
        assert!(!server.log().contains(secret.as_str()), "the log holds {secret}");
    }
}

#[tokio::test]
async fn guessing_codes_locks_the_account_as_guessing_passwords_does() {
    let server = TestServer::builder()
        .set("auth.lockout_failures_max", "3")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await;
    server.admin().await;
    let (_, secret, _) = enrolled(&server).await;
    let client = server.anonymous();
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(sign_in(&client, Some("not-a-code")).await.code());
    }
    assert!(codes.starts_with(&["SECOND_FACTOR_INVALID".to_owned()]), "{codes:?}");
    assert_eq!(codes.last().unwrap(), "SIGN_IN_THROTTLED", "{codes:?}");
    let right = sign_in(&client, Some(&code(&secret, step() + 1))).await;
    assert_eq!((right.status, &*right.code()), (429, "SIGN_IN_THROTTLED"));
}

#[tokio::test]
async fn only_the_password_or_an_admin_turns_a_second_factor_off() {
    let server = start().await;
    let (alice, _, recovery) = enrolled(&server).await;
    let client = server.anonymous();
    let path = "/api/user/second-factor";
    let wrong = json!({ "currentPassword": "wrong horse battery" });
    let right = json!({ "currentPassword": PASSWORD });
    for path in [path.to_owned(), format!("{path}/disable"), format!("{path}/recovery-codes")] {
        let refused = alice.post(&path, &wrong).await;
        assert_eq!((refused.status, &*refused.code()), (400, "CURRENT_PASSWORD_WRONG"), "{path}");
    }
    let twice = alice.post(path, &right).await;
    assert_eq!((twice.status, &*twice.code()), (409, "SECOND_FACTOR_STATE"));
    assert_eq!(alice.put(path, &json!({ "code": "123456" })).await.status, 409);
    assert_eq!(alice.delete("/api/users/alice/second-factor").await.status, 404);
    // a reset of the password leaves it on: the mailbox alone opens nothing
    let wish = json!({ "email": "alice" });
    assert_eq!(client.post("/api/auth/forgot-password", &wish).await.status, 200);
    let folder = server.data_dir().join("mail");
    let token = wait_for_link(&folder, "reset_password", "alice@example.com", 1).await;
    let body = json!({ "token": token, "newPassword": format!("{PASSWORD} two") });
    assert_eq!(client.post("/api/auth/reset-password", &body).await.status, 200);
    let body = json!({ "username": "alice", "password": format!("{PASSWORD} two") });
    assert_eq!(client.post("/api/auth/signin", &body).await.code(), "SECOND_FACTOR_REQUIRED");

    let admin = client.sign_in(ADMIN_NAME, PASSWORD).await;
    assert_eq!(admin.delete("/api/users/alice/second-factor").await.status, 200);
    assert_eq!(admin.delete("/api/users/alice/second-factor").await.code(), "SECOND_FACTOR_STATE");
    let alice = client.sign_in("alice", &format!("{PASSWORD} two")).await;
    let state = alice.get(path).await.data();
    assert_eq!((&state["enabled"], &state["recoveryCodesLeft"]), (&json!(false), &json!(0)));
    wait_for("a message that tells of it", ARRIVAL_DEADLINE, async || {
        let all = mail::files(&folder).concat();
        all.contains("needs no code any more").then_some(())
    })
    .await;
    drop(recovery);
}
