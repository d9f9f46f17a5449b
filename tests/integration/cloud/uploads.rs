//! Upload addresses, what they take, and the word that a file arrived.

use boxvault_tests::{
    bytes::{BoxBuilder, BoxFile},
    server::{ADMIN_NAME, PASSWORD},
};
use reqwest::Method;
use serde_json::json;

use super::{ask, good, path_of, server, told, waiting};

#[tokio::test]
async fn pitfall_4_an_echoed_checksum_is_no_declaration_and_another_one_is() {
    let (server, client) = server().await;
    let provider = waiting(&client).await;
    let (one, two) =
        (BoxBuilder::new("virtualbox").build(), BoxBuilder::new("virtualbox").seed(2).build());
    let upload = async |file: &BoxFile| {
        let given = good(&client, Method::GET, &format!("{provider}/upload"), None).await;
        let put = path_of(&server, &given, "upload_path");
        server.anonymous().upload(&put, file.bytes.clone(), &[]).await.status
    };
    let declare = async |sum: &str| {
        let change = json!({ "provider": { "name": "virtualbox", "url": null, "checksum": sum, "checksum_type": "sha256" } });
        good(&client, Method::PUT, &format!("{provider}/amd64"), Some(change)).await
    };
    assert_eq!(upload(&one).await, 200);
    declare(&one.sha256).await;
    assert_eq!(upload(&two).await, 200, "the old checksum came back");
    declare(&one.sha256).await;
    assert_eq!(upload(&two).await, 422, "another one was declared");
    assert_eq!(upload(&one).await, 200);
    assert_eq!(upload(&two).await, 200, "what was declared was for that upload");
    let (status, answer) = ask(
        &client,
        Method::PUT,
        &format!("{provider}/amd64"),
        Some(json!({ "provider": { "checksum": "x", "checksum_type": "md5" } })),
    )
    .await;
    assert_eq!(status, 422, "{answer}");
}

#[tokio::test]
async fn pitfall_7_an_upload_may_be_typed_as_json_and_sent_with_a_token_as_packer_does() {
    let (server, client) = server().await;
    let provider = waiting(&client).await.replace("/v2/", "/v1/");
    let file = BoxBuilder::new("virtualbox").build();
    let given = good(&client, Method::GET, &format!("{provider}/upload"), None).await;
    let put = path_of(&server, &given, "upload_path");
    assert!(put.starts_with("/api/v1/"), "{put}");
    let sent = client.upload(&put, file.bytes, &[("content-type", "application/json")]).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    let release = "/api/v1/box/acme/web/version/1.0.0/release";
    let released = good(&client, Method::PUT, release, None).await;
    assert_eq!(released["status"], "active");
}

#[tokio::test]
async fn pitfall_8_an_upload_address_takes_one_file_and_that_again() {
    let (server, client) = server().await;
    let provider = waiting(&client).await;
    let (one, two) =
        (BoxBuilder::new("virtualbox").build(), BoxBuilder::new("virtualbox").seed(2).build());
    let anyone = server.anonymous();
    for direct in ["", "/direct"] {
        let given = good(&client, Method::GET, &format!("{provider}/upload{direct}"), None).await;
        let put = path_of(&server, &given, "upload_path");
        let send_file =
            async |path: &str, bytes: &[u8]| anyone.upload(path, bytes.to_vec(), &[]).await;
        let bare = put.split('?').next().unwrap();
        assert_eq!(send_file(bare, &one.bytes).await.status, 404, "without its ticket");
        assert_eq!(send_file(&format!("{put}x"), &one.bytes).await.status, 401, "forged");
        let elsewhere = put.replace("/amd64/", "/arm64/");
        assert!([401, 404].contains(&send_file(&elsewhere, &one.bytes).await.status));
        let refused = send_file(&put, b"no box").await;
        assert_eq!(refused.status, 422, "{}", refused.text());
        if direct == "/direct" {
            let (status, answer) =
                ask(&client, Method::PUT, &path_of(&server, &given, "callback"), None).await;
            assert_eq!(status, 422, "{answer}");
            assert!(told(&answer).contains("upload it first"), "{answer}");
        }
        for _ in 0..2 {
            let taken = send_file(&put, &one.bytes).await;
            assert_eq!((taken.status, taken.bytes.len()), (200, 0), "{}", taken.text());
        }
        assert_eq!(send_file(&put, &two.bytes).await.status, 422, "another file");
        if direct == "/direct" {
            // pitfall 9: the state is in the path, and it may be called again
            for _ in 0..2 {
                let callback = path_of(&server, &given, "callback");
                assert_eq!(good(&client, Method::PUT, &callback, None).await, json!({}));
            }
        }
    }
    let shown = good(&client, Method::GET, &format!("{provider}/amd64"), None).await;
    assert_eq!(
        (&shown["checksum"], &shown["checksum_type"]),
        (&json!(one.sha256), &json!("sha256"))
    );
    let release = "/api/v2/box/acme/web/version/1.0.0/release";
    good(&client, Method::PUT, release, None).await;
    let (status, answer) = ask(&client, Method::GET, &format!("{provider}/upload"), None).await;
    assert_eq!(status, 422, "{answer}");
    let fetched = anyone.get(&path_of(&server, &shown, "download_url")).await;
    assert!(fetched.bytes == one.bytes);
}

#[tokio::test]
async fn an_upload_address_dies_with_the_token_that_it_was_made_with() {
    let (server, _) = server().await;
    let anyone = server.anonymous();
    let login = json!({ "user": { "login": ADMIN_NAME, "password": PASSWORD } });
    let token = good(&anyone, Method::POST, "/api/v1/authenticate", Some(login)).await;
    let client = anyone.with_token(token["token"].as_str().unwrap());
    let provider = waiting(&client).await;
    let given = good(&client, Method::GET, &format!("{provider}/amd64/upload"), None).await;
    assert_eq!(ask(&client, Method::DELETE, "/api/v1/authenticate", None).await.0, 204);
    let file = BoxBuilder::new("virtualbox").build();
    let put = path_of(&server, &given, "upload_path");
    assert_eq!(anyone.upload(&put, file.bytes, &[]).await.status, 401);
}
