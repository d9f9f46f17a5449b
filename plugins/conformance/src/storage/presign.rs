//! Presigned addresses: what somebody can do with one who has nothing else.

use std::time::Duration;

use boxvault_plugin_sdk::{
    Bytes, Capabilities, PartOptions, PluginErrorKind, PresignOptions, WriteOptions,
};
use reqwest::{
    Client, Method, Response,
    header::{CONTENT_DISPOSITION, RANGE},
    redirect::Policy,
};

use super::{Case, Entry, cases, ensure_kind, ensure_same};
use crate::{
    bytes::seeded,
    case::{Finding, Verdict, ensure, eventually},
};

pub(super) const CASES: &[Entry] = cases! {
    NONE:
        what_is_not_declared_is_unsupported;
    PRESIGN_READ:
        a_presigned_address_reads_the_object_and_nothing_else,
        a_presigned_address_ends_with_its_time;
    PRESIGN_WRITE:
        what_others_send_is_there_once_it_is_finished,
        a_part_that_is_sent_again_replaces_itself,
        what_others_began_can_be_thrown_away,
        an_address_of_what_is_finished_changes_nothing;
};

/// Longer than any case.
const LONG: Duration = Duration::from_mins(5);
/// What the store is asked to name the file.
const DISPOSITION: &str = "attachment; filename=\"vagrant.box\"";

async fn send(request: reqwest::RequestBuilder) -> Result<Response, Finding> {
    // the address is a secret of the store
    request.send().await.map_err(|error| Finding::Failed(error.without_url().to_string()))
}

fn client() -> Result<Client, Finding> {
    Client::builder()
        .redirect(Policy::none())
        .build()
        .map_err(|error| Finding::Failed(error.to_string()))
}

async fn status(method: Method, url: &str, body: Bytes) -> Result<u16, Finding> {
    Ok(send(client()?.request(method, url).body(body)).await?.status().as_u16())
}

async fn body(response: Response) -> Result<Bytes, Finding> {
    response.bytes().await.map_err(|error| Finding::Failed(error.without_url().to_string()))
}

/// Sends a part, as whoever has the address.
async fn put(url: &str, bytes: &Bytes) -> Verdict {
    let status = status(Method::PUT, url, bytes.clone()).await?;
    ensure!((200..300).contains(&status), "a part was answered with {status}");
    Ok(())
}

/// What the store answers when it refuses somebody.
fn refused(status: u16) -> bool {
    (400..500).contains(&status)
}

async fn a_presigned_address_reads_the_object_and_nothing_else(case: Case) -> Verdict {
    let bytes = seeded(80, 1000);
    case.put("object-a", &bytes).await?;
    case.put("object-b", &bytes).await?;
    let mut options = PresignOptions::expires_in(LONG);
    options.content_disposition = Some(DISPOSITION.to_owned());
    options.content_type = Some("application/octet-stream".to_owned());
    let url = case.store.presign_read(&case.key("object-a"), options).await?;

    let whole = send(client()?.get(&url)).await?;
    ensure!(whole.status().as_u16() == 200, "reading is answered with {}", whole.status());
    let disposition = whole.headers().get(CONTENT_DISPOSITION).cloned();
    let disposition = disposition.as_ref().and_then(|value| value.to_str().ok());
    ensure!(disposition == Some(DISPOSITION), "Content-Disposition is {disposition:?}");
    ensure_same(&body(whole).await?, &bytes, "the object")?;
    let part = send(client()?.get(&url).header(RANGE, "bytes=100-199")).await?;
    ensure!(part.status().as_u16() == 206, "a range is answered with {}", part.status());
    ensure_same(&body(part).await?, &bytes.slice(100..200), "a range of it")?;

    let other = url.replacen("object-a", "object-b", 1);
    let answer = status(Method::GET, &other, Bytes::new()).await?;
    ensure!(refused(answer), "another object is answered with {answer}");
    let answer = status(Method::PUT, &url, seeded(81, 10)).await?;
    ensure!(refused(answer), "writing with an address to read is answered with {answer}");
    let answer = status(Method::DELETE, &url, Bytes::new()).await?;
    ensure!(refused(answer), "deleting with an address to read is answered with {answer}");
    ensure_same(&case.get("object-a").await?, &bytes, "the object afterwards")
}

async fn a_presigned_address_ends_with_its_time(case: Case) -> Verdict {
    case.put("object", &seeded(82, 100)).await?;
    let options = PresignOptions::expires_in(Duration::from_secs(1));
    let url = case.store.presign_read(&case.key("object"), options).await?;
    eventually("the end of an address", || async {
        Ok(refused(status(Method::GET, &url, Bytes::new()).await?))
    })
    .await
}

