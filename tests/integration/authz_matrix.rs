//! Who may do what over HTTP: every route and method of the API document, for every caller, on public, unreleased and
//! private things.
//!
//! What is expected stands in `authz_matrix/expected.rs`, a small table of its own that shares no code with the server; the whole
//! outcome is committed as `snapshots/access.txt`, so that a change of rights is read in review like code. Nothing is
//! destroyed on the way: writes carry a body that is refused, or an `If-Match` that never fits, and both are looked at
//! only by those who were let through.

mod expected;
mod world;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    time::Duration,
};

use boxvault_tests::{Reply, client::send, wait_for, workspace};
use futures_util::{StreamExt as _, stream};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use expected::{class, code_of, expected, is_recorded};
use world::{Case, Kind, World, ends_sessions, path_of, present};

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
/// How long refusals may take into the audit log, on a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);
/// How many requests are under way at once.
const PARALLEL: usize = 16;

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
    let mut answers = at_once(jobs).await;
    for case in world.cases.iter().filter(|case| ends_sessions(case)) {
        for caller in CALLERS {
            let reply = world_ask(world, case, caller).await;
            answers.push((case, *caller, class(case, &reply), reply));
        }
    }
    assert_each_refusal_is_recorded_once(world, &answers).await;
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

/// Each answer that refused somebody has one row in the audit log, and no other answer has one.
async fn assert_each_refusal_is_recorded_once(
    world: &World,
    answers: &[(&Case, &str, String, Reply)],
) {
    let ids: Vec<_> = answers
        .iter()
        .map(|(case, caller, found, reply)| {
            let id = reply.header("x-request-id").expect("each answer has one").to_owned();
            (id, is_recorded(case, caller, found), format!("{} by {caller}: {found}", case.name()))
        })
        .collect();
    let wanted = ids.iter().filter(|(_, recorded, _)| *recorded).count();
    assert!(wanted > 1000, "only {wanted} refusals");
    let root = world.anonymous.with_token(&world.callers["platform-admin"].token);
    let rows = wait_for("the refusals in the log", DEADLINE, async || {
        let export = root.get("/api/audit/export?allowed=false").await.text();
        let mut rows = BTreeMap::<String, usize>::new();
        for line in export.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            *rows.entry(row["requestId"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        let found = ids.iter().filter(|(id, ..)| rows.contains_key(id)).count();
        (found >= wanted).then_some(rows)
    })
    .await;
    let wrong: Vec<_> = ids
        .iter()
        .filter(|(id, recorded, _)| {
            rows.get(id).copied().unwrap_or_default() != usize::from(*recorded)
        })
        .map(|(_, recorded, what)| {
            format!("{what}: {}", if *recorded { "not recorded" } else { "recorded" })
        })
        .collect();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Each caller asks each route with a session in a header of ours, and in one of the other ways: which one goes round,
/// so that each way meets each route and each caller, in a third of the requests that all of them would be.
#[tokio::test]
async fn the_kind_of_a_credential_changes_no_answer() {
    let world = &World::build().await;
    let cases = world.cases.iter().filter(|case| !ends_sessions(case)).enumerate();
    let jobs = cases.flat_map(|(row, case)| {
        world.callers.iter().enumerate().map(move |(column, (name, caller))| async move {
            let ask = async |kind: Kind, token: &str| {
                let reply = send(present(world_request(world, case), kind, token)).await;
                (reply.status, code_of(&reply))
            };
            let others = [
                (Kind::Bearer, &caller.session),
                (Kind::AccessToken, &caller.token),
                (Kind::Bearer, &caller.token),
                (Kind::Basic, &caller.token),
                (Kind::AtlasToken, &caller.token),
            ];
            let (kind, token) = others[(row + column) % others.len()];
            let first = ask(Kind::AccessToken, &caller.session).await;
            let other = ask(kind, token).await;
            (first != other)
                .then(|| format!("{} by {name} as {kind:?}: {other:?}, not {first:?}", case.name()))
        })
    });
    let wrong: Vec<_> = at_once(jobs).await.into_iter().flatten().collect();
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
    for (case, why, reply) in at_once(jobs).await {
        let name = case.name();
        if case.is_vagrant() {
            let anonymous = send(world_request(world, case)).await;
            assert_eq!(reply.status, anonymous.status, "{name} with {why}");
        } else {
            assert_eq!(reply.status, 401, "{name} with {why}: {}", reply.text());
            assert!(reply.header("www-authenticate").is_some(), "{name} with {why}");
            if case.method != Method::HEAD && case.path.starts_with("/api/") {
                assert_eq!(reply.code(), "CREDENTIALS_INVALID", "{name} with {why}");
            }
        }
    }
}

/// An operation answers without credentials exactly if the document says so: of what everybody may see it answers
/// something other than a refusal.
#[tokio::test]
async fn the_document_says_what_is_answered_without_credentials() {
    let world = World::build().await;
    let world = &world;
    let mut answered = BTreeMap::<(String, bool), bool>::new();
    let jobs =
        world.cases.iter().filter(|case| case.method != Method::HEAD).map(|case| async move {
            (case, class(case, &send(world_request(world, case)).await))
        });
    for (case, found) in at_once(jobs).await {
        let operation = (format!("{} {}", case.method, case.path), case.takes(""));
        *answered.entry(operation).or_default() |= found == "ok";
    }
    let wrong: Vec<_> = answered
        .iter()
        .filter(|((_, documented), answers)| documented != *answers)
        .map(|((name, documented), _)| format!("{name}: the document says {documented}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        answered.values().any(|answers| *answers) && !answered.values().all(|answers| *answers)
    );
}

#[tokio::test]
async fn the_document_names_each_way_to_present_a_credential_where_it_is_taken() {
    let world = &World::build().await;
    at_once(world.cases.iter().map(|case| ways_of(world, case))).await;
}

async fn ways_of(world: &World, case: &Case) {
    let token = &world.callers["owner"].token;
    let told = |reply: &Reply| (reply.status, reply.bytes.len());
    let name = case.name();
    for way in ["accessToken", "bearer", "basic", "atlasToken"] {
        assert!(case.takes(way), "{name} takes {way}, and the document does not say so");
    }
    if !matches!(case.method, Method::GET | Method::HEAD) || case.id == "read_metrics" {
        return;
    }
    let with = async |query: &str| {
        let path = format!("{}?{query}", path_of(case));
        send(world.request_to(case, &case.method, &path)).await
    };
    let by_query = with(&format!("access_token={token}")).await;
    let by_header = send(present(world_request(world, case), Kind::AccessToken, token)).await;
    let anonymous = send(world_request(world, case)).await;
    let taken = told(&by_query) == told(&by_header) && told(&by_query) != told(&anonymous);
    let makes_no_difference = told(&by_header) == told(&anonymous);
    assert!(
        makes_no_difference || taken == case.takes("queryToken"),
        "{name}: a token in the query is {}, and the document says otherwise",
        if taken { "taken" } else { "not taken" }
    );
    let by_link = with("link=none").await;
    let refused = by_link.status == 401 && anonymous.status != 401;
    assert!(
        anonymous.status == 401 || refused == case.takes("downloadLink"),
        "{name}: a bad link gives {}",
        by_link.status
    );
}

#[tokio::test]
async fn head_is_answered_as_get_without_a_body() {
    let world = &World::build().await;
    let heads = world.cases.iter().filter(|case| case.method == Method::HEAD);
    at_once(heads.flat_map(|case| {
        [None, Some(&*world.callers["owner"].session)].map(|token| head_of(world, case, token))
    }))
    .await;
}

async fn head_of(world: &World, case: &Case, token: Option<&str>) {
    let ask = async |method: Method| send(with(world.request_as(case, &method), token)).await;
    let (head, get) = (ask(Method::HEAD).await, ask(Method::GET).await);
    let name = case.name();
    assert_eq!(head.status, get.status, "{name}");
    assert!(head.bytes.is_empty(), "{name} has a body");
    for header in ["content-type", "content-length", "etag", "accept-ranges"] {
        // what is made anew for each request: the server's numbers, what happened, and a link with its time
        let anew = ["read_metrics", "list_jobs", "read_events", "read_download_link"];
        if !anew.contains(&&*case.id) {
            assert_eq!(head.header(header), get.header(header), "{header} of {name}");
        }
    }
}

#[tokio::test]
async fn what_may_not_be_known_answers_as_what_does_not_exist() {
    let world = &World::build().await;
    let cases = world.cases.iter().filter(|it| it.method != Method::HEAD && !ends_sessions(it));
    let jobs = cases.flat_map(|case| {
        [None, Some(&*world.callers["stranger"].session)]
            .map(|token| Box::pin(twins_of(world, case, token)))
    });
    let compared: usize = at_once(jobs).await.into_iter().sum();
    assert!(compared > 100, "only {compared} answers were compared");
}

/// How many answers about what does not exist were the same as the one about what is hidden.
async fn twins_of(world: &World, case: &Case, token: Option<&str>) -> usize {
    let ask = async |request: RequestBuilder| send(with(request, token)).await;
    let hidden = ask(world_request(world, case)).await;
    if hidden.status != 404 {
        return 0;
    }
    for (there, absent) in case.twins() {
        let path = path_of(case).replace(there, absent);
        let missing = ask(world.request_to(case, &case.method, &path)).await;
        let name = format!("{} {path}", case.name());
        assert_eq!(missing.status, 404, "{name}: {}", missing.text());
        let body_of = |reply: &Reply, names: &str| {
            let mut body = reply.json();
            if let Some(error) = body.get_mut("error").and_then(Value::as_object_mut) {
                error.remove("request_id");
            }
            body.to_string().replace(names.trim_matches('/'), "*")
        };
        assert_eq!(body_of(&missing, absent), body_of(&hidden, there), "{name}");
        assert_eq!(missing.bytes.len(), hidden.bytes.len(), "{name}");
        let names =
            |reply: &Reply| reply.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&missing), names(&hidden), "{name}");
    }
    case.twins().len()
}

/// Does some work, a part of it at a time.
async fn at_once<T>(jobs: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    stream::iter(jobs).buffer_unordered(PARALLEL).collect().await
}

fn with(request: RequestBuilder, token: Option<&str>) -> RequestBuilder {
    match token {
        Some(token) => present(request, Kind::AccessToken, token),
        None => request,
    }
}

fn world_request(world: &World, case: &Case) -> RequestBuilder {
    world.request_as(case, &case.method)
}

async fn world_ask(world: &World, case: &Case, caller: &str) -> Reply {
    let token = world.token_for(case, caller).await;
    send(with(world_request(world, case), token.as_deref())).await
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
