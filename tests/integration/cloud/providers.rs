//! What the API calls a provider: an architecture of ours.

use boxvault_tests::{Publication, bytes::BoxBuilder};
use reqwest::Method;
use serde_json::{Value, json};

use super::{ask, good, server, told};

#[tokio::test]
async fn pitfall_15_packer_takes_back_only_what_has_no_file_and_pitfall_16_one_is_the_default() {
    let (server, client) = server().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    assert_eq!(
        admin.upload(&format!("{}/upload", at.file_path()), file.bytes.clone(), &[]).await.status,
        200
    );
    let version = "/api/v2/box/acme/web/version/1.0.0";
    let providers = format!("{version}/providers");
    let new = json!({ "provider": { "name": "virtualbox", "architecture": "arm64", "default_architecture": true } });
    let made = good(&client, Method::POST, &providers, Some(new.clone())).await;
    assert_eq!((&made["hosted"], &made["checksum"]), (&json!(true), &Value::Null));
    let (status, answer) = ask(&client, Method::POST, &providers, Some(new)).await;
    assert_eq!(status, 422);
    assert!(told(&answer).starts_with("Metadata provider must be unique for version"), "{answer}");
    let (status, _) = ask(
        &client,
        Method::POST,
        &providers,
        Some(json!({ "provider": { "name": "virtualbox" } })),
    )
    .await;
    assert_eq!(status, 422);
    let defaults = async || {
        let version = good(&client, Method::GET, version, None).await;
        let all = version["providers"].as_array().unwrap().clone();
        all.into_iter()
            .filter(|it| it["default_architecture"] == true)
            .map(|it| it["architecture"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(defaults().await, [json!("arm64")]);
    let first = good(&client, Method::GET, &version.replace("v2", "v1"), None).await;
    assert_eq!(first["providers"].as_array().unwrap().len(), 1, "{first}");
    assert!(first["providers"][0].get("architecture").is_none(), "{first}");
    let provider = format!("{version}/provider/virtualbox");
    let gone = good(&client, Method::DELETE, &provider, None).await;
    assert_eq!(gone["architecture"], "arm64");
    assert_eq!(defaults().await, [json!("amd64")]);
    // the only one
    good(&client, Method::DELETE, &provider, None).await;
    assert_eq!(ask(&client, Method::GET, &provider, None).await.0, 404);
    let (status, answer) = ask(
        &client,
        Method::POST,
        &providers,
        Some(json!({ "provider": { "name": "virtualbox", "url": "http://x/" } })),
    )
    .await;
    assert_eq!(status, 422);
    assert!(told(&answer).contains("upload the file"), "{answer}");
}
