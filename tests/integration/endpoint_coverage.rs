//! Every operation of the API document, called until each status of success that it promises has been seen.

mod recorder;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use boxvault_plugin_conformance::servers::{OidcServer, S3Server};
use boxvault_tests::{Client, TestServer, client::send, document, skip};
use boxvault_types::error::ErrorCode;
use reqwest::Method;
use serde_json::{Value, json};

use recorder::Recorder;
use walk::{
    REDIRECTS, accounts, cloud, first_admin, hcp, invitations, join_requests, links, own_account,
    past_the_server, policy, publish, read, redirects, remove, watch, with_redirects,
};

/// What is promised and not called here, with the reason. This list only shrinks.
const NOT_CALLED: &[(&str, &str)] = &[];

/// What takes an object store.
const PAST_THE_SERVER: &[&str] = &[
    "begin_direct_upload",
    "read_direct_upload",
    "finish_direct_upload",
    "delete_direct_upload",
    "download_file",
    "download_box",
    "download_default_box",
];

#[tokio::test]
async fn every_operation_succeeds_as_documented() {
    let mut oidc = OidcServer::start();
    let builder = TestServer::builder()
        .set("mirror.upstream_hosts", "boxes.example.com")
        .set("limits.sign_in_requests_per_minute", "0")
        .set("organizations.invitation_pause", "0 s")
        .set("organizations.join_request_pause", "0 s")
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", "data/store")
        .set("stores.spare.plugin", "memory");
    let builder = match &oidc {
        Ok(oidc) => with_redirects(builder, oidc),
        Err(_) => builder,
    };
    let server = builder.start().await;
    let anonymous = server.anonymous();
    let mut recorder = Recorder::new(&anonymous).await;
    let admin = first_admin(&server, &mut recorder).await;
    accounts(&server, &mut recorder, &admin).await;
    match &mut oidc {
        Ok(oidc) => redirects(&server, &mut recorder, oidc).await,
        Err(reason) => {
            skip("endpoint_coverage::every_operation_succeeds_as_documented (redirects)", reason);
            recorder.seen.extend(REDIRECTS.map(|id| (id.to_owned(), "200".to_owned())));
        }
    }
    links(&server, &mut recorder, &admin).await;
    own_account(&server, &mut recorder, &admin).await;
    publish(&mut recorder, &admin).await;
    cloud(&mut recorder, &anonymous).await;
    hcp(&mut recorder, &anonymous, &admin).await;
    read(&mut recorder, &admin, &anonymous).await;
    invitations(&server, &mut recorder, &admin).await;
    join_requests(&server, &mut recorder, &admin).await;
    watch(&server, &mut recorder, &admin).await;
    policy(&mut recorder, &admin).await;
    // whoever deletes themselves last cannot be asked any more
    let auditor = server.api_token("root").await;
    remove(&mut recorder, &admin).await;
    assert_each_change_is_recorded_once(&recorder, &anonymous.with_token(&auditor)).await;

    let store = S3Server::start();
    match &store {
        Ok(store) => past_the_server(&mut recorder, store).await,
        Err(reason) => skip("endpoint_coverage::past_the_server", reason),
    }

    let mut missing = BTreeMap::<String, Vec<String>>::new();
    for item in recorder.document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            for status in operation["responses"].as_object().unwrap().keys() {
                let promised = status.starts_with('2') || status.starts_with('3');
                let past = PAST_THE_SERVER.contains(&id)
                    && (status == "302" || !id.starts_with("download"));
                if past && store.is_err() {
                    continue;
                }
                if promised && !recorder.seen.contains(&(id.to_owned(), status.clone())) {
                    missing.entry(id.to_owned()).or_default().push(status.clone());
                }
            }
        }
    }
    for (id, reason) in NOT_CALLED {
        assert!(
            missing.remove(*id).is_some(),
            "{id} ({reason}) is called now: take it off the list"
        );
    }
    assert!(missing.is_empty(), "promised, and never seen: {missing:#?}");
}

/// Each change has one row in the audit log, or one in each of the two organizations that it concerns.
async fn assert_each_change_is_recorded_once(recorder: &Recorder, auditor: &Client) {
    let export = auditor.get("/api/audit/export?allowed=true").await;
    assert_eq!(export.status, 200, "{}", export.text());
    let mut rows = BTreeMap::<String, Vec<(String, String)>>::new();
    for line in export.text().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let told = (word(&row["detail"]["operation"]), word(&row["organization"]));
        rows.entry(word(&row["requestId"])).or_default().push(told);
    }
    assert!(recorder.changes.len() > 80, "only {} changes", recorder.changes.len());
    for (request, operation) in &recorder.changes {
        let found = rows.get(request).map_or(&[][..], Vec::as_slice);
        let organizations: BTreeSet<_> =
            found.iter().map(|(_, organization)| organization).collect();
        let is_once = organizations.len() == found.len() && (1..=2).contains(&found.len());
        // of an upload in pieces its end is told, which the last one makes
        let is_piece = operation == "append_upload" && found.is_empty();
        assert!(is_once || is_piece, "{operation}: {found:?}");
        assert!(found.iter().all(|(named, _)| named == operation), "{operation}: {found:?}");
    }
}

#[tokio::test]
async fn every_failure_has_the_form_of_the_contract() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let stranger = server.user("sam").await;
    admin.post("/api/organization", &json!({ "name": "acme" })).await;
    let known: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let mut ids = BTreeSet::new();
    let anonymous = server.anonymous();
    for (client, method, path, status) in [
        (&anonymous, Method::GET, "/api/user", 401),
        (&anonymous, Method::GET, "/api/nothing", 404),
        (&anonymous, Method::PATCH, "/api/user", 405),
        (&stranger, Method::GET, "/api/users", 403),
        (&stranger, Method::GET, "/api/organization/acme", 404),
        (&stranger, Method::GET, "/api/organization/-", 400),
        (&stranger, Method::GET, "/api/discover?page=0", 400),
        (&admin, Method::POST, "/api/organization", 400),
        (&admin, Method::GET, "/api/organization/acme/box/none", 404),
        (&anonymous.with_token("x"), Method::GET, "/api/version", 401),
    ] {
        let reply =
            send(client.request(method.clone(), path).header("x-request-id", "own-id")).await;
        let what = format!("{method} {path}");
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/json"), "{what}");
        assert_eq!(reply.header("x-request-id"), Some("own-id"), "{what}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{what}");
        let body = reply.json();
        let schema = json!({ "$ref": "#/components/schemas/ErrorEnvelope" });
        document::validate(&schema, &body).unwrap_or_else(|problem| panic!("{what}: {problem}"));
        assert_eq!(body["error"]["request_id"], "own-id", "{what}");
        assert!(known.contains(body["error"]["code"].as_str().unwrap()), "{what}: {body}");
        assert_eq!(reply.header("www-authenticate").is_some(), status == 401, "{what}");
        let message = body["message"].as_str().unwrap();
        for internal in ["src/", ".rs", "sqlx", "SELECT", "panicked", "/tmp"] {
            assert!(!message.contains(internal), "{what}: {message}");
        }
        // one that would be unsafe in a log is replaced
        let odd = client.request(method, path).header("x-request-id", "a b{}");
        let own = send(odd).await;
        let id = own.header("x-request-id").unwrap().to_owned();
        assert!(!id.contains(' ') && ids.insert(id), "{what}: not an id of its own");
    }
}
