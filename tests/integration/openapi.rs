//! The API document as it is served: the committed one, complete, and with its interactive page from the program alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use boxvault_tests::{TestServer, document::validate, workspace};
use boxvault_types::{
    action::{Action, ResourceKind},
    error::ErrorCode,
};
use serde_json::Value;

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let server = TestServer::start().await;
    let served = server.anonymous().get("/api-docs/openapi.json").await;
    assert_eq!(served.status, 200);
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert!(
        served.json() == document(),
        "the server and core/server/openapi.json differ: run\n  \
         cargo run -p boxvault -- openapi > core/server/openapi.json\nand review it"
    );
    let head = server.anonymous().head("/api-docs/openapi.json").await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
}

#[tokio::test]
async fn every_operation_is_described_to_its_end() {
    let server = TestServer::start().await;
    let document = server.anonymous().get("/api-docs/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let tags: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str()).collect();
    let mut ids = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap_or_default();
            let name = format!("{method} {path} ({id})");
            assert!(!id.is_empty(), "{name} has no operationId");
            assert_eq!(ids.insert(id, path), None, "{name}: the operationId is taken");
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{name}");
            for tag in operation["tags"].as_array().unwrap() {
                assert!(tags.contains(&tag.as_str()), "{name} has the unknown tag {tag}");
            }
            let (kind, action) = operation["x-action"].as_str().unwrap().split_once(':').unwrap();
            assert!(kind.parse::<ResourceKind>().is_ok(), "{name}: {kind}");
            assert!(action.parse::<Action>().is_ok(), "{name}: {action}");
            assert!(!operation["security"].as_array().unwrap().is_empty(), "{name}");
            assert_parameters(path, operation, &name);
            assert_responses(operation, &name);
        }
    }
    let codes = document.pointer("/components/schemas/ErrorView/properties/code/enum").unwrap();
    let codes: BTreeSet<_> = codes.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let known: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes, known);
}

fn assert_parameters(path: &str, operation: &Value, name: &str) {
    let documented: BTreeSet<_> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|parameter| parameter["in"] == "path")
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    let named: BTreeSet<_> =
        path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
    assert_eq!(documented, named, "{name}");
}

fn assert_responses(operation: &Value, name: &str) {
    let responses = operation["responses"].as_object().unwrap();
    assert!(responses.keys().any(|status| status.starts_with('2')), "{name} never succeeds");
    for status in ["401", "403", "429", "500"] {
        assert!(responses.contains_key(status), "{name} does not document {status}");
    }
    for (status, response) in responses {
        assert!(!response["description"].as_str().unwrap_or_default().is_empty(), "{name}");
        if status.starts_with('4') {
            let schema = response.pointer("/content/application~1json/schema");
            assert!(schema.is_some(), "{name}: {status} does not say how it looks");
        }
    }
}

#[test]
fn every_json_body_has_an_example_that_its_schema_allows() {
    let document = document();
    let mut problems = Vec::new();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let request = [("the request", &operation["requestBody"])];
            let responses = operation["responses"].as_object().unwrap();
            let answers = responses.iter().map(|(status, response)| (&**status, response));
            for (what, body) in request.into_iter().chain(answers) {
                let media = &body["content"]["application/json"];
                if media.is_null() {
                    continue;
                }
                let name = format!("{method} {path}, {what}");
                let examples = examples(&document, media);
                if examples.is_empty() {
                    problems.push(format!("{name} has no example"));
                }
                for example in examples {
                    if let Err(problem) = validate(&media["schema"], example) {
                        problems.push(format!("{name}: {problem}\nin {example}"));
                    }
                    count += 1;
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(count > 1000, "only {count} examples");
}

#[test]
fn every_failure_names_its_codes_with_their_status() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let of_others = operation["tags"][0]
                .as_str()
                .is_some_and(|tag| tag.starts_with("Vagrant") || tag.starts_with("HCP"));
            for (status, response) in operation["responses"].as_object().unwrap() {
                let media = &response["content"]["application/json"];
                let is_ours = media["schema"]["$ref"] == "#/components/schemas/ErrorEnvelope";
                let is_failure = status.starts_with(['4', '5']);
                assert!(
                    is_ours || of_others || !is_failure || status == "503",
                    "{method} {path} {status}"
                );
                for (code, example) in media["examples"].as_object().into_iter().flatten() {
                    let name = format!("#/components/examples/{code}");
                    assert_eq!(example["$ref"], name, "{method} {path} {status}");
                    let known = ErrorCode::ALL.iter().any(|known| known.as_str() == code);
                    assert!(known, "{method} {path} {status}: {code}");
                }
            }
        }
    }
}

