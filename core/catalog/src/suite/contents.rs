//! Versions with all that is below them, and what a next file must hash to.

use boxvault_types::digest::{Checksum, ChecksumType};

use super::fixture::{artifact, provider, public_box, put_file, tree, version};
use super::on_each_database;
use crate::artifacts::{self, ArtifactChanges};
use crate::boxes::{self, VersionContents};
use crate::versions::{self, VersionStatus};

/// Each version with its architectures, the default one with a star.
fn shape(contents: &[VersionContents]) -> Vec<String> {
    let one = |contents: &VersionContents| {
        let below = contents.artifacts.iter().map(|one| {
            let star = if one.artifact.default_architecture { "*" } else { "" };
            let file = if one.artifact.file.is_some() { "+file" } else { "" };
            format!(" {}/{}{star}{file}", one.provider, one.artifact.name)
        });
        format!("{}{}", contents.version.number, below.collect::<String>())
    };
    contents.iter().map(one).collect()
}

on_each_database! {
    async fn a_box_is_loaded_with_all_below_it_in_three_queries(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = tree.vagrant_box.id;
        // the first of a provider is its default
        artifact(catalog, tree.provider.id, "i386").await;
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        let libvirt = provider(catalog, tree.version.id, "libvirt").await;
        artifact(catalog, libvirt.id, "arm64").await;
        versions::release(catalog, tree.version.id).await.unwrap();
        version(catalog, id, "1.10.0").await;
        let other = public_box(catalog, tree.organization.id, "other").await;
        version(catalog, other.id, "9.0.0").await;

        let (all, queries) = db.count_statements(boxes::contents(catalog, id, None)).await;
        let first = "1.0.0 libvirt/arm64* virtualbox/i386 virtualbox/amd64*+file";
        assert_eq!(shape(&all.unwrap()), ["1.10.0", first]);
        assert_eq!(queries, 3);
        let released = boxes::contents(catalog, id, Some(VersionStatus::Released)).await.unwrap();
        assert_eq!(shape(&released), [first]);
        let one = boxes::contents_of_version(catalog, tree.version.id).await.unwrap().unwrap();
        assert_eq!(shape(&[one]), [first]);
    }

    async fn the_newest_release_of_each_box_is_by_number_and_not_by_time(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let other = public_box(catalog, tree.organization.id, "other").await;
        for (number, is_released) in [("1.10.0", true), ("1.9.0", true), ("2.0.0", false)] {
            let made = version(catalog, tree.vagrant_box.id, number).await;
            let below = provider(catalog, made.id, "virtualbox").await;
            let amd64 = artifact(catalog, below.id, "amd64").await;
            put_file(catalog, amd64.id, 1).await.unwrap();
            if is_released {
                versions::release(catalog, made.id).await.unwrap();
            }
        }
        let ids = [tree.vagrant_box.id, other.id];
        let (newest, queries) = db.count_statements(boxes::newest_releases(catalog, &ids)).await;
        let newest = newest.unwrap();
        assert_eq!((newest.len(), queries), (1, 3));
        assert_eq!(newest[&tree.vagrant_box.id].version.number.as_str(), "1.10.0");
        assert!(boxes::newest_releases(catalog, &[]).await.unwrap().is_empty());
    }

    async fn what_a_next_file_must_hash_to_waits_for_it_and_goes_with_it(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let expected = Checksum::parse(ChecksumType::Md5, &"ab".repeat(16)).unwrap();
        let changes =
            ArtifactChanges { expected: Some(expected.clone()), ..ArtifactChanges::default() };
        artifacts::update(catalog, tree.artifact.id, changes).await.unwrap();
        let find = async || artifacts::find_by_id(catalog, tree.artifact.id).await.unwrap().unwrap();
        assert_eq!(find().await.expected, Some(expected));
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        assert_eq!(find().await.expected, None);
    }
}
