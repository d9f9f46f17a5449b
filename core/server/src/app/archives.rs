//! What the archives of boxes say of themselves: kept when a file comes, shown with it.

use boxvault_catalog::{
    archives::{self, Archive},
    artifacts::{self, Artifact},
    boxes::OwnedBox,
    providers,
};
use boxvault_transfer::BoxArchive;
use boxvault_types::{
    ids::BlobId,
    params::ListQuery,
    version::BoxVersion,
    views::{
        PageView,
        boxes::VersionFileView,
        files::{ArchiveView, FileView},
    },
};
use serde_json::{Map, Value};

use super::{App, artifacts::Slot, lists};
use crate::error::{AppError, Result};

/// How much of a `metadata.json` is kept, in bytes of JSON: real ones take some hundred, and a list shows many.
const METADATA_BYTES_MAX: usize = 16 << 10;

/// What is kept of an archive that was looked into.
pub(super) fn kept(archive: BoxArchive) -> Archive {
    let compression = archive.compression.name().to_owned();
    let metadata = match archive.metadata {
        Value::Object(fields) if is_small(&fields) => fields,
        _ => Map::new(),
    };
    Archive { compression, metadata }
}

fn is_small(fields: &Map<String, Value>) -> bool {
    serde_json::to_vec(fields).is_ok_and(|text| text.len() <= METADATA_BYTES_MAX)
}

impl App {
    /// Every file of a version, and the places for those that are still to come, by provider and architecture.
    ///
    /// # Errors
    /// `VERSION_NOT_FOUND`.
    pub(crate) async fn list_version_files(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        query: ListQuery,
    ) -> Result<(Vec<VersionFileView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let version = self.version(found, number).await?;
        let listed = artifacts::list_of_version(&self.catalog, version.id, page).await?;
        let providers = listed.items.iter().map(|artifact| artifact.provider_id);
        let names = providers::names_of(&self.catalog, providers).await?;
        let blobs: Vec<BlobId> = listed.items.iter().filter_map(blob_of).collect();
        let known = archives::find_of(&self.catalog, &blobs).await?;
        let mut views = Vec::with_capacity(listed.items.len());
        for artifact in listed.items {
            let provider = names.get(&artifact.provider_id).cloned();
            let provider =
                provider.ok_or_else(|| AppError::internal("a file without a provider"))?;
            let archive = blob_of(&artifact).and_then(|blob| known.get(&blob)).cloned().map(view);
            let slot = Slot {
                version: version.number.clone(),
                provider,
                architecture: artifact.name.clone(),
            };
            views.push(VersionFileView {
                file: artifact.file.as_ref().map(|file| FileView {
                    archive,
                    ..self.file_view(found, &slot, file, artifact.downloads)
                }),
                provider: slot.provider.to_string(),
                architecture: artifact.name.to_string(),
                default_box: artifact.default_architecture,
            });
        }
        Ok((views, lists::view(page, listed.total)))
    }

    /// What the archive in a blob says of itself, if it is known.
    pub(super) async fn archive(&self, blob: BlobId) -> Result<Option<ArchiveView>> {
        Ok(archives::find_of(&self.catalog, &[blob]).await?.remove(&blob).map(view))
    }
}

fn blob_of(artifact: &Artifact) -> Option<BlobId> {
    artifact.file.as_ref().map(|file| file.stored.blob_id)
}

fn view(archive: Archive) -> ArchiveView {
    ArchiveView { compression: archive.compression, metadata: archive.metadata }
}

#[cfg(test)]
mod tests {
    use boxvault_transfer::Compression;
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_of_any_size_is_taken_and_only_a_small_one_is_kept() {
        let with = |text: &str| BoxArchive {
            compression: Compression::Xz,
            provider: "libvirt".to_owned(),
            architecture: None,
            metadata: json!({ "provider": "libvirt", "note": text }),
        };
        let small = kept(with("short"));
        assert_eq!((small.compression.as_str(), &small.metadata["note"]), ("xz", &json!("short")));
        assert!(kept(with(&"x".repeat(METADATA_BYTES_MAX))).metadata.is_empty());
    }
}
