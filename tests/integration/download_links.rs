//! Download links: what they give, to whom, and everything that ends them.

use std::time::Duration;

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, BoxFile},
    client::send,
    faults::read_file,
    skip, wait_for, workspace,
};
use reqwest::Method;
use serde_json::json;

const DEADLINE: Duration = Duration::from_secs(20);

struct World {
    server: TestServer,
    root: Client,
    owner: Client,
    member: Client,
    file: BoxFile,
}

impl World {
    /// A private organization with an owner and a member, and a private box with a file.
    async fn build() -> Self {
        Self::on(TestServer::start().await).await
    }

    async fn on(server: TestServer) -> Self {
        let root = server.admin().await;
        let (owner, member) = (server.user("owner").await, server.user("member").await);
        let file = BoxBuilder::new("virtualbox").disk_bytes(200_000).build();
        let world = Self { server, root, owner, member, file };
        world.owner.prepare(&world.slot()).await;
        let place = json!({ "username": "member", "role": "member" });
        let reply = world.owner.post("/api/organization/acme/members", &place).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        world.upload(&world.file).await;
        world
    }

    fn slot(&self) -> Publication<'_> {
        Publication { public: false, ..Publication::new("acme", "web", &self.file.bytes) }
    }

    async fn upload(&self, file: &BoxFile) {
        let path = format!("{}/upload", self.slot().file_path());
        let reply = self.owner.upload(&path, file.bytes.clone(), &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    async fn link(&self, maker: &Client) -> String {
        let reply = maker.get(&format!("{}/get-download-link", self.slot().file_path())).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let data = reply.data();
        assert_eq!(data["checksum"], self.file.sha256);
        let url = data["downloadUrl"].as_str().unwrap();
        url.strip_prefix(&self.server.url()).expect("it is absolute").to_owned()
    }

    async fn fetch(&self, link: &str) -> Reply {
        self.server.anonymous().get(link).await
    }

    async fn assert_works(&self, link: &str) {
        let reply = self.fetch(link).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(reply.bytes == self.file.bytes);
    }

    async fn assert_dead(&self, link: &str, status: u16, code: &str) {
        wait_for("the link to be dead", DEADLINE, async || {
            (self.fetch(link).await.status != 200).then_some(())
        })
        .await;
        let reply = self.fetch(link).await;
        assert_eq!((reply.status, &*reply.code()), (status, code), "{}", reply.text());
    }
}

#[tokio::test]
async fn a_link_gives_its_file_with_ranges_and_head_and_nothing_else() {
    let world = World::build().await;
    let link = world.link(&world.member).await;
    world.assert_works(&link).await;
    let anyone = world.server.anonymous();
    let head = anyone.head(&link).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(&*world.file.bytes.len().to_string()));
    let part = anyone.get_with(&link, &[("range", "bytes=100-199")]).await;
    assert_eq!(part.status, 206);
    assert!(part.bytes == world.file.bytes[100..200]);
    // nothing but the bytes of this file, and only to read them
    let (path, query) = link.split_once('?').unwrap();
    let file = path.trim_end_matches("/download");
    for (method, other) in [
        (Method::GET, format!("{file}/info")),
        (Method::GET, format!("{file}/get-download-link")),
        (Method::DELETE, format!("{file}/delete")),
        (Method::PUT, format!("{file}/upload")),
        (Method::GET, "/api/user".to_owned()),
        (Method::GET, "/api/organization/acme/box/web".to_owned()),
        (Method::GET, world.slot().vagrant_path()),
    ] {
        let reply = send(anyone.request(method.clone(), &format!("{other}?{query}"))).await;
        assert!([401, 404].contains(&reply.status), "{method} {other}: {}", reply.text());
    }
    let token = query.strip_prefix("link=").unwrap();
    assert_eq!(anyone.with_token(token).get(path).await.status, 401, "it is no access token");
    // not even another file of the same box
    let other = BoxBuilder::new("virtualbox").seed(2).build();
    let twin = Publication { version: "2.0.0", file: &other.bytes, ..world.slot() };
    world.owner.prepare(&twin).await;
    let upload = format!("{}/upload", twin.file_path());
    assert_eq!(world.owner.upload(&upload, other.bytes.clone(), &[]).await.status, 200);
    let reply = anyone.get(&format!("{}/download?{query}", twin.file_path())).await;
    assert_eq!((reply.status, &*reply.code()), (401, "LINK_INVALID"));
}

