//! What answers are held to, and what is looked at after something broke: that it was said well, that what was
//! acknowledged is there, and that nothing is left over.

use std::time::Duration;

use crate::{Client, Publication, Reply, TestServer, wait_for};

/// How long a busy machine may take until a server knows that a part came or went.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Insists on a refusal that its reader can do something with.
#[track_caller]
pub fn assert_refused(reply: &Reply, statuses: &[u16], codes: &[&str]) {
    assert!(statuses.contains(&reply.status), "{}: {}", reply.status, reply.text());
    assert!(codes.contains(&&*reply.code()), "{}", reply.text());
    let body = reply.json();
    let told = ["/error/request_id", "/message"].map(|place| body.pointer(place));
    assert!(told.iter().flatten().filter(|text| text.is_string()).count() == 2, "{body}");
}

/// Uploads a file in one request.
pub async fn upload(caller: &Client, at: &Publication<'_>, file: &[u8]) -> Reply {
    caller.upload(&format!("{}/upload", at.file_path()), file.to_vec(), &[]).await
}

/// Downloads a file.
pub async fn download(caller: &Client, at: &Publication<'_>) -> Reply {
    caller.get(&format!("{}/download", at.file_path())).await
}

/// Waits until a server says of its parts what it should; gives what it says.
pub async fn ready(server: &TestServer, status: u16) -> serde_json::Value {
    let client = server.anonymous();
    wait_for(&format!("/health/ready with {status}"), DEADLINE, async || {
        let reply = client.try_get("/health/ready").await?;
        (reply.status == status).then(|| reply.data())
    })
    .await
}

/// A sweep of everything that no row needs, and a check that reads every byte. Tells what the check said.
pub async fn swept_and_clean(server: &TestServer) -> String {
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    let fsck = server.command(&["fsck", "--rehash"], "").await;
    let said = String::from_utf8_lossy(&fsck.stdout).into_owned();
    assert!(fsck.status.success(), "{said}");
    assert!(said.contains("clean:") && said.contains(" 0 left over"), "{said}");
    said
}

/// Insists on a status, and gives the answer back.
#[track_caller]
pub fn expect(status: u16, reply: Reply) -> Reply {
    assert_eq!(reply.status, status, "{}", reply.text());
    reply
}

/// Insists that a value was refused, by the name of its field or of a part of it.
#[track_caller]
pub fn assert_field_refused(reply: &Reply, field: &str) {
    assert_eq!((reply.status, &*reply.code()), (400, "INVALID_INPUT"), "{}", reply.text());
    let body = reply.json();
    let fields = body.pointer("/error/fields").and_then(serde_json::Value::as_object);
    let fields = fields.unwrap_or_else(|| panic!("{body}"));
    assert!(fields.keys().any(|key| key.starts_with(field)), "{field}: {body}");
}
