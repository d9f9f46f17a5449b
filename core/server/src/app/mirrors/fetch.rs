//! Files of a mirror: one request to the upstream for all who wait, and each follows the bytes as they come.
//!
//! ```text
//! upstream ──▶ spool (a file without a name, in the data folder) ──▶ each client, at its own pace
//!         └──▶ an upload like any other: checks, store, one transaction
//! ```
//!
//! The spool lets a client that comes late begin at the first byte, and a slow one hold up nobody. Its last bytes are
//! held back until the file has been checked and stored: a client never has the whole of a wrong one, and notices, since
//! its connection is cut. Whether anybody still waits makes no difference: what was begun is brought here.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, path::Path, sync::Arc, time::Duration};

use boxvault_catalog::{artifacts::Gate, audit::NewEntry, boxes::OwnedBox, mirrors::Mirror};
use boxvault_types::{
    action::{Action, Resource},
    digest::{ChecksumType, Digest},
    error::ErrorCode,
    ids::ArtifactId,
    names::{ArchitectureName, ProviderName},
    version::BoxVersion,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::{io::AsyncWriteExt, sync::watch};
use tracing::warn;

use super::{App, Asked, away};
use crate::{
    app::{artifacts::Slot, audit::By, uploads::Declared},
    error::{AppError, Result},
    upstream::{FileBody, Reader, UpstreamError, UpstreamFile},
};

/// How many bytes a client does not get before all of them were checked.
const HELD_BACK_BYTES: u64 = 64 << 10;
/// How much is read from the spool at once.
const READ_BYTES: u64 = 256 << 10;
/// How often a file is asked for again from where its connection broke; more is no upstream that one can have.
const RESUMES_MAX: u32 = 20;
/// The folder of spools, in the data folder.
const FOLDER: &str = "mirror";

/// How far a file has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// The upstream was asked.
    Asked,
    /// It comes.
    Coming { length: Option<u64>, written: u64 },
    /// It was checked, and is stored.
    Stored { size_bytes: u64 },
    /// It does not come, or is not what it should be.
    Failed { code: ErrorCode, message: String, retry_after: Option<Duration> },
}

impl Phase {
    /// Why a file did not come, to each who waits for it.
    fn error(&self) -> AppError {
        let Self::Failed { code, message, retry_after } = self else {
            return AppError::internal("nothing failed");
        };
        let error = AppError::new(*code, message);
        match retry_after {
            Some(after) => error.with_retry_after(*after),
            None => error,
        }
    }
}

/// A file that comes from an upstream.
#[derive(Debug)]
pub(crate) struct Fetch {
    /// What is fetched.
    pub(crate) artifact: ArtifactId,
    /// What it will hash to, where the upstream says so.
    pub(crate) digest: Option<Digest>,
    spool: Arc<File>,
    phase: watch::Receiver<Phase>,
}

/// Where a file is that was asked for.
pub(crate) enum Fetched {
    /// It came meanwhile.
    Here,
    /// It comes.
    Coming(Arc<Fetch>),
}

/// Whether somebody waits who would rather hear that there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// A client does.
    Now,
    /// Nobody does.
    Patient,
}

impl Fetch {
    /// Whether somebody still brings it.
    fn is_alive(&self) -> bool {
        self.phase.has_changed().is_ok()
    }

    /// Waits until the first bytes come. Tells how many all of them are, where the upstream says so.
    ///
    /// # Errors
    /// Why nothing comes.
    pub(crate) async fn opened(&self) -> Result<Option<u64>> {
        let mut phase = self.phase.clone();
        loop {
            match &*phase.borrow_and_update() {
                Phase::Asked => {}
                Phase::Coming { length, .. } => return Ok(*length),
                Phase::Stored { size_bytes } => return Ok(Some(*size_bytes)),
                failed @ Phase::Failed { .. } => return Err(failed.error()),
            }
            phase.changed().await.map_err(AppError::internal)?;
        }
    }

    /// Waits until it is here, or is known not to come.
    ///
    /// # Errors
    /// Why it did not come.
    pub(super) async fn ended(&self) -> Result<u64> {
        let mut phase = self.phase.clone();
        loop {
            match &*phase.borrow_and_update() {
                Phase::Stored { size_bytes } => return Ok(*size_bytes),
                failed @ Phase::Failed { .. } => return Err(failed.error()),
                Phase::Asked | Phase::Coming { .. } => {}
            }
            phase.changed().await.map_err(AppError::internal)?;
        }
    }

