//! What Vagrant reads to find out which box to fetch, and the memory that makes it fast.
//!
//! Kept are boxes as decisions need them, rendered documents, and where files are; each for a second ([`TTL`]), so that what another
//! instance changed shows within it. What this instance changes is forgotten at once, and a document that was read
//! while something changed is not kept at all (the generation).

use std::{
    collections::BTreeMap,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use boxvault_catalog::{
    artifacts::{self, ArtifactPath, Located},
    boxes::{self, ArtifactDescription, BoxDescription, OwnedBox, VersionDescription},
};
use boxvault_types::{
    ids::BoxId,
    names::{ArchitectureName, BoxName, OrganizationName, ProviderName},
    version::BoxVersion,
};
use bytes::Bytes;
use quick_cache::sync::Cache;
use serde::Serialize;

use super::App;
use crate::{
    error::{AppError, Result},
    upstream::{UpstreamBox, UpstreamFile},
};

/// How long a thing may be used without asking the catalog again.
const TTL: Duration = Duration::from_secs(1);
/// How many boxes, how many documents and how many files are kept.
const ENTRIES_MAX: usize = 4096;

/// Which clients a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flavor {
    /// Before 2.4: one entry for each provider, no architectures, since these clients take the last entry of a name.
    Legacy,
    /// 2.4 and later: every architecture, the default one last.
    Architectures,
}

type BoxKey = (String, String);
type DocumentKey = (Flavor, String, String, String);
/// The names of a path, as they compare, with the slash that none of them holds between them.
type FileKey = String;
/// What the catalog said, that there is no such thing included, and until when that may be used.
#[derive(Clone)]
struct Kept<T> {
    until: Instant,
    answer: Option<T>,
}

/// See the module.
pub(crate) struct CatalogueCache {
    generation: AtomicU64,
    boxes: Cache<BoxKey, Kept<Arc<OwnedBox>>>,
    documents: Cache<DocumentKey, Kept<Bytes>>,
    files: Cache<FileKey, Kept<Arc<Located>>>,
}

impl CatalogueCache {
    /// Knows nothing.
    pub(crate) fn new() -> Self {
        Self {
            generation: AtomicU64::new(0),
            boxes: Cache::new(ENTRIES_MAX),
            documents: Cache::new(ENTRIES_MAX),
            files: Cache::new(ENTRIES_MAX),
        }
    }

    /// Forgets everything: a box, a version or a file has changed.
    pub(crate) fn clear(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.boxes.clear();
        self.documents.clear();
        self.files.clear();
    }

    fn keep<K: Hash + Eq, V: Clone>(
        &self,
        cache: &Cache<K, Kept<V>>,
        key: K,
        value: Option<V>,
        generation: u64,
    ) {
        if self.generation.load(Ordering::SeqCst) == generation {
            cache.insert(key, Kept { until: Instant::now() + TTL, answer: value });
        }
    }
}

fn fresh<K: Hash + Eq, V: Clone>(cache: &Cache<K, Kept<V>>, key: &K) -> Option<Kept<V>> {
    cache.get(key).filter(|kept| kept.until > Instant::now())
}

#[derive(Serialize)]
struct Document<'a> {
    name: String,
    description: &'a str,
    short_description: &'a str,
    versions: Vec<Version<'a>>,
}

#[derive(Serialize)]
struct Version<'a> {
    #[serde(rename = "version")]
    number: &'a str,
    status: &'static str,
    description_markdown: &'a str,
    providers: Vec<Provider<'a>>,
}

#[derive(Serialize)]
struct Provider<'a> {
    name: &'a str,
    url: String,
    // what an upstream says nothing of is known when the file has come
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_architecture: Option<bool>,
}

impl App {
    /// A box as decisions about reading need it, also by a name that it had before; at most a second old.
    pub(crate) async fn box_for_reading(
        &self,
        organization: &OrganizationName,
        name: &BoxName,
    ) -> Result<Option<Arc<OwnedBox>>> {
        let key = (organization.key(), name.key());
        if let Some(known) = fresh(&self.catalogues.boxes, &key) {
            return Ok(known.answer);
        }
        let generation = self.catalogues.generation.load(Ordering::SeqCst);
        let found = boxes::find_by_any_name(&self.catalog, organization, name).await?.map(Arc::new);
        self.catalogues.keep(&self.catalogues.boxes, key, found.clone(), generation);
        Ok(found)
    }

    /// Where a file was at most a second ago, if anybody asked then.
    pub(crate) fn known_location(&self, path: &ArtifactPath<'_>) -> Option<Arc<Located>> {
        fresh(&self.catalogues.files, &file_key(path))?.answer
    }

    /// Where a file is.
    pub(crate) async fn location(&self, path: ArtifactPath<'_>) -> Result<Option<Arc<Located>>> {
        let generation = self.catalogues.generation.load(Ordering::SeqCst);
        let found = artifacts::locate(&self.catalog, path).await?.map(Arc::new);
        self.catalogues.keep(&self.catalogues.files, file_key(&path), found.clone(), generation);
        Ok(found)
    }

