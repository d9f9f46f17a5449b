//! The world of the access matrix: who is there, what there is to be had, and how it is asked for.

use std::collections::BTreeMap;

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, PNG},
    outcome::expect,
    server::ADMIN_NAME,
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// A check of a body never accepts this.
const NO_BODY_OF_OURS: &str = "no-such-field";

/// One route and method, with the kind of thing that it is tried on.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) action: String,
    pub(super) id: String,
    pub(super) variant: &'static str,
    /// The credentials that the document names for it; an empty name where it names none at all.
    pub(super) security: Vec<String>,
}

/// One way to present a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    AccessToken,
    Bearer,
    Basic,
    AtlasToken,
}

pub(super) struct Caller {
    pub(super) session: String,
    pub(super) token: String,
}

pub(super) struct World {
    pub(super) server: TestServer,
    pub(super) anonymous: Client,
    pub(super) callers: BTreeMap<&'static str, Caller>,
    /// Limited by their nature: a token, and service accounts of acme.
    pub(super) limited: BTreeMap<&'static str, String>,
    pub(super) bad: Vec<(&'static str, String)>,
    pub(super) cases: Vec<Case>,
}

/// What has no entity tag refuses `If-Match` before its handler looks closer at the caller. These destroy nothing here.
const WITHOUT_TAGS: [&str; 3] = ["watch_box", "unwatch_box", "restore_organization"];

impl World {
    pub(super) async fn build() -> Self {
        let server = TestServer::builder()
            .set("limits.requests_per_minute", "0")
            .set("limits.sign_in_requests_per_minute", "0")
            .set("audit.refusals_waiting_max", "100000")
            .start()
            .await;
        let root = server.admin().await;
        let mut clients = BTreeMap::from([("platform-admin", root.clone())]);
        let names =
            ["stranger", "other-owner", "member", "creator", "admin", "owner", "gone", "leaver"];
        for name in names {
            clients.insert(name, server.user(name).await);
        }
        let owner = &clients["owner"];
        for (client, body) in [
            (owner, json!({ "name": "acme" })),
            (owner, json!({ "name": "plaza", "accessMode": "invite_only" })),
            (&clients["other-owner"], json!({ "name": "globex" })),
        ] {
            expect(201, client.post("/api/organization", &body).await);
        }
        own_rules(owner).await;
        for name in ["member", "creator", "admin"] {
            let role = if name == "admin" { "admin" } else { "member" };
            for organization in ["acme", "plaza"] {
                let path = format!("/api/organization/{organization}/members");
                let body = json!({ "username": name, "role": role });
                expect(201, owner.post(&path, &body).await);
            }
        }
        let file = BoxBuilder::new("virtualbox").disk_bytes(100).build();
        for (name, public) in [("publ", true), ("priv", false)] {
            let mut publication = Publication::new("acme", name, &file.bytes);
            publication.public = public;
            clients["creator"].publish(&publication).await;
            let artwork = format!("/api/organization/acme/box/{name}/artwork");
            expect(200, clients["creator"].upload(&artwork, PNG.to_vec(), &[]).await);
            // one that is still being prepared
            let path = format!("/api/organization/acme/box/{name}/version");
            for (path, body) in [
                (path.clone(), json!({ "versionNumber": "2.0.0" })),
                (format!("{path}/2.0.0/provider"), json!({ "name": "virtualbox" })),
                (
                    format!("{path}/2.0.0/provider/virtualbox/architecture"),
                    json!({ "name": "amd64" }),
                ),
            ] {
                expect(201, clients["creator"].post(&path, &body).await);
            }
        }
        let mut callers = BTreeMap::new();
        for (name, client) in &clients {
            let body = json!({ "description": "same as the session" });
            let reply = expect(201, client.post("/api/user/tokens", &body).await);
            let session = client.token().unwrap_or_default().to_owned();
            callers.insert(*name, Caller { session, token: text(&reply, "/token") });
        }
        let body =
            json!({ "description": "", "actions": ["read", "download"], "organization": "acme" });
        let limited = text(&expect(201, owner.post("/api/user/tokens", &body).await), "/token");
        let mut limited = BTreeMap::from([("limited-token", limited)]);
        limited.extend(services(&clients).await);
        callers.remove("leaver");
        let gone = callers.remove("gone").expect("it was made above");
        let bad = bad_tokens(&clients, &callers, gone).await;
        let anonymous = server.anonymous();
        let cases = cases(&anonymous.get("/api-docs/openapi.json").await.json());
        Self { server, anonymous, callers, limited, bad, cases }
    }

    pub(super) fn request_as(&self, case: &Case, method: &Method) -> RequestBuilder {
        self.request_to(case, method, &path_of(case))
    }

