//! The policy while it is changed: by the API, by its files, on several servers, and back again.

use std::{fs, path::PathBuf, time::Duration};

use boxvault_tests::{
    Client, TestServer,
    client::send,
    faults::write_file,
    server::{ADMIN_NAME, TestServerBuilder},
    wait_for, workspace,
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(30);
const CLOSED: &str = "# not for everybody\np, anonymous, -, system/version, read, deny\n";

/// A folder with the shipped files, and a server that works by it.
fn with_folder() -> (TempDir, PathBuf, TestServerBuilder) {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    fs::create_dir_all(&policies).unwrap();
    for name in ["model.conf", "policy.csv"] {
        fs::copy(workspace::root().join("policies").join(name), policies.join(name)).unwrap();
    }
    let builder = TestServer::builder()
        .set("policy.dir", policies.to_str().unwrap())
        .set("policy.watch_interval", "100 ms");
    (folder, policies, builder)
}

async fn policy(root: &Client) -> Value {
    let reply = root.get("/api/policies").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.data()
}

/// The files in force and one more, or another text of it.
async fn files_with(root: &Client, name: &str, text: &str) -> Value {
    let mut files = policy(root).await["files"].as_array().unwrap().clone();
    files.retain(|file| file["name"] != name);
    files.push(json!({ "name": name, "text": text }));
    files.into()
}

async fn put(root: &Client, name: &str, text: &str) -> boxvault_tests::Reply {
    let files = files_with(root, name, text).await;
    root.put("/api/policies", &json!({ "files": files, "message": format!("put {name}") })).await
}

/// Whether everybody may read which version runs.
async fn is_open(server: &TestServer) -> bool {
    match server.anonymous().get("/api/version").await.status {
        200 => true,
        401 => false,
        other => panic!("the version answered {other}"),
    }
}

async fn policy_part(server: &TestServer) -> Value {
    server.anonymous().get("/health/ready").await.json()["data"]["parts"]["policy"].clone()
}

#[tokio::test]
async fn a_change_is_checked_kept_written_told_and_rolled_back() {
    let (_folder, policies, builder) = with_folder();
    let server = builder.start().await;
    let root = server.admin().await;
    let first = root.get("/api/policies").await;
    assert_eq!((&first.data()["version"], &first.data()["origin"]), (&json!(1), &json!("files")));
    assert!(is_open(&server).await);

    // a dry run tells every problem at its place, and changes nothing
    let broken = "p, anonymous, -, acount, create, deny\np, role:nobody, -, account, create Deny\n";
    let files = files_with(&root, "site.csv", broken).await;
    let checked = root.post("/api/policies/check", &json!({ "files": files })).await.data();
    assert_eq!(checked["valid"], false, "{checked}");
    let problems = checked["problems"].as_array().unwrap();
    assert!(problems.len() >= 2, "{checked}");
    assert_eq!((&problems[0]["file"], &problems[0]["line"]), (&json!("site.csv"), &json!(1)));
    assert_eq!(problems[0]["hint"], "did you mean \"account\"?", "{checked}");
    let refused = put(&root, "site.csv", broken).await;
    assert_eq!((refused.status, refused.code()), (422, "POLICY_INVALID".to_owned()));
    let fields = refused.json()["error"]["fields"].clone();
    assert!(fields["site.csv:1:18"].is_string(), "{fields}");
    assert_eq!(policy(&root).await["version"], 1);
    assert!(!policies.join("site.csv").exists());

    // nobody may lock everybody out, nor put files where none belong
    let lock_out =
        put(&root, "site.csv", "p, role:platform-admin, *, policy, update, deny\n").await;
    assert_eq!(lock_out.code(), "POLICY_INVALID", "{}", lock_out.text());
    for name in ["../x.csv", "x/y.csv", ".csv", "x.txt", "X.csv"] {
        assert_eq!(put(&root, name, "# none\n").await.code(), "POLICY_INVALID", "{name}");
    }

    let tag = first.header("etag").unwrap();
    let files = files_with(&root, "site.csv", CLOSED).await;
    let body = json!({ "files": files, "message": "not for everybody" });
    let request = || root.request(Method::PUT, "/api/policies").header("If-Match", tag).json(&body);
    let changed = send(request()).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(changed.data()["version"], 2);
    assert_eq!(changed.data()["author"], ADMIN_NAME);
    assert!(!is_open(&server).await);
    assert_eq!(fs::read_to_string(policies.join("site.csv")).unwrap(), CLOSED);
    assert_eq!(send(request()).await.status, 412, "it has changed since");
    assert_eq!(policy_part(&server).await["ok"], true);

    let why = "/api/policies/explain?subject=anonymous&action=read&object=system/version";
    let why = root.get(why).await.data();
    assert_eq!((&why["allowed"], &why["reason"]), (&json!(false), &json!("denied")), "{why}");
    assert_eq!(
        (&why["rule"]["rule"]["file"], &why["rule"]["rule"]["line"]),
        (&json!("site.csv"), &json!(2))
    );
    let unknown = root.get("/api/policies/explain?subject=rolle:x&action=read&object=policy").await;
    assert_eq!(unknown.status, 400, "{}", unknown.text());
    assert!(unknown.json()["error"]["fields"]["subject"].is_string(), "{}", unknown.text());

    let versions = root.get("/api/policies/versions").await.data();
    assert_eq!(versions[0]["message"], "not for everybody");
    assert_eq!((&versions[0]["version"], &versions[1]["version"]), (&json!(2), &json!(1)));
    let second = root.get("/api/policies/versions/2").await.data();
    assert_eq!(second["files"][2]["text"], CLOSED, "{second}");
    let back = json!({ "message": "let them look" });
    let back = root.post("/api/policies/versions/1/rollback", &back).await;
    assert_eq!(back.status, 200, "{}", back.text());
    assert_eq!(back.data()["version"], 3);
    assert_eq!(back.data()["digest"], first.data()["digest"]);
    assert!(is_open(&server).await);
    assert!(!policies.join("site.csv").exists(), "what the version does not have is gone");
    let none = json!({ "message": "x" });
    let none = root.post("/api/policies/versions/9/rollback", &none).await;
    assert_eq!((none.status, none.code()), (404, "POLICY_VERSION_NOT_FOUND".to_owned()));

    let rows = root.get("/api/audit?object=policy&action=update&allowed=true").await.data();
    let by_root: Vec<_> =
        rows.as_array().unwrap().iter().filter(|row| row["actor"] == ADMIN_NAME).collect();
    let done: Vec<_> = by_root.iter().filter(|row| row["status"] == 200).collect();
    assert_eq!(done.len(), 2, "{rows}");
    assert_eq!(done[0]["detail"]["message"], "let them look");
    assert_eq!(done[0]["detail"]["digest"], first.data()["digest"]);
}

#[tokio::test]
async fn an_edit_of_the_files_is_a_version_and_a_broken_one_is_told_and_left_alone() {
    let (_folder, policies, builder) = with_folder();
    let server = builder.start().await;
    let root = server.admin().await;
    write_file(&policies.join("site.csv"), CLOSED).unwrap();
    wait_for("the edited files", DEADLINE, async || {
        (policy(&root).await["version"] == 2).then_some(())
    })
    .await;
    assert!(!is_open(&server).await);
    let newest = root.get("/api/policies/versions").await.data()[0].clone();
    assert_eq!((&newest["origin"], &newest["author"]), (&json!("files"), &Value::Null));

    let broken = "p, anonymous, -, account, create deny\n";
    write_file(&policies.join("site.csv"), broken).unwrap();
    let told = wait_for("the broken files", DEADLINE, async || {
        let problems = policy(&root).await["problems"].clone();
        (!problems.as_array().unwrap().is_empty()).then_some(problems)
    })
    .await;
    assert_eq!((&told[0]["file"], &told[0]["line"]), (&json!("site.csv"), &json!(1)), "{told}");
    assert_eq!(policy_part(&server).await["ok"], false);
    assert!(!is_open(&server).await, "the rules before stay in force");
    // no command needs them, and who may change the policy over HTTP may need one
    let token = server.command(&["token", "create", "--user", ADMIN_NAME], "").await;
    assert!(token.status.success(), "{}", String::from_utf8_lossy(&token.stderr));
    let token = String::from_utf8_lossy(&token.stdout).trim().to_owned();
    let with_token = Client::new(&server.url()).with_token(&token);
    assert_eq!(policy(&with_token).await["version"], 2);

    // a change from elsewhere comes into force; the files that somebody is working on are theirs
    let changed = put(&root, "site.csv", "# for everybody\n").await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert!(is_open(&server).await);
    assert_eq!(fs::read_to_string(policies.join("site.csv")).unwrap(), broken);
    let problem = policy(&root).await["problems"][0].clone();
    assert!(problem["hint"].as_str().unwrap().contains("policy export 3"), "{problem}");
    assert_eq!(policy_part(&server).await["ok"], false);
    // an edit that does not know that change is not taken over it
    write_file(&policies.join("site.csv"), CLOSED).unwrap();
    wait_for("the refusal", DEADLINE, async || {
        server.log().contains("while another version came into force").then_some(())
    })
    .await;
    assert!(is_open(&server).await);
    // the files of the version in force are well again, and can be edited
    write_file(&policies.join("site.csv"), "# for everybody\n").unwrap();
    wait_for("the files to be well", DEADLINE, async || {
        (policy_part(&server).await["ok"] == true).then_some(())
    })
    .await;
    write_file(&policies.join("site.csv"), CLOSED).unwrap();
    wait_for("the edited files", DEADLINE, async || {
        (policy(&root).await["version"] == 4).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_change_on_one_server_is_in_force_on_every_other_and_in_its_files() {
    let (_folder, policies, builder) = with_folder();
    let first = builder.start().await;
    let root = first.admin().await;
    let (_other_folder, other_policies, builder) = with_folder();
    let database = format!("sqlite:{}", first.data_dir().join("catalog.sqlite3").display());
    let mut second = builder.set("database.url", &database).start().await;
    let there = Client::new(&second.url()).with_token(root.token().unwrap());
    assert_eq!(policy(&there).await["version"], 1);

    let changed = put(&root, "site.csv", CLOSED).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    wait_for("the change on the other server", Duration::from_secs(10), async || {
        (!is_open(&second).await).then_some(())
    })
    .await;
    wait_for("its files", DEADLINE, async || {
        other_policies.join("site.csv").exists().then_some(())
    })
    .await;
    // an edit of its files is in force on the first
    write_file(&other_policies.join("site.csv"), "# for everybody\n").unwrap();
    wait_for("the edit on the first server", DEADLINE, async || {
        let text = fs::read_to_string(policies.join("site.csv")).unwrap_or_default();
        (policy(&root).await["version"] == 3 && text.contains("for everybody")).then_some(())
    })
    .await;

    // one that was stopped meanwhile takes what it missed, and not its own old files
    second.stop().await;
    assert_eq!(put(&root, "site.csv", CLOSED).await.status, 200);
    second.restart().await;
    let there = Client::new(&second.url()).with_token(root.token().unwrap());
    assert_eq!(policy(&there).await["version"], 4);
    assert_eq!(fs::read_to_string(other_policies.join("site.csv")).unwrap(), CLOSED);
    // also when nothing tells which version its files are
    second.stop().await;
    assert_eq!(put(&root, "site.csv", "# nobody\n").await.status, 200);
    fs::remove_file(second.data_dir().join("policy.json")).unwrap();
    second.restart().await;
    let there = Client::new(&second.url()).with_token(root.token().unwrap());
    assert_eq!(policy(&there).await["version"], 5);
    // while files that were edited meanwhile are the next version
    second.stop().await;
    write_file(&other_policies.join("site.csv"), CLOSED).unwrap();
    second.restart().await;
    assert!(!is_open(&second).await);
    assert_eq!(policy(&root).await["version"], 6);
}

#[tokio::test]
async fn without_a_folder_the_shipped_rules_are_the_programs_and_the_rest_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none");
    let mut server = TestServer::builder().set("policy.dir", none.to_str().unwrap()).start().await;
    let root = server.admin().await;
    let changed = put(&root, "site.csv", CLOSED).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert!(!is_open(&server).await);
    let shipped = put(&root, "policy.csv", "p, role:platform-admin, *, **, *, allow\n").await;
    assert_eq!(shipped.code(), "POLICY_INVALID", "{}", shipped.text());
    assert!(shipped.text().contains("part of the program"), "{}", shipped.text());
    server.stop().await;
    server.restart().await;
    let root = Client::new(&server.url()).with_token(root.token().unwrap());
    assert_eq!(policy(&root).await["version"], 2);
    assert!(!is_open(&server).await);
    assert_eq!(policy_part(&server).await["ok"], true);
}

#[tokio::test]
async fn a_policy_may_be_larger_than_other_bodies_and_has_a_limit_of_its_own() {
    let builder = TestServer::builder().set("limits.policy_body_bytes_max", "2 MiB");
    let server = builder.start().await;
    let root = server.admin().await;
    let rules = |count: usize| -> String {
        let line = |number| format!("p, role:member, acme, box/box{number}, update, allow\n");
        (0..count).map(line).collect()
    };
    let large = put(&root, "site.csv", &rules(25_000)).await;
    assert_eq!(large.status, 200, "{}", large.text());
    assert!(large.data()["rules"].as_u64().unwrap() > 25_000);
    let files = files_with(&root, "site.csv", &rules(26_000)).await;
    let checked = root.post("/api/policies/check", &json!({ "files": files })).await;
    assert_eq!(checked.data()["valid"], true, "{}", checked.text());
    let larger = put(&root, "site.csv", &rules(50_000)).await;
    assert_eq!((larger.status, larger.code()), (413, "BODY_TOO_LARGE".to_owned()));
    assert!(larger.text().contains("limits.policy_body_bytes_max"), "{}", larger.text());
    assert_eq!(policy(&root).await["version"], 2);
}