#[tokio::test]
async fn a_link_that_was_changed_is_no_link() {
    let world = World::build().await;
    let link = world.link(&world.member).await;
    let (path, token) = link.split_once("?link=").unwrap();
    let (body, signature) = token.rsplit_once('.').unwrap();
    let reversed: String = signature.chars().rev().collect();
    for wrong in
        ["x".to_owned(), format!("{body}."), format!("{body}.{reversed}"), "a".repeat(4000)]
    {
        let reply = world.fetch(&format!("{path}?link={wrong}")).await;
        assert_eq!((reply.status, &*reply.code()), (401, "LINK_INVALID"), "{wrong}");
    }
    // a credential that is good is not made worse by a link that is not
    let reply = world.member.get(&format!("{path}?link=x")).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_link_dies_with_the_bytes_that_it_was_made_for() {
    let world = World::build().await;
    let link = world.link(&world.member).await;
    world.upload(&BoxBuilder::new("virtualbox").seed(9).build()).await;
    world.assert_dead(&link, 401, "LINK_INVALID").await;
    world.upload(&world.file).await;
    world.assert_works(&link).await; // the same bytes again
    world.owner.release(&world.slot()).await;
    world.assert_works(&link).await;
    let revoke = "/api/organization/acme/box/web/version/1.0.0/revoke";
    assert_eq!(world.owner.put(revoke, &json!({})).await.status, 200);
    world.assert_dead(&link, 401, "LINK_INVALID").await;
    assert_eq!(world.owner.delete("/api/organization/acme/box/web").await.status, 200);
    world.assert_dead(&link, 404, "BOX_NOT_FOUND").await;
}

#[tokio::test]
async fn a_link_dies_with_the_right_of_its_maker() {
    let world = World::build().await;
    let link = world.link(&world.member).await;
    let path = "/api/organization/acme/members/member";
    assert_eq!(world.owner.delete(path).await.status, 200);
    world.assert_dead(&link, 404, "BOX_NOT_FOUND").await;
    let link = world.link(&world.owner).await;
    let suspended = world.root.put("/api/users/owner", &json!({ "suspended": true })).await;
    assert_eq!(suspended.status, 200, "{}", suspended.text());
    world.assert_dead(&link, 401, "LINK_INVALID").await;
}

#[tokio::test]
async fn a_link_dies_with_the_session_or_token_that_made_it() {
    let world = World::build().await;
    let session =
        world.server.anonymous().sign_in("member", boxvault_tests::server::PASSWORD).await;
    let link = world.link(&session).await;
    world.assert_works(&link).await;
    assert_eq!(session.post("/api/auth/signout", &json!({})).await.status, 200);
    world.assert_dead(&link, 401, "LINK_INVALID").await;
    let body =
        json!({ "description": "ci", "actions": ["read", "download"], "organization": "acme" });
    let made = world.member.post("/api/user/tokens", &body).await.data();
    let token = world.server.anonymous().with_token(made["token"].as_str().unwrap());
    let link = world.link(&token).await;
    world.assert_works(&link).await;
    let path = format!("/api/user/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(world.member.delete(&path).await.status, 200);
    world.assert_dead(&link, 401, "LINK_INVALID").await;
}

#[tokio::test]
async fn a_link_that_anybody_made_dies_when_the_box_is_private_again() {
    let world = World::build().await;
    world.owner.release(&world.slot()).await;
    let make = format!("{}/get-download-link", world.slot().file_path());
    assert_eq!(world.server.anonymous().get(&make).await.status, 404);
    let path = "/api/organization/acme/box/web";
    assert_eq!(world.owner.put(path, &json!({ "isPublic": true })).await.status, 200);
    let link = wait_for("the box to be public", DEADLINE, async || {
        let reply = world.server.anonymous().get(&make).await;
        (reply.status == 200).then(|| reply.data()["downloadUrl"].as_str().unwrap().to_owned())
    })
    .await;
    let link = link.strip_prefix(&world.server.url()).unwrap();
    world.assert_works(link).await;
    assert_eq!(world.owner.put(path, &json!({ "isPublic": false })).await.status, 200);
    wait_for("the link to be dead", DEADLINE, async || {
        (world.fetch(link).await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_link_works_for_as_long_as_the_configuration_says_and_after_a_restart() {
    let server = TestServer::builder().set("limits.download_link_ttl", "3 s").start().await;
    let world = World::on(server).await;
    let link = world.link(&world.member).await;
    world.assert_works(&link).await;
    world.assert_dead(&link, 401, "LINK_INVALID").await;
    let mut world = World::build().await;
    let link = world.link(&world.member).await;
    assert!(world.server.stop().await.success());
    world.server.restart().await;
    world.assert_works(&link).await;
}

#[tokio::test]
async fn curl_and_wget_fetch_by_a_link_and_the_log_does_not_know_it() {
    let server = TestServer::builder().set("log.filter", "trace").start().await;
    let world = World::on(server).await;
    let link = world.link(&world.member).await;
    let url = format!("{}{link}", world.server.url());
    let mut tried = 0;
    for (program, arguments) in [
        (
            "curl",
            &["--silent", "--show-error", "--fail", "--remote-name", "--remote-header-name"][..],
        ),
        ("wget", &["--quiet", "--content-disposition"]),
    ] {
        let Some(program) = workspace::find_program(program) else { continue };
        tried += 1;
        let folder = world.server.scratch().join(program.file_name().unwrap());
        std::fs::create_dir(&folder).unwrap();
        let output = tokio::process::Command::new(&program)
            .args(arguments)
            .arg(&url)
            .current_dir(&folder)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{program:?}: {output:?}");
        assert!(read_file(&folder.join("vagrant.box")) == world.file.bytes);
    }
    if tried == 0 {
        return skip(
            "curl_and_wget_fetch_by_a_link_and_the_log_does_not_know_it",
            "no curl, no wget",
        );
    }
    let token = link.split_once("?link=").unwrap().1;
    let signature = token.rsplit_once('.').unwrap().1;
    let log = world.server.log();
    assert!(log.contains("/file/download"), "the request is in the log");
    assert!(!log.contains(token) && !log.contains(signature), "the link is in the log");
}
