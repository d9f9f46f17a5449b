//! The walk through all operations, in an order in which each succeeds.

use boxvault_plugin_conformance::servers::{OidcServer, S3Server};
use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, PNG},
    mail::wait_for_link,
    server::{PASSWORD, TestServerBuilder},
    totp,
};
use serde_json::json;

use super::recorder::{Recorder, What, With, at, body, nothing, text};

pub(super) async fn first_admin(server: &TestServer, recorder: &mut Recorder) -> Client {
    let anonymous = server.anonymous();
    let log = server.log();
    let token = log.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let token = token.into_iter().find(|word| word.starts_with("bvs_")).unwrap();
    let admin = json!({ "token": token, "username": "root", "email": "root@example.com", "password": PASSWORD });
    let reply = recorder.call(&anonymous, "set_up", 201, body(admin)).await;
    for id in [
        "list_sign_in_methods",
        "read_version_info",
        "read_liveness",
        "read_readiness",
        "read_metrics",
    ] {
        recorder.call(&anonymous, id, 200, nothing()).await;
    }
    anonymous.with_token(&text(&reply, "accessToken"))
}

pub(super) async fn accounts(server: &TestServer, recorder: &mut Recorder, admin: &Client) {
    let anonymous = server.anonymous();
    let alice = json!({ "username": "alice", "email": "alice@example.com", "password": PASSWORD });
    recorder.call(&anonymous, "sign_up", 201, body(alice)).await;
    let credentials = json!({ "username": "alice", "password": PASSWORD, "stayLoggedIn": true });
    let reply = recorder.call(&anonymous, "sign_in", 200, body(credentials.clone())).await;
    let refresh = json!({ "refreshToken": text(&reply, "refreshToken") });
    let reply = recorder.call(&anonymous, "refresh_session", 200, body(refresh)).await;
    let user = anonymous.with_token(&text(&reply, "accessToken"));
    let other = recorder.call(&anonymous, "sign_in", 200, body(credentials.clone())).await;
    let sessions = recorder.call(&user, "list_sessions", 200, nothing()).await.data();
    let session = sessions.as_array().unwrap().iter().find(|one| one["current"] == false).unwrap();
    let id = session["id"].as_str().unwrap();
    recorder.call(&user, "end_session", 200, at(&[("id", id)])).await;
    recorder.call(&user, "end_other_sessions", 200, nothing()).await;
    let ended = anonymous.with_token(&text(&other, "accessToken"));
    recorder.call(&ended, "read_profile", 401, nothing()).await;

    let profile = recorder.call(&user, "read_profile", 200, nothing()).await;
    unchanged(recorder, &user, "read_profile", &profile, &[]).await;
    recorder.call(&user, "update_profile", 200, body(json!({ "name": "Alice" }))).await;
    let change = json!({ "currentPassword": PASSWORD, "newPassword": "another horse battery" });
    recorder.call(&user, "change_password", 200, body(change)).await;
    let token = json!({ "description": "ci", "expiresInDays": 7, "actions": ["read"] });
    let token = recorder.call(&user, "create_token", 201, body(token)).await;
    recorder.call(&user, "read_token", 200, at(&[("id", &text(&token, "id"))])).await;
    recorder.call(&user, "list_tokens", 200, nothing()).await;
    recorder.call(&user, "delete_token", 200, at(&[("id", &text(&token, "id"))])).await;
    recorder.call(&user, "sign_out", 200, nothing()).await;

    let bob = json!({ "username": "bob", "email": "bob@example.com", "password": PASSWORD });
    recorder.call(admin, "create_user", 201, body(bob)).await;
    let erik = json!({ "username": "erik", "email": "erik@example.com" });
    recorder.call(admin, "create_user", 201, body(erik)).await;
    recorder.call(admin, "list_users", 200, nothing()).await;
    let names = [("username", "bob")];
    let read = recorder.call(admin, "read_user", 200, at(&names)).await;
    unchanged(recorder, admin, "read_user", &read, &names).await;
    let with = With { names: &names, ..body(json!({ "suspended": true })) };
    recorder.call(admin, "update_user", 200, with).await;
    recorder.call(admin, "delete_user", 200, at(&names)).await;
    let again = anonymous.sign_in("alice", "another horse battery").await;
    let password = json!({ "currentPassword": "another horse battery" });
    recorder.call(&again, "delete_profile", 200, body(password)).await;
}

/// What needs a provider that signs people in elsewhere.
pub(super) const REDIRECTS: [&str; 3] =
    ["begin_sign_in", "finish_sign_in", "end_provider_sessions"];

