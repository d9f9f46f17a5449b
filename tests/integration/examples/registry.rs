//! The template of Packer's `vagrant-registry`. The plugin is in no package that a test could install, so what its version
//! 1.1.7 was recorded to ask (`cloud/transcripts`) is asked here with what the template says, over HTTPS.

use std::{collections::BTreeMap, fs};

use boxvault_tests::{TestServer, bytes::BoxBuilder};
use reqwest::Method;
use serde_json::{Value, json};

use super::examples;

/// What the plugin knows, of what matters here.
const OPTIONS: [&str; 7] = [
    "client_id",
    "client_secret",
    "hcp_api_address",
    "hcp_auth_url",
    "box_tag",
    "version",
    "architecture",
];

/// The options of the post-processor, with the values of the template's variables.
fn options(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    let text = fs::read_to_string(examples().join("packer/vagrant-registry.pkr.hcl")).unwrap();
    let (_, block) = text.split_once("post-processor \"vagrant-registry\" {").unwrap();
    let (block, _) = block.split_once("\n    }").unwrap();
    let lines = block.lines().filter_map(|line| line.split_once('='));
    let options = lines.map(|(key, value)| {
        let value = variables.iter().fold(value.trim().to_owned(), |value, (name, is)| {
            value.replace(&format!("${{var.{name}}}"), is).replace(&format!("var.{name}"), is)
        });
        (key.trim().to_owned(), value.trim_matches('"').to_owned())
    });
    options.collect()
}

#[tokio::test]
async fn the_registry_template_says_what_its_plugin_needs() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let made = admin.post("/api/organization", &json!({ "name": "acme" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let service = json!({ "name": "ci" });
    let made = admin.post("/api/organization/acme/service-accounts", &service).await.data();
    let address = server.https().to_string();
    let file = BoxBuilder::new("libvirt").disk_bytes(1 << 20).build();
    let options = options(&[
        ("server", &address),
        ("secret", made["token"].as_str().unwrap()),
        ("version", "1.4.0"),
    ]);
    assert!(options.keys().all(|key| OPTIONS.contains(&key.as_str())), "{options:?}");
    assert_eq!(options.len(), OPTIONS.len(), "{options:?}");

    // a token, by the secret
    let trusting = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    let answer = trusting
        .post(format!("{}/oauth2/token", options["hcp_auth_url"]))
        .basic_auth(&options["client_id"], Some(&options["client_secret"]))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("audience=https%3A%2F%2Fapi.hashicorp.cloud&grant_type=client_credentials")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let token: Value = answer.json().await.unwrap();
    let token = token["access_token"].as_str().unwrap().to_owned();

    // the plugin looks for each thing, and makes what is not there
    let ask = async |method: Method, path: &str, body: Option<Value>| {
        let url = format!("https://{}{path}", options["hcp_api_address"]);
        let mut request = trusting.request(method, url).bearer_auth(&token);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap_or_default())
    };
    let (organization, name) = options["box_tag"].split_once('/').unwrap();
    let registry = format!("/vagrant/2022-09-30/registry/{organization}");
    let a_box = format!("{registry}/box/{name}");
    let version = format!("{a_box}/version/{}", options["version"]);
    let provider = format!("{version}/provider/libvirt");
    let architecture = format!("{provider}/architecture/{}", options["architecture"]);
    let things = [
        (a_box.clone(), format!("{registry}/boxes"), json!({ "name": name })),
        (version.clone(), format!("{a_box}/versions"), json!({ "name": options["version"] })),
        (provider.clone(), format!("{version}/providers"), json!({ "name": "libvirt" })),
        (
            architecture.clone(),
            format!("{provider}/architectures"),
            json!({
                "architecture_type": options["architecture"], "default": true,
                "box_data": { "checksum_type": "NONE" },
            }),
        ),
    ];
    for (thing, list, body) in things {
        assert_eq!(ask(Method::GET, &thing, None).await.0, 404, "{thing}");
        let (status, made) = ask(Method::POST, &list, Some(body)).await;
        assert_eq!(status, 200, "{list}: {made}");
    }
    let (status, place) = ask(Method::GET, &format!("{architecture}/direct/upload"), None).await;
    assert_eq!(status, 200, "{place}");
    let sent = trusting.put(place["url"].as_str().unwrap()).body(file.bytes.clone()).send().await;
    assert_eq!(sent.unwrap().status(), 200);
    let complete = format!("{architecture}/direct/complete/{}", place["object"].as_str().unwrap());
    assert_eq!(ask(Method::PUT, &complete, None).await.0, 200);
    assert_eq!(ask(Method::PUT, &format!("{version}/release"), None).await.0, 200);
    let path = "/acme/boxes/debian/versions/1.4.0/providers/libvirt.box";
    assert!(admin.get(path).await.bytes == file.bytes);
}
