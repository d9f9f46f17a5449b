//! Short-lived tokens of service accounts, as Vagrant 2.4.3 and later with `HCP_CLIENT_ID` and Packer's
//! `vagrant-registry` get them.

use boxvault_tests::{Client, Reply, client::send};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::{good, server};

const SERVICES: &str = "/api/organization/acme/service-accounts";

async fn made(client: &Client, name: &str) -> (String, String) {
    let reply = client.post(SERVICES, &json!({ "name": name })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let text = |field: &str| text_of(&reply.data(), field);
    (text("id"), text("token"))
}

fn text_of(answer: &Value, field: &str) -> String {
    answer.get(field).and_then(Value::as_str).expect("a text").to_owned()
}

async fn ask(anyone: &Client, form: &[(&str, &str)], basic: Option<(&str, &str)>) -> Reply {
    let form = Url::parse_with_params("http://any/", form).expect("an address");
    let request = anyone
        .request(Method::POST, "/oauth2/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.query().unwrap_or_default().to_owned());
    send(match basic {
        Some((id, secret)) => request.basic_auth(id, Some(secret)),
        None => request,
    })
    .await
}

fn token_of(reply: &Reply) -> String {
    let answer = reply.json();
    assert_eq!((reply.status, &*text_of(&answer, "token_type")), (200, "bearer"), "{answer}");
    let seconds = answer.get("expires_in").and_then(Value::as_u64);
    assert!(seconds.is_some_and(|seconds| (3500..=3600).contains(&seconds)), "{answer}");
    text_of(&answer, "access_token")
}

#[tokio::test]
async fn a_service_account_gets_a_token_in_each_form_that_clients_use() {
    let (server, client) = server().await;
    let new = json!({ "username": "acme", "name": "web", "is_private": true });
    good(&client, Method::POST, "/api/v2/boxes", Some(new)).await;
    let (id, secret) = made(&client, "ci").await;
    let anyone = server.anonymous();
    let grant = ("grant_type", "client_credentials");
    let audience = ("audience", "https://api.hashicorp.cloud");
    for (form, basic) in [
        (vec![grant, ("client_id", &*id), ("client_secret", &*secret)], None),
        (vec![grant, ("client_id", "acme/ci"), ("client_secret", &*secret)], None),
        (vec![grant, audience], Some((&*id, &*secret))),
        (vec![grant, audience], Some(("acme/ci", &*secret))),
    ] {
        let token = token_of(&ask(&anyone, &form, basic).await);
        let bearer = format!("Bearer {token}");
        for path in [
            "/api/v2/box/acme/web",
            "/api/v2/vagrant/acme/web",
            "/vagrant/2022-09-30/registry/acme/box/web",
        ] {
            let reply = anyone.get_with(path, &[("authorization", &bearer)]).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            assert_eq!(anyone.get(path).await.status, 404, "{path}");
        }
        // it does not get the next one
        let again = ask(&anyone, &[grant], Some((&*id, &*token))).await;
        assert_eq!(again.status, 401, "{}", again.text());
        assert!(!server.log().contains(&token) && !server.log().contains(&secret));
    }
}

#[tokio::test]
async fn a_refusal_is_in_the_words_that_oauth_clients_print() {
    let (server, client) = server().await;
    let (id, secret) = made(&client, "ci").await;
    let (other, _) = made(&client, "other").await;
    let api_token = client.token().unwrap();
    let anyone = server.anonymous();
    let grant = ("grant_type", "client_credentials");
    for (form, status, word) in [
        (vec![("client_id", &*id), ("client_secret", &*secret)], 400, "invalid_request"),
        (vec![("grant_type", "password")], 400, "invalid_request"),
        (vec![grant], 401, "invalid_client"),
        (vec![grant, ("client_id", &*id), ("client_secret", "x")], 401, "invalid_client"),
        (vec![grant, ("client_id", &*other), ("client_secret", &*secret)], 401, "invalid_client"),
        (vec![grant, ("client_id", "alice"), ("client_secret", api_token)], 401, "invalid_client"),
    ] {
        let reply = ask(&anyone, &form, None).await;
        let answer: Value = reply.json();
        assert_eq!((reply.status, answer["error"].as_str()), (status, Some(word)), "{answer}");
        assert!(!answer["error_description"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_token_dies_with_its_service_account_and_with_the_secret_that_got_it() {
    let (server, client) = server().await;
    let anyone = server.anonymous();
    let grant = [("grant_type", "client_credentials")];
    let whoami = "/api/v2/authenticate";
    for (name, end) in [("rotated", "secret"), ("suspended", "suspend"), ("deleted", "delete")] {
        let (id, secret) = made(&client, name).await;
        let token = token_of(&ask(&anyone, &grant, Some((&*id, &*secret))).await);
        let service = anyone.with_token(&token);
        assert_eq!(
            service.get(whoami).await.json()["user"]["username"],
            format!("service:acme/{name}")
        );
        let path = format!("{SERVICES}/{name}");
        let reply = match end {
            "secret" => client.put(&format!("{path}/secret"), &json!({})).await,
            "suspend" => client.put(&path, &json!({ "suspended": true })).await,
            _ => client.delete(&path).await,
        };
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(service.get(whoami).await.status, 401, "{name}");
    }
}
