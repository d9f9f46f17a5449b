//! Mirrors: what they offer, what becomes of it, and what stays when one ends.

use boxvault_types::ids::{BoxId, OrganizationId};
use chrono::TimeDelta;

use super::fixture::{
    architecture, box_name, new_upload, number, organization_name, provider_name, public_box,
    received, tree,
};
use super::on_each_database;
use crate::artifacts::{self, ArtifactPath, Gate, Located};
use crate::mirrors::{self, MirroredBox, NewMirror, Offer, OfferedFile};
use crate::uploads::{self, NewUpload, Received};
use crate::versions::{self, VersionFilter, VersionStatus};
use crate::{Catalog, CatalogError, ConflictReason, Page, boxes};

fn new_mirror(organization_id: OrganizationId, sync_seconds: i64) -> NewMirror {
    NewMirror {
        organization_id,
        url: "https://boxes.example.com/acme".to_owned(),
        token: Some(vec![1, 2, 3]),
        is_public: true,
        license: None,
        sync_seconds,
    }
}

fn told(catalog: &Catalog, box_id: BoxId, document: &str) -> MirroredBox {
    MirroredBox {
        box_id,
        url: "https://boxes.example.com/api/v2/vagrant/acme/mirrored".to_owned(),
        document: document.to_owned(),
        etag: Some("\"1\"".to_owned()),
        license: Some("MIT".to_owned()),
        checked_at: catalog.now(),
    }
}

fn offer(version: &str, files: &[(&str, &str, bool)]) -> Offer {
    let file = |(provider, name, is_default): &(&str, &str, bool)| OfferedFile {
        provider: provider_name(provider),
        architecture: architecture(name),
        default_architecture: *is_default,
    };
    Offer {
        number: number(version),
        description: version.to_owned(),
        files: files.iter().map(file).collect(),
    }
}

async fn locate(catalog: &Catalog, version: &str, name: Option<&str>) -> Option<Located> {
    let name = name.map(architecture);
    let path = ArtifactPath {
        organization: &organization_name("acme"),
        box_name: &box_name("mirrored"),
        version: &number(version),
        provider: &provider_name("virtualbox"),
        architecture: name.as_ref(),
    };
    artifacts::locate(catalog, path).await.unwrap()
}

