//! Upload addresses, what they take, and the word that a file arrived.

use boxvault_tests::{
    bytes::{BoxBuilder, BoxFile},
    server::{ADMIN_NAME, PASSWORD},
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

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
        // of a direct upload the callback says it, since clients print that
        let status = if direct == "/direct" { 200 } else { 422 };
        assert_eq!(refused.status, status, "{}", refused.text());
        if direct == "/direct" {
            let (status, answer) =
                ask(&client, Method::PUT, &path_of(&server, &given, "callback"), None).await;
            assert_eq!(status, 422, "{answer}");
            assert!(told(&answer).contains("archive"), "{answer}");
        }
        for _ in 0..2 {
            let taken = send_file(&put, &one.bytes).await;
            assert_eq!((taken.status, taken.bytes.len()), (200, 0), "{}", taken.text());
        }
        assert_eq!(send_file(&put, &two.bytes).await.status, 422, "another file");
        if direct == "/direct" {
            let callback = path_of(&server, &given, "callback");
            assert_eq!(good(&client, Method::PUT, &callback, None).await, json!({}));
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
    assert!(!server.log().contains("WARN"), "all of that is as it should be: {}", server.log());
}

#[tokio::test]
async fn pitfall_9_a_callback_is_a_path_of_the_edition_that_was_asked_and_may_be_said_again() {
    let (server, client) = server().await;
    let provider = waiting(&client).await;
    let file = BoxBuilder::new("virtualbox").build();
    for (edition, address) in [
        ("/api/v2/", format!("{provider}/amd64/upload/direct")),
        ("/api/v1/", format!("{provider}/upload/direct").replace("/v2/", "/v1/")),
    ] {
        let given = good(&client, Method::GET, &address, None).await;
        let callback = path_of(&server, &given, "callback");
        // clients put their own edition in front of another path, and leave out what follows a question mark
        assert!(callback.starts_with(edition) && !callback.contains('?'), "{callback}");
        let put = path_of(&server, &given, "upload_path");
        assert_eq!(server.anonymous().upload(&put, file.bytes.clone(), &[]).await.status, 200);
        let (status, _) = ask(&server.anonymous(), Method::PUT, &callback, None).await;
        assert!([401, 404].contains(&status), "anybody may say so: {status}");
        for _ in 0..2 {
            assert_eq!(good(&client, Method::PUT, &callback, None).await, json!({}));
        }
    }
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

#[tokio::test]
async fn of_fifty_publishes_at_once_none_is_lost() {
    let (server, client) = server().await;
    let (anyone, client) = (&server.anonymous(), &client);
    let publish = async |number: u64| {
        let name = format!("web{number}");
        let file = BoxBuilder::new("virtualbox").seed(number).disk_bytes(20_000).build();
        let new = json!({ "box": { "username": "acme", "name": name, "is_private": false } });
        good(client, Method::POST, "/api/v2/boxes", Some(new)).await;
        let path = format!("/api/v2/box/acme/{name}");
        let new = json!({ "version": { "version": "1.0.0" } });
        good(client, Method::POST, &format!("{path}/versions"), Some(new)).await;
        let version = format!("{path}/version/1.0.0");
        let new = json!({ "provider": { "name": "virtualbox", "architecture": "amd64" } });
        good(client, Method::POST, &format!("{version}/providers"), Some(new)).await;
        let address = format!("{version}/provider/virtualbox/amd64/upload/direct");
        let given = good(client, Method::GET, &address, None).await;
        let put = path_of(&server, &given, "upload_path");
        let sent = anyone.upload(&put, file.bytes, &[]).await;
        assert_eq!(sent.status, 200, "{name}: {}", sent.text());
        good(client, Method::PUT, &path_of(&server, &given, "callback"), None).await;
        good(client, Method::PUT, &format!("{version}/release"), None).await;
        (name, file.sha256)
    };
    let mut published = join_all((0..50).map(publish)).await;
    published.sort_unstable();
    let list = good(anyone, Method::GET, "/api/v2/user/acme", None).await;
    let mut found: Vec<_> = list["boxes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let text = |pointer: &str| it.pointer(pointer).unwrap().as_str().unwrap().to_owned();
            (text("/name"), text("/current_version/providers/0/checksum"))
        })
        .collect();
    found.sort_unstable();
    assert_eq!(found, published);
}

#[tokio::test]
async fn a_cut_upload_changes_nothing_and_its_address_takes_the_whole_file() {
    let (server, client) = server().await;
    let provider = waiting(&client).await;
    let (old, new) = (
        BoxBuilder::new("virtualbox").build(),
        BoxBuilder::new("virtualbox").seed(2).disk_bytes(300_000).build(),
    );
    let address = async || {
        let given = good(&client, Method::GET, &format!("{provider}/upload/direct"), None).await;
        (path_of(&server, &given, "upload_path"), path_of(&server, &given, "callback"))
    };
    let anyone = server.anonymous();
    let (put, callback) = address().await;
    assert_eq!(anyone.upload(&put, old.bytes.clone(), &[]).await.status, 200);
    good(&client, Method::PUT, &callback, None).await;

    let (put, callback) = address().await;
    let mut socket = TcpStream::connect(server.http()).await.unwrap();
    let head = format!(
        "PUT {put} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
        server.http(),
        new.bytes.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&new.bytes[..new.bytes.len() / 2]).await.unwrap();
    drop(socket);
    let (status, answer) = ask(&client, Method::PUT, &callback, None).await;
    assert_eq!(status, 422, "{answer}");
    assert!(told(&answer).contains("upload it first"), "{answer}");
    let shown = good(&client, Method::GET, &format!("{provider}/amd64"), None).await;
    assert_eq!(shown["checksum"], json!(old.sha256));
    assert_eq!(anyone.upload(&put, new.bytes.clone(), &[]).await.status, 200);
    good(&client, Method::PUT, &callback, None).await;
    let shown = good(&client, Method::GET, &format!("{provider}/amd64"), None).await;
    assert_eq!(shown["checksum"], json!(new.sha256));
}
