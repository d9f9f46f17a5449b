//! `boxvault policy … --server`: the commands, asked of the policy that is in force on a running server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use boxvault_tests::{TestServer, faults::write_file, server::ADMIN_NAME};
use serde_json::{Value, json};

const PUBLISHER: &str = "p, role:publisher, acme, box/*/version/*, release, allow\n\
                         p, role:publisher, acme, box/*/version/*, delete, deny\n\
                         g, group:ldap:builders, role:publisher, acme\n";

/// A server, and how somebody asks it from elsewhere.
struct Asked {
    server: TestServer,
    token: PathBuf,
}

impl Asked {
    async fn by_admin() -> Self {
        let server = TestServer::start().await;
        server.admin().await;
        Self::by(server, ADMIN_NAME).await
    }

    async fn by(server: TestServer, user: &str) -> Self {
        let token = server.scratch().join(format!("{user}.token"));
        write_file(&token, format!("{}\n", server.api_token(user).await)).unwrap();
        Self { server, token }
    }

    async fn at(&self, url: &str, arguments: &[&str]) -> (i32, String) {
        let token = self.token.to_str().unwrap();
        let all = [&["policy"], arguments, &["--server", url, "--token-file", token]].concat();
        said(&self.server.command(&all, "").await)
    }

    async fn ask(&self, arguments: &[&str]) -> (i32, String) {
        self.at(&self.server.url(), arguments).await
    }
}

