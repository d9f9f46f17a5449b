//! The real `vagrant cloud …`.

use boxvault_tests::{
    Publication, Vagrant,
    bytes::{BoxBuilder, BoxFile, DISK_NAME},
    server::ADMIN_NAME,
    skip, workspace,
};
use reqwest::Method;
use serde_json::json;

use super::{ask, authority::Authority, good, read, server, write_box};

#[tokio::test]
async fn stock_vagrant_manages_boxes_versions_and_providers() {
    let (server, client) = server().await;
    let Some(vagrant) = Vagrant::new(&server.url()) else {
        skip(
            "cloud::vagrant::stock_vagrant_manages_boxes_versions_and_providers",
            "vagrant is not installed",
        );
        return;
    };
    let token = client.token().unwrap().to_owned();
    let bad = vagrant.run(&["cloud", "auth", "login", "--token", "nonsense"]).await;
    bad.expect_failure();
    vagrant.run(&["cloud", "auth", "login", "--token", &token]).await.expect_success();
    let who = vagrant.run(&["cloud", "auth", "whoami"]).await;
    assert!(who.expect_success().output.contains(ADMIN_NAME), "{}", who.output);

    let create = ["cloud", "box", "create", "acme/web", "-s", "short text", "-d", "Long *text*"];
    vagrant.run(&create).await.expect_success();
    vagrant.run(&create).await.expect_failure();
    let shown = vagrant.run(&["cloud", "box", "show", "acme/web"]).await;
    assert!(shown.expect_success().output.contains("acme/web"), "{}", shown.output);
    vagrant.run(&["cloud", "box", "update", "acme/web", "-s", "other"]).await.expect_success();
    let web = good(&client, Method::GET, "/api/v2/box/acme/web", None).await;
    assert_eq!(
        (&web["short_description"], &web["description"]),
        (&json!("other"), &json!("Long *text*"))
    );

    let version = ["cloud", "version", "create", "acme/web", "1.0.0", "-d", "first"];
    vagrant.run(&version).await.expect_success();
    vagrant.run(&version).await.expect_failure();
    vagrant
        .run(&["cloud", "version", "update", "acme/web", "1.0.0", "-d", "edited"])
        .await
        .expect_success();
    let provider = ["cloud", "provider", "create", "acme/web", "virtualbox", "1.0.0"];
    vagrant.run(&provider).await.expect_success();
    let empty = vagrant.run(&["cloud", "version", "release", "acme/web", "1.0.0", "-f"]).await;
    empty.expect_failure();
    assert!(empty.output.contains("upload one"), "{}", empty.output);
    vagrant
        .run(&["cloud", "provider", "delete", "acme/web", "virtualbox", "1.0.0", "-f"])
        .await
        .expect_success();
    vagrant.run(&["cloud", "version", "delete", "acme/web", "1.0.0", "-f"]).await.expect_success();
    vagrant.run(&["cloud", "box", "delete", "acme/web", "-f"]).await.expect_success();
    assert_eq!(ask(&client, Method::GET, "/api/v2/box/acme/web", None).await.0, 404);
}

#[tokio::test]
async fn pitfall_27_the_documented_lines_sign_in_publish_and_fetch() {
    let (server, client) = server().await;
    let Some(vagrant) = Vagrant::new(&server.url()) else {
        let test = "cloud::vagrant::pitfall_27_the_documented_lines_sign_in_publish_and_fetch";
        return skip(test, "vagrant is not installed");
    };
    let readme = workspace::root().join("examples/vagrant/README.md");
    let text = tokio::fs::read_to_string(readme).await.unwrap();
    let (_, lines) = text.split_once("```sh\n").unwrap();
    let (lines, _) = lines.split_once("```").unwrap();
    let file = BoxBuilder::new("virtualbox").build();
    let path = vagrant.home().join("debian.box");
    tokio::fs::write(&path, &file.bytes).await.unwrap();
    let said = |word: &str| match word {
        "\"$TOKEN\"" => client.token().unwrap().to_owned(),
        "debian.box" => path.display().to_string(),
        word => word.to_owned(),
    };
    let lines = lines.lines().filter_map(|line| line.strip_prefix("vagrant "));
    let lines: Vec<Vec<_>> = lines.map(|line| line.split(' ').map(said).collect()).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for line in lines {
        let words: Vec<_> = line.iter().map(String::as_str).collect();
        vagrant.run(&words).await.expect_success();
    }
    assert!(vagrant.installed("acme", "debian", "1.0.0", "virtualbox").is_some());
}