fn document() -> Value {
    let text = fs::read_to_string(workspace::root().join("core/server/openapi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The examples of a body, with what they refer to in its place.
fn examples<'a>(document: &'a Value, media: &'a Value) -> Vec<&'a Value> {
    let named = media["examples"].as_object().into_iter().flatten().map(|(_, example)| {
        let place = example["$ref"].as_str().unwrap_or_default();
        document
            .pointer(place.trim_start_matches('#'))
            .map_or(&example["value"], |found| &found["value"])
    });
    media.get("example").into_iter().chain(named).collect()
}

#[tokio::test]
async fn the_interactive_page_needs_nothing_from_elsewhere() {
    let server = TestServer::start().await;
    let client = server.anonymous();
    let page = client.get("/api-docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let html = page.text();
    let mut assets: Vec<_> = html
        .split(['"', '\''])
        .filter(|text| [".js", ".css", ".png"].iter().any(|end| text.ends_with(end)))
        .collect();
    assets.sort_unstable();
    assert!(assets.len() >= 3, "{assets:?} in {html}");
    for asset in assets {
        assert!(!asset.contains("//"), "{asset} comes from elsewhere");
        let path = format!("/api-docs/{}", asset.trim_start_matches("./"));
        let (file, head) = (client.get(&path).await, client.head(&path).await);
        assert_eq!((file.status, head.status), (200, 200), "{path}");
        assert!(!file.bytes.is_empty(), "{path}");
        assert_policy(file.header("content-security-policy").unwrap(), &path);
    }
    assert_policy(page.header("content-security-policy").unwrap(), "the page");
    let script = client.get("/api-docs/swagger-initializer.js").await.text();
    assert!(script.contains("/api-docs/openapi.json"), "{script}");
    let missing = client.get("/api-docs/nothing.js").await;
    assert_eq!((missing.status, &*missing.code()), (404, "PATH_NOT_FOUND"));
}

/// Scripts run from here alone, never from within a page, and nobody frames it.
fn assert_policy(policy: &str, of: &str) {
    assert!(policy.contains("default-src 'self'"), "{of}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{of}: {policy}");
    assert!(!policy.contains("unsafe-eval"), "{of}: {policy}");
    let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src"));
    assert!(scripts.is_none_or(|part| !part.contains("unsafe-inline")), "{of}: {policy}");
}

#[tokio::test]
async fn what_no_route_answers_is_said_in_json() {
    let server = TestServer::builder()
        .set("limits.requests_per_minute", "0")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await;
    let client = server.anonymous();
    for path in ["/api", "/api/nothing", "/api/organization/acme/nothing", "/api/users/a/b/c"] {
        let reply = client.get(path).await;
        assert_eq!((reply.status, &*reply.code()), (404, "PATH_NOT_FOUND"), "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
    }
    let document = client.get("/api-docs/openapi.json").await.json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let plain = path
            .replace("{version}", "1.0.0")
            .replace("{organization}", "acme")
            .replace("{id}", "01a209f3-f74e-71ed-aee1-23a3bce95a3e")
            .replace("{number}", "1")
            .replace(['{', '}'], "");
        let methods = item.as_object().unwrap();
        for method in ["PATCH", "DELETE", "PUT", "POST"] {
            // whether a path that begins with any name exists is not the router's to say
            let is_beside_names = path.starts_with("/{");
            if methods.contains_key(&method.to_ascii_lowercase()) || is_beside_names {
                continue;
            }
            let request = client.request(method.parse().unwrap(), &plain);
            let reply = boxvault_tests::client::send(request).await;
            assert_eq!(reply.status, 405, "{method} {plain}: {}", reply.text());
            let allow = reply.header("allow").unwrap_or_default();
            for known in methods.keys() {
                let known = known.to_ascii_uppercase();
                assert!(allow.contains(&known), "{method} {plain}: Allow is {allow:?}");
            }
            assert!(!allow.contains(method), "{method} {plain}: Allow is {allow:?}");
        }
    }
}
