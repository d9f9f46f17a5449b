//! The whole server with an OpenID provider that signs people in: a real one.

use std::time::Duration;

use boxvault_plugin_conformance::servers::OidcServer;
use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::BoxBuilder,
    client::send,
    faults::{children, signal, write_file},
    server::{ADMIN_NAME, TestServerBuilder},
    skip, wait_for,
};
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// The provider that most tests have, by its name in the configuration.
const SSO: &str = "sso";
const METHOD: &str = "/api/auth/methods/sso";
/// Whoever is in the group reads all boxes.
const RULES: &str = "g, group:sso:staff, role:acme/reader, acme\n\
                     p, role:acme/reader, acme, box/**, read, allow\n\
                     p, role:acme/reader, acme, box/**, download, allow\n";
const DEADLINE: Duration = Duration::from_secs(20);

fn provider(test: &str) -> Option<OidcServer> {
    OidcServer::start().map_err(|reason| skip(&format!("single_sign_on::{test}"), &reason)).ok()
}

/// A server whose people are in its own catalog, or at the provider; and the folder of its client secret.
pub(crate) fn server_with(oidc: &OidcServer) -> (TestServerBuilder, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = TestServer::builder()
        .set("auth.providers.local.plugin", "local")
        .set("limits.sign_in_requests_per_minute", "0");
    (with_provider(server, SSO, oidc, &folder), folder)
}

/// One provider more, and the file of its client secret.
fn with_provider(
    server: TestServerBuilder,
    name: &str,
    oidc: &OidcServer,
    folder: &TempDir,
) -> TestServerBuilder {
    let secret = folder.path().join(format!("{name}-client-secret"));
    write_file(&secret, format!("{}\n", oidc.client_secret).as_bytes()).expect("it can be written");
    let (secret, ca_file) = (secret.display().to_string(), oidc.ca_file.display().to_string());
    let keys = [
        ("plugin", "oidc"),
        ("issuer", &*oidc.issuer),
        ("client_id", &*oidc.client_id),
        ("client_secret_file", &*secret),
        ("ca_file", &*ca_file),
        ("keys_pause_s", "1"),
    ];
    keys.into_iter().fold(server, |server, (key, value)| {
        server.set(&format!("auth.providers.{name}.{key}"), value)
    })
}

/// Where the provider sends browsers back to, and whom it tells of ended sessions.
pub(crate) fn introduce(oidc: &mut OidcServer, server: &TestServer) {
    introduce_as(oidc, server, SSO);
}

fn introduce_as(oidc: &mut OidcServer, server: &TestServer, name: &str) {
    let url = server.url();
    let told = format!("{url}/api/auth/methods/{name}/logout-notice");
    oidc.set_client(&format!("{url}/login/callback/{name}"), Some(&told), None);
}

/// A sign-in that somebody began: where it goes on, and what the browser holds.
struct Begun {
    url: String,
    cookie: String,
}

async fn begin(client: &Client, body: &Value) -> Begun {
    begin_at(client, SSO, body).await
}

