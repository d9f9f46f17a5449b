//! Boxes and versions, searches and lists.

use std::time::Instant;

use boxvault_tests::{Publication, TestServer, bytes::BoxBuilder};
use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};

use super::{BASES, ask, good, owner_of_acme, server, told};

#[tokio::test]
async fn pitfall_2_a_search_has_no_key_that_clients_do_not_know() {
    let (server, client) = server().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let empty = json!({ "box": { "username": "acme", "name": "empty", "is_private": false } });
    good(&client, Method::POST, "/api/v2/boxes", Some(empty)).await;
    for base in BASES {
        let query = "q=w&provider=virtualbox&architecture=amd64&sort=downloads&order=desc&limit=5";
        for path in [format!("{base}/search?{query}"), format!("{base}/search")] {
            let found = good(&server.anonymous(), Method::GET, &path, None).await;
            assert_eq!(found.as_object().unwrap().len(), 1, "{found}");
            let [web] = found["boxes"].as_array().unwrap().as_slice() else { panic!("{found}") };
            let known = [
                "name",
                "created_at",
                "updated_at",
                "tag",
                "short_description",
                "description_html",
                "description_markdown",
                "private",
                "downloads",
                "current_version",
                "versions",
                "description",
                "username",
            ];
            for key in web.as_object().unwrap().keys() {
                assert!(known.contains(&&**key), "{key}");
            }
            assert_eq!(web["current_version"]["providers"][0]["checksum"], json!(file.sha256));
        }
    }
}

#[tokio::test]
async fn pitfall_3_null_says_nothing_and_pitfall_5_bodies_come_bare() {
    let (_server, client) = server().await;
    for (base, name) in [("/api/v1", "one"), ("/api/v2", "two")] {
        let new = json!({ "username": "acme", "name": name, "description": "kept", "other": 1 });
        let made = good(&client, Method::POST, &format!("{base}/boxes"), Some(new)).await;
        assert_eq!(
            (&made["tag"], &made["private"]),
            (&json!(format!("acme/{name}")), &json!(true))
        );
        let change = json!({ "short_description": "x", "description": null, "is_private": false });
        let path = format!("{base}/box/acme/{name}");
        let changed = good(&client, Method::PUT, &path, Some(change)).await;
        assert_eq!(changed["description_markdown"], "kept");
        assert_eq!(changed["private"], false);
    }
}

#[tokio::test]
async fn pitfall_6_and_22_names_and_numbers_that_vagrant_cannot_read_are_refused() {
    let (_server, client) = server().await;
    good(
        &client,
        Method::POST,
        "/api/v2/boxes",
        Some(json!({ "username": "acme", "name": "web" })),
    )
    .await;
    for number in ["v1", "1.0.0+build", "", "latest"] {
        let new = json!({ "version": { "version": number } });
        let (status, answer) =
            ask(&client, Method::POST, "/api/v2/box/acme/web/versions", Some(new)).await;
        assert_eq!(status, 422, "{number}: {answer}");
        told(&answer);
    }
    for name in ["a b", "", "a/b"] {
        let new = json!({ "username": "acme", "name": name });
        assert_eq!(ask(&client, Method::POST, "/api/v2/boxes", Some(new)).await.0, 422, "{name}");
    }
}

#[tokio::test]
async fn pitfall_11_releasing_says_what_packer_looks_for() {
    let (server, client) = server().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let path = "/api/v2/box/acme/web/version/1.0.0";
    let (status, answer) = ask(&client, Method::PUT, &format!("{path}/release"), None).await;
    assert_eq!(status, 422);
    assert!(told(&answer).contains("already been released"), "{answer}");
    let revoked = good(&client, Method::PUT, &format!("{path}/revoke"), None).await;
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(ask(&client, Method::PUT, &format!("{path}/release"), None).await.0, 422);
    // members see what others do not
    let own = good(&client, Method::GET, "/api/v2/box/acme/web", None).await;
    assert_eq!(own["versions"].as_array().unwrap().len(), 1);
    let anyone = server.anonymous();
    let public = good(&anyone, Method::GET, "/api/v2/box/acme/web", None).await;
    assert_eq!(public["versions"], json!([]));
    assert_eq!(ask(&anyone, Method::GET, path, None).await.0, 404);
}

#[tokio::test]
async fn pitfall_12_an_organization_lists_its_boxes_without_versions() {
    let (server, client) = server().await;
    for name in ["one", "two"] {
        let new = json!({ "username": "acme", "name": name, "is_private": name == "two" });
        good(&client, Method::POST, "/api/v2/boxes", Some(new)).await;
    }
    let names = |answer: &Value| -> Vec<String> {
        let boxes = answer["boxes"].as_array().unwrap();
        assert!(
            boxes.iter().all(|it| it.get("versions").is_none() && it["created_at"].is_string())
        );
        boxes.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    let own = good(&client, Method::GET, "/api/v2/user/acme", None).await;
    assert_eq!(names(&own), ["one", "two"]);
    let public = good(&server.anonymous(), Method::GET, "//api/v2/user/acme", None).await;
    assert_eq!(names(&public), ["one"]);
    assert_eq!(ask(&client, Method::GET, "/api/v2/user/nobody", None).await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_a_thousand_boxes_costs_no_more_a_byte_than_one_of_ten() {
    const ROUNDS: usize = 9;
    let server = TestServer::builder().set("limits.requests_per_minute", "0").start().await;
    let client = owner_of_acme(&server).await;
    let reply = server.admin().await.post("/api/organization", &json!({ "name": "few" })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let make = async |(organization, number): (&str, usize)| {
        let name = format!("box-{number}");
        let new =
            json!({ "username": organization, "name": name, "short_description": "One of many." });
        good(&client, Method::POST, "/api/v2/boxes", Some(new)).await;
    };
    let wanted = (0..10).map(|number| ("few", number)).chain((0..1000).map(|n| ("acme", n)));
    stream::iter(wanted).map(make).buffer_unordered(16).collect::<()>().await;
    let list = async |organization: &str| {
        let began = Instant::now();
        let reply = client.get(&format!("/api/v2/user/{organization}")).await;
        let took = began.elapsed().as_secs_f64();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let length = f64::from(u32::try_from(reply.bytes.len()).unwrap());
        (reply.json()["boxes"].as_array().unwrap().len(), took / length)
    };
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let ((tens, ten), (thousands, thousand)) = (list("few").await, list("acme").await);
        assert_eq!((tens, thousands), (10, 1000));
        few.push(ten);
        many.push(thousand);
    }
    for times in [&mut few, &mut many] {
        times.sort_by(f64::total_cmp);
    }
    let ratio = many[ROUNDS / 2] / few[ROUNDS / 2];
    assert!(ratio <= 3.0, "a byte of the long list takes {ratio:.2} times as long");
}
