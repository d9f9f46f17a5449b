//! The route table: what is mounted is documented, and the document is the committed one.

use std::collections::{BTreeMap, BTreeSet};

use salvo::{Router, routing::FilterInfo};
use utoipa::openapi::OpenApi;

use super::{document, document_json, router, routes::ApiRouter};

/// Every (method, path) that can be reached in a router.
fn mounted(router: &Router) -> BTreeSet<(String, String)> {
    fn walk(
        router: &Router,
        path: &str,
        method: Option<&str>,
        all: &mut BTreeSet<(String, String)>,
    ) {
        let (mut path, mut method) = (path.to_owned(), method.map(ToOwned::to_owned));
        for filter in &router.filters {
            match filter.info() {
                FilterInfo::Path(part) => path = format!("{path}/{}", part.trim_matches('/')),
                FilterInfo::Method(name) => method = Some(name.to_string()),
                _ => {}
            }
        }
        if router.goal.is_some() {
            all.insert((method.clone().unwrap_or_else(|| "ANY".to_owned()), path.clone()));
        }
        for child in &router.routers {
            walk(child, &path, method.as_deref(), all);
        }
    }
    let mut all = BTreeSet::new();
    walk(router, "", None, &mut all);
    all
}

fn documented(document: &OpenApi) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for (path, item) in &document.paths.paths {
        let operations = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PUT", &item.put),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
            ("OPTIONS", &item.options),
        ];
        for (method, operation) in operations {
            if operation.is_some() {
                all.insert((method.to_owned(), path.clone()));
            }
        }
    }
    all
}

#[test]
fn every_mounted_route_is_documented_and_every_documented_one_is_mounted() {
    let routes = router::routes(ApiRouter::default());
    let mut mounted = mounted(&routes.router);
    let heads: BTreeSet<_> = mounted
        .iter()
        .filter(|(method, _)| method == "HEAD")
        .map(|(_, path)| path.clone())
        .collect();
    mounted.retain(|(method, _)| method != "HEAD");
    assert_eq!(mounted, documented(&document()));
    let gets: BTreeSet<_> =
        mounted.into_iter().filter(|(method, _)| method == "GET").map(|(_, path)| path).collect();
    assert_eq!(heads, gets, "a GET is answered to HEAD as well");
}

#[test]
fn every_route_asks_what_the_access_matrix_shows() {
    for route in router::routes(ApiRouter::default()).mounted {
        let permission = route.permission;
        assert!(
            boxvault_policy::is_asked(permission.action, permission.kind),
            "{} {} asks {}:{}, which the matrix does not show: add it to is_asked",
            route.method,
            route.path,
            permission.kind,
            permission.action
        );
    }
}

#[test]
fn operation_ids_are_unique_and_every_tag_is_known() {
    let names: BTreeSet<_> = router::routes(ApiRouter::default())
        .mounted
        .into_iter()
        .map(|route| route.operation.to_string())
        .collect();
    let document = document();
    let tags: BTreeSet<_> = document.tags.iter().flatten().map(|tag| tag.name.clone()).collect();
    let mut ids = BTreeMap::<String, String>::new();
    for (path, item) in &document.paths.paths {
        for operation in
            [&item.get, &item.post, &item.put, &item.patch, &item.delete, &item.options]
                .into_iter()
                .flatten()
        {
            let id = operation.operation_id.clone().unwrap_or_default();
            let before = ids.insert(id.clone(), path.clone());
            assert_eq!(before, None, "{id} names two operations");
            assert!(names.contains(&id), "{id} is mounted under another name");
            for tag in operation.tags.iter().flatten() {
                assert!(tags.contains(tag), "{id} has the unknown tag {tag}");
            }
            assert!(
                operation.extensions.as_ref().is_some_and(|all| all.contains_key("x-action")),
                "{id}"
            );
        }
    }
}

#[test]
fn the_document_is_the_committed_one() {
    let committed = include_str!("../../openapi.json");
    assert!(
        document_json().unwrap() == committed,
        "the routes have changed and openapi.json has not: run\n  \
         cargo run -p boxvault -- openapi > core/server/openapi.json\nand review it"
    );
}
