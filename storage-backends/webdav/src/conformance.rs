//! The storage suite on this backend directly, and what only this backend promises. The server is a real one.

use std::sync::Arc;

use boxvault_plugin_conformance::{
    Outcome, Report,
    servers::{WebdavServer, skip},
    storage,
};
use boxvault_plugin_sdk::{PluginErrorKind, Secret, StorageBackend, StoragePlugin};

use crate::{Config, Webdav};

/// A server, or a word about why there is none.
fn server(test: &str) -> Option<WebdavServer> {
    WebdavServer::start().map_err(|reason| skip(test, &reason)).ok()
}

fn config(server: &WebdavServer) -> Config {
    Config {
        endpoint: server.endpoint.clone(),
        root: "some where/below".to_owned(),
        username: Some(server.username.clone()),
        password: Some(Secret::new(&*server.password)),
        token: None,
        ca_file: None,
        retries: 1,
        request_timeout_s: 10,
        transfer_timeout_s: 30,
    }
}

async fn store(config: Config) -> Box<dyn StorageBackend> {
    Webdav::create(config).await.unwrap()
}

#[tokio::test]
async fn the_storage_suite_passes_with_wsgidav() {
    let Some(server) = server("the_storage_suite_passes_with_wsgidav") else { return };
    let report = report(&server).await;
    assert!(report.passed(), "{report}");
    assert_eq!(report.outcome(UNFINISHED[0]), Some(&Outcome::Passed));
}

/// Apache keeps a file under a name of its own, which it shows nobody, until all of it has come; so nothing of an upload
/// stays that was not sent to its end, and there is nothing to list.
#[tokio::test]
async fn the_storage_suite_passes_with_apache_but_for_what_it_hides() {
    let test = "the_storage_suite_passes_with_apache_but_for_what_it_hides";
    let server = match WebdavServer::start_apache() {
        Ok(server) => server,
        Err(reason) => return skip(test, &reason),
    };
    let report = report(&server).await;
    for case in &report.cases {
        match &case.outcome {
            Outcome::Failed { reason } if UNFINISHED.contains(&&*case.name) => {
                assert!(reason.ends_with("and nothing is unfinished"), "{report}");
            }
            Outcome::Failed { .. } => panic!("{report}"),
            _ => {}
        }
    }
}

/// The cases about uploads that are not finished.
const UNFINISHED: [&str; 2] =
    ["what_was_begun_is_listed_and_can_be_removed", "a_writer_that_ends_leaves_nothing_unfinished"];

async fn report(server: &WebdavServer) -> Report {
    let config = config(server);
    let make = || async { Ok(Arc::from(Webdav::create(config.clone()).await?)) };
    let report = storage::run(make).await;
    println!("{report}");
    report
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let Some(server) = server("what_is_wrong_is_said_with_what_to_do (webdav)") else { return };
    let good = config(&server);
    let wrong = Config { password: Some("wrong".into()), ..good.clone() };
    // nobody listens on the port of discarding
    let no_server =
        Config { endpoint: "http://127.0.0.1:9".to_owned(), retries: 0, ..good.clone() };
    for (config, kind, words) in [
        (wrong, PluginErrorKind::PermissionDenied, "correct username and password"),
        (no_server, PluginErrorKind::Unavailable, "127.0.0.1:9"),
    ] {
        let error = store(config).await.health().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
        assert!(!error.message.contains(&server.password), "{error}");
    }
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let good: Config =
        boxvault_plugin_sdk::config::parse(br#"{"endpoint":"https://nas"}"#).unwrap();
    for (config, key) in [
        (Config { endpoint: "nas".to_owned(), ..good.clone() }, "endpoint"),
        (Config { endpoint: "https://u:p@nas".to_owned(), ..good.clone() }, "endpoint"),
        (Config { root: "a/../b".to_owned(), ..good.clone() }, "root"),
        (Config { username: Some("u".to_owned()), ..good.clone() }, "username"),
        (
            Config {
                username: Some("u".to_owned()),
                password: Some("p".into()),
                token: Some("t".into()),
                ..good.clone()
            },
            "token",
        ),
        (Config { transfer_timeout_s: 1, ..good.clone() }, "transfer_timeout_s"),
    ] {
        let error = Webdav::validate(&config).unwrap_err();
        assert!(error.message.starts_with(&format!("{key}: ")), "{key}: {error}");
    }
    Webdav::validate(&good).unwrap();
}