pub(super) fn with_redirects(builder: TestServerBuilder, oidc: &OidcServer) -> TestServerBuilder {
    builder
        .set("auth.providers.local.plugin", "local")
        .set("auth.providers.sso.plugin", "oidc")
        .set("auth.providers.sso.issuer", &oidc.issuer)
        .set("auth.providers.sso.client_id", &oidc.client_id)
        .set("auth.providers.sso.client_secret", &oidc.client_secret)
        .set("auth.providers.sso.ca_file", &oidc.ca_file.display().to_string())
}

pub(super) async fn redirects(server: &TestServer, recorder: &mut Recorder, oidc: &mut OidcServer) {
    oidc.set_client(&format!("{}/login/callback/sso", server.url()), None, None);
    let (anonymous, method) = (server.anonymous(), [("method", "sso")]);
    let [begin, finish, end] = REDIRECTS;
    let with = With { names: &method, ..body(json!({ "next": "/discover" })) };
    let begun = recorder.call(&anonymous, begin, 200, with).await;
    let cookie = begun.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    let back = reqwest::Url::parse(&oidc.visit("bob", &text(&begun, "url"))).unwrap();
    let answer: serde_json::Map<_, _> =
        back.query_pairs().map(|(name, text)| (name.into_owned(), json!(text))).collect();
    let headers = [("cookie", cookie.unwrap())];
    let with = With { names: &method, headers: &headers, ..body(json!({ "answer": answer })) };
    recorder.call(&anonymous, finish, 200, with).await;
    let notice = format!("logout_token={}", oidc.logout_token("good", "bob", None));
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let with = With {
        names: &method,
        headers: &headers,
        body: Some(What::Bytes(notice.into_bytes())),
        ..With::default()
    };
    recorder.call(&anonymous, end, 200, with).await;
}

pub(super) async fn links(server: &TestServer, recorder: &mut Recorder, admin: &Client) {
    let (anonymous, folder) = (server.anonymous(), server.data_dir().join("mail"));
    let to = "carol@example.com";
    let carol = json!({ "username": "carol", "email": to, "password": PASSWORD });
    recorder.call(&anonymous, "sign_up", 201, body(carol)).await;
    let wish = json!({ "email": "carol" });
    recorder.call(&anonymous, "request_verification_link", 200, body(wish.clone())).await;
    let token = wait_for_link(&folder, "verify_email", to, 1).await;
    recorder.call(&anonymous, "verify_email", 200, body(json!({ "token": token }))).await;
    recorder.call(&anonymous, "request_reset_link", 200, body(wish)).await;
    wait_for_link(&folder, "reset_password", to, 1).await;
    let with = With { names: &[("username", "carol")], ..body(json!({})) };
    recorder.call(admin, "send_reset_link", 200, with).await;
    let token = wait_for_link(&folder, "reset_password", to, 2).await;
    let reset = json!({ "token": token, "newPassword": "yet another horse" });
    recorder.call(&anonymous, "reset_password", 200, body(reset)).await;
    let session = anonymous.sign_in("carol", "yet another horse").await;
    recorder.call(&session, "sign_out_everywhere", 200, body(json!({}))).await;
}

pub(super) async fn own_account(server: &TestServer, recorder: &mut Recorder, admin: &Client) {
    let dora = server.user("dora").await;
    let preferences = recorder.call(&dora, "read_preferences", 200, nothing()).await;
    unchanged(recorder, &dora, "read_preferences", &preferences, &[]).await;
    recorder.call(&dora, "update_preferences", 200, body(json!({ "theme": "dark" }))).await;
    let with = With { body: Some(What::Bytes(PNG.to_vec())), ..With::default() };
    let id = text(&recorder.call(&dora, "put_avatar", 200, with).await, "id");
    let names = [("id", &*id)];
    let picture = recorder.call(&dora, "read_avatar", 200, at(&names)).await;
    unchanged(recorder, &dora, "read_avatar", &picture, &names).await;
    recorder.call(&dora, "delete_avatar", 200, nothing()).await;
    recorder.call(&dora, "export_account", 200, nothing()).await;
    let email = json!({ "email": "dora@example.org", "currentPassword": PASSWORD });
    recorder.call(&dora, "change_email", 200, body(email)).await;
    admin.post("/api/organization", &json!({ "name": "left" })).await;
    let member = json!({ "username": "dora", "role": "member" });
    admin.post("/api/organization/left/members", &member).await;
    let with = With { names: &[("organization", "left")], ..body(json!({})) };
    recorder.call(&dora, "leave_organization", 200, with).await;

    let password = json!({ "currentPassword": PASSWORD });
    for off in [true, false] {
        let begun = recorder.call(&dora, "begin_second_factor", 201, body(password.clone())).await;
        let code = json!({ "code": totp::code(&text(&begun, "secret"), totp::step()) });
        recorder.call(&dora, "confirm_second_factor", 200, body(code)).await;
        recorder.call(&dora, "read_second_factor", 200, nothing()).await;
        let with = body(password.clone());
        recorder.call(&dora, "renew_recovery_codes", 201, with).await;
        if off {
            let with = body(password.clone());
            recorder.call(&dora, "disable_second_factor", 200, with).await;
        }
    }
    recorder.call(admin, "remove_second_factor", 200, at(&[("username", "dora")])).await;
}