async fn begin_at(client: &Client, name: &str, body: &Value) -> Begun {
    let reply = client.post(&format!("/api/auth/methods/{name}/begin"), body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let cookie = reply.header("set-cookie").expect("the browser is told a secret").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/api/auth/methods", "Max-Age=600"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    Begun { url: text_of(&reply, "url"), cookie }
}

/// What an address holds in its query, as the page sends it.
fn answer(back: &str) -> Map<String, Value> {
    let back = Url::parse(back).unwrap_or_else(|_| panic!("{back}"));
    assert!(back.path().starts_with("/login/callback/"), "{back}");
    back.query_pairs().map(|(name, text)| (name.into_owned(), json!(text))).collect()
}

async fn finish(client: &Client, answer: &Map<String, Value>, cookie: Option<&str>) -> Reply {
    finish_at(client, SSO, answer, cookie).await
}

async fn finish_at(
    client: &Client,
    name: &str,
    answer: &Map<String, Value>,
    cookie: Option<&str>,
) -> Reply {
    let request = client.request(Method::POST, &format!("/api/auth/methods/{name}/finish"));
    let request = match cookie {
        Some(cookie) => request.header("cookie", format!("theme=dark; {cookie}")),
        None => request,
    };
    send(request.json(&json!({ "answer": answer }))).await
}

/// All of it: to the provider and back.
async fn sign_in(server: &TestServer, oidc: &mut OidcServer, who: &str) -> Reply {
    sign_in_at(server, SSO, oidc, who).await
}

async fn sign_in_at(server: &TestServer, name: &str, oidc: &mut OidcServer, who: &str) -> Reply {
    let client = server.anonymous();
    let begun = begin_at(&client, name, &json!({})).await;
    let back = oidc.visit(who, &begun.url);
    finish_at(&client, name, &answer(&back), Some(&begun.cookie)).await
}

/// A provider tells a server that a session ended there, or somebody pretends so.
async fn notice(server: &TestServer, name: &str, token: &str) -> Reply {
    let path = format!("/api/auth/methods/{name}/logout-notice");
    let request = server.anonymous().request(Method::POST, &path);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    send(request.body(format!("logout_token={token}"))).await
}

fn text_of(reply: &Reply, field: &str) -> String {
    reply.data().get(field).and_then(Value::as_str).expect("a text").to_owned()
}

fn session(server: &TestServer, reply: &Reply) -> Client {
    assert_eq!(reply.status, 200, "{}", reply.text());
    Client::new(&server.url()).with_token(&text_of(reply, "accessToken"))
}

async fn is_signed_in(client: &Client) -> bool {
    client.get("/api/user").await.status == 200
}

#[tokio::test]
async fn people_sign_in_at_a_provider_and_their_groups_decide() {
    let Some(mut oidc) = provider("people_sign_in_at_a_provider") else { return };
    let (builder, _folder) = server_with(&oidc);
    let server = builder.start().await;
    introduce(&mut oidc, &server);
    let root = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    root.publish(&Publication::new("acme", "secret", &file.bytes)).await;
    let hide = json!({ "isPublic": false });
    assert_eq!(root.put("/api/organization/acme/box/secret", &hide).await.status, 200);

    let client = server.anonymous();
    let methods = client.get("/api/auth/methods").await.data();
    assert!(methods.as_array().unwrap().contains(&json!({ "name": "sso", "kind": "redirect" })));
    let begun = begin(&client, &json!({ "next": "/acme/secret", "stayLoggedIn": true })).await;
    let back = oidc.visit("ann", &begun.url);
    let signed_in = finish(&client, &answer(&back), Some(&begun.cookie)).await;
    let ann = session(&server, &signed_in);
    let data = signed_in.data();
    assert_eq!((&data["next"], &data["stayLoggedIn"]), (&json!("/acme/secret"), &json!(true)));
    assert_eq!((&data["issuer"], &data["emailVerified"]), (&json!("sso"), &json!(true)));
    let reads =
        async |client: &Client| client.get("/api/organization/acme/box/secret").await.status;
    assert_eq!(reads(&ann).await, 404, "a group gives nothing that no rule says");
    let rules = json!({ "text": RULES, "message": "staff reads" });
    let put = root.put("/api/organization/acme/policy", &rules).await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(reads(&ann).await, 200);
    let bob = session(&server, &sign_in(&server, &mut oidc, "bob").await);
    assert_eq!(reads(&bob).await, 404, "who is in no group");

    oidc.stop();
    let away = client.post(&format!("{METHOD}/begin"), &json!({})).await;
    // what is known of a provider is believed for a while; whoever comes back finds that it is away
    assert!([200, 503].contains(&away.status), "{}", away.text());
    let ready = client.get("/health/ready").await;
    let part = &ready.json()["data"]["parts"]["auth:sso"];
    assert_eq!((ready.status, &part["ok"]), (200, &json!(false)), "{}", ready.text());
    assert_eq!(reads(&ann).await, 200, "who is signed in stays so");
    oidc.bring_back();
    session(&server, &sign_in(&server, &mut oidc, "ann").await);
    let begun = begin(&client, &json!({})).await;
    let back = oidc.visit("ann", &begun.url);
    oidc.stop();
    let away = finish(&client, &answer(&back), Some(&begun.cookie)).await;
    assert_eq!((away.status, away.code()), (503, "AUTH_PROVIDER_UNAVAILABLE".to_owned()));
    assert!(
        away.header("retry-after").is_some() && !away.text().contains(&oidc.issuer),
        "{}",
        away.text()
    );
    oidc.bring_back();
    oidc.rotate_keys();
    wait_for("the new key", DEADLINE, async || {
        (sign_in(&server, &mut oidc, "ann").await.status == 200).then_some(())
    })
    .await;
    let ready = client.get("/health/ready").await;
    assert_eq!(ready.json()["data"]["parts"]["auth:sso"]["ok"], true);
    let log = server.log();
    let code = answer(&back)["code"].as_str().unwrap().to_owned();
    for secret in [&oidc.client_secret, &code, &begun.cookie] {
        assert!(!log.contains(secret.as_str()), "a secret is in the log");
    }
}

#[tokio::test]
async fn only_the_browser_that_began_a_sign_in_finishes_it_and_once() {
    let Some(mut oidc) = provider("only_the_browser_that_began_a_sign_in") else { return };
    let (builder, _folder) = server_with(&oidc);
    let server = builder.start().await;
    introduce(&mut oidc, &server);
    let client = server.anonymous();
    let begun = begin(&client, &json!({})).await;
    let other = begin(&client, &json!({})).await;
    assert_ne!(begun.cookie, other.cookie, "browsers share a secret");
    let back = answer(&oidc.visit("ann", &begun.url));
    let expired = |reply: &Reply| {
        let told = (reply.status, reply.code());
        assert_eq!(told, (401, "SIGN_IN_EXPIRED".to_owned()), "{}", reply.text());
    };
    expired(&finish(&client, &back, None).await);
    expired(&finish(&client, &back, Some(&other.cookie)).await);
    expired(&finish(&client, &back, Some("boxvault_sign_in=")).await);
    let mut forged = back.clone();
    forged.insert("state".into(), json!("f47ac10b58cc4372a5670e02b2c3d479"));
    expired(&finish(&client, &forged, Some(&begun.cookie)).await);
    forged.remove("state");
    expired(&finish(&client, &forged, Some(&begun.cookie)).await);
    // none of them took it from whom it belongs to
    session(&server, &finish(&client, &back, Some(&begun.cookie)).await);
    expired(&finish(&client, &back, Some(&begun.cookie)).await);
    // a second tab of a browser keeps its secret
    let request = client.request(Method::POST, &format!("{METHOD}/begin"));
    let tab = send(request.header("cookie", &begun.cookie).json(&json!({}))).await;
    assert!(tab.header("set-cookie").unwrap().starts_with(&begun.cookie));

    let refused = |reply: &Reply| {
        let told = (reply.status, reply.code());
        assert_eq!(told, (401, "SIGN_IN_REFUSED".to_owned()), "{}", reply.text());
    };
    refused(&sign_in(&server, &mut oidc, "nobody").await);
    for kind in ["nonce", "expired", "foreign", "tampered", "unsigned", "audience"] {
        oidc.twist(kind);
        refused(&sign_in(&server, &mut oidc, "ann").await);
    }
    oidc.twist("none");
    for next in ["//evil.example", "https://evil.example/", "/\\evil.example"] {
        let reply = client.post(&format!("{METHOD}/begin"), &json!({ "next": next })).await;
        assert_eq!((reply.status, reply.code()), (400, "INVALID_INPUT".to_owned()), "{next}");
    }
    for path in ["/api/auth/methods/local/begin", "/api/auth/methods/none/begin"] {
        let reply = client.post(path, &json!({})).await;
        assert_eq!((reply.status, reply.code()), (404, "SIGN_IN_METHOD_NOT_FOUND".to_owned()));
    }
    let many: Map<String, Value> =
        (0..40).map(|number| (format!("p{number}"), json!("x"))).collect();
    assert_eq!(finish(&client, &many, Some(&begun.cookie)).await.status, 400);
}

#[tokio::test]
async fn an_account_of_a_provider_is_its_own_and_takes_nobody_elses() {
    let Some(mut oidc) = provider("an_account_of_a_provider_is_its_own") else { return };
    let (builder, _folder) = server_with(&oidc);
    let server = builder.start().await;
    introduce(&mut oidc, &server);
    let root = server.admin().await;
    let email = root.get("/api/user").await.data()["email"].clone();
    // eve says that she has the admin's address, and the provider believes it
    let eve = sign_in(&server, &mut oidc, "eve").await;
    assert_eq!(email, "root@example.com");
    let told = eve.data();
    assert_eq!((&told["username"], &told["issuer"]), (&json!("eve"), &json!("sso")));
    assert_eq!((&told["email"], &told["platformAdmin"]), (&json!(""), &json!(false)));
    assert_eq!(root.get("/api/user").await.data()["username"], ADMIN_NAME);
    // an address that nobody has proven is not taken over
    assert_eq!(sign_in(&server, &mut oidc, "bob").await.data()["email"], "");
    // who has the name already keeps it
    server.user("ann").await;
    let taken = sign_in(&server, &mut oidc, "ann").await;
    assert_eq!((taken.status, taken.code()), (409, "ALREADY_EXISTS".to_owned()));
    // the account is the same one each time, and may be locked
    let again = sign_in(&server, &mut oidc, "eve").await;
    assert_eq!(again.data()["id"], told["id"]);
    let suspend = json!({ "suspended": true });
    assert_eq!(root.put("/api/users/eve", &suspend).await.status, 200);
    let locked = sign_in(&server, &mut oidc, "eve").await;
    assert_eq!((locked.status, locked.code()), (401, "SIGN_IN_REFUSED".to_owned()));
}

#[tokio::test]
async fn a_session_that_ends_on_one_side_ends_on_the_other() {
    let Some(mut oidc) = provider("a_session_that_ends_on_one_side") else { return };
    let (builder, _folder) = server_with(&oidc);
    let server = builder.start().await;
    introduce(&mut oidc, &server);
    let ann = session(&server, &sign_in(&server, &mut oidc, "ann").await);
    let bob = session(&server, &sign_in(&server, &mut oidc, "bob").await);
    // anybody can say so, and only the provider is believed
    for kind in ["foreign", "unknown", "unsigned", "secret", "old", "noevent", "audience"] {
        let told = notice(&server, SSO, &oidc.logout_token(kind, "ann", None)).await;
        assert_eq!((told.status, told.code()), (400, "INVALID_INPUT".to_owned()), "{kind}");
    }
    assert!(is_signed_in(&ann).await);
    let json = server.anonymous().post(&format!("{METHOD}/logout-notice"), &json!({})).await;
    assert_eq!(json.status, 415, "{}", json.text());

    // signing out here tells where the session there is ended; that one tells the server
    let second = session(&server, &sign_in(&server, &mut oidc, "ann").await);
    let signed_out = second.post("/api/auth/signout", &json!({})).await;
    let url = signed_out.data()["providerUrl"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&oidc.issuer), "{url}");
    assert!(is_signed_in(&ann).await, "the other session goes on until the provider's ends");
    oidc.leave("ann", &url);
    wait_for("the end of the session", DEADLINE, async || {
        (!is_signed_in(&ann).await).then_some(())
    })
    .await;
    assert!(is_signed_in(&bob).await, "a session of somebody else ended");

    // and a notice of somebody ends all that they have
    let token = oidc.logout_token("good", "bob", None);
    assert_eq!(notice(&server, SSO, &token).await.status, 200);
    assert!(!is_signed_in(&bob).await);
    // signing out of an account of the catalog leads nowhere
    let carl = server.user("carl").await;
    let signed_out = carl.post("/api/auth/signout", &json!({})).await;
    assert_eq!(signed_out.data()["providerUrl"], Value::Null);
}