    /// The bytes of a range as they come; `u64::MAX` is the end. It fails where the file does.
    pub(crate) fn follow(
        self: &Arc<Self>,
        range: Range<u64>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let follower = (Arc::clone(self), self.phase.clone(), range);
        stream::try_unfold(follower, |(fetch, mut phase, mut range)| async move {
            loop {
                let (there, is_all) = match &*phase.borrow_and_update() {
                    Phase::Asked => (0, false),
                    Phase::Coming { written, .. } => {
                        (written.saturating_sub(HELD_BACK_BYTES), false)
                    }
                    Phase::Stored { size_bytes } => (*size_bytes, true),
                    Phase::Failed { message, .. } => return Err(io::Error::other(message.clone())),
                };
                let there = there.min(range.end);
                if range.start < there {
                    let length = (there - range.start).min(READ_BYTES);
                    let bytes = read(&fetch.spool, range.start, length).await?;
                    range.start += length;
                    return Ok(Some((bytes, (fetch, phase, range))));
                }
                if is_all || range.start >= range.end {
                    return Ok(None);
                }
                phase.changed().await.map_err(io::Error::other)?;
            }
        })
    }
}

/// The digest that a file will have, where the upstream says so.
pub(crate) fn digest_of(file: &UpstreamFile) -> Option<Digest> {
    let checksum = file.checksum.as_ref()?;
    if checksum.kind() != ChecksumType::Sha256 {
        return None;
    }
    Digest::from_hex(checksum.hex())
}

async fn read(spool: &Arc<File>, from: u64, length: u64) -> io::Result<Bytes> {
    let spool = Arc::clone(spool);
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = vec![0; length];
        spool.read_exact_at(&mut bytes, from)?;
        Ok(Bytes::from(bytes))
    });
    read.await.map_err(io::Error::other)?
}

impl App {
    /// The file that an upstream offers at a path of a mirrored box, if it does.
    pub(crate) async fn offered_file(
        self: &Arc<Self>,
        found: &OwnedBox,
        (version, provider, architecture): (&BoxVersion, &ProviderName, Option<&ArchitectureName>),
    ) -> Result<Option<UpstreamFile>> {
        // what was found above may be older than what is offered
        self.refresh_mirrored(found).await?;
        let offered = self.offered(&found.organization, found.vagrant_box.id).await?;
        Ok(offered.and_then(|offered| offered.file(version, provider, architecture).cloned()))
    }

    /// Begins to bring a file here, or joins those who wait for it.
    ///
    /// # Errors
    /// `BUSY` where too many come already; `UPSTREAM_UNAVAILABLE` while the upstream is left alone. What else is wrong is
    /// told by the fetch.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        found: &Arc<OwnedBox>,
        version: &BoxVersion,
        file: UpstreamFile,
        haste: Haste,
    ) -> Result<Fetched> {
        let slot = Slot {
            version: version.clone(),
            provider: file.provider.clone(),
            architecture: file.architecture.clone(),
        };
        if self.locate(found, &slot).await?.is_none() {
            self.offer_again(found, version).await?;
        }
        let waited = match haste {
            Haste::Patient => Some(self.mirrors.permit().await?),
            Haste::Now => None,
        };
        // held while the catalog is asked: what is being fetched is in the map until it is in the catalog
        let mut fetches = self.mirrors.fetches.lock().await;
        let artifact = self.architecture(found, &slot).await?;
        if artifact.file.is_some() {
            return Ok(Fetched::Here);
        }
        if let Some(running) = fetches.get(&artifact.id).filter(|fetch| fetch.is_alive()) {
            return Ok(Fetched::Coming(Arc::clone(running)));
        }
        let mirror = self.mirror_of(found.organization.id).await?;
        let mirror = mirror.ok_or_else(|| AppError::internal("a mirror ended"))?;
        let about = (mirror.organization_id, found.vagrant_box.name.key());
        self.refuse_resting(&mirror, &about)?;
        let permit = waited.map_or_else(|| self.mirrors.permit_now(), Ok)?;
        let asked = self.asked(&mirror).await?;
        let (write, spool) = spool(&self.config.server.data_dir).await.map_err(|error| {
            AppError::new(ErrorCode::StoreUnavailable, "there is no place for what is fetched")
                .with_source(error)
        })?;
        let (tell, phase) = watch::channel(Phase::Asked);
        let fetch =
            Arc::new(Fetch { artifact: artifact.id, digest: digest_of(&file), spool, phase });
        fetches.insert(artifact.id, Arc::clone(&fetch));
        let (app, found) = (Arc::clone(self), Arc::clone(found));
        tokio::spawn(async move {
            let errand = Errand { app: &app, mirror: &mirror, asked: &asked, found: &found, slot };
            let outcome = Box::pin(errand.bring(&file, (write, &tell))).await;
            drop(permit);
            if let Err(error) = &outcome {
                warn!(
                    box.name = %found.vagrant_box.name, organization = %found.organization.name,
                    code = error.code().as_str(), cause = error.causes(),
                    "could not bring a file of a mirror: {error}"
                );
            }
            app.mirrors.fetches.lock().await.remove(&artifact.id);
            tell.send_replace(match outcome {
                Ok(size_bytes) => Phase::Stored { size_bytes },
                Err(error) => Phase::Failed {
                    code: error.code(),
                    message: error.message().to_owned(),
                    retry_after: error.retry_after(),
                },
            });
        });
        Ok(Fetched::Coming(fetch))
    }
}