pub(super) async fn publish(recorder: &mut Recorder, admin: &Client) {
    let file = BoxBuilder::new("virtualbox").build().bytes;
    recorder.call(admin, "create_organization", 201, body(json!({ "name": "acme" }))).await;
    recorder.call(admin, "update_organization", 200, body(json!({ "description": "d" }))).await;
    recorder.call(admin, "create_box", 201, body(json!({ "name": "web", "isPublic": true }))).await;
    recorder.call(admin, "update_box", 200, body(json!({ "readme": "# web" }))).await;
    let with = With { body: Some(What::Bytes(PNG.to_vec())), ..With::default() };
    recorder.call(admin, "set_artwork", 200, with).await;
    recorder.call(admin, "create_version", 201, body(json!({ "versionNumber": "1.0.0" }))).await;
    recorder.call(admin, "update_version", 200, body(json!({ "releaseNotes": "n" }))).await;
    recorder.call(admin, "create_provider", 201, body(json!({ "name": "virtualbox" }))).await;
    recorder.call(admin, "update_provider", 200, body(json!({ "description": "d" }))).await;
    recorder.call(admin, "create_architecture", 201, body(json!({ "name": "amd64" }))).await;
    recorder.call(admin, "update_architecture", 200, body(json!({ "defaultBox": true }))).await;
    for id in ["upload_file", "post_file"] {
        let with = With { body: Some(What::Bytes(file.clone())), ..With::default() };
        recorder.call(admin, id, 200, with).await;
    }
    continue_an_upload(recorder, admin, &file).await;
    recorder.call(admin, "release_version", 200, nothing()).await;
}

/// A box that a client of Vagrant Cloud makes, in both editions of its API.
pub(super) async fn cloud(recorder: &mut Recorder, anonymous: &Client) {
    let file = BoxBuilder::new("virtualbox").build().bytes;
    for (edition, name) in [("", "second"), ("_v1", "first")] {
        let id = |operation: &str| format!("{operation}{edition}");
        let credentials = json!({ "user": { "login": "root", "password": PASSWORD } });
        let reply = recorder.call(anonymous, &id("sign_in_to_cloud"), 200, body(credentials)).await;
        let client = anonymous.with_token(reply.json()["token"].as_str().unwrap());
        for operation in ["read_cloud_identity", "search_cloud", "read_cloud_organization"] {
            recorder.call(&client, &id(operation), 200, nothing()).await;
        }
        let new = json!({ "box": { "username": "acme", "name": name, "is_private": false } });
        recorder.call(&client, &id("create_cloud_box"), 200, body(new)).await;
        let names = [("box", name)];
        let with = |value| With { names: &names, ..body(value) };
        recorder.call(&client, &id("read_cloud_box"), 200, at(&names)).await;
        let change = json!({ "box": { "short_description": "s", "description": null } });
        recorder.call(&client, &id("update_cloud_box"), 200, with(change)).await;
        let number = json!({ "version": { "version": "1.0.0" } });
        recorder.call(&client, &id("create_cloud_version"), 200, with(number)).await;
        recorder.call(&client, &id("read_cloud_version"), 200, at(&names)).await;
        let change = json!({ "version": { "description": "d" } });
        recorder.call(&client, &id("update_cloud_version"), 200, with(change)).await;
        let provider = json!({ "provider": { "name": "virtualbox", "architecture": "amd64" } });
        for of in ["", "_of_default"] {
            let new = with(provider.clone());
            recorder.call(&client, &id("create_cloud_provider"), 200, new).await;
            for verb in ["read", "update", "delete"] {
                let operation = id(&format!("{verb}_cloud_provider{of}"));
                let call = if verb == "update" { with(provider.clone()) } else { at(&names) };
                recorder.call(&client, &operation, 200, call).await;
            }
        }
        recorder.call(&client, &id("create_cloud_provider"), 200, with(provider)).await;
        for operation in [
            "read_cloud_upload",
            "read_cloud_upload_of_default",
            "read_cloud_direct_upload",
            "read_cloud_direct_upload_of_default",
        ] {
            recorder.call(&client, &id(operation), 200, at(&names)).await;
        }
        for operation in ["put_cloud_file", "post_cloud_file"] {
            let with =
                With { names: &names, body: Some(What::Bytes(file.clone())), ..With::default() };
            recorder.call(&client, &id(operation), 200, with).await;
        }
        let names = [("box", name), ("since", "0")];
        recorder.call(&client, &id("finish_cloud_upload"), 200, at(&names)).await;
        for operation in [
            "release_cloud_version",
            "revoke_cloud_version",
            "delete_cloud_version",
            "delete_cloud_box",
        ] {
            recorder.call(&client, &id(operation), 200, at(&names)).await;
        }
        recorder.call(&client, &id("sign_out_of_cloud"), 204, nothing()).await;
    }
}

