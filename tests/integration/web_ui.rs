//! The pages in a real browser, and what the server says when a browser asks for them.
//!
//! The journeys are `tests/browser/*.mjs`: Chromium drives the built interface against the real server, holds every page
//! to axe and looks for what is too wide, on three widths, light and dark.

use std::{path::PathBuf, process::Stdio};

use boxvault_plugin_conformance::servers::{LdapServer, OidcServer};
use boxvault_tests::{
    Client, Publication, Reply, TestServer, Vagrant,
    bytes::{BoxBuilder, BoxFile},
    faults::write_file,
    server::{ADMIN_NAME, PASSWORD},
    skip, workspace,
};
use reqwest::Method;
use serde_json::json;
use tokio::{
    fs::{File, metadata, remove_file},
    io::AsyncWriteExt,
    process::Command,
};

use crate::{directories, mirrors::mirroring, single_sign_on};

/// What a browser accepts when somebody goes to an address.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// The programs that a journey needs.
struct Browser {
    node: PathBuf,
    chromium: PathBuf,
}

impl Browser {
    /// Finds them, or says that the test is skipped and why.
    async fn find(test: &str, server: &TestServer) -> Option<Self> {
        let Some(node) = workspace::find_program("node") else {
            skip(test, "no node");
            return None;
        };
        let Some(chromium) = workspace::find_program("chromium") else {
            skip(test, "no chromium: apt-get install chromium");
            return None;
        };
        if !workspace::root().join("tests/node_modules/playwright-core").is_dir() {
            skip(test, "playwright-core is not installed: npm ci --prefix tests --ignore-scripts");
            return None;
        }
        if !has_interface(server).await {
            skip(test, "the program was built without the interface: make ui, then build it again");
            return None;
        }
        Some(Self { node, chromium })
    }

    /// Walks a journey; gives what it printed.
    async fn walk(&self, journey: &str, arguments: &[&str]) -> String {
        let script = workspace::root().join("tests/browser").join(journey);
        let mut command = Command::new(&self.node);
        command.arg(script).args(arguments).env("CHROMIUM", &self.chromium);
        let output = command.stdin(Stdio::null()).output().await.unwrap();
        let (said, failed) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{journey}\n{said}\n{failed}");
        said.into_owned()
    }
}

async fn go(client: &Client, path: &str) -> Reply {
    client.get_with(path, &[("accept", BROWSER)]).await
}

async fn has_interface(server: &TestServer) -> bool {
    go(&server.anonymous(), "/").await.text().contains("<div id=\"root\">")
}

/// A box file where a browser can choose it.
fn on_disk(server: &TestServer, file: &BoxFile) -> String {
    let path = server.scratch().join("upload.box");
    write_file(&path, &file.bytes).unwrap();
    path.display().to_string()
}

/// acme/debian, which everybody may fetch, and acme/secret.
async fn published(server: &TestServer) -> Client {
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "debian", &file.bytes)).await;
    admin
        .publish(&Publication { public: false, ..Publication::new("acme", "secret", &file.bytes) })
        .await;
    admin
}

#[tokio::test]
async fn an_empty_server_is_set_up_and_publishes_its_first_box_in_the_browser() {
    let test = "an_empty_server_is_set_up_and_publishes_its_first_box_in_the_browser";
    let server = TestServer::start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    let file = BoxBuilder::new("virtualbox").build();
    let (token, path) = (server.setup_token(), on_disk(&server, &file));
    browser.walk("first-start.mjs", &[&server.url(), &token, &path, &file.sha256]).await;
    let fetched = "/acme/boxes/web/versions/1.0.0/providers/virtualbox.box";
    let fetched = server.anonymous().get(fetched).await;
    assert!(fetched.bytes == file.bytes, "other bytes than were chosen in the browser");
}

#[tokio::test]
async fn a_visitor_finds_boxes_and_meets_no_barrier() {
    let test = "a_visitor_finds_boxes_and_meets_no_barrier";
    let server = TestServer::start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    published(&server).await;
    browser.walk("visitor.mjs", &[&server.url()]).await;
}

