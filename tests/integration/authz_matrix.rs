//! Who may do what over HTTP: every route and method of the API document, for every caller, on public, unreleased and
//! private things.
//!
//! What is expected stands in [`expected`], a small table of its own that shares no code with the server; the whole
//! outcome is committed as `snapshots/access.txt`, so that a change of rights is read in review like code. Nothing is
//! destroyed on the way: writes carry a body that is refused, or an `If-Match` that never fits, and both are looked at
//! only by those who were let through.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
};

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, PNG},
    client::send,
    server::ADMIN_NAME,
    workspace,
};
use futures_util::{StreamExt as _, stream};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// The columns of the table.
const CALLERS: &[&str] = &[
    "anonymous",
    "bad-token",
    "stranger",
    "other-owner",
    "member",
    "creator",
    "admin",
    "owner",
    "platform-admin",
    "limited-token",
    "service",
    "orphan-service",
];
/// How many requests are under way at once.
const PARALLEL: usize = 16;
/// A check of a body never accepts this.
const NO_BODY_OF_OURS: &str = "no-such-field";

/// One route and method, with the kind of thing that it is tried on.
#[derive(Debug, Clone)]
struct Case {
    method: Method,
    path: String,
    action: String,
    id: String,
    variant: &'static str,
}

/// One way to present a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    AccessToken,
    Bearer,
    Basic,
}

struct Caller {
    session: String,
    token: String,
}