async fn continue_an_upload(recorder: &mut Recorder, admin: &Client, file: &[u8]) {
    let length = file.len().to_string();
    let begin = [("tus-resumable", "1.0.0"), ("upload-length", &*length)];
    let begun = With { headers: &begin, ..With::default() };
    let begun = recorder.call(admin, "create_upload", 201, begun).await;
    let location = begun.header("location").unwrap();
    let names = [("id", location.rsplit('/').next().unwrap())];
    recorder.call(admin, "read_upload_options", 204, nothing()).await;
    recorder.call(admin, "read_options_of_upload", 204, at(&names)).await;
    let headers = [
        ("tus-resumable", "1.0.0"),
        ("upload-offset", "0"),
        ("content-type", "application/offset+octet-stream"),
    ];
    let body = Some(What::Bytes(file.to_vec()));
    recorder
        .call(
            admin,
            "append_upload",
            204,
            With { names: &names, headers: &headers, body, ..With::default() },
        )
        .await;
    let headers = [("tus-resumable", "1.0.0")];
    for (id, status) in [("read_upload", 200), ("delete_upload", 204)] {
        let with = With { names: &names, headers: &headers, ..With::default() };
        recorder.call(admin, id, status, with).await;
    }
}

async fn look_after(recorder: &mut Recorder, admin: &Client) {
    for id in [
        "list_damaged_files",
        "list_jobs",
        "read_configuration",
        "read_events",
        "read_own_permissions",
        "read_organization_permissions",
        "read_box_permissions",
        "read_version_permissions",
    ] {
        recorder.call(admin, id, 200, nothing()).await;
    }
}

/// What clients exchange with an object store themselves, on a server beside.
pub(super) async fn past_the_server(recorder: &mut Recorder, store: &S3Server) {
    let server = TestServer::builder()
        .set("stores.main.plugin", "s3")
        .set("stores.main.transfer", "redirect")
        .set("stores.main.endpoint", &store.endpoint)
        .set("stores.main.bucket", &store.bucket)
        .set("stores.main.access_key_id", &store.access_key_id)
        .set("stores.main.secret_access_key", &store.secret_access_key)
        .start()
        .await;
    let admin = server.admin().await;
    let mut beside = Recorder::new(&admin).await;
    let file = BoxBuilder::new("virtualbox").build();
    let publication = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&publication).await;
    let wanted = || body(json!({ "fileSize": file.bytes.len() }));
    let given_up = beside.call(&admin, "begin_direct_upload", 201, wanted()).await;
    let given_up = text(&given_up, "id");
    beside.call(&admin, "delete_direct_upload", 200, at(&[("id", &given_up)])).await;
    let begun = beside.call(&admin, "begin_direct_upload", 201, wanted()).await;
    let id = text(&begun, "id");
    let names = [("id", &*id)];
    beside.call(&admin, "read_direct_upload", 200, at(&names)).await;
    let url = begun.data()["parts"][0]["url"].as_str().unwrap().to_owned();
    let sent = reqwest::Client::new().put(url).body(file.bytes.clone()).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    beside.call(&admin, "finish_direct_upload", 200, at(&names)).await;
    admin.release(&publication).await;
    for id in ["download_file", "download_box", "download_default_box"] {
        beside.call(&admin, id, 302, nothing()).await;
    }
    recorder.seen.extend(beside.seen);
}