    pub(super) fn request_to(&self, case: &Case, method: &Method, path: &str) -> RequestBuilder {
        let request = self.anonymous.request(method.clone(), path);
        match *method {
            Method::GET | Method::HEAD => request,
            // the body says where
            _ if case.id.starts_with("create_cloud_box") => {
                request.json(&json!({ "username": "acme", NO_BODY_OF_OURS: 1 }))
            }
            _ if WITHOUT_TAGS.contains(&&*case.id) => request,
            Method::DELETE => request.header("if-match", "\"never\""),
            _ if case.action == "file:upload" => request.body("no box"),
            _ if ends_sessions(case) => request,
            _ => request.header("if-match", "\"never\"").json(&json!({ NO_BODY_OF_OURS: 1 })),
        }
    }

    /// A token that is as good as the caller's own session, for routes that end one.
    pub(super) async fn token_for(&self, case: &Case, caller: &str) -> Option<String> {
        Some(match caller {
            "anonymous" => return None,
            "bad-token" => self.bad.first()?.1.clone(),
            limited if self.limited.contains_key(limited) => self.limited.get(limited)?.clone(),
            _ if ends_sessions(case) => {
                let name = if caller == "platform-admin" { ADMIN_NAME } else { caller };
                let client = self.server.anonymous();
                client.sign_in(name, boxvault_tests::server::PASSWORD).await.token()?.to_owned()
            }
            _ => self.callers.get(caller)?.session.clone(),
        })
    }
}

/// The path with the names of things that are there.
pub(super) fn path_of(case: &Case) -> String {
    let (organization, name, version) = match case.variant {
        "open" => ("plaza", "-", "-"),
        "private" => ("acme", "priv", "1.0.0"),
        "unreleased" => ("acme", "publ", "2.0.0"),
        _ => ("acme", "publ", "1.0.0"),
    };
    // an account to look at, and somebody without a place in any organization
    let username = if case.path.contains("members") { "other-owner" } else { "stranger" };
    let number = match (case.path.contains("{organization}"), case.variant) {
        (false, _) => "1",
        (true, "open") => "3",
        (true, _) => "2",
    };
    case.path
        .replace("{organization}", organization)
        .replace("{box}", name)
        .replace("{version}", version)
        .replace("{provider}", "virtualbox")
        .replace("{architecture}", "amd64")
        .replace("{file}", "virtualbox.box")
        .replace("{badge}", &format!("{name}.svg"))
        .replace("{username}", username)
        .replace("{service}", "ci")
        .replace("{id}", "01a209f3-f74e-71ed-aee1-23a3bce95a3e")
        .replace("{number}", number)
        .replace("{since}", "0")
        .replace("{method}", "local")
}

/// No rules of their own for acme and plaza, as the versions 2 and 3: the site's is the first.
async fn own_rules(owner: &Client) {
    for organization in ["acme", "plaza"] {
        let path = format!("/api/organization/{organization}/policy");
        expect(200, owner.put(&path, &json!({ "text": "", "message": "no rules" })).await);
    }
}

/// Service accounts of acme: one that its owner vouches for, and one whose sponsor has left. Of each organization one
/// is there to be looked at.
async fn services(clients: &BTreeMap<&str, Client>) -> Vec<(&'static str, String)> {
    let (owner, leaver) = (&clients["owner"], &clients["leaver"]);
    let leaving = "/api/organization/acme/members";
    let body = json!({ "username": "leaver", "role": "admin" });
    expect(201, owner.post(leaving, &body).await);
    let path = |organization: &str| format!("/api/organization/{organization}/service-accounts");
    let mut made = Vec::new();
    for (sponsor, organization, name) in
        [(owner, "acme", "ci"), (leaver, "acme", "orphan"), (owner, "plaza", "ci")]
    {
        let reply = sponsor.post(&path(organization), &json!({ "name": name })).await;
        made.push(text(&expect(201, reply), "/token"));
    }
    expect(200, owner.delete(&format!("{leaving}/leaver")).await);
    ["service", "orphan-service"].into_iter().zip(made).collect()
}

pub(super) fn present(request: RequestBuilder, kind: Kind, token: &str) -> RequestBuilder {
    match kind {
        Kind::AccessToken => request.header("x-access-token", token),
        Kind::Bearer => request.bearer_auth(token),
        Kind::Basic => request.basic_auth("whoever", Some(token)),
        Kind::AtlasToken => request.header("x-atlas-token", token),
    }
}

/// Credentials that were good once, or never.
async fn bad_tokens(
    clients: &BTreeMap<&str, Client>,
    callers: &BTreeMap<&str, Caller>,
    gone: Caller,
) -> Vec<(&'static str, String)> {
    let (root, stranger) = (&clients["platform-admin"], &clients["stranger"]);
    let reply = expect(201, stranger.post("/api/user/tokens", &json!({ "description": "" })).await);
    let path = format!("/api/user/tokens/{}", text(&reply, "/id"));
    expect(200, stranger.delete(&path).await);
    let services = "/api/organization/globex/service-accounts";
    let mut secrets = Vec::new();
    for name in ["suspended", "deleted", "rotated"] {
        let reply = clients["other-owner"].post(services, &json!({ "name": name })).await;
        secrets.push(text(&expect(201, reply), "/token"));
    }
    let other = &clients["other-owner"];
    let suspend = json!({ "suspended": true });
    expect(200, other.put(&format!("{services}/suspended"), &suspend).await);
    expect(200, other.delete(&format!("{services}/deleted")).await);
    expect(200, other.put(&format!("{services}/rotated/secret"), &json!({})).await);
    let ended = stranger.sign_in("stranger", boxvault_tests::server::PASSWORD).await;
    expect(200, ended.post("/api/auth/signout", &json!({})).await);
    expect(200, root.put("/api/users/gone", &json!({ "suspended": true })).await);

    let good = &callers["owner"].session;
    let (head, signature) = good.rsplit_once('.').expect("a JWT has three parts");
    let flipped: String = signature.chars().rev().collect();
    let body = good.split('.').nth(1).expect("a JWT has three parts");
    let none = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
    let why = ["a suspended service account", "a deleted one", "a secret before the last"];
    let mut bad: Vec<_> = why.into_iter().zip(secrets).collect();
    bad.extend([
        ("an unknown token", "bvt_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned()),
        ("a revoked API token", text(&reply, "/token")),
        ("an ended session", ended.token().unwrap_or_default().to_owned()),
        ("a suspended user's session", gone.session),
        ("a suspended user's API token", gone.token),
        ("a forged signature", format!("{head}.{flipped}")),
        ("no signature", format!("{none}.{body}.")),
        ("no token at all", "x".to_owned()),
    ]);
    bad
}

/// Every route and method of the document, HEAD included, on each kind of thing that its path can name.
fn cases(document: &Value) -> Vec<Case> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("an object of paths") {
        for (method, operation) in item.as_object().expect("an object of methods") {
            let field = |name: &str| operation[name].as_str().unwrap_or_default().to_owned();
            let variants: &[&str] = if path.contains("{version}") {
                &["public", "unreleased", "private"]
            } else if path.contains("{box}") || path.contains("{badge}") {
                &["public", "private"]
            } else if path.contains("{organization}") {
                &["open", "closed"]
            } else {
                &["-"]
            };
            let method: Method = method.to_ascii_uppercase().parse().expect("a method");
            for variant in variants {
                let case = Case {
                    method: method.clone(),
                    path: path.clone(),
                    action: field("x-action"),
                    id: field("operationId"),
                    variant,
                    security: security_of(operation),
                };
                if case.method == Method::GET {
                    all.push(Case { method: Method::HEAD, ..case.clone() });
                }
                all.push(case);
            }
        }
    }
    assert!(all.len() > 100, "the document has shrunk to {} cases", all.len());
    all
}

fn security_of(operation: &Value) -> Vec<String> {
    let alternatives = operation["security"].as_array().expect("each operation says it");
    let one = |alternative: &Value| {
        let ways = alternative.as_object().expect("an object of ways");
        ways.keys().cloned().collect::<Vec<_>>().join(" and ")
    };
    alternatives.iter().map(one).collect()
}

impl Case {
    pub(super) fn name(&self) -> String {
        format!("{} {} {}", self.path, self.method, self.variant)
    }