struct World {
    server: TestServer,
    anonymous: Client,
    callers: BTreeMap<&'static str, Caller>,
    /// Limited by their nature: a token, and service accounts of acme.
    limited: BTreeMap<&'static str, String>,
    bad: Vec<(&'static str, String)>,
    cases: Vec<Case>,
}

/// What has no entity tag refuses `If-Match` before its handler looks closer at the caller. These destroy nothing here.
const WITHOUT_TAGS: [&str; 3] = ["watch_box", "unwatch_box", "restore_organization"];

#[tokio::test]
async fn every_caller_gets_at_every_route_what_the_table_says() {
    let world = World::build().await;
    let mut rows = BTreeMap::<String, BTreeMap<&str, String>>::new();
    let mut wrong = Vec::new();
    let world = &world;
    let jobs = world.cases.iter().filter(|case| !ends_sessions(case)).flat_map(|case| {
        CALLERS.iter().map(move |caller| async move {
            let reply = world_ask(world, case, caller).await;
            (case, *caller, class(case, &reply), reply)
        })
    });
    let mut answers: Vec<_> = stream::iter(jobs).buffer_unordered(PARALLEL).collect().await;
    for case in world.cases.iter().filter(|case| ends_sessions(case)) {
        for caller in CALLERS {
            let reply = world_ask(world, case, caller).await;
            answers.push((case, *caller, class(case, &reply), reply));
        }
    }
    for (case, caller, found, reply) in answers {
        let wanted = expected(case, caller);
        if found != wanted {
            let name = case.name();
            let text = reply.text();
            wrong.push(format!("{name} by {caller}: expected {wanted}, got {found}: {text}"));
        }
        let before = rows.entry(case.name()).or_default().insert(caller, found);
        assert_eq!(before, None, "{} was tried twice", case.name());
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    compare_with_snapshot(&table(&rows));
}

#[tokio::test]
async fn the_kind_of_a_credential_changes_no_answer() {
    let world = World::build().await;
    let mut wrong = Vec::new();
    let world = &world;
    let jobs = world.cases.iter().filter(|case| !ends_sessions(case)).flat_map(|case| {
        world.callers.iter().map(move |(name, caller)| async move {
            let mut answers = Vec::new();
            for (token, kinds) in [
                (&caller.session, [Kind::AccessToken, Kind::Bearer].as_slice()),
                (&caller.token, &[Kind::AccessToken, Kind::Bearer, Kind::Basic]),
            ] {
                for kind in kinds {
                    let request = present(world_request(world, case), *kind, token);
                    let reply = send(request).await;
                    answers.push((*kind, reply.status, code_of(&reply)));
                }
            }
            (case, name, answers)
        })
    });
    let all: Vec<_> = stream::iter(jobs).buffer_unordered(PARALLEL).collect().await;
    for (case, name, answers) in all {
        let first = answers.first().map(|(_, status, code)| (*status, code.clone()));
        for (kind, status, code) in answers {
            if Some((status, code.clone())) != first {
                wrong.push(format!("{} by {name} as {kind:?}: {status} {code}", case.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a_bad_credential_is_401_on_every_route_of_the_api_and_nothing_to_stock_clients() {
    let world = World::build().await;
    let world = &world;
    let jobs = world.cases.iter().flat_map(|case| {
        world.bad.iter().map(move |(why, token)| async move {
            let request = world_request(world, case);
            let reply = send(present(request, Kind::Bearer, token)).await;
            (case, *why, reply)
        })
    });
    let all: Vec<_> = stream::iter(jobs).buffer_unordered(PARALLEL).collect().await;
    for (case, why, reply) in all {
        let name = case.name();
        if case.is_vagrant() {
            let anonymous = send(world_request(world, case)).await;
            assert_eq!(reply.status, anonymous.status, "{name} with {why}");
        } else {
            assert_eq!(reply.status, 401, "{name} with {why}: {}", reply.text());
            assert!(reply.header("www-authenticate").is_some(), "{name} with {why}");
            if case.method != Method::HEAD {
                assert_eq!(reply.code(), "CREDENTIALS_INVALID", "{name} with {why}");
            }
        }
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_a_body() {
    let world = World::build().await;
    let owner = &world.callers["owner"];
    for case in world.cases.iter().filter(|case| case.method == Method::HEAD) {
        for token in [None, Some(&owner.session)] {
            let ask = async |method: Method| {
                let request = world.request_as(case, &method);
                send(match token {
                    Some(token) => present(request, Kind::AccessToken, token),
                    None => request,
                })
                .await
            };
            let (head, get) = (ask(Method::HEAD).await, ask(Method::GET).await);
            let name = case.name();
            assert_eq!(head.status, get.status, "{name}");
            assert!(head.bytes.is_empty(), "{name} has a body");
            for header in ["content-type", "content-length", "etag", "accept-ranges"] {
                // what is made anew for each request: the server's numbers, and a link with its time
                if !["read_metrics", "read_download_link"].contains(&&*case.id) {
                    assert_eq!(head.header(header), get.header(header), "{header} of {name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_may_not_be_known_answers_as_what_does_not_exist() {
    let world = World::build().await;
    let world = &world;
    let stranger = &world.callers["stranger"];
    let mut compared = 0;
    for case in &world.cases {
        for token in [None, Some(&stranger.session)] {
            let ask = async |request: RequestBuilder| {
                send(match token {
                    Some(token) => present(request, Kind::AccessToken, token),
                    None => request,
                })
                .await
            };
            let hidden = ask(world_request(world, case)).await;
            if hidden.status != 404 || case.method == Method::HEAD {
                continue;
            }
            for (there, absent) in case.twins() {
                let path = path_of(case).replace(there, absent);
                let missing = ask(world.request_to(case, &case.method, &path)).await;
                let name = format!("{} {path}", case.name());
                assert_eq!(missing.status, 404, "{name}: {}", missing.text());
                let mut expected = hidden.json();
                let mut found = missing.json();
                for body in [&mut expected, &mut found] {
                    if let Some(error) = body.get_mut("error").and_then(Value::as_object_mut) {
                        error.remove("request_id");
                    }
                }
                let expected = expected.to_string().replace(there.trim_matches('/'), "*");
                let found = found.to_string().replace(absent.trim_matches('/'), "*");
                assert_eq!(found, expected, "{name}");
                assert_eq!(missing.bytes.len(), hidden.bytes.len(), "{name}");
                let names = |reply: &Reply| {
                    reply.headers.keys().map(ToString::to_string).collect::<Vec<_>>()
                };
                assert_eq!(names(&missing), names(&hidden), "{name}");
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "only {compared} answers were compared");
}

impl World {
    async fn build() -> Self {
        let server = TestServer::builder()
            .set("limits.requests_per_minute", "0")
            .set("limits.sign_in_requests_per_minute", "0")
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

    fn request_as(&self, case: &Case, method: &Method) -> RequestBuilder {
        self.request_to(case, method, &path_of(case))
    }

    fn request_to(&self, case: &Case, method: &Method, path: &str) -> RequestBuilder {
        let request = self.anonymous.request(method.clone(), path);
        match *method {
            Method::GET | Method::HEAD => request,
            _ if WITHOUT_TAGS.contains(&&*case.id) => request,
            Method::DELETE => request.header("if-match", "\"never\""),
            _ if case.action == "file:upload" => request.body("no box"),
            _ if ends_sessions(case) => request,
            _ => request.header("if-match", "\"never\"").json(&json!({ NO_BODY_OF_OURS: 1 })),
        }
    }

    /// A token that is as good as the caller's own session, for routes that end one.
    async fn token_for(&self, case: &Case, caller: &str) -> Option<String> {
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
fn path_of(case: &Case) -> String {
    let (organization, name, version) = match case.variant {
        "open" => ("plaza", "-", "-"),
        "private" => ("acme", "priv", "1.0.0"),
        "unreleased" => ("acme", "publ", "2.0.0"),
        _ => ("acme", "publ", "1.0.0"),
    };
    // an account to look at, and somebody without a place in any organization
    let username = if case.path.contains("members") { "other-owner" } else { "stranger" };
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

fn world_request(world: &World, case: &Case) -> RequestBuilder {
    world.request_as(case, &case.method)
}

async fn world_ask(world: &World, case: &Case, caller: &str) -> Reply {
    let request = world_request(world, case);
    send(match world.token_for(case, caller).await {
        Some(token) => present(request, Kind::AccessToken, &token),
        None => request,
    })
    .await
}

fn present(request: RequestBuilder, kind: Kind, token: &str) -> RequestBuilder {
    match kind {
        Kind::AccessToken => request.header("x-access-token", token),
        Kind::Bearer => request.bearer_auth(token),
        Kind::Basic => request.basic_auth("whoever", Some(token)),
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

impl Case {
    fn name(&self) -> String {
        format!("{} {} {}", self.path, self.method, self.variant)
    }

    fn is_vagrant(&self) -> bool {
        self.path.starts_with("/{") || self.path.starts_with("/api/v2/")
    }

    /// What its path names and a stranger may not know, beside something as long that does not exist.
    fn twins(&self) -> Vec<(&'static str, &'static str)> {
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
fn ends_sessions(case: &Case) -> bool {
    matches!(case.id.as_str(), "sign_out" | "end_other_sessions")
}

fn code_of(reply: &Reply) -> String {
    let body: Value = serde_json::from_slice(&reply.bytes).unwrap_or_default();
    body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// How an answer counts: as the refusal that it is, or as `ok` when the caller was let through.
fn class(case: &Case, reply: &Reply) -> String {
    assert!(reply.status < 500, "{} gave {}: {}", case.name(), reply.status, reply.text());
    match reply.status {
        401 | 403 => reply.status.to_string(),
        // let through, and found that the last part of the path names nothing
        404 if matches!(
            &*code_of(reply),
            "FILE_NOT_FOUND"
                | "UPLOAD_NOT_FOUND"
                | "MEMBER_NOT_FOUND"
                | "SESSION_NOT_FOUND"
                | "TOKEN_NOT_FOUND"
                | "INVITATION_NOT_FOUND"
                | "JOIN_REQUEST_NOT_FOUND"
        ) =>
        {
            "ok".to_owned()
        }
        // a HEAD has no body to tell by; only file routes have such an end
        404 if case.method == Method::HEAD && (is_empty_file(case) || has_no_such_id(case)) => {
            "ok?".to_owned()
        }
        404 => "404".to_owned(),
        _ => "ok".to_owned(),
    }
}

/// The unreleased version has no file yet.
fn is_empty_file(case: &Case) -> bool {
    // an upload is asked for by its protocol, which tells before there could be none
    let of_upload = case.path.contains("/file/uploads");
    case.variant == "unreleased" && case.path.contains("/file/") && !of_upload
}

/// Nobody has a picture or a token of that id, and a HEAD does not tell that from what may not be known.
fn has_no_such_id(case: &Case) -> bool {
    matches!(case.id.as_str(), "read_avatar" | "read_token") && case.method == Method::HEAD
}

/// What the rules of the house say, written down once more.
fn expected(case: &Case, caller: &str) -> String {
    let outsider = matches!(caller, "anonymous" | "stranger" | "other-owner" | "orphan-service");
    let limited = matches!(caller, "limited-token" | "service" | "orphan-service");
    let refused = if caller == "anonymous" { "401" } else { "403" };
    if caller == "bad-token" && !case.is_vagrant() {
        return "401".to_owned();
    }
    // stock clients send what they have to whomever they ask
    let (caller, outsider) =
        if caller == "bad-token" { ("anonymous", true) } else { (caller, outsider) };
    let (noun, verb) = case.action.split_once(':').expect("kind:action");
    let root = caller == "platform-admin";
    let yes_or = |allowed: bool, no: &str| if allowed { "ok" } else { no }.to_owned();
    match noun {
        "system" => "ok".to_owned(),
        // links in messages are opened by whoever has them, signed in or not
        "account" if verb == "update" => yes_or(!limited, "403"),
        "setup" | "account" => yes_or(caller == "anonymous" || root, "403"),
        "session" => match (verb, caller) {
            ("create" | "update", _) => yes_or(!limited, "403"),
            _ => yes_or(caller != "anonymous" && !limited, refused),
        },
        "profile" | "token" if has_no_such_id(case) && caller != "anonymous" && !limited => {
            "ok?".to_owned()
        }
        "profile" | "token" => yes_or(caller != "anonymous" && !limited, refused),
        "user" if case.path.contains("{username}") => yes_or(root, "404"),
        "user" => yes_or(root, refused),
        "storage" | "audit" if case.variant == "-" => yes_or(root, refused),
        "organization" if case.id == "list_deleted_organizations" && caller == "anonymous" => {
            refused.to_owned()
        }
        "organization" if case.variant == "-" => {
            let known = caller != "anonymous" && !limited;
            yes_or(known || (verb == "read" && caller == "anonymous"), refused)
        }
        _ => in_organization(case, caller, noun, verb, outsider, refused).to_owned(),
    }
}

/// What belongs to an organization, or is one.
fn in_organization(
    case: &Case,
    caller: &str,
    noun: &str,
    verb: &str,
    outsider: bool,
    refused: &'static str,
) -> &'static str {
    // limited to reading in the closed organization: outside of it, its owner is nobody
    let elsewhere = matches!(caller, "limited-token" | "service") && case.variant == "open";
    let outsider = outsider || elsewhere;
    let reads = matches!(verb, "read" | "download");
    let hidden = matches!(case.variant, "closed" | "private" | "unreleased");
    if is_empty_file(case) && case.method == Method::HEAD {
        return "ok?";
    }
    if outsider && hidden {
        return "404";
    }
    if case.variant == "unreleased" && case.is_vagrant() {
        return "404"; // clients never see one
    }
    if case.variant == "private" && case.path.contains("{badge}") {
        return "404"; // whoever asks: badges stand in other people's pages
    }
    if case.id == "restore_organization" {
        // nothing is deleted: whoever may restore learns that
        return match caller {
            "member" | "creator" | "admin" => refused,
            "limited-token" | "service" if case.variant == "closed" => refused,
            _ => "404",
        };
    }
    if verb == "watch" {
        // whoever is signed in, of what they may read; not with a token that is limited to reading, and no machine
        return match caller {
            "anonymous" | "limited-token" | "service" | "orphan-service" => refused,
            _ => "ok",
        };
    }
    if case.action == "join-request:create" {
        // whoever is signed in and no machine asks, where all see the organization
        let person =
            !matches!(caller, "anonymous" | "limited-token" | "service" | "orphan-service");
        let heard = caller == "platform-admin" || (case.variant == "open" && person);
        return if heard { "ok" } else { refused };
    }
    let whole_organization = matches!(case.variant, "open" | "closed");
    let allowed = match (caller, noun, verb) {
        _ if outsider => {
            let own = ["member", "storage", "audit", "service", "invitation", "join-request"];
            reads && !own.contains(&noun)
        }
        (_, "storage", "update") | (_, "suspension", _) => caller == "platform-admin",
        (_, "audit", _) => matches!(caller, "admin" | "owner" | "platform-admin" | "limited-token"),
        ("limited-token", ..) => reads,
        ("admin", "organization", _) => verb != "delete",
        ("platform-admin" | "owner" | "admin", ..) | (_, "box", "create") => true,
        (_, "service" | "invitation" | "join-request", _) => false,
        ("creator", ..) if !whole_organization => true,
        _ => reads,
    };
    if allowed { "ok" } else { refused }
}

fn table(rows: &BTreeMap<String, BTreeMap<&str, String>>) -> String {
    let width = rows.keys().map(String::len).max().unwrap_or_default();
    let mut text = "# Who is let through at which route; written by tests/integration/authz_matrix.rs, do not edit.\n\
         # ok      let through          401, 403, 404   refused so\n\
         # ok?     let through, or not: nothing was uploaded there yet, and a HEAD has no body to tell by\n\
         # public, unreleased, private: the box or version; open, closed: the organization\n\n"
        .to_owned();
    let columns = CALLERS.join("  ");
    let _infallible = writeln!(text, "{:width$}  {columns}", "");
    for (name, row) in rows {
        let _infallible = write!(text, "{name:width$}");
        for caller in CALLERS {
            let (found, wide) = (row.get(caller).map_or("", String::as_str), caller.len());
            let _infallible = write!(text, "  {found:wide$}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn compare_with_snapshot(found: &str) {
    let path = workspace::root().join("tests/integration/snapshots/access.txt");
    if std::env::var_os("BOXVAULT_UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
        File::create(&path).unwrap().write_all(found.as_bytes()).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    for (line, (left, right)) in committed.lines().zip(found.lines()).enumerate() {
        assert_eq!(left, right, "line {} of {} is another now", line + 1, path.display());
    }
    assert!(
        committed == found,
        "{} is not up to date: run with BOXVAULT_UPDATE_SNAPSHOTS=1 and review the difference",
        path.display()
    );
}

#[track_caller]
fn expect(status: u16, reply: Reply) -> Reply {
    assert_eq!(reply.status, status, "{}", reply.text());
    reply
}

fn text(reply: &Reply, pointer: &str) -> String {
    let data = reply.data();
    data.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
