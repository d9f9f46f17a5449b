//! The auth suite on this provider directly, and what only this provider promises. The directory is a real one.

use std::sync::Arc;

use boxvault_plugin_conformance::{
    Outcome, auth,
    servers::{LdapServer, skip},
};
use boxvault_plugin_sdk::{
    AuthPlugin, AuthProvider, Claims, Credentials, PluginErrorKind, Secret, config,
};

use tokio::fs;

use crate::{Config, Ldap};

const PEOPLE: &str = "ou=people,dc=example,dc=org";
const ANN: &str = "00000000-0000-4000-8000-000000000001";

/// A directory, or a word about why there is none.
fn directory(test: &str) -> Option<LdapServer> {
    LdapServer::start().map_err(|reason| skip(&format!("{test} (ldap)"), &reason)).ok()
}

fn config(server: &LdapServer) -> Config {
    let [dn, password] = LdapServer::SEARCHES;
    Config {
        urls: vec![server.url.clone()],
        ca_file: Some(server.ca_file.clone()),
        bind_dn: Some(dn.to_owned()),
        bind_password: Some(Secret::new(password)),
        user_base: PEOPLE.to_owned(),
        group_base: Some("ou=groups,dc=example,dc=org".to_owned()),
        disabled_filter: Some("(employeeType=left)".to_owned()),
        ..usual()
    }
}