#[tokio::test]
async fn stock_vagrant_publishes_and_installs_what_it_published() {
    let (server, client) = server().await;
    let Some(vagrant) = Vagrant::new(&server.url()) else {
        skip(
            "cloud::vagrant::stock_vagrant_publishes_and_installs_what_it_published",
            "vagrant is not installed",
        );
        return;
    };
    let vagrant = vagrant.token(client.token().unwrap());
    let (one, two) = (
        BoxBuilder::new("virtualbox").seed(1).build(),
        BoxBuilder::new("virtualbox").seed(2).build(),
    );
    let first = write_box(vagrant.home(), "one.box", &one);
    let second = write_box(vagrant.home(), "two.box", &two);
    let publish = async |version: &str, file: &str, more: &[&str]| {
        let mut all = vec!["cloud", "publish", "acme/debian", version, "virtualbox", file, "-f"];
        all.extend(more);
        vagrant.run(&all).await
    };
    // a new box, then a known one, then a known version
    publish("1.0.0", &first, &["-r", "--no-private"]).await.expect_success();
    publish("1.1.0", &first, &["--no-direct-upload"]).await.expect_success();
    publish("1.1.0", &second, &["-r"]).await.expect_success();
    for (version, file) in [("1.0.0", &one), ("1.1.0", &two)] {
        let add = ["box", "add", "acme/debian", "--box-version", version];
        vagrant.run(&add).await.expect_success();
        let folder = vagrant.installed("acme", "debian", version, "virtualbox").unwrap();
        assert!(read(&folder.join(DISK_NAME)) == file.disk, "{version}");
    }
    // piece by piece, in both ways
    for command in [
        ["cloud", "version", "create", "acme/debian", "2.0.0"].as_slice(),
        &["cloud", "provider", "create", "acme/debian", "virtualbox", "2.0.0"],
        &["cloud", "provider", "upload", "acme/debian", "virtualbox", "2.0.0", &first],
        &[
            "cloud",
            "provider",
            "upload",
            "acme/debian",
            "virtualbox",
            "2.0.0",
            &second,
            "--no-direct",
        ],
        &["cloud", "version", "release", "acme/debian", "2.0.0", "-f"],
        &["cloud", "version", "revoke", "acme/debian", "2.0.0", "-f"],
    ] {
        vagrant.run(command).await.expect_success();
    }
    let found = vagrant.run(&["cloud", "search", "debian"]).await;
    assert!(found.expect_success().output.contains("acme/debian"), "{}", found.output);
    // what cannot be published leaves what is there as it was
    let wrong = "0".repeat(64);
    for (version, file, more) in
        [("1.0.0", &*second, [].as_slice()), ("3.0.0", &*second, &["-c", &wrong, "-C", "sha256"])]
    {
        publish(version, file, more).await.expect_failure();
    }
    let catalogue = server.anonymous().get("/acme/debian").await.json();
    let versions: Vec<_> =
        catalogue["versions"].as_array().unwrap().iter().map(|it| it["version"].clone()).collect();
    assert_eq!(versions, ["1.1.0", "1.0.0"]);
    assert!(!server.log().contains("ticket="), "an upload address is in the log");
}

