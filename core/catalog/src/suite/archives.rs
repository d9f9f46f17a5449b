//! Archives: what a box says of itself stays with its bytes, and goes with them.

use serde_json::json;

use super::fixture::{artifact, new_upload, put_blob, received, tree};
use super::on_each_database;
use crate::archives::{self, Archive};
use crate::uploads::Received;
use crate::{Catalog, blobs, uploads};

fn archive(format: &str) -> Archive {
    let metadata = json!({ "provider": "libvirt", "format": format, "disks": [{ "path": "a" }] });
    Archive {
        compression: "gzip".to_owned(),
        metadata: metadata.as_object().cloned().unwrap_or_default(),
    }
}

async fn put(catalog: &Catalog, id: boxvault_types::ids::ArtifactId, archive: Archive) {
    let upload = uploads::begin(catalog, new_upload(id)).await.unwrap();
    let received = Received { archive: Some(archive), ..received(1) };
    uploads::commit(catalog, upload.id, received).await.unwrap();
}

on_each_database! {
    async fn what_an_archive_says_is_kept_with_its_bytes(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let silent = put_blob(catalog, artifact(catalog, tree.provider.id, "arm64").await.id, 2).await;
        put(catalog, tree.artifact.id, archive("qcow2")).await;
        let artifact = crate::artifacts::find_by_id(catalog, tree.artifact.id).await.unwrap().unwrap();
        let blob = artifact.file.unwrap().stored.blob_id;
        let ids = [blob, silent.id];
        let found = archives::find_of(catalog, &ids).await.unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(blob, archive("qcow2"))]);
        // the same bytes once more say nothing else
        put(catalog, tree.artifact.id, archive("raw")).await;
        assert_eq!(archives::find_of(catalog, &ids).await.unwrap()[&blob], archive("qcow2"));
        assert!(archives::find_of(catalog, &[]).await.unwrap().is_empty());
        // and they go together
        crate::artifacts::delete(catalog, tree.artifact.id).await.unwrap();
        blobs::delete_if_unreferenced(catalog, blob).await.unwrap();
        assert!(archives::find_of(catalog, &ids).await.unwrap().is_empty());
    }
}