#[tokio::test]
async fn tabs_share_a_session_until_it_ends_everywhere() {
    let test = "tabs_share_a_session_until_it_ends_everywhere";
    let server = TestServer::start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    published(&server).await;
    browser.walk("session.mjs", &[&server.url(), ADMIN_NAME, PASSWORD]).await;
}

#[tokio::test]
async fn an_upload_is_paused_and_goes_on_after_the_page_was_closed() {
    let test = "an_upload_is_paused_and_goes_on_after_the_page_was_closed";
    let server = TestServer::start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    let admin = published(&server).await;
    let version = json!({ "versionNumber": "2.0.0" });
    let made = admin.post("/api/organization/acme/box/debian/version", &version).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let (path, sha256) = sparse_box(&server, upload_bytes()).await;
    browser.walk("upload.mjs", &[&server.url(), ADMIN_NAME, PASSWORD, &path, &sha256]).await;
    remove_file(&path).await.unwrap();
    let Some(vagrant) = Vagrant::new(&server.url()) else {
        return skip(test, "vagrant is not installed: what was uploaded is not fetched with it");
    };
    vagrant.run(&["box", "add", "acme/debian", "--box-version", "2.0.0"]).await.expect_success();
    let installed = vagrant.installed("acme", "debian", "2.0.0", "virtualbox");
    let disk = installed.expect("it is installed").join("disk.img");
    assert_eq!(metadata(disk).await.unwrap().len(), upload_bytes());
}

/// How large the disk in the uploaded box is. 2 GiB take minutes in CI, so that it is less unless somebody asks.
fn upload_bytes() -> u64 {
    asked_for("BOXVAULT_BROWSER_UPLOAD_MIB", 160) << 20
}

/// A number that somebody asks for by a variable, or what is usual.
fn asked_for(variable: &str, usual: u64) -> u64 {
    std::env::var_os(variable)
        .map_or(usual, |text| text.to_str().and_then(|text| text.parse().ok()).expect("a number"))
}

/// A plain tar whose disk is a hole in the file: it costs no room and no time to make. With its SHA-256.
async fn sparse_box(server: &TestServer, disk_bytes: u64) -> (String, String) {
    let mut archive = tar::Builder::new(Vec::new());
    let text = b"{\"provider\":\"virtualbox\"}";
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "metadata.json", &text[..]).unwrap();
    let mut head = archive.get_ref().clone();
    let mut header = tar::Header::new_gnu();
    header.set_path("disk.img").unwrap();
    header.set_size(disk_bytes);
    header.set_mode(0o644);
    header.set_cksum();
    head.extend_from_slice(header.as_bytes());
    let path = server.scratch().join("sparse.box");
    let mut file = File::create(&path).await.unwrap();
    file.write_all(&head).await.unwrap();
    // two blocks of zeros end a tar
    file.set_len(head.len() as u64 + disk_bytes + 1024).await.unwrap();
    file.flush().await.unwrap();
    let output = Command::new("sha256sum").arg(&path).output().await.expect("sha256sum starts");
    let text = String::from_utf8(output.stdout).unwrap();
    let sha256 = text.split(' ').next().unwrap_or_default().to_owned();
    (path.display().to_string(), sha256)
}

#[tokio::test]
async fn what_happens_elsewhere_shows_in_every_tab_at_once() {
    let test = "what_happens_elsewhere_shows_in_every_tab_at_once";
    let server = TestServer::start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    let admin = published(&server).await;
    server.user("mia").await;
    let place = json!({ "username": "mia", "role": "member" });
    assert_eq!(admin.post("/api/organization/acme/members", &place).await.status, 201);
    browser.walk("live.mjs", &[&server.url(), ADMIN_NAME, "mia", PASSWORD]).await;
}

#[tokio::test]
async fn what_people_write_shows_as_text() {
    let test = "what_people_write_shows_as_text";
    let server = TestServer::start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    published(&server).await;
    browser.walk("hostile.mjs", &[&server.url(), ADMIN_NAME, PASSWORD]).await;
}

