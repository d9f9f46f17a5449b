//! The rules of organizations' own: who may write them and what, on several servers, through renames and deletions, and
//! back again.

use std::time::Duration;

use boxvault_tests::{
    Client, Publication, Reply, TestServer, bytes::BoxBuilder, client::send, faults::write_file,
    wait_for,
};
use reqwest::Method;
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(30);
const ACME: &str = "/api/organization/acme/policy";
const RULES: &str = "g, user:local:bob, role:acme/release, acme\n\
                     p, role:acme/release, acme, box/**, read, allow\n\
                     p, role:acme/release, acme, box/*, update, allow\n";

/// A server with acme, its owner, and bob, who is no member.
async fn world() -> (TestServer, Client, Client, Client) {
    let server = TestServer::start().await;
    let root = server.admin().await;
    let (owner, bob) = (server.user("owner").await, server.user("bob").await);
    let acme = owner.post("/api/organization", &json!({ "name": "acme" })).await;
    assert_eq!(acme.status, 201, "{}", acme.text());
    let file = BoxBuilder::new("virtualbox").build();
    owner.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let hide = json!({ "isPublic": false });
    assert_eq!(owner.put("/api/organization/acme/box/web", &hide).await.status, 200);
    (server, root, owner, bob)
}

async fn put(client: &Client, path: &str, text: &str) -> Reply {
    client.put(path, &json!({ "text": text, "message": "because" })).await
}

async fn reads(client: &Client, organization: &str) -> bool {
    let reply = client.get(&format!("/api/organization/{organization}/box/web")).await;
    match reply.status {
        200 => true,
        403 | 404 => false,
        other => panic!("{other}: {}", reply.text()),
    }
}

#[tokio::test]
async fn an_owner_writes_rules_for_their_organization_that_are_kept_told_and_rolled_back() {
    let (server, root, owner, bob) = world().await;
    let none = owner.get(ACME).await;
    assert_eq!((none.status, &none.data()["version"]), (200, &json!(0)), "{}", none.text());
    assert_eq!((&none.data()["text"], &none.data()["updatedAt"]), (&json!(""), &Value::Null));
    assert_eq!(none.json()["message"], "there are no rules of its own");
    assert!(!reads(&bob, "acme").await);

    let checked = owner.post(&format!("{ACME}/check"), &json!({ "text": RULES })).await.data();
    assert_eq!(checked["valid"], true, "{checked}");
    let changes = checked["changes"].as_array().unwrap();
    assert!(changes.iter().all(|change| change["domain"] == "acme"), "{checked}");
    assert!(changes.iter().any(|change| change["who"] == "user:local:bob"), "{checked}");
    assert!(!reads(&bob, "acme").await, "a look changes nothing");

    let changed = put(&owner, ACME, RULES).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let view = changed.data();
    assert_eq!((&view["author"], &view["inForce"]), (&json!("owner"), &json!(true)), "{view}");
    assert_eq!((&view["rules"], &view["bindings"]), (&json!(2), &json!(1)), "{view}");
    assert_eq!(view["text"], RULES);
    assert!(reads(&bob, "acme").await);
    let box_path = "/api/organization/acme/box/web";
    assert_eq!(bob.put(box_path, &json!({ "description": "x" })).await.status, 200);
    assert_eq!(bob.delete(box_path).await.status, 403);
    let why = "/api/policies/explain?subject=user:local:bob&action=update&object=box/web&organization=acme";
    let why = root.get(why).await.data();
    assert_eq!(why["rule"]["rule"]["file"], "acme/policy.csv", "{why}");

    // whoever has seen another state changes nothing
    let tag = none.header("etag").unwrap().to_owned();
    let late = owner.request(Method::PUT, ACME).header("If-Match", tag);
    let late = send(late.json(&json!({ "text": "", "message": "late" }))).await;
    assert_eq!(late.status, 412, "{}", late.text());
    let tag = changed.header("etag").unwrap().to_owned();
    let next = owner.request(Method::PUT, ACME).header("If-Match", tag);
    let next = send(next.json(&json!({ "text": "", "message": "nobody" }))).await;
    assert_eq!(next.status, 200, "{}", next.text());
    assert!(!reads(&bob, "acme").await);

    let versions = owner.get(&format!("{ACME}/versions")).await.data();
    assert_eq!(versions.as_array().unwrap().len(), 2, "{versions}");
    let first = versions[1]["version"].as_i64().unwrap();
    let text = owner.get(&format!("{ACME}/versions/{first}")).await.data();
    assert_eq!(text["text"], RULES, "{text}");
    let back = json!({ "message": "they release after all" });
    let back = owner.post(&format!("{ACME}/versions/{first}/rollback"), &back).await;
    assert_eq!(back.status, 200, "{}", back.text());
    assert!(reads(&bob, "acme").await);
    // the site's versions are none of theirs
    let of_site = owner.get(&format!("{ACME}/versions/1")).await;
    assert_eq!((of_site.status, of_site.code()), (404, "POLICY_VERSION_NOT_FOUND".to_owned()));

    let rows = owner.get("/api/organization/acme/audit?object=rules&action=update").await.data();
    let done = rows.as_array().unwrap().iter().filter(|row| row["status"] == 200).count();
    assert_eq!(done, 3, "{rows}");
    assert_eq!(rows[0]["detail"]["message"], "they release after all", "{rows}");
    drop(server);
}