pub(super) async fn read(recorder: &mut Recorder, admin: &Client, anonymous: &Client) {
    for id in [
        "list_organizations",
        "list_members",
        "list_box_usage",
        "discover_boxes",
        "list_boxes",
        "list_versions",
        "list_providers",
        "list_architectures",
        "list_version_files",
        "list_audit",
        "list_organization_audit",
    ] {
        let list = recorder.call(admin, id, 200, nothing()).await;
        assert!(list.json()["page"]["total"].as_u64() >= Some(1), "{id} is empty");
    }
    for id in [
        "read_organization",
        "read_usage",
        "read_quota",
        "read_placement",
        "read_box",
        "read_rendered_box",
        "read_artwork",
        "read_version",
        "read_rendered_version",
        "read_provider",
        "read_architecture",
        "read_file_info",
    ] {
        let found = recorder.call(admin, id, 200, nothing()).await;
        unchanged(recorder, admin, id, &found, &[]).await;
    }
    recorder.call(admin, "list_stores", 200, nothing()).await;
    recorder.call(admin, "list_plugins", 200, nothing()).await;
    look_after(recorder, admin).await;
    recorder.call(admin, "set_quota", 200, body(json!({ "bytes": 1_u64 << 40 }))).await;
    moves(recorder, admin).await;
    let upstream = json!({ "url": "https://boxes.example.com/acme", "token": "secret" });
    recorder.call(admin, "set_mirror", 200, body(upstream)).await;
    let mirror = recorder.call(admin, "read_mirror", 200, nothing()).await.data();
    assert_eq!((&mirror["hasToken"], &mirror["syncSeconds"]), (&json!(true), &json!(0)));
    recorder.call(admin, "delete_mirror", 200, nothing()).await;
    for id in ["export_audit", "export_organization_audit"] {
        recorder.call(admin, id, 200, nothing()).await;
    }
    for id in ["download_file", "download_box", "download_default_box"] {
        let found = recorder.call(anonymous, id, 200, nothing()).await;
        unchanged(recorder, anonymous, id, &found, &[]).await;
        let with = With { headers: &[("range", "bytes=1-9")], ..With::default() };
        assert_eq!(recorder.call(anonymous, id, 206, with).await.bytes, found.bytes[1..10]);
        let with = With { headers: &[("if-match", "\"other\"")], ..With::default() };
        recorder.call(anonymous, id, 412, with).await;
    }
    recorder.call(admin, "verify_file", 202, nothing()).await;
    for id in ["read_download_link", "post_download_link"] {
        recorder.call(anonymous, id, 200, nothing()).await;
    }
    let with = With { headers: &[("range", "bytes=99999999-")], ..With::default() };
    recorder.call(anonymous, "download_file", 416, with).await;
    let badge = recorder.call(anonymous, "read_badge", 200, nothing()).await;
    unchanged(recorder, anonymous, "read_badge", &badge, &[]).await;
    for id in ["read_box_downloads", "read_catalogue", "read_box_page", "read_legacy_catalogue"] {
        recorder.call(anonymous, id, 200, nothing()).await;
    }
    pages(recorder, anonymous).await;
}

/// Where a catalogue shares its path with a page, a browser gets that.
async fn pages(recorder: &mut Recorder, anonymous: &Client) {
    let html = ("accept", "text/html");
    for id in ["read_box_page", "read_legacy_catalogue"] {
        let with = With { headers: &[html], ..With::default() };
        let page = recorder.call(anonymous, id, 200, with).await;
        let tag = page.header("etag").unwrap_or_else(|| panic!("{id} has no ETag"));
        let with = With { headers: &[html, ("if-none-match", tag)], ..With::default() };
        recorder.call(anonymous, id, 304, with).await;
    }
}

/// Another store, and a move there that finds nothing to do, since no file is so large.
async fn moves(recorder: &mut Recorder, admin: &Client) {
    recorder.call(admin, "set_placement", 200, body(json!({ "store": "main" }))).await;
    let wish = || json!({ "from": "main", "to": "spare", "largerThan": 1_u64 << 40 });
    recorder.call(admin, "plan_move", 200, body(wish())).await;
    let begun = recorder.call(admin, "start_move", 201, body(wish())).await;
    recorder.call(admin, "list_moves", 200, nothing()).await;
    let id = text(&begun, "id");
    recorder.call(admin, "read_move", 200, at(&[("id", &id)])).await;
    recorder.call(admin, "end_move", 200, at(&[("id", &id)])).await;
}

