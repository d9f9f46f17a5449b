//! The auth suite on this provider directly; `boxvault plugin check` runs it, and more, on the library.

use std::sync::Arc;

use boxvault_plugin_conformance::auth;
use boxvault_plugin_sdk::{AuthPlugin, Claims, Credentials};

use crate::{Config, Static, User};

fn user(username: &str, password: &str) -> User {
    User {
        username: username.to_owned(),
        password: password.into(),
        email: None,
        display_name: None,
        groups: vec!["staff".to_owned()],
        disabled: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_auth_suite_passes() {
    let fixture = auth::Fixture {
        credentials: Credentials::new("ann", "correct horse"),
        claims: Claims {
            issuer: "example".to_owned(),
            subject: "ann".to_owned(),
            username: "ann".to_owned(),
            groups: vec!["staff".to_owned()],
            ..Claims::default()
        },
        disabled: Some(Credentials::new("bob", "battery staple")),
        driver: None,
    };
    let make = || async {
        let bob = User { disabled: true, ..user("bob", "battery staple") };
        let users = vec![user("ann", "correct horse"), bob];
        let config = Config { issuer: "example".to_owned(), users };
        Ok(Arc::from(Static::create(config).await?))
    };
    let report = auth::run(make, &fixture).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
}