#[tokio::test]
async fn several_providers_sign_people_in_and_none_speaks_for_another() {
    let test = "several_providers_sign_people_in";
    let (Some(mut sso), Some(mut branch)) = (provider(test), provider(test)) else { return };
    let (builder, folder) = server_with(&sso);
    // away when the server starts
    branch.stop();
    let server = with_provider(builder, "branch", &branch, &folder).start().await;
    introduce(&mut sso, &server);
    introduce_as(&mut branch, &server, "branch");
    let client = server.anonymous();
    let away = client.post("/api/auth/methods/branch/begin", &json!({})).await;
    assert_eq!((away.status, away.code()), (503, "AUTH_PROVIDER_UNAVAILABLE".to_owned()));
    branch.bring_back();
    let methods = client.get("/api/auth/methods").await.data();
    for name in [SSO, "branch"] {
        let listed = json!({ "name": name, "kind": "redirect" });
        assert!(methods.as_array().unwrap().contains(&listed), "{methods}");
    }
    let signed_in = sign_in(&server, &mut sso, "ann").await;
    let ann = session(&server, &signed_in);
    let signed_in = sign_in_at(&server, "branch", &mut branch, "bob").await;
    let bob = session(&server, &signed_in);
    assert_eq!(signed_in.data()["issuer"], "branch");
    // the same subject at another provider is somebody else, and the name is taken
    let other = sign_in_at(&server, "branch", &mut branch, "ann").await;
    assert_eq!((other.status, other.code()), (409, "ALREADY_EXISTS".to_owned()));

    // what one provider answers is brought to another, in the browser that began both
    let begun = begin(&client, &json!({})).await;
    let back = answer(&sso.visit("ann", &begun.url));
    let mixed = finish_at(&client, "branch", &back, Some(&begun.cookie)).await;
    assert_eq!((mixed.status, mixed.code()), (401, "SIGN_IN_EXPIRED".to_owned()));
    let other = begin_at(&client, "branch", &json!({})).await;
    let mut swapped = back.clone();
    let state = answer(&branch.visit("eve", &other.url))["state"].clone();
    swapped.insert("state".into(), state);
    let mixed = finish_at(&client, "branch", &swapped, Some(&other.cookie)).await;
    assert_eq!((mixed.status, mixed.code()), (401, "SIGN_IN_REFUSED".to_owned()));

    // nobody says of another provider's people that their sessions ended
    let told = notice(&server, SSO, &branch.logout_token("good", "ann", None)).await;
    assert_eq!((told.status, told.code()), (400, "INVALID_INPUT".to_owned()));
    let told = notice(&server, "branch", &branch.logout_token("good", "ann", None)).await;
    assert_eq!(told.status, 200, "{}", told.text());
    assert!(is_signed_in(&ann).await && is_signed_in(&bob).await);
    assert_eq!(notice(&server, SSO, &sso.logout_token("good", "ann", None)).await.status, 200);
    assert!(!is_signed_in(&ann).await && is_signed_in(&bob).await);

    // one that is away keeps nobody from the other
    sso.stop();
    session(&server, &sign_in_at(&server, "branch", &mut branch, "bob").await);
    let parts = client.get("/health/ready").await.json()["data"]["parts"].clone();
    let well = [SSO, "branch"].map(|name| parts[format!("auth:{name}")]["ok"].clone());
    assert_eq!(well, [json!(false), json!(true)], "{parts}");
}