/// Asks again for what is known: 304, without a body.
async fn unchanged(
    recorder: &mut Recorder,
    client: &Client,
    id: &str,
    before: &Reply,
    names: &[(&str, &str)],
) {
    let tag = before.header("etag").unwrap_or_else(|| panic!("{id} has no ETag"));
    let with = With { names, headers: &[("if-none-match", tag)], ..With::default() };
    recorder.call(client, id, 304, with).await;
}

/// The last change of the policy is the first one again.
pub(super) async fn policy(recorder: &mut Recorder, admin: &Client) {
    let found = recorder.call(admin, "read_policy", 200, nothing()).await;
    unchanged(recorder, admin, "read_policy", &found, &[]).await;
    let mut files = found.data()["files"].as_array().unwrap().clone();
    files.push(json!({ "name": "site.csv", "text": "p, anonymous, acme, box/**, read, deny\n" }));
    let checked = recorder.call(admin, "check_policy", 200, body(json!({ "files": files }))).await;
    assert_eq!(checked.data()["valid"], true, "{}", checked.text());
    assert!(!checked.data()["changes"].as_array().unwrap().is_empty(), "{}", checked.text());
    let change = json!({ "files": files, "message": "to nobody" });
    recorder.call(admin, "put_policy", 200, body(change)).await;
    recorder.call(admin, "list_policy_versions", 200, nothing()).await;
    let query = "?subject=role:member&action=delete&object=box/web&organization=acme";
    let with = With { query, ..With::default() };
    let explained = recorder.call(admin, "explain_decision", 200, with).await.data();
    assert_eq!((&explained["allowed"], &explained["reason"]), (&json!(false), &json!("no_rule")));
    let first = [("number", "1")];
    recorder.call(admin, "read_policy_version", 200, at(&first)).await;
    let with = With { names: &first, ..body(json!({ "message": "as before" })) };
    recorder.call(admin, "roll_policy_back", 200, with).await;
    own_policy(recorder, admin).await;
}

/// The rules of an organization's own, twice and back again.
async fn own_policy(recorder: &mut Recorder, admin: &Client) {
    let found = recorder.call(admin, "read_organization_policy", 200, nothing()).await;
    unchanged(recorder, admin, "read_organization_policy", &found, &[]).await;
    let text = "p, role:member, acme, box/golden/**, create, deny\n";
    let check = body(json!({ "text": text }));
    let checked = recorder.call(admin, "check_organization_policy", 200, check).await.data();
    assert_eq!(checked["valid"], true, "{checked}");
    assert!(!checked["changes"].as_array().unwrap().is_empty(), "{checked}");
    let change = body(json!({ "text": text, "message": "nobody makes gold" }));
    let put = recorder.call(admin, "put_organization_policy", 200, change).await.data();
    recorder.call(admin, "list_organization_policy_versions", 200, nothing()).await;
    let number = put["version"].to_string();
    let version = [("number", number.as_str())];
    recorder.call(admin, "read_organization_policy_version", 200, at(&version)).await;
    let with = With { names: &version, ..body(json!({ "message": "as before" })) };
    recorder.call(admin, "roll_organization_policy_back", 200, with).await;
    let change = body(json!({ "text": "", "message": "no more" }));
    recorder.call(admin, "put_organization_policy", 200, change).await;
}

pub(super) async fn watch(server: &TestServer, recorder: &mut Recorder, admin: &Client) {
    let wanda = server.user("wanda").await;
    let (folder, address) = (server.data_dir().join("mail"), "wanda@example.com");
    let token = wait_for_link(&folder, "verify_email", address, 1).await;
    wanda.post("/api/auth/verify-email", &json!({ "token": token })).await;
    recorder.call(&wanda, "watch_box", 200, nothing()).await;
    recorder.call(&wanda, "list_watches", 200, nothing()).await;
    let file = BoxBuilder::new("virtualbox").build();
    let release = Publication { version: "1.5.0", ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&release).await;
    let token = wait_for_link(&folder, "stop_watching", address, 1).await;
    recorder.call(&server.anonymous(), "stop_watching", 200, body(json!({ "token": token }))).await;
    recorder.call(&wanda, "unwatch_box", 200, nothing()).await;
}

