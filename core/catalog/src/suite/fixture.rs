//! Short ways to make what a test starts from.

use boxvault_types::digest::Digest;
use boxvault_types::ids::{
    ArtifactId, BoxId, OrganizationId, ProviderId, UploadId, UserId, VersionId,
};
use boxvault_types::names::{ArchitectureName, BoxName, OrganizationName, ProviderName, UserName};
use boxvault_types::version::BoxVersion;

use crate::artifacts::{self, Artifact, Gate, NewArtifact};
use crate::blobs::{self, Blob};
use crate::boxes::{self, NewBox, VagrantBox};
use crate::organizations::{self, AccessMode, NewOrganization, Organization};
use crate::providers::{self, NewProvider, Provider};
use crate::quotas::Limits;
use crate::uploads::{self, Committed, NewUpload, Received, Upload};
use crate::users::{self, NewUser, User};
use crate::versions::{self, NewVersion, Version};
use crate::{Catalog, Result};

pub(super) fn user_name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

pub(super) fn organization_name(text: &str) -> OrganizationName {
    OrganizationName::parse(text).unwrap()
}

pub(super) fn box_name(text: &str) -> BoxName {
    BoxName::parse(text).unwrap()
}

pub(super) fn number(text: &str) -> BoxVersion {
    BoxVersion::parse(text).unwrap()
}

pub(super) fn provider_name(text: &str) -> ProviderName {
    ProviderName::parse(text).unwrap()
}

pub(super) fn architecture(text: &str) -> ArchitectureName {
    ArchitectureName::parse(text).unwrap()
}

pub(super) fn new_user(name: &str) -> NewUser {
    NewUser {
        name: user_name(name),
        email: Some(format!("{name}@example.org")),
        display_name: format!("The {name}"),
        password_hash: Some("$argon2id$…".to_owned()),
        platform_admin: false,
        email_verified: false,
    }
}

pub(super) async fn user(catalog: &Catalog, name: &str) -> User {
    users::create(catalog, new_user(name)).await.unwrap()
}

pub(super) async fn organization(catalog: &Catalog, name: &str, owner: UserId) -> Organization {
    let new = NewOrganization {
        name: organization_name(name),
        description: format!("Boxes of {name}"),
        email: None,
        access_mode: AccessMode::Private,
        owner,
    };
    organizations::create(catalog, new).await.unwrap()
}

pub(super) fn new_box(organization_id: OrganizationId, name: &str, is_public: bool) -> NewBox {
    NewBox {
        organization_id,
        name: box_name(name),
        short_description: format!("Short of {name}"),
        description: "# Long".to_owned(),
        readme: None,
        tags: Vec::new(),
        links: boxes::Links::default(),
        is_public,
        created_by: None,
        takes_former_name: false,
    }
}

pub(super) async fn public_box(catalog: &Catalog, owner: OrganizationId, name: &str) -> VagrantBox {
    boxes::create(catalog, new_box(owner, name, true)).await.unwrap()
}

pub(super) fn new_version(box_id: BoxId, text: &str) -> NewVersion {
    NewVersion {
        box_id,
        number: number(text),
        description: String::new(),
        release_notes: String::new(),
    }
}

pub(super) async fn version(catalog: &Catalog, box_id: BoxId, text: &str) -> Version {
    versions::create(catalog, new_version(box_id, text)).await.unwrap()
}

pub(super) async fn provider(catalog: &Catalog, version_id: VersionId, name: &str) -> Provider {
    let description = String::new();
    let new = NewProvider { version_id, name: provider_name(name), description };
    providers::create(catalog, new).await.unwrap()
}

pub(super) fn new_artifact(provider_id: ProviderId, name: &str) -> NewArtifact {
    NewArtifact { provider_id, name: architecture(name), default_architecture: false }
}

pub(super) async fn artifact(catalog: &Catalog, provider_id: ProviderId, name: &str) -> Artifact {
    artifacts::create(catalog, new_artifact(provider_id, name)).await.unwrap()
}

/// What a box has that was published once: `acme/debian`, version 1.0.0, virtualbox, amd64, without its file.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) user: User,
    pub(super) organization: Organization,
    pub(super) vagrant_box: VagrantBox,
    pub(super) version: Version,
    pub(super) provider: Provider,
    pub(super) artifact: Artifact,
}

pub(super) async fn tree(catalog: &Catalog) -> Tree {
    let user = user(catalog, "anna").await;
    let organization = organization(catalog, "acme", user.id).await;
    let vagrant_box = public_box(catalog, organization.id, "debian").await;
    let version = version(catalog, vagrant_box.id, "1.0.0").await;
    let provider = provider(catalog, version.id, "virtualbox").await;
    let artifact = artifact(catalog, provider.id, "amd64").await;
    Tree { user, organization, vagrant_box, version, provider, artifact }
}

pub(super) fn new_upload(artifact_id: ArtifactId) -> NewUpload {
    let id = UploadId::new();
    NewUpload {
        id,
        artifact_id,
        store: "main".to_owned(),
        key: format!("blobs/{id}"),
        declared_length: Some(7),
        checksum: None,
        user_id: None,
        instance_id: "server-1".to_owned(),
        gate: Gate::Prepared,
    }
}

pub(super) async fn begin(catalog: &Catalog, artifact_id: ArtifactId) -> Upload {
    uploads::begin(catalog, new_upload(artifact_id)).await.unwrap()
}

pub(super) fn received(content: u8) -> Received {
    Received {
        size_bytes: 7,
        digest: Digest([content; 32]),
        checksum: None,
        archive: None,
        gate: Gate::Prepared,
        finishes: None,
        default_limits: Limits::default(),
        audit: None,
    }
}

/// Begins and commits an upload of a file that is known by one byte.
pub(super) async fn put_file(
    catalog: &Catalog,
    artifact_id: ArtifactId,
    content: u8,
) -> Result<Committed> {
    let upload = uploads::begin(catalog, new_upload(artifact_id)).await?;
    uploads::commit(catalog, upload.id, received(content)).await
}

/// The same, and the blob that it became.
pub(super) async fn put_blob(catalog: &Catalog, artifact_id: ArtifactId, content: u8) -> Blob {
    let committed = put_file(catalog, artifact_id, content).await.unwrap();
    blobs::find(catalog, committed.file.stored.blob_id).await.unwrap().unwrap()
}