/// A file that is brought here.
struct Errand<'a> {
    app: &'a Arc<App>,
    mirror: &'a Mirror,
    asked: &'a Asked,
    found: &'a OwnedBox,
    slot: Slot,
}

impl Errand<'_> {
    /// Brings it, by an upload like any other. Tells how long it is.
    async fn bring(
        &self,
        file: &UpstreamFile,
        (write, tell): (tokio::fs::File, &watch::Sender<Phase>),
    ) -> Result<u64> {
        let body = self.asked.reader.file(&file.url, 0).await;
        let body = body.map_err(|error| self.failed(error))?;
        let length = body.length;
        let declared = Declared {
            length,
            checksum: file.checksum.clone(),
            gate: Gate::Mirrored,
            ..Declared::default()
        };
        let stream = spooled(resumed(&self.asked.reader, file, body), write, tell, length);
        let audit = self.audit(file);
        match self.app.upload(self.found, &self.slot, declared, None, audit, stream).await {
            Ok(view) => Ok(view.file.file_size),
            Err(error) => match error.code() {
                // what an uploader would be told to do is nothing that a client could
                ErrorCode::LengthMismatch | ErrorCode::ClientTooSlow => {
                    Err(away(self.mirror).with_source(error))
                }
                // another server was faster, with the same
                ErrorCode::LostRace => self.stands(file).await?.ok_or(error),
                _ => Err(error),
            },
        }
    }

    fn failed(&self, error: UpstreamError) -> AppError {
        if error.is_not_found() {
            return AppError::new(
                ErrorCode::FileNotFound,
                format!("{} does not have this file any more", self.mirror.url),
            );
        }
        let about = (self.mirror.organization_id, self.found.vagrant_box.name.key());
        self.app.upstream_failed(self.mirror, about, error)
    }

    /// How long the file is that stands, if it is the one that was wanted.
    async fn stands(&self, file: &UpstreamFile) -> Result<Option<u64>> {
        let located = self.app.locate(self.found, &self.slot).await?;
        let stored = located.and_then(|located| located.artifact.file).map(|file| file.stored);
        let same = stored.filter(|stored| digest_of(file) == Some(stored.digest));
        Ok(same.and_then(|stored| u64::try_from(stored.size_bytes).ok()))
    }

    fn audit(&self, file: &UpstreamFile) -> NewEntry {
        let (organization, slot) = (&self.found.organization, &self.slot);
        let resource = Resource::File(
            organization.name.clone(),
            self.found.vagrant_box.name.clone(),
            slot.version.clone(),
            slot.provider.clone(),
            slot.architecture.clone(),
        );
        let entry = NewEntry {
            organization: Some(organization.name.clone()),
            organization_id: Some(organization.id),
            status: Some(200),
            ..self.app.own_entry(By::Server, Action::Upload, &resource.object())
        };
        entry.with_detail("from", file.url.host_str().unwrap_or_default())
    }
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// The bytes of a file. Where its connection breaks it is asked for again from there on, as long as that brings
/// something, if its checksum is known: else nobody could tell whether both parts are of one file.
fn resumed<'a>(
    reader: &'a Reader,
    file: &'a UpstreamFile,
    body: FileBody,
) -> impl Stream<Item = std::result::Result<Bytes, UpstreamError>> + Send + Unpin + 'a {
    let resumes = if file.checksum.is_some() { RESUMES_MAX } else { 0 };
    let start = (body.into_stream().boxed(), 0_u64, 0_u64, resumes);
    stream::try_unfold(start, move |(mut body, mut at, mut since, mut left)| async move {
        loop {
            let cause = match body.next().await.transpose() {
                Ok(None) => return Ok(None),
                Ok(Some(chunk)) => {
                    at += chunk.len() as u64;
                    return Ok(Some((chunk, (body, at, since, left))));
                }
                Err(cause) => cause,
            };
            if at == since || left == 0 {
                return Err(cause);
            }
            (since, left) = (at, left - 1);
            match reader.file(&file.url, at).await {
                Ok(rest) if rest.from == at => body = rest.into_stream().boxed(),
                _ => return Err(cause),
            }
        }
    })
    .boxed()
}