pub(super) async fn remove(recorder: &mut Recorder, admin: &Client) {
    recorder.call(admin, "revoke_version", 200, nothing()).await;
    let user = json!({ "username": "mark", "email": "mark@example.com", "password": PASSWORD });
    recorder.call(admin, "create_user", 201, body(user)).await;
    let mark = json!({ "username": "mark", "role": "member" });
    recorder.call(admin, "add_member", 201, body(mark)).await;
    let names = [("username", "mark")];
    let with = With { names: &names, ..body(json!({ "role": "admin" })) };
    recorder.call(admin, "update_member", 200, with).await;
    recorder.call(admin, "remove_member", 200, at(&names)).await;

    // a version that was never released, taken apart from its end
    let file = BoxBuilder::new("virtualbox").build();
    let next = Publication { version: "2.0.0", ..Publication::new("acme", "web", &file.bytes) };
    admin.prepare(&next).await;
    let upload = format!("{}/upload", next.file_path());
    assert_eq!(admin.upload(&upload, file.bytes.clone(), &[]).await.status, 200);
    let names = [("version", "2.0.0")];
    for id in ["delete_file", "delete_architecture", "delete_provider", "delete_version"] {
        recorder.call(admin, id, 200, at(&names)).await;
    }
    recorder.call(admin, "delete_artwork", 200, nothing()).await;
    recorder.call(admin, "delete_box", 200, nothing()).await;
    recorder.call(admin, "list_deleted_boxes", 200, nothing()).await;
    recorder.call(admin, "restore_box", 200, nothing()).await;
    admin.post("/api/organization", &json!({ "name": "globex" })).await;
    for (to, from) in [("globex", "acme"), ("acme", "globex")] {
        let with = With { names: &[("organization", from)], ..body(json!({ "organization": to })) };
        recorder.call(admin, "transfer_box", 200, with).await;
    }
    services(recorder, admin).await;
    lives(recorder, admin).await;
}

pub(super) async fn invitations(server: &TestServer, recorder: &mut Recorder, admin: &Client) {
    let folder = server.data_dir().join("mail");
    let erin = server.user("erin").await;
    let anonymous = server.anonymous();
    for (verb, by, count) in
        [("decline_invitation", &anonymous, 2), ("accept_invitation", &erin, 4)]
    {
        let to = json!({ "email": "erin@example.com" });
        let sent = recorder.call(admin, "create_invitation", 201, body(to)).await;
        recorder.call(admin, "list_invitations", 200, nothing()).await;
        let id = text(&sent, "id");
        recorder.call(admin, "resend_invitation", 200, at(&[("id", &id)])).await;
        let token = wait_for_link(&folder, "invitation", "erin@example.com", count).await;
        recorder.call(by, "open_invitation", 200, body(json!({ "token": token }))).await;
        recorder.call(by, verb, 200, body(json!({ "token": token }))).await;
    }
    let to = json!({ "email": "frank@example.com" });
    let sent = recorder.call(admin, "create_invitation", 201, body(to)).await;
    recorder.call(admin, "revoke_invitation", 200, at(&[("id", &text(&sent, "id"))])).await;
}

pub(super) async fn join_requests(server: &TestServer, recorder: &mut Recorder, admin: &Client) {
    let gina = server.user("gina").await;
    let open = json!({ "accessMode": "request_to_join" });
    assert_eq!(admin.put("/api/organization/acme", &open).await.status, 200);
    for verb in ["withdraw_join_request", "deny_join_request", "approve_join_request"] {
        let asked = recorder.call(&gina, "create_join_request", 201, body(json!({}))).await;
        recorder.call(admin, "list_join_requests", 200, nothing()).await;
        let by = if verb == "withdraw_join_request" { &gina } else { admin };
        recorder.call(by, verb, 200, at(&[("id", &text(&asked, "id"))])).await;
    }
    recorder.call(&gina, "list_own_join_requests", 200, nothing()).await;
}

async fn services(recorder: &mut Recorder, admin: &Client) {
    let ci = json!({ "name": "ci", "role": "admin", "pattern": "box/web/**", "actions": ["read"] });
    recorder.call(admin, "create_service_account", 201, body(ci)).await;
    let list = recorder.call(admin, "list_service_accounts", 200, nothing()).await;
    assert_eq!(list.json()["page"]["total"], 1);
    let names = [("service", "ci")];
    let read = recorder.call(admin, "read_service_account", 200, at(&names)).await;
    unchanged(recorder, admin, "read_service_account", &read, &names).await;
    let with = With { names: &names, ..body(json!({ "suspended": true })) };
    recorder.call(admin, "update_service_account", 200, with).await;
    let with = With { names: &names, ..body(json!({ "expiresInDays": 30 })) };
    recorder.call(admin, "rotate_service_account_secret", 200, with).await;
    recorder.call(admin, "delete_service_account", 200, at(&names)).await;
}