    /// Whether the document says that a credential may be presented so, or with an empty name that none has to be.
    pub(super) fn takes(&self, way: &str) -> bool {
        self.security.iter().any(|known| known == way)
    }

    /// Whether stock clients ask for it.
    pub(super) fn is_vagrant(&self) -> bool {
        self.is_catalogue() || self.is_cloud()
    }

    /// Whether it is what clients read who fetch a box.
    pub(super) fn is_catalogue(&self) -> bool {
        self.path.starts_with("/{") || self.path.starts_with("/api/v2/vagrant/")
    }

    /// Whether it belongs to the Vagrant Cloud API.
    fn is_cloud(&self) -> bool {
        !self.is_catalogue() && ["/api/v1/", "/api/v2/"].iter().any(|it| self.path.starts_with(it))
    }

    /// What its path names and a stranger may not know, beside something as long that does not exist.
    pub(super) fn twins(&self) -> Vec<(&'static str, &'static str)> {
        match self.variant {
            "private" => vec![("/acme", "/acmf"), ("/priv", "/priw")],
            "closed" => vec![("/acme", "/acmf")],
            "unreleased" => vec![("/2.0.0", "/9.0.0")],
            _ if self.path.contains("{username}") => vec![("/stranger", "/strangex")],
            _ => Vec::new(),
        }
    }
}

/// Routes whose success ends the session that asked.
pub(super) fn ends_sessions(case: &Case) -> bool {
    matches!(case.id.as_str(), "sign_out" | "end_other_sessions")
}

fn text(reply: &Reply, pointer: &str) -> String {
    let data = reply.data();
    data.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