/// Every key that is not written.
fn usual() -> Config {
    config::parse(br#"{"urls": [], "user_base": "dc=example,dc=org"}"#).unwrap()
}

async fn provider(config: Config) -> Arc<dyn AuthProvider> {
    Arc::from(Ldap::create(config).await.unwrap())
}

async fn sign_in(
    provider: &Arc<dyn AuthProvider>,
    name: &str,
    password: &str,
) -> Result<Claims, PluginErrorKind> {
    let asked = provider.authenticate_password(Credentials::new(name, password)).await;
    asked.map_err(|error| error.kind)
}

fn ann(server: &LdapServer) -> Claims {
    Claims {
        issuer: server.url.clone(),
        subject: ANN.to_owned(),
        username: "ann".to_owned(),
        email: Some("ann@example.org".to_owned()),
        email_verified: true,
        display_name: Some("Ann Example".to_owned()),
        groups: ["builders", "engineers", "staff", "unix"].map(str::to_owned).to_vec(),
        ..Claims::default()
    }
}

#[tokio::test]
async fn the_auth_suite_passes() {
    let Some(server) = directory("the_auth_suite_passes") else { return };
    let fixture = auth::Fixture {
        credentials: Credentials::new("ann", "correct horse"),
        claims: ann(&server),
        disabled: Some(Credentials::new("bob", "battery staple")),
        driver: None,
    };
    let config = config(&server);
    let make = || async { Ok(Arc::from(Ldap::create(config.clone()).await?)) };
    let report = auth::run(make, &fixture).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(report.outcome("a_disabled_account_is_refused"), Some(&Outcome::Passed));
}

#[tokio::test]
async fn tls_is_spoken_and_its_certificate_checked_both_ways() {
    let Some(server) = directory("tls_is_spoken_and_its_certificate_checked_both_ways") else {
        return;
    };
    for url in [&server.url, &server.tls_url] {
        let trusting = Config { urls: vec![url.clone()], ..config(&server) };
        assert!(sign_in(&provider(trusting.clone()).await, "ann", "correct horse").await.is_ok());
        let unknown = Config { ca_file: None, ..trusting };
        let refused = sign_in(&provider(unknown).await, "ann", "correct horse").await;
        assert_eq!(refused, Err(PluginErrorKind::Unavailable), "{url}");
    }
    let plain = Config { start_tls: false, ..config(&server) };
    let refused = Ldap::validate(&plain).unwrap_err();
    assert!(refused.message.starts_with("urls.0: passwords would go"), "{refused}");
    let plain = Config { plaintext_allowed: true, ..plain };
    assert!(sign_in(&provider(plain).await, "ann", "correct horse").await.is_ok());
}

#[tokio::test]
async fn a_name_is_never_a_part_of_the_question() {
    let Some(server) = directory("a_name_is_never_a_part_of_the_question") else { return };
    let wide = Config {
        user_filter: Some("(|(uid={username})(cn={username}))".into()),
        ..config(&server)
    };
    for config in [config(&server), wide] {
        let provider = provider(config).await;
        for name in [
            "*",
            "ann*",
            "an*n",
            "*)(uid=*",
            "ann)(|(uid=*",
            "ann\\2a",
            "(ann)",
            "&",
            "ann,ou=people",
        ] {
            let refused = sign_in(&provider, name, "correct horse").await;
            assert_eq!(refused, Err(PluginErrorKind::BadCredentials), "{name}");
        }
        let odd = sign_in(&provider, "c,d+e", "Tr0ub4dor").await.unwrap();
        assert_eq!((odd.username.as_str(), odd.groups.len()), ("c,d+e", 0));
    }
    // two who fit are nobody
    let shared = Config { user_filter: Some("(displayName={username})".into()), ..config(&server) };
    let refused = sign_in(&provider(shared).await, "Ann Example", "correct horse").await;
    assert_eq!(refused, Err(PluginErrorKind::Unexpected));
}

#[tokio::test]
async fn a_name_may_tell_the_entry_with_and_without_an_account_that_searches() {
    let test = "a_name_may_tell_the_entry_with_and_without_an_account_that_searches";
    let Some(server) = directory(test) else { return };
    let by_name = Config { user_dn: Some(format!("uid={{username}},{PEOPLE}")), ..config(&server) };
    // they see their own entry, and nobody asks about those who left
    let alone =
        Config { bind_dn: None, bind_password: None, disabled_filter: None, ..by_name.clone() };
    for config in [by_name, alone] {
        let provider = provider(config).await;
        assert_eq!(sign_in(&provider, "ann", "correct horse").await, Ok(ann(&server)));
        assert!(sign_in(&provider, "c,d+e", "Tr0ub4dor").await.is_ok());
        for name in ["ann,ou=x", "ann+cn=ann", "eve", "ann2"] {
            let refused = sign_in(&provider, name, "battery staple").await;
            assert_eq!(refused, Err(PluginErrorKind::BadCredentials), "{name}");
        }
    }
}

#[tokio::test]
async fn groups_are_all_there_however_many_and_however_deep() {
    let Some(server) = directory("groups_are_all_there_however_many_and_however_deep") else {
        return;
    };
    let groups = async |config: Config| {
        sign_in(&provider(config).await, "ann", "correct horse").await.unwrap().groups
    };
    let many = "ou=many,dc=example,dc=org".to_owned();
    let many = Config { group_base: Some(many), nested_groups: false, ..config(&server) };
    assert_eq!(groups(many).await.len(), 1_200, "the directory gives 500 at once");
    assert_eq!(groups(Config { group_base: None, ..config(&server) }).await.len(), 0);
    let flat = Config { nested_groups: false, ..config(&server) };
    assert_eq!(groups(flat).await, ["builders", "unix"]);
    let by_dn = Config { group_attribute: "dn".into(), ..config(&server) };
    assert_eq!(groups(by_dn).await[0], "cn=builders,ou=groups,dc=example,dc=org");
}

#[tokio::test]
async fn a_server_that_is_away_is_told_and_its_neighbour_asked_and_it_may_come_back() {
    let test = "a_server_that_is_away_is_told_and_its_neighbour_asked_and_it_may_come_back";
    let (Some(mut first), Some(second)) = (directory(test), directory(test)) else { return };
    let alone = provider(config(&first)).await;
    let two = Config { urls: vec![first.url.clone(), second.url.clone()], ..config(&first) };
    // both have authorities of their own
    let folder = tempfile::tempdir().unwrap();
    let both = folder.path().join("ca.pem");
    let pem = [fs::read(&first.ca_file).await.unwrap(), fs::read(&second.ca_file).await.unwrap()];
    fs::write(&both, pem.concat()).await.unwrap();
    let two = provider(Config { ca_file: Some(both), ..two }).await;
    for provider in [&alone, &two] {
        assert!(sign_in(provider, "ann", "correct horse").await.is_ok());
        assert!(provider.health().await.is_ok());
    }
    first.stop();
    let away = Err(PluginErrorKind::Unavailable);
    assert_eq!(sign_in(&alone, "ann", "correct horse").await, away);
    assert_eq!(sign_in(&alone, "eve", "wrong").await, away, "nobody is told that a name is wrong");
    assert!(alone.health().await.is_err());
    assert!(sign_in(&two, "ann", "correct horse").await.is_ok());
    first.bring_back();
    for provider in [&alone, &two] {
        assert!(sign_in(provider, "ann", "correct horse").await.is_ok());
        assert!(provider.refresh(ANN).await.is_ok());
    }
    // a bind account that is wrong is the server's trouble, and nobody's wrong password
    let wrong = Config { bind_password: Some(Secret::new("not it")), ..config(&first) };
    let refused = sign_in(&provider(wrong).await, "ann", "correct horse").await;
    assert_eq!(refused, Err(PluginErrorKind::PermissionDenied));
}

#[test]
fn a_configuration_that_cannot_work_is_told_by_its_key() {
    let url = || vec!["ldaps://ldap.example.org".to_owned()];
    let good = Config { urls: url(), ..usual() };
    Ldap::validate(&good).unwrap();
    for (config, told) in [
        (Config { urls: Vec::new(), ..good.clone() }, "urls: "),
        (Config { urls: vec!["http://x".into()], ..good.clone() }, "urls.0: http:// is not"),
        (Config { urls: vec!["ldap.example.org".into()], ..good.clone() }, "urls.0: "),
        (Config { bind_dn: Some("cn=x".into()), ..good.clone() }, "bind_dn: "),
        (Config { user_dn: Some("uid=x".into()), ..good.clone() }, "user_dn: "),
        (
            Config { user_filter: Some("(uid=x)".into()), ..good.clone() },
            "user_filter: it holds no",
        ),
        (
            Config { user_filter: Some("uid={username})".into()), ..good.clone() },
            "user_filter: it is no",
        ),
        (Config { disabled_filter: Some("(((".into()), ..good.clone() }, "disabled_filter: "),
        (
            Config { nested_group_filter: Some("(x=y)".into()), ..good.clone() },
            "nested_group_filter: ",
        ),
    ] {
        let refused = Ldap::validate(&config).unwrap_err();
        assert!(refused.message.starts_with(told), "{refused}");
    }
}
