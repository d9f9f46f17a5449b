//! Signing in, and who may know what by which token.

use boxvault_tests::server::{ADMIN_NAME, PASSWORD};
use reqwest::Method;
use serde_json::json;

use super::{BASES, ask, good, server, told};

#[tokio::test]
async fn a_password_gives_a_token_and_delete_ends_it() {
    let (server, _) = server().await;
    let anyone = server.anonymous();
    for base in BASES {
        let path = format!("{base}/authenticate");
        let with = |password: &str| {
            Some(json!({
                "user": { "login": ADMIN_NAME, "password": password },
                "token": { "description": "Vagrant login from vm" },
                "two_factor": { "code": null },
            }))
        };
        let (status, answer) = ask(&anyone, Method::POST, &path, with("wrong")).await;
        assert_eq!(status, 401, "{answer}");
        assert!(told(&answer).contains("password"), "{answer}");
        let made = good(&anyone, Method::POST, &path, with(PASSWORD)).await;
        assert_eq!(made["description"], "Vagrant login from vm");
        let client = anyone.with_token(made["token"].as_str().unwrap());
        let me = good(&client, Method::GET, &path, None).await;
        assert_eq!(me["user"]["username"], ADMIN_NAME);
        assert_eq!(ask(&client, Method::DELETE, &path, None).await.0, 204);
        for client in [&client, &anyone, &anyone.with_token("nonsense")] {
            let (status, answer) = ask(client, Method::GET, &path, None).await;
            assert_eq!(status, 401, "{answer}");
            told(&answer);
        }
    }
}

#[tokio::test]
async fn pitfall_18_what_may_not_be_known_is_404_and_every_token_form_opens_it() {
    let (server, client) = server().await;
    good(
        &client,
        Method::POST,
        "/api/v2/boxes",
        Some(json!({ "username": "acme", "name": "web" })),
    )
    .await;
    let anyone = server.anonymous();
    let token = client.token().unwrap();
    for base in BASES {
        let path = format!("{base}/box/acme/web");
        assert_eq!(ask(&anyone, Method::GET, &path, None).await.0, 404);
        for (name, value) in [
            ("authorization", format!("Bearer {token}")),
            ("authorization", format!("Bearer bogus;{token}")),
            ("x-atlas-token", token.to_owned()),
        ] {
            assert_eq!(anyone.get_with(&path, &[(name, &value)]).await.status, 200, "{name}");
        }
        assert_eq!(anyone.get(&format!("/{path}?access_token={token}")).await.status, 200);
        assert_eq!(anyone.head(&format!("{path}?access_token={token}")).await.status, 200);
    }
    let nobody = json!({ "username": "acme", "name": "mine" });
    assert_eq!(ask(&anyone, Method::POST, "/api/v2/boxes", Some(nobody.clone())).await.0, 404);
    let stranger = server.user("stranger").await;
    assert_eq!(ask(&stranger, Method::POST, "/api/v2/boxes", Some(nobody)).await.0, 404);
}