#[tokio::test]
async fn nobody_reaches_beyond_their_organization_nor_above_themselves() {
    let (server, root, owner, bob) = world().await;
    let eve = server.user("eve").await;
    let globex = eve.post("/api/organization", &json!({ "name": "globex" })).await;
    assert_eq!(globex.status, 201);
    for line in [
        "p, role:member, globex, box/**, read, allow",
        "p, role:member, *, box/**, read, allow",
        "g, user:local:owner, role:owner, globex",
        "g, user:local:owner, role:platform-admin, acme",
        "p, role:member, acme, system/**, read, allow",
        "p, role:globex/x, acme, box/**, read, allow",
        "p, role:member, acme, storage, update, allow",
        "p, role:member, acme, **, *, allow",
        "p, role:platform-admin, acme, **, *, deny",
        "p, role:member, acme, rules, update, allow",
    ] {
        let refused = put(&owner, ACME, line).await;
        assert_eq!(refused.code(), "POLICY_INVALID", "{line}: {}", refused.text());
        let fields = refused.json()["error"]["fields"].clone();
        let place = fields.as_object().unwrap().keys().next().unwrap().clone();
        assert!(place.starts_with("acme/policy.csv:1:"), "{line}: {fields}");
        let checked = owner.post(&format!("{ACME}/check"), &json!({ "text": line })).await.data();
        assert_eq!(checked["valid"], false, "{line}: {checked}");
        assert!(checked["problems"][0]["hint"].is_string(), "{checked}");
    }
    assert_eq!(owner.get(ACME).await.data()["version"], 0);
    // nor do others: an admin, a stranger, the owner of another one, a limited token
    let admin = json!({ "username": "bob", "role": "admin" });
    assert_eq!(owner.post("/api/organization/acme/members", &admin).await.status, 201);
    assert_eq!(put(&bob, ACME, "").await.status, 403);
    assert_eq!(bob.get(ACME).await.status, 403);
    assert_eq!(put(&eve, ACME, "").await.status, 404);
    let limited = json!({ "description": "x", "organization": "acme" });
    let token = owner.post("/api/user/tokens", &limited).await.data()["token"].clone();
    let limited = server.anonymous().with_token(token.as_str().unwrap());
    assert_eq!(put(&limited, ACME, "").await.status, 403);

    // however they are written, a platform admin gets in, and their author can mend them
    let shut = "p, authenticated, acme, **, *, deny\np, role:owner, acme, **, *, deny\n\
                p, user:local:root, acme, **, *, deny\n";
    assert_eq!(put(&owner, ACME, shut).await.status, 200);
    assert!(!reads(&owner, "acme").await);
    assert!(reads(&root, "acme").await);
    assert_eq!(put(&owner, ACME, "").await.status, 200);
    assert!(reads(&owner, "acme").await);
    // a platform admin gives what is theirs to give, also in another one's organization
    assert_eq!(put(&root, ACME, "p, role:owner, acme, storage, update, allow\n").await.status, 200);
    let quota = json!({ "bytes": 1_000_000_000 });
    assert_eq!(owner.put("/api/organization/acme/quota", &quota).await.status, 200);
    // what the site expects stays so
    let mut files = root.get("/api/policies").await.data()["files"].clone();
    let expected = "role:member, acme, box/web, delete, deny\n";
    let file = json!({ "name": "site.tests.csv", "text": expected });
    files.as_array_mut().unwrap().push(file);
    let body = json!({ "files": files, "message": "members delete nothing" });
    assert_eq!(root.put("/api/policies", &body).await.status, 200);
    let refused = put(&owner, ACME, "p, role:member, acme, box/*, delete, allow\n").await;
    assert_eq!(refused.code(), "POLICY_INVALID", "{}", refused.text());
    assert!(refused.text().contains("site.tests.csv:1"), "{}", refused.text());
}