    /// Vagrant's document of a box, as JSON; `None` if there is no such box. `base` begins its URLs.
    ///
    /// It shows the names that the box was asked for by: Vagrant refuses a box of another name, and what it has
    /// fetched of a file it continues at the same URL only.
    pub(crate) async fn catalogue(
        &self,
        id: BoxId,
        (organization, name): (&OrganizationName, &BoxName),
        flavor: Flavor,
        base: &str,
    ) -> Result<Option<Bytes>> {
        let key = (flavor, organization.key(), name.key(), base.to_owned());
        if let Some(known) = fresh(&self.catalogues.documents, &key) {
            return Ok(known.answer);
        }
        let generation = self.catalogues.generation.load(Ordering::SeqCst);
        let document = match boxes::describe(&self.catalog, id).await? {
            Some(described) => {
                let offered = self.offered(&described.organization, id).await?;
                Some(render(&described, offered.as_ref(), (organization, name), (flavor, base))?)
            }
            None => None,
        };
        self.catalogues.keep(&self.catalogues.documents, key, document.clone(), generation);
        Ok(document)
    }
}

fn file_key(path: &ArtifactPath<'_>) -> FileKey {
    let (organization, vagrant_box) = (path.organization.as_str(), path.box_name.as_str());
    let architecture = path.architecture.map_or("", ArchitectureName::as_str);
    format!("{organization}/{vagrant_box}/{}/{}/{architecture}", path.version, path.provider)
        .to_ascii_lowercase()
}

/// The document: what is here, and what a mirror's upstream offers.
fn render(
    described: &BoxDescription,
    offered: Option<&UpstreamBox>,
    (organization, name): (&OrganizationName, &BoxName),
    (flavor, base): (Flavor, &str),
) -> Result<Bytes> {
    let base = format!("{base}/{organization}/boxes/{name}");
    let mut versions: BTreeMap<String, (&BoxVersion, &str, Vec<Entry<'_>>)> = BTreeMap::new();
    for VersionDescription { version, artifacts } in &described.versions {
        let entries = artifacts.iter().map(Entry::here).collect();
        let text = (&version.number, &*version.description, entries);
        versions.insert(version.number.sort_key(), text);
    }
    for version in offered.iter().flat_map(|offered| &offered.versions) {
        let (_, _, entries) = versions
            .entry(version.number.sort_key())
            .or_insert_with(|| (&version.number, &version.description, Vec::new()));
        for file in &version.files {
            let platform = (file.provider.key(), file.architecture.key());
            if !entries.iter().any(|entry| entry.platform() == platform) {
                entries.push(Entry::there(file));
            }
        }
    }
    let document = Document {
        name: format!("{organization}/{name}"),
        description: &described.vagrant_box.description,
        short_description: &described.vagrant_box.short_description,
        versions: versions
            .into_values()
            .rev()
            .map(|(number, description, entries)| Version {
                number: number.as_str(),
                status: "active",
                description_markdown: description,
                providers: providers(number, entries, flavor, &base),
            })
            .filter(|version| !version.providers.is_empty())
            .collect(),
    };
    serde_json::to_vec(&document).map(Bytes::from).map_err(AppError::internal)
}

/// A file that clients are told of.
struct Entry<'a> {
    provider: &'a ProviderName,
    architecture: &'a ArchitectureName,
    is_default: bool,
    checksum: Option<(&'static str, String)>,
}

impl<'a> Entry<'a> {
    fn here(artifact: &'a ArtifactDescription) -> Self {
        Self {
            provider: &artifact.provider,
            architecture: &artifact.architecture,
            is_default: artifact.default_architecture,
            checksum: Some(("sha256", artifact.file.digest.to_hex())),
        }
    }

    fn there(file: &'a UpstreamFile) -> Self {
        let checksum = file.checksum.as_ref();
        Self {
            provider: &file.provider,
            architecture: &file.architecture,
            is_default: file.is_default,
            checksum: checksum.map(|sum| (sum.kind().as_str(), sum.hex().to_owned())),
        }
    }

    fn platform(&self) -> (String, String) {
        (self.provider.key(), self.architecture.key())
    }
}

/// The entries of one version, the default architecture of each provider last.
fn providers<'a>(
    number: &BoxVersion,
    mut entries: Vec<Entry<'a>>,
    flavor: Flavor,
    base: &str,
) -> Vec<Provider<'a>> {
    entries.sort_by(|a, b| {
        (a.provider, a.is_default, a.architecture).cmp(&(b.provider, b.is_default, b.architecture))
    });
    let lasts: Vec<bool> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            entries.get(index + 1).is_none_or(|next| next.provider != entry.provider)
        })
        .collect();
    entries
        .into_iter()
        .zip(lasts)
        .filter(|(_, is_last)| flavor == Flavor::Architectures || *is_last)
        .map(|(entry, is_last)| {
            let Entry { provider, architecture, checksum, .. } = entry;
            let (checksum_type, checksum) = checksum.unzip();
            Provider {
                name: provider.as_str(),
                url: format!(
                    "{base}/versions/{number}/providers/{provider}/{architecture}/vagrant.box"
                ),
                checksum,
                checksum_type,
                // where the default one has no file yet, the last one stands in for it: clients need exactly one
                architecture: (flavor == Flavor::Architectures).then(|| architecture.as_str()),
                default_architecture: (flavor == Flavor::Architectures).then_some(is_last),
            }
        })
        .collect()
}