async fn what_others_send_is_there_once_it_is_finished(case: Case) -> Verdict {
    let (store, key) = (&case.store, case.key("object"));
    let begun = store.begin_direct(&key, WriteOptions::with_size_hint(Some(100))).await?;
    let first = seeded(83, usize::try_from(begun.part_bytes).unwrap_or(usize::MAX));
    let second = seeded(84, 100);
    // in any order
    for (number, bytes) in [(2, &second), (1, &first)] {
        let options = PartOptions::new(number, Some(bytes.len() as u64), LONG);
        put(&store.presign_part(&key, &begun.token, options).await?, bytes).await?;
    }
    ensure_kind(store.stat(&key).await, PluginErrorKind::NotFound, "stat of what is unfinished")?;
    ensure!(case.names("").await?.is_empty(), "what is unfinished is listed as an object");
    ensure!(is_unfinished(&case, "object").await?, "what others send is not listed as unfinished");

    let size = (first.len() + second.len()) as u64;
    let meta = store.finish_direct(&key, &begun.token).await?;
    ensure!(meta.size == size, "it has {} bytes and not {size}", meta.size);
    let whole = case.get("object").await?;
    ensure_same(&whole, &[first, second].concat(), "both parts")?;
    ensure!(!is_unfinished(&case, "object").await?, "it is finished and unfinished");
    let again = store.finish_direct(&key, &begun.token).await?;
    ensure!(again.size == size, "finished again it has {} bytes", again.size);
    Ok(())
}

async fn a_part_that_is_sent_again_replaces_itself(case: Case) -> Verdict {
    let (store, key) = (&case.store, case.key("object"));
    let begun = store.begin_direct(&key, WriteOptions::default()).await?;
    let options = PartOptions::new(1, None, LONG);
    let url = store.presign_part(&key, &begun.token, options).await?;
    put(&url, &seeded(85, 500)).await?;
    let last = seeded(86, 300);
    put(&url, &last).await?;
    store.finish_direct(&key, &begun.token).await?;
    ensure_same(&case.get("object").await?, &last, "what was sent last")
}

async fn what_others_began_can_be_thrown_away(case: Case) -> Verdict {
    let (store, key) = (&case.store, case.key("object"));
    let begun = store.begin_direct(&key, WriteOptions::default()).await?;
    let finished = store.finish_direct(&key, &begun.token).await;
    ensure_kind(finished, PluginErrorKind::NotFound, "finishing what nobody sent")?;
    let options = PartOptions::new(1, Some(100), LONG);
    put(&store.presign_part(&key, &begun.token, options).await?, &seeded(87, 100)).await?;
    store.abort_unfinished(&key).await?;
    ensure!(!is_unfinished(&case, "object").await?, "it is still there");
    let finished = store.finish_direct(&key, &begun.token).await;
    ensure_kind(finished, PluginErrorKind::NotFound, "finishing what was thrown away")?;
    ensure_kind(store.stat(&key).await, PluginErrorKind::NotFound, "stat")
}

async fn an_address_of_what_is_finished_changes_nothing(case: Case) -> Verdict {
    let (store, key) = (&case.store, case.key("object"));
    let bytes = seeded(88, 400);
    let begun = store.begin_direct(&key, WriteOptions::default()).await?;
    let options = PartOptions::new(1, None, LONG);
    let url = store.presign_part(&key, &begun.token, options).await?;
    put(&url, &bytes).await?;
    store.finish_direct(&key, &begun.token).await?;
    // refused or not: what counts is what is there then
    status(Method::PUT, &url, seeded(89, 400)).await?;
    ensure_same(&case.get("object").await?, &bytes, "the object after a late part")?;
    // who finishes it again gets what is there
    let again = store.finish_direct(&key, &begun.token).await?;
    ensure!(again.size == 400, "finished again it has {} bytes", again.size);
    ensure_same(&case.get("object").await?, &bytes, "the object that was finished again")?;
    store.abort_unfinished(&key).await?;
    ensure_same(&case.get("object").await?, &bytes, "the object after the late part was removed")?;
    // a GET of an address to write tells nothing
    let answer = status(Method::GET, &url, Bytes::new()).await?;
    ensure!(refused(answer), "reading with an address to write is answered with {answer}");
    Ok(())
}

async fn is_unfinished(case: &Case, name: &str) -> Result<bool, Finding> {
    let key = case.key(name);
    let entries = case.store.list_unfinished(&key, None, 10).await?;
    Ok(entries.iter().any(|entry| entry.key == key))
}

async fn what_is_not_declared_is_unsupported(case: Case) -> Verdict {
    case.put("object", &seeded(81, 100)).await?;
    let (key, store) = (case.key("object"), &case.store);
    let declared = store.capabilities();
    let unsupported = PluginErrorKind::Unsupported;
    if !declared.contains(Capabilities::PRESIGN_READ) {
        let options = PresignOptions::expires_in(LONG);
        ensure_kind(store.presign_read(&key, options).await, unsupported, "presign")?;
    }
    if !declared.contains(Capabilities::PRESIGN_WRITE) {
        let begun = store.begin_direct(&key, WriteOptions::default()).await;
        ensure_kind(begun, unsupported, "begin direct")?;
        let part = store.presign_part(&key, "token", PartOptions::new(1, None, LONG)).await;
        ensure_kind(part, unsupported, "presign a part")?;
        ensure_kind(store.finish_direct(&key, "token").await, unsupported, "finish direct")?;
    }
    if !declared.contains(Capabilities::LOCAL_PATH) {
        ensure_kind(store.local_path(&key).await, unsupported, "local path")?;
    }
    if !declared.contains(Capabilities::LIST) {
        ensure_kind(store.list("", None, 10).await, unsupported, "list")?;
    }
    if !declared.contains(Capabilities::LIST_UNFINISHED) {
        let listed = store.list_unfinished("", None, 10).await;
        ensure_kind(listed, unsupported, "list unfinished")?;
        ensure_kind(store.abort_unfinished(&key).await, unsupported, "abort unfinished")?;
    }
    Ok(())
}