on_each_database! {
    async fn what_is_offered_becomes_rows_once_and_takes_a_file_once(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = public_box(catalog, tree.organization.id, "mirrored").await.id;
        let first = offer("1.0.0", &[("virtualbox", "amd64", false), ("virtualbox", "arm64", true)]);
        let second = offer("1.1.0", &[("virtualbox", "amd64", true)]);
        mirrors::put_box(catalog, told(catalog, id, "one"), std::slice::from_ref(&first)).await.unwrap();
        let long = "x".repeat(200_000);
        for _ in 0..2 {
            let both = [first.clone(), second.clone()];
            mirrors::put_box(catalog, told(catalog, id, &long), &both).await.unwrap();
        }
        let kept = mirrors::find_box(catalog, id).await.unwrap().unwrap();
        assert_eq!((kept.document.len(), kept.etag.as_deref()), (long.len(), Some("\"1\"")));
        let all = versions::list(catalog, id, VersionFilter::default(), Page::new(1, 10)).await.unwrap();
        assert_eq!(all.total, 2);
        assert!(all.items.iter().all(|version| version.status == VersionStatus::Released));
        let default = locate(catalog, "1.0.0", None).await.unwrap();
        assert_eq!(default.artifact.name.as_str(), "arm64");

        // a file where none is, once; and none by any other way
        let artifact = locate(catalog, "1.0.0", Some("amd64")).await.unwrap().artifact.id;
        let refused = uploads::begin(catalog, new_upload(artifact)).await.unwrap_err();
        assert!(matches!(refused, CatalogError::Conflict { why: ConflictReason::VersionReleased }));
        let mirrored = || NewUpload { gate: Gate::Mirrored, ..new_upload(artifact) };
        let (one, other) = (
            uploads::begin(catalog, mirrored()).await.unwrap(),
            uploads::begin(catalog, mirrored()).await.unwrap(),
        );
        let came = |content| Received { gate: Gate::Mirrored, ..received(content) };
        uploads::commit(catalog, one.id, came(1)).await.unwrap();
        let late = uploads::commit(catalog, other.id, came(2)).await.unwrap_err();
        assert!(matches!(late, CatalogError::Conflict { why: ConflictReason::LostRace }), "{late:?}");
        let again = uploads::begin(catalog, mirrored()).await.unwrap_err();
        assert!(matches!(again, CatalogError::Conflict { why: ConflictReason::LostRace }), "{again:?}");
        // one that is being prepared is none that a mirror fetches
        let prepared = NewUpload { gate: Gate::Mirrored, ..new_upload(tree.artifact.id) };
        let refused = uploads::begin(catalog, prepared).await.unwrap_err();
        assert!(matches!(refused, CatalogError::Conflict { why: ConflictReason::VersionState }));
    }

    async fn a_mirror_that_ends_keeps_what_it_has_and_forgets_what_it_offered(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let organization = tree.organization.id;
        let id = public_box(catalog, organization, "mirrored").await.id;
        let made = mirrors::put(catalog, new_mirror(organization, 60)).await.unwrap();
        assert_eq!(made.token.as_deref(), Some(&[1, 2, 3][..]));
        let changed = NewMirror { token: None, ..new_mirror(organization, 60) };
        assert_eq!(mirrors::put(catalog, changed).await.unwrap().token, None);
        assert_eq!(mirrors::list(catalog).await.unwrap().len(), 1);

        // one server of several brings everything over
        let mirror = mirrors::find(catalog, organization).await.unwrap().unwrap();
        assert!(mirrors::claim(catalog, &mirror).await.unwrap());
        assert!(!mirrors::claim(catalog, &mirror).await.unwrap());
        mirrors::note(catalog, organization, Some("it is away")).await.unwrap();
        mirrors::hold(catalog, organization).await.unwrap();
        let noted = mirrors::find(catalog, organization).await.unwrap().unwrap();
        assert_eq!(noted.problem.as_deref(), Some("it is away"));
        let last = noted.synced_at.unwrap();
        assert!(!noted.is_due(last + TimeDelta::seconds(59)));
        assert!(noted.is_due(last + TimeDelta::seconds(60)));

        let offers = [
            offer("1.0.0", &[("virtualbox", "amd64", true), ("virtualbox", "arm64", false)]),
            offer("1.1.0", &[("virtualbox", "amd64", true)]),
        ];
        mirrors::put_box(catalog, told(catalog, id, "one"), &offers).await.unwrap();
        // what is mirrored becomes as public as the mirror, and the organization's own stays as it is
        let hidden = NewMirror { is_public: false, ..new_mirror(organization, 60) };
        mirrors::put(catalog, hidden).await.unwrap();
        let found = boxes::find_by_id(catalog, id).await.unwrap().unwrap();
        assert!(!found.vagrant_box.is_public);
        let own = boxes::find_by_id(catalog, tree.vagrant_box.id).await.unwrap().unwrap();
        assert!(own.vagrant_box.is_public);
        // a part that was deleted here is offered again
        let second = versions::find(catalog, id, &number("1.1.0")).await.unwrap().unwrap();
        versions::delete(catalog, second.id).await.unwrap();
        assert!(locate(catalog, "1.1.0", None).await.is_none());
        mirrors::put_offers(catalog, id, &offers).await.unwrap();
        assert!(locate(catalog, "1.1.0", None).await.is_some());

        let artifact = locate(catalog, "1.0.0", Some("amd64")).await.unwrap().artifact.id;
        let new = NewUpload { gate: Gate::Mirrored, ..new_upload(artifact) };
        let upload = uploads::begin(catalog, new).await.unwrap();
        let came = Received { gate: Gate::Mirrored, ..received(1) };
        uploads::commit(catalog, upload.id, came).await.unwrap();

        assert!(mirrors::delete(catalog, organization).await.unwrap());
        assert!(!mirrors::delete(catalog, organization).await.unwrap());
        assert!(locate(catalog, "1.0.0", Some("amd64")).await.unwrap().artifact.file.is_some());
        assert!(locate(catalog, "1.0.0", Some("arm64")).await.is_none());
        let all = versions::list(catalog, id, VersionFilter::default(), Page::new(1, 10)).await.unwrap();
        assert_eq!(all.total, 1);
        assert!(mirrors::find_box(catalog, id).await.unwrap().is_none());
        // the organization's own is not touched
        let own = versions::find(catalog, tree.vagrant_box.id, &number("1.0.0")).await.unwrap();
        assert!(own.is_some());
    }
}