#[tokio::test]
async fn a_list_of_very_many_boxes_is_as_long_as_a_page() {
    let test = "a_list_of_very_many_boxes_is_as_long_as_a_page";
    let server = TestServer::builder().set("limits.requests_per_minute", "0").start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    let admin = server.admin().await;
    let made = admin.post("/api/organization", &json!({ "name": "acme" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let count = asked_for("BOXVAULT_BROWSER_BOXES", 300);
    for n in 0..count {
        let body = json!({
            "name": format!("box-{n:05}"),
            "isPublic": true,
            "shortDescription": "one of very many",
        });
        let made = admin.post("/api/organization/acme/box", &body).await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    println!("{}", browser.walk("speed.mjs", &[&server.url(), &count.to_string()]).await);
}

#[tokio::test]
async fn an_organization_is_led_in_the_browser() {
    let test = "an_organization_is_led_in_the_browser";
    let server = TestServer::start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    published(&server).await;
    server.user("bob").await;
    server.user("dave").await;
    browser.walk("organization.mjs", &[&server.url(), ADMIN_NAME, PASSWORD]).await;
}

#[tokio::test]
async fn an_organization_mirrors_another_server_in_the_browser() {
    let test = "an_organization_mirrors_another_server_in_the_browser";
    let (source, server) = tokio::join!(TestServer::start(), mirroring().start());
    let Some(browser) = Browser::find(test, &server).await else { return };
    let (owner, admin) = (source.admin().await, server.admin().await);
    let file = BoxBuilder::new("virtualbox").build();
    owner
        .publish(&Publication { public: false, ..Publication::new("acme", "debian", &file.bytes) })
        .await;
    let made = admin.post("/api/organization", &json!({ "name": "copy" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let (upstream, token) = (format!("{}/acme", source.url()), source.api_token(ADMIN_NAME).await);
    let arguments = [&*server.url(), ADMIN_NAME, PASSWORD, &upstream, &token];
    browser.walk("mirror.mjs", &arguments).await;
}

#[tokio::test]
async fn what_two_people_write_at_once_is_lost_to_neither() {
    let test = "what_two_people_write_at_once_is_lost_to_neither";
    let server = TestServer::start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    published(&server).await;
    browser.walk("conflicts.mjs", &[&server.url(), ADMIN_NAME, PASSWORD]).await;
}

#[tokio::test]
async fn an_account_is_kept_in_the_browser() {
    let test = "an_account_is_kept_in_the_browser";
    let server = TestServer::start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    server.admin().await;
    server.user("bob").await;
    browser.walk("account.mjs", &[&server.url(), "bob", PASSWORD]).await;
}

#[tokio::test]
async fn a_policy_is_written_and_a_server_administered_in_the_browser() {
    let test = "a_policy_is_written_and_a_server_administered_in_the_browser";
    let server = TestServer::builder()
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", "data/store")
        .set("stores.cold.plugin", "fs")
        .set("stores.cold.root", "data/cold")
        .start()
        .await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    published(&server).await;
    server.user("bob").await;
    browser.walk("administration.mjs", &[&server.url(), ADMIN_NAME, PASSWORD]).await;
}

#[tokio::test]
async fn what_a_plugin_keeps_of_its_promises_shows_in_the_browser() {
    let test = "what_a_plugin_keeps_of_its_promises_shows_in_the_browser";
    let server = TestServer::builder()
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", "data/store")
        .set("stores.odd.plugin", "faulty")
        .start()
        .await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    server.admin().await;
    let check = ["plugin", "check", "faulty", "--kind", "storage", "--forgets", "--keep"];
    let checked = server.command(&check, "").await;
    assert!(String::from_utf8_lossy(&checked.stdout).contains("kept in "), "{checked:?}");
    browser.walk("plugins.mjs", &[&server.url(), ADMIN_NAME, PASSWORD]).await;
}

/// Whoever is in a group of a provider reads all boxes of acme.
async fn staff_reads(admin: &Client, provider: &str) {
    let rules = format!(
        "g, group:{provider}:staff, role:acme/reader, acme\n\
         p, role:acme/reader, acme, box/**, read, allow\n"
    );
    let rules = json!({ "text": rules, "message": "staff reads" });
    let put = admin.put("/api/organization/acme/policy", &rules).await;
    assert_eq!(put.status, 200, "{}", put.text());
}

#[tokio::test]
async fn people_sign_in_at_a_provider_in_the_browser() {
    let test = "people_sign_in_at_a_provider_in_the_browser";
    let mut oidc = match OidcServer::start() {
        Ok(oidc) => oidc,
        Err(reason) => return skip(test, &reason),
    };
    let (builder, _folder) = single_sign_on::server_with(&oidc);
    let server = builder.start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    single_sign_on::introduce(&mut oidc, &server);
    staff_reads(&published(&server).await, "sso").await;
    browser.walk("sign-on.mjs", &[&server.url(), &oidc.issuer]).await;
}

#[tokio::test]
async fn people_sign_in_through_a_directory_in_the_browser() {
    let test = "people_sign_in_through_a_directory_in_the_browser";
    let ldap = match LdapServer::start() {
        Ok(ldap) => ldap,
        Err(reason) => return skip(test, &reason),
    };
    let server = directories::server_with(&ldap).start().await;
    let Some(browser) = Browser::find(test, &server).await else { return };
    staff_reads(&published(&server).await, "corp").await;
    browser.walk("directory.mjs", &[&server.url()]).await;
}

#[tokio::test]
async fn browsers_get_the_page_at_every_path_for_people_and_nowhere_else() {
    let server = TestServer::start().await;
    published(&server).await;
    let anyone = server.anonymous();
    let start = go(&anyone, "/").await;
    let paths = [
        "/discover",
        "/login",
        "/login/sign-up",
        "/login/callback/sso?code=a.b&state=c",
        "/acme",
        "/acme/debian",
        "/acme/secret",
        "/acme/debian/versions/1.0.0",
        "/organizations/acme/members",
        "/nobody/nothing/at/all",
    ];
    for path in paths {
        let page = go(&anyone, path).await;
        assert_eq!((page.status, page.bytes == start.bytes), (200, true), "{path}");
        let tag = start.header("etag").unwrap();
        let again = anyone.get_with(path, &[("accept", BROWSER), ("if-none-match", tag)]).await;
        assert_eq!((again.status, again.bytes.len()), (304, 0), "{path}");
    }
    for path in
        ["/api/nothing", "/assets/gone-12345678.js", "/health/nothing", "/badge/acme/secret.svg"]
    {
        let reply = go(&anyone, path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
    }
    // a released file is fetched by a browser as by anybody
    let file = go(&anyone, "/acme/boxes/debian/versions/1.0.0/providers/virtualbox.box").await;
    assert_eq!(file.header("content-type"), Some("application/octet-stream"));
    // and what is no page is changed by nobody who asks for one
    let posted = anyone.request(Method::POST, "/discover").header("accept", BROWSER);
    assert_eq!(boxvault_tests::client::send(posted).await.status, 404);
}

#[tokio::test]
async fn files_of_the_interface_are_packed_as_the_browser_takes_them_and_kept() {
    let test = "files_of_the_interface_are_packed_as_the_browser_takes_them_and_kept";
    let server = TestServer::start().await;
    if !has_interface(&server).await {
        return skip(
            test,
            "the program was built without the interface: make ui, then build it again",
        );
    }
    let anyone = server.anonymous();
    let page = go(&anyone, "/").await.text();
    let script = page.split('"').find(|part| part.starts_with("/assets/") && part.contains(".js"));
    let script = script.expect("the page loads a script");
    let raw = anyone.get_with(script, &[("accept-encoding", "identity")]).await;
    assert_eq!(raw.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(raw.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(raw.header("content-encoding"), None);
    let mut tags = vec![raw.header("etag").unwrap().to_owned()];
    for (accepted, encoding) in [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("BR", "br"),
    ] {
        let packed = anyone.get_with(script, &[("accept-encoding", accepted)]).await;
        assert_eq!(packed.header("content-encoding"), Some(encoding), "{accepted}");
        assert!(packed.header("vary").unwrap().contains("Accept-Encoding"), "{accepted}");
        assert!(packed.bytes.len() < raw.bytes.len(), "{accepted}");
        tags.push(packed.header("etag").unwrap().to_owned());
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "one entity tag for each form: {tags:?}");
    for hidden in [".br", ".gz"] {
        assert_eq!(anyone.get(&format!("{script}{hidden}")).await.status, 404);
    }
}