/// The exit code, and all that was printed.
fn said(output: &Output) -> (i32, String) {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// The files in force, in a folder.
async fn export(asked: &Asked, name: &str) -> PathBuf {
    let folder = asked.server.scratch().join(name);
    let (code, text) = asked.ask(&["export", "--dir", folder.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{text}");
    folder
}

#[tokio::test]
async fn what_is_in_force_on_a_server_is_asked_changed_and_brought_back_from_elsewhere() {
    let asked = Asked::by_admin().await;
    let releases =
        ["group:ldap:builders", "release", "box/web/version/1.0.0", "--org", "acme"].to_vec();
    let can = [vec!["can"], releases.clone()].concat();
    assert_eq!(asked.ask(&can).await, (1, "no\n".to_owned()));
    let (code, matrix) = asked.ask(&["matrix"]).await;
    let here = asked.server.command(&["policy", "matrix"], "").await;
    assert_eq!((code, matrix.as_bytes()), (0, here.stdout.as_slice()), "the shipped rules");

    let folder = export(&asked, "candidate").await;
    write_file(&folder.join("publisher.csv"), PUBLISHER).unwrap();
    let dir = folder.to_str().unwrap();
    let (code, text) = asked.ask(&["check", "--dir", dir]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("+ role:publisher: release box/*/version/* in acme"), "{text}");
    assert!(text.contains("(publisher.csv:1)"), "{text}");
    let (code, text) = asked.ask(&["diff", dir]).await;
    assert_eq!(code, 1, "{text}");

    let (code, text) = asked.ask(&["apply", "--dir", dir, "--message", "publishers"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("version 2 is in force"), "{text}");
    assert_eq!(asked.ask(&can).await, (0, "yes\n".to_owned()));
    assert_eq!(asked.ask(&["diff", dir]).await, (0, "no decision changes\n".to_owned()));
    let (code, text) = asked.ask(&[vec!["explain"], releases].concat()).await;
    assert!(code == 0 && text.contains("publisher.csv:1"), "{text}");
    let (code, text) =
        asked.ask(&["who-can", "release", "box/web/version/1.0.0", "--org", "acme"]).await;
    assert!(code == 0 && text.contains("group:ldap:builders"), "{text}");
    let (code, text) = asked.ask(&["list", "role:publisher"]).await;
    assert!(code == 0 && text.contains("publisher.csv:2"), "{text}");
    let (code, text) = asked.ask(&["test", "--json"]).await;
    assert_eq!(code, 0, "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["failures"], json!([]), "{text}");

    let (code, text) = asked.ask(&["history"]).await;
    assert!(code == 0 && text.contains("publishers") && text.ends_with("2 versions\n"), "{text}");
    let (code, text) = asked.ask(&["rollback", "1", "--message", "not yet"]).await;
    assert!(code == 0 && text.starts_with("version 3 is in force: version 1 again"), "{text}");
    assert_eq!(asked.ask(&can).await.0, 1);
    let before = asked.server.scratch().join("before");
    let (code, text) = asked.ask(&["export", "2", "--dir", before.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(fs::read_to_string(before.join("publisher.csv")).unwrap(), PUBLISHER);
}

#[tokio::test]
async fn an_organization_of_a_server_is_asked_with_the_rules_of_its_own() {
    let asked = Asked::by_admin().await;
    let root = asked.server.admin().await;
    let acme = root.post("/api/organization", &json!({ "name": "acme" })).await;
    assert_eq!(acme.status, 201, "{}", acme.text());
    let can = ["can", "user:local:bob", "update", "box/web", "--org", "acme"];
    assert_eq!(asked.ask(&can).await, (1, "no\n".to_owned()));
    let text = "g, user:local:bob, role:acme/editor, acme\n\
                p, role:acme/editor, acme, box/*, update, allow\n";
    let own = json!({ "text": text, "message": "bob edits" });
    let put = root.put("/api/organization/acme/policy", &own).await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(asked.ask(&can).await, (0, "yes\n".to_owned()));
    let why = [&["explain"], &can[1..]].concat();
    let (code, told) = asked.ask(&why).await;
    assert!(code == 0 && told.contains("acme/policy.csv:2"), "{told}");
    let (code, told) = asked.ask(&["history", "--org", "acme"]).await;
    assert!(code == 0 && told.contains("bob edits"), "{told}");
    let (code, told) = asked.ask(&["export", "--org", "acme"]).await;
    assert_eq!((code, told.trim_end()), (0, text.trim_end()));
    // a name that is nobody's yet is asked by the rules of the site
    let nobody = ["can", "role:owner", "update", "box/web", "--org", "nobody"];
    assert_eq!(asked.ask(&nobody).await, (0, "yes\n".to_owned()));
}

#[tokio::test]
async fn who_asks_a_server_hears_why_there_is_no_answer_and_never_a_no() {
    let asked = Asked::by_admin().await;
    let can = ["can", "role:member", "read", "box/web", "--org", "acme"];
    let (code, text) = asked.at("http://127.0.0.1:9", &can).await;
    assert!(code == 2 && text.contains("http://127.0.0.1:9 does not answer"), "{text}");
    let page = format!("{}/api-docs", asked.server.url());
    let (code, text) = asked.at(&page, &can).await;
    assert_eq!(code, 2, "{text}");

    let folder = export(&asked, "changed").await;
    let dir = folder.to_str().unwrap();
    for (arguments, reason) in [
        (&[&can[..], &["--dir", dir]].concat()[..], "only check and apply take both"),
        (&["apply", "--message", "x"], "name the files with --dir"),
        (&["fmt"], "leave --server out"),
    ] {
        let (code, text) = asked.ask(arguments).await;
        assert!(code == 2 && text.contains(reason), "{arguments:?}: {text}");
    }
    write_file(&folder.join("site.csv"), "p, role:member, acme, boxs/*, read, deny\n").unwrap();
    let (code, text) = asked.ask(&["check", "--dir", dir]).await;
    assert!(
        code == 1 && text.contains("site.csv:1:23: ") && text.contains("did you mean"),
        "{text}"
    );
    let (code, text) = asked.ask(&["apply", "--dir", dir, "--message", "x"]).await;
    assert!(code == 2 && text.contains("POLICY_INVALID"), "{text}");

    let url = asked.server.url();
    let absent = asked.server.scratch().join("absent");
    let empty = asked.server.scratch().join("empty");
    write_file(&empty, "\n").unwrap();
    for file in [&absent, &empty] {
        let all = ["policy", "matrix", "--server", &url, "--token-file", file.to_str().unwrap()];
        let (code, text) = said(&asked.server.command(&all, "").await);
        assert!(code == 2 && text.contains("cannot use"), "{text}");
    }
    asked.server.user("bob").await;
    let bob = Asked::by(asked.server, "bob").await;
    let (code, text) = bob.ask(&can).await;
    assert!(code == 2 && text.contains("refuses") && text.contains("PERMISSION_DENIED"), "{text}");
    assert!(!text.contains(fs::read_to_string(&bob.token).unwrap().trim()), "{text}");
}

#[tokio::test]
async fn a_server_with_a_certificate_of_its_own_is_asked_when_that_is_trusted() {
    let asked = Asked::by_admin().await;
    let url = format!("https://localhost:{}", asked.server.https().port());
    let (code, text) = asked.at(&url, &["matrix"]).await;
    assert!(code == 2 && text.contains("certificate"), "{text}");
    let trusted = certificate(&asked.server.data_dir());
    let (code, text) = asked.at(&url, &["matrix", "--ca-file", trusted.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{text}");
}

fn certificate(data_dir: &Path) -> PathBuf {
    data_dir.join("tls/self-signed.crt")
}

#[tokio::test]
async fn who_may_read_the_policy_hears_which_rule_refused() {
    let server = TestServer::start().await;
    let root = server.admin().await;
    for (path, name) in [("/api/organization", "acme"), ("/api/organization/acme/box", "web")] {
        assert_eq!(root.post(path, &json!({ "name": name })).await.status, 201);
    }
    let files = root.get("/api/policies").await.data()["files"].clone();
    let mut files = files.as_array().unwrap().clone();
    let text = "# kept for ever\np, authenticated, acme, box/web, delete, deny\n";
    files.push(json!({ "name": "site.csv", "text": text }));
    let put = root.put("/api/policies", &json!({ "files": files, "message": "keep it" })).await;
    assert_eq!(put.status, 200, "{}", put.text());

    let refused = root.delete("/api/organization/acme/box/web").await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let decision = refused.json()["error"]["decision"].clone();
    assert_eq!(decision["reason"], "denied", "{decision}");
    assert_eq!(
        (&decision["rule"]["file"], &decision["rule"]["line"]),
        (&json!("site.csv"), &json!(2))
    );

    let bob = server.user("bob").await;
    let add = json!({ "username": "bob", "role": "owner" });
    let added = root.post("/api/organization/acme/members", &add).await;
    assert!(added.status < 300, "{}", added.text());
    let refused = bob.delete("/api/organization/acme/box/web").await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.json()["error"].get("decision").is_none(), "{}", refused.text());
}