#[tokio::test]
async fn a_session_ends_with_the_providers_also_when_the_plugin_has_a_process_of_its_own() {
    let Some(mut oidc) = provider("a_session_ends_with_the_providers") else { return };
    let (builder, _folder) = server_with(&oidc);
    let builder = builder.set("auth.providers.sso.isolation", "process");
    let server = builder.set("plugins.process_restart_wait_max", "1 s").start().await;
    introduce(&mut oidc, &server);
    let ann = session(&server, &sign_in(&server, &mut oidc, "ann").await);
    let second = session(&server, &sign_in(&server, &mut oidc, "ann").await);
    let bob = session(&server, &sign_in(&server, &mut oidc, "bob").await);
    let forged = notice(&server, SSO, &oidc.logout_token("foreign", "ann", None)).await;
    assert_eq!((forged.status, forged.code()), (400, "INVALID_INPUT".to_owned()));
    // a process that is new knows no keys yet, and asks for them
    let [process] = *children(server.pid()) else { panic!("the plugin has one process") };
    signal(process, "KILL");
    let root = server.admin().await;
    wait_for("the next process", DEADLINE, async || {
        let list = root.get("/api/admin/plugins").await.data();
        let view = list.as_array()?.iter().find(|view| view["entry"] == "auth.providers.sso")?;
        (view["restarts"] == 1 && view["state"] == "running").then_some(())
    })
    .await;
    let signed_out = second.post("/api/auth/signout", &json!({})).await;
    let url = signed_out.data()["providerUrl"].as_str().unwrap().to_owned();
    assert!(is_signed_in(&ann).await, "the other session goes on until the provider's ends");
    oidc.leave("ann", &url);
    wait_for("the end of the session", DEADLINE, async || {
        (!is_signed_in(&ann).await).then_some(())
    })
    .await;
    assert!(is_signed_in(&bob).await, "a session of somebody else ended");
    assert_eq!(notice(&server, SSO, &oidc.logout_token("good", "bob", None)).await.status, 200);
    assert!(!is_signed_in(&bob).await);
}
