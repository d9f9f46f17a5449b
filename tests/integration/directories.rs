//! The whole server with a directory that signs people in: a real one.

use boxvault_plugin_conformance::servers::LdapServer;
use boxvault_tests::{
    Client, Publication, Reply, TestServer, bytes::BoxBuilder, server::TestServerBuilder, skip,
};
use serde_json::json;

const SIGN_IN: &str = "/api/auth/signin";
/// Whoever is in the group, by however many groups in each other, reads all boxes.
const RULES: &str = "g, group:corp:staff, role:acme/reader, acme\n\
                     p, role:acme/reader, acme, box/**, read, allow\n\
                     p, role:acme/reader, acme, box/**, download, allow\n";

fn directory(test: &str) -> Option<LdapServer> {
    LdapServer::start().map_err(|reason| skip(&format!("directories::{test}"), &reason)).ok()
}

/// A server whose people are in its own catalog, or in the directory.
pub(crate) fn server_with(ldap: &LdapServer) -> TestServerBuilder {
    let [dn, password] = LdapServer::SEARCHES;
    TestServer::builder()
        .set("auth.providers.local.plugin", "local")
        .set("auth.providers.corp.plugin", "ldap")
        .set("auth.providers.corp.urls", &format!("[\"{}\"]", ldap.url))
        .set("auth.providers.corp.ca_file", &ldap.ca_file.display().to_string())
        .set("auth.providers.corp.bind_dn", dn)
        .set("auth.providers.corp.bind_password", password)
        .set("auth.providers.corp.user_base", "ou=people,dc=example,dc=org")
        .set("auth.providers.corp.group_base", "ou=groups,dc=example,dc=org")
        .set("auth.providers.corp.disabled_filter", "(employeeType=left)")
}

async fn sign_in(server: &TestServer, name: &str, password: &str) -> Reply {
    let body = json!({ "username": name, "password": password, "provider": "corp" });
    server.anonymous().post(SIGN_IN, &body).await
}

#[tokio::test]
async fn people_sign_in_through_a_directory_and_their_groups_decide() {
    let Some(mut ldap) = directory("people_sign_in_through_a_directory") else { return };
    let server = server_with(&ldap).start().await;
    let root = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    root.publish(&Publication::new("acme", "secret", &file.bytes)).await;
    let hide = json!({ "isPublic": false });
    assert_eq!(root.put("/api/organization/acme/box/secret", &hide).await.status, 200);

    let methods = server.anonymous().get("/api/auth/methods").await;
    assert!(methods.text().contains("corp"), "{}", methods.text());
    let signed_in = sign_in(&server, "ann", "correct horse").await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.text());
    let token = signed_in.data()["accessToken"].as_str().unwrap().to_owned();
    let ann = Client::new(&server.url()).with_token(&token);
    let reads =
        async |client: &Client| client.get("/api/organization/acme/box/secret").await.status;
    assert_eq!(reads(&ann).await, 404, "a group gives nothing that no rule says");
    let rules = json!({ "text": RULES, "message": "staff reads" });
    let put = root.put("/api/organization/acme/policy", &rules).await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(reads(&ann).await, 200);

    // a wrong name, a wrong password, none, and somebody who left look alike
    for (name, password) in
        [("ann", "wrong"), ("eve", "wrong"), ("bob", "battery staple"), ("ann*", "correct horse")]
    {
        let refused = sign_in(&server, name, password).await;
        assert_eq!(refused.status, 401, "{name}: {}", refused.text());
        assert_eq!(refused.code(), "SIGN_IN_FAILED", "{name}");
    }
    assert_ne!(sign_in(&server, "ann", "").await.status, 200);

    ldap.stop();
    let away = sign_in(&server, "ann", "correct horse").await;
    assert_eq!((away.status, away.code()), (503, "AUTH_PROVIDER_UNAVAILABLE".to_owned()));
    assert!(
        away.header("retry-after").is_some() && !away.text().contains("ldap://"),
        "{}",
        away.text()
    );
    assert_eq!(reads(&ann).await, 200, "who is signed in stays so");
    assert_eq!(reads(&root).await, 200);
    let ready = server.anonymous().get("/health/ready").await;
    let part = &ready.json()["data"]["parts"]["auth:corp"];
    assert_eq!((ready.status, &part["ok"]), (200, &json!(false)), "{}", ready.text());
    ldap.bring_back();
    let again = sign_in(&server, "ann", "correct horse").await;
    assert_eq!(again.status, 200, "{}", again.text());
    let ready = server.anonymous().get("/health/ready").await;
    assert_eq!(ready.json()["data"]["parts"]["auth:corp"]["ok"], true);
    let log = server.log();
    assert!(
        !log.contains("correct horse") && !log.contains("search it"),
        "a password is in the log"
    );
}