#[tokio::test]
async fn rules_follow_their_organization_through_its_life_on_every_server() {
    let (first, _root, owner, bob) = world().await;
    let database = format!("sqlite:{}", first.data_dir().join("catalog.sqlite3").display());
    let mut second = TestServer::builder().set("database.url", &database).start().await;
    let there = |client: &Client| Client::new(&second.url()).with_token(client.token().unwrap());
    let (bob_there, owner_there) = (there(&bob), there(&owner));
    let follows = async |what: &str, client: &Client, organization: &str, expected: bool| {
        wait_for(what, DEADLINE, async || {
            (reads(client, organization).await == expected).then_some(())
        })
        .await;
    };
    assert_eq!(put(&owner, ACME, RULES).await.status, 200);
    follows("the rules on the other server", &bob_there, "acme", true).await;
    // and the other way
    assert_eq!(put(&owner_there, ACME, "").await.status, 200);
    follows("no rules", &bob, "acme", false).await;
    assert_eq!(put(&owner_there, ACME, RULES).await.status, 200);
    follows("the rules again", &bob, "acme", true).await;

    let renamed = owner.put("/api/organization/acme", &json!({ "name": "globex" })).await;
    assert_eq!(renamed.status, 200, "{}", renamed.text());
    follows("the new name", &bob, "globex", true).await;
    follows("the new name there", &bob_there, "globex", true).await;
    let globex = "/api/organization/globex/policy";
    let view = owner_there.get(globex).await.data();
    assert_eq!(view["text"], RULES.replace("acme", "globex"), "{view}");
    assert_eq!(view["inForce"], true, "{view}");
    let again = put(&owner, globex, view["text"].as_str().unwrap()).await;
    assert_eq!(again.status, 200, "{}", again.text());

    let gone = owner.delete("/api/organization/globex?confirm=globex").await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    assert_eq!(bob.get("/api/organization/globex/box/web").await.status, 404);
    let back = owner.post("/api/organization/globex/restore", &json!({})).await;
    assert_eq!(back.status, 200, "{}", back.text());
    follows("what is back", &bob, "globex", true).await;
    follows("what is back there", &bob_there, "globex", true).await;
    // a server that was stopped finds them at its start
    second.stop().await;
    second.restart().await;
    let bob_there = Client::new(&second.url()).with_token(bob.token().unwrap());
    assert!(reads(&bob_there, "globex").await);
}

#[tokio::test]
async fn rules_that_cannot_be_read_close_one_organization_and_a_command_takes_them_out() {
    let (mut server, root, owner, bob) = world().await;
    let globex = owner.post("/api/organization", &json!({ "name": "globex" })).await;
    assert_eq!(globex.status, 201);
    let kept = "p, role:member, globex, box/golden, delete, deny\n";
    assert_eq!(put(&owner, "/api/organization/globex/policy", kept).await.status, 200);
    assert_eq!(put(&owner, ACME, RULES).await.status, 200);
    server.stop().await;
    let catalog = server.data_dir().join("catalog.sqlite3");
    let mut bytes = tokio::fs::read(&catalog).await.unwrap();
    let line = b"role:acme/release, acme, box/**, read";
    let places: Vec<_> =
        (0..bytes.len() - line.len()).filter(|at| bytes[*at..].starts_with(line)).collect();
    assert!(!places.is_empty(), "the rules lie in the catalog");
    for at in places {
        bytes[at + 26] = b'a';
    }
    write_file(&catalog, &bytes).unwrap();
    server.restart().await;
    let at = |client: &Client| Client::new(&server.url()).with_token(client.token().unwrap());
    let (root, owner, bob) = (at(&root), at(&owner), at(&bob));
    assert!(!reads(&owner, "acme").await && !reads(&bob, "acme").await);
    assert!(reads(&root, "acme").await);
    assert_eq!(owner.get("/api/organization/globex").await.status, 200);
    let view = owner.get(ACME).await;
    assert!(view.json()["message"].as_str().unwrap().contains("cannot be read"), "{}", view.text());
    let view = view.data();
    assert_eq!(view["inForce"], false, "{view}");
    assert_eq!(view["problems"][0]["line"], 2, "{view}");
    let ready = server.anonymous().get("/health/ready").await;
    assert_eq!(ready.status, 200, "{}", ready.text());
    let part = ready.json()["data"]["parts"]["policy"].clone();
    assert!(part["problem"].as_str().unwrap().contains("1 organizations"), "{part}");
    assert!(server.log().contains("the rules of organization acme's own cannot be read"));

    let command = async |arguments: &[&str]| {
        let output = server.command(&[&["policy"], arguments].concat(), "").await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), text + &String::from_utf8_lossy(&output.stderr))
    };
    let (_, history) = command(&["history", "--org", "acme"]).await;
    assert!(history.contains("because") && history.contains("1 versions"), "{history}");
    let (_, exported) = command(&["export", "--org", "acme"]).await;
    assert!(exported.contains("bax/**"), "{exported}");
    let (number, why) = (view["version"].to_string(), "cannot be read");
    let (done, told) = command(&["rollback", &number, "--org", "acme", "--message", why]).await;
    assert!(!done && told.contains("acme/policy.csv:2"), "{told}");
    let (done, told) = command(&["rollback", "0", "--org", "acme", "--message", why]).await;
    assert!(done, "{told}");
    wait_for("the emptied rules", DEADLINE, async || reads(&owner, "acme").await.then_some(()))
        .await;
    assert!(!reads(&bob, "acme").await);
    // and whoever may write them mends them without a command
    assert_eq!(put(&owner, ACME, RULES).await.status, 200);
    assert!(reads(&bob, "acme").await);
}