/// What organizations go through, until the last one is deleted.
async fn lives(recorder: &mut Recorder, admin: &Client) {
    recorder.call(admin, "suspend_organization", 200, body(json!({ "reason": "r" }))).await;
    recorder.call(admin, "resume_organization", 200, nothing()).await;
    let open = json!({ "accessMode": "request_to_join" });
    recorder.call(admin, "update_organization", 200, body(open)).await;
    let list = recorder.call(admin, "discover_organizations", 200, nothing()).await;
    assert_eq!(list.json()["page"]["total"], 1);
    let mark = json!({ "username": "mark", "role": "member" });
    recorder.call(admin, "add_member", 201, body(mark)).await;
    let mark = json!({ "username": "mark" });
    recorder.call(admin, "hand_over_organization", 200, body(mark)).await;
    let confirmed = With { query: "?confirm=acme", ..With::default() };
    recorder.call(admin, "delete_organization", 200, confirmed).await;
    let list = recorder.call(admin, "list_deleted_organizations", 200, nothing()).await;
    assert_eq!(list.json()["page"]["total"], 1);
    recorder.call(admin, "restore_organization", 200, nothing()).await;
}

/// A box that a client of the HCP registry makes.
pub(super) async fn hcp(recorder: &mut Recorder, anonymous: &Client, owner: &Client) {
    let service = json!({ "name": "hcp", "role": "admin" });
    let made = owner.post("/api/organization/acme/service-accounts", &service).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let secret = made.data()["token"].as_str().unwrap().to_owned();
    let form = format!("grant_type=client_credentials&client_id=acme%2Fhcp&client_secret={secret}");
    let with = With {
        headers: &[("content-type", "application/x-www-form-urlencoded")],
        body: Some(What::Bytes(form.into_bytes())),
        ..With::default()
    };
    let token = recorder.call(anonymous, "create_service_token", 200, with).await.json();
    let client = anonymous.with_token(token["access_token"].as_str().unwrap());
    let names = [("box", "hcp"), ("since", "0")];
    let with = |value| With { names: &names, ..body(value) };
    let new = json!({ "name": "hcp", "is_private": true });
    let made = recorder.call(&client, "create_hcp_box", 200, with(new)).await.json();
    let id = made["operation"]["id"].as_str().unwrap();
    recorder.call(&client, "wait_for_hcp_operation", 200, at(&[("id", id)])).await;
    let change = json!({ "short_description": "s" });
    recorder.call(&client, "update_hcp_box", 200, with(change)).await;
    recorder.call(&client, "create_hcp_version", 200, with(json!({ "name": "1.0.0" }))).await;
    let change = json!({ "description": "d" });
    recorder.call(&client, "update_hcp_version", 200, with(change)).await;
    let new = json!({ "name": "virtualbox" });
    recorder.call(&client, "create_hcp_provider", 200, with(new.clone())).await;
    recorder.call(&client, "delete_hcp_provider", 200, at(&names)).await;
    recorder.call(&client, "create_hcp_provider", 200, with(new)).await;
    let new = json!({ "architecture_type": "amd64" });
    recorder.call(&client, "create_hcp_architecture", 200, with(new.clone())).await;
    recorder.call(&client, "delete_hcp_architecture", 200, at(&names)).await;
    recorder.call(&client, "create_hcp_architecture", 200, with(new)).await;
    let change = json!({ "default": true });
    recorder.call(&client, "update_hcp_architecture", 200, with(change)).await;
    recorder.call(&client, "read_hcp_upload", 200, at(&names)).await;
    let given = recorder.call(&client, "read_hcp_direct_upload", 200, at(&names)).await.json();
    let address = given["url"].as_str().unwrap();
    let path = &address[address.find("/api/").unwrap()..];
    let file = BoxBuilder::new("virtualbox").build().bytes;
    assert_eq!(anonymous.upload(path, file, &[]).await.status, 200);
    for operation in [
        "finish_hcp_upload",
        "read_hcp_box",
        "list_hcp_versions",
        "read_hcp_version",
        "list_hcp_providers",
        "read_hcp_provider",
        "list_hcp_architectures",
        "read_hcp_architecture",
        "read_hcp_download",
        "release_hcp_version",
        "revoke_hcp_version",
        "delete_hcp_version",
        "delete_hcp_box",
    ] {
        recorder.call(&client, operation, 200, at(&names)).await;
    }
    let gone = owner.delete("/api/organization/acme/service-accounts/hcp").await;
    assert_eq!(gone.status, 200, "{}", gone.text());
}