#[tokio::test]
async fn wrong_publishes_say_why_and_leave_what_is_there() {
    let (server, client) = server().await;
    let Some(vagrant) = Vagrant::new(&server.url()) else {
        skip(
            "cloud::vagrant::wrong_publishes_say_why_and_leave_what_is_there",
            "vagrant is not installed",
        );
        return;
    };
    let vagrant = vagrant.token(client.token().unwrap());
    let admin = server.admin().await;
    let good_file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &good_file.bytes)).await;
    let before = server.anonymous().get("/acme/web").await.json();

    let other = BoxBuilder::new("libvirt").build();
    let no_box = BoxFile { bytes: b"this is a text".to_vec(), ..other.clone() };
    let good_path = write_box(vagrant.home(), "good.box", &good_file);
    let wrong = "0".repeat(64);
    for (number, file, more, why) in [
        ("2.0.0", &good_file, ["-c", &*wrong, "-C", "sha256"].as_slice(), "sha256"),
        ("3.0.0", &no_box, &[], "archive"),
        ("4.0.0", &other, &[], "libvirt"),
    ] {
        let path = write_box(vagrant.home(), "wrong.box", file);
        let publish = ["cloud", "publish", "acme/web", number, "virtualbox", &path, "-f", "-r"];
        let run = vagrant.run(&[&publish[..], more].concat()).await;
        run.expect_failure();
        assert!(run.output.contains(why), "{number}: {}", run.output);
        assert_eq!(server.anonymous().get("/acme/web").await.json(), before, "{number}");
        let version = format!("/api/v2/box/acme/web/version/{number}");
        let left = good(&client, Method::GET, &version, None).await;
        assert_eq!(left["status"], "unreleased");
        // the same once more, and right: this client leaves a known provider as it is, with what was declared of it
        let sum = ["-c", &*good_file.sha256, "-C", "sha256"];
        let update = ["cloud", "provider", "update", "acme/web", "virtualbox", number];
        vagrant.run(&[&update[..], &sum].concat()).await.expect_success();
        let mut again =
            ["cloud", "publish", "acme/web", number, "virtualbox", &*good_path].to_vec();
        again.extend(["-f", "-r"]);
        vagrant.run(&again).await.expect_success();
        let left = good(&client, Method::GET, &version, None).await;
        assert_eq!(left["status"], "active", "{left}");
        good(&client, Method::PUT, &format!("{version}/revoke"), None).await;
    }
}

#[tokio::test]
async fn stock_vagrant_searches_with_every_option() {
    let (server, client) = server().await;
    let Some(vagrant) = Vagrant::new(&server.url()) else {
        skip(
            "cloud::vagrant::stock_vagrant_searches_with_every_option",
            "vagrant is not installed",
        );
        return;
    };
    let admin = server.admin().await;
    for (name, provider) in [("alpha", "virtualbox"), ("beta", "virtualbox"), ("gamma", "libvirt")]
    {
        let file = BoxBuilder::new(provider).build();
        let at = Publication { provider, ..Publication::new("acme", name, &file.bytes) };
        admin.publish(&at).await;
    }
    let vagrant = vagrant.token(client.token().unwrap());
    let search = async |options: &[&str]| {
        let run = vagrant.run(&[&["cloud", "search", "acme"], options].concat()).await;
        run.expect_success();
        let mut found: Vec<_> = ["alpha", "beta", "gamma"]
            .into_iter()
            .filter_map(|name| Some((run.output.find(&format!("acme/{name}"))?, name)))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    let by_time = ["--sort-by", "created", "--order"];
    let all = ["alpha", "beta", "gamma"];
    assert_eq!(search(&[&by_time[..], &["asc"]].concat()).await, all);
    assert_eq!(search(&[&by_time[..], &["desc"]].concat()).await, ["gamma", "beta", "alpha"]);
    assert_eq!(search(&["--provider", "libvirt"]).await, ["gamma"]);
    let second = ["asc", "--limit", "1", "--page", "2", "--short"];
    assert_eq!(search(&[&by_time[..], &second].concat()).await, ["beta"]);
    assert_eq!(search(&[&by_time[..], &["asc", "--json"]].concat()).await, all);
}

#[tokio::test]
async fn stock_vagrant_works_over_tls_of_an_authority_of_ones_own() {
    let test = "cloud::vagrant::stock_vagrant_works_over_tls_of_an_authority_of_ones_own";
    let Some(authority) = Authority::new() else { return skip(test, "openssl is not installed") };
    let (server, client) = authority.server().await;
    let url = format!("https://{}", server.https());
    let token = client.token().unwrap();
    let (Some(stranger), Some(vagrant)) = (Vagrant::new(&url), Vagrant::new(&url)) else {
        return skip(test, "vagrant is not installed");
    };
    stranger.token(token).run(&["cloud", "auth", "whoami"]).await.expect_failure();
    let vagrant = vagrant.token(token).trusting(&authority.certificate());
    let file = BoxBuilder::new("virtualbox").build();
    let path = write_box(vagrant.home(), "web.box", &file);
    let publish = ["cloud", "publish", "acme/web", "1.0.0", "virtualbox", &path, "-f", "-r"];
    vagrant.run(&publish).await.expect_success();
    vagrant.run(&["box", "add", "acme/web"]).await.expect_success();
    let folder = vagrant.installed("acme", "web", "1.0.0", "virtualbox").unwrap();
    assert!(read(&folder.join(DISK_NAME)) == file.disk);
}