/// The bytes of an upstream, each written to the spool and told of before it goes on.
fn spooled<'a>(
    body: impl Stream<Item = std::result::Result<Bytes, UpstreamError>> + Send + Unpin + 'a,
    write: tokio::fs::File,
    tell: &'a watch::Sender<Phase>,
    length: Option<u64>,
) -> impl Stream<Item = std::result::Result<Bytes, BoxedError>> + Send + Unpin + 'a {
    let start = (body, write, 0_u64);
    stream::try_unfold(start, move |(mut body, mut write, mut written)| async move {
        if written == 0 {
            // whoever reads this has taken the file: its length, its place and the quota
            tell.send_replace(Phase::Coming { length, written });
        }
        let Some(chunk) = body.next().await.transpose()? else {
            return Ok::<_, BoxedError>(None);
        };
        write.write_all(&chunk).await?;
        write.flush().await?;
        written += chunk.len() as u64;
        tell.send_replace(Phase::Coming { length, written });
        Ok(Some((chunk, (body, write, written))))
    })
    .boxed()
}

/// A new file that nobody else can open and that goes with this process: one end to write, one to read.
async fn spool(data_dir: &Path) -> io::Result<(tokio::fs::File, Arc<File>)> {
    let folder = data_dir.join(FOLDER);
    tokio::fs::create_dir_all(&folder).await?;
    let path = folder.join(uuid::Uuid::new_v4().simple().to_string());
    let write = tokio::fs::OpenOptions::new()
        .create_new(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .await?;
    tokio::fs::remove_file(&path).await?;
    let read = write.try_clone().await?.into_std().await;
    Ok((write, Arc::new(read)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn followers_get_all_but_the_last_bytes_until_the_file_was_checked() {
        let folder = tempfile::tempdir().unwrap();
        let (mut write, spool) = spool(folder.path()).await.unwrap();
        assert_eq!(std::fs::read_dir(folder.path().join(FOLDER)).unwrap().count(), 0);
        let (tell, phase) = watch::channel(Phase::Asked);
        let fetch = Arc::new(Fetch { artifact: ArtifactId::new(), digest: None, spool, phase });
        let size = 3 * HELD_BACK_BYTES;
        write.write_all(&vec![7; usize::try_from(size).unwrap()]).await.unwrap();
        write.flush().await.unwrap();
        let take = |range: Range<u64>| {
            let fetch = Arc::clone(&fetch);
            tokio::spawn(async move {
                let all: Vec<_> = fetch.follow(range).collect().await;
                let failed = all.iter().any(std::result::Result::is_err);
                let bytes: usize = all.iter().flatten().map(Bytes::len).sum();
                (bytes as u64, failed)
            })
        };
        // a part that lies before what is held back needs not wait
        tell.send_replace(Phase::Coming { length: None, written: size });
        assert_eq!(take(10..HELD_BACK_BYTES).await.unwrap(), (HELD_BACK_BYTES - 10, false));
        let (good, late) = (take(0..u64::MAX), take(size - 1..u64::MAX));
        tell.send_replace(Phase::Stored { size_bytes: size });
        assert_eq!(good.await.unwrap(), (size, false));
        assert_eq!(late.await.unwrap(), (1, false));

        tell.send_replace(Phase::Coming { length: None, written: size });
        let bad = take(0..u64::MAX);
        let told = Phase::Failed {
            code: ErrorCode::ChecksumMismatch,
            message: "no".to_owned(),
            retry_after: None,
        };
        tell.send_replace(told);
        let (bytes, failed) = bad.await.unwrap();
        assert!(failed && bytes < size, "{bytes}");
    }
}
