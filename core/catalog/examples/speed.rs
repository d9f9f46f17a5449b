//! Measures the catalog on SQLite, with a commit on disk for each insert: `cargo run --example speed --features testing`.

use std::time::{Duration, Instant};

use boxvault_catalog::artifacts::{self, ArtifactPath, NewArtifact};
use boxvault_catalog::audit::{self, NewEntry};
use boxvault_catalog::boxes::{self, NewBox};
use boxvault_catalog::organizations::{self, AccessMode, NewOrganization};
use boxvault_catalog::providers::{self, NewProvider};
use boxvault_catalog::testing::TestDatabase;
use boxvault_catalog::users::{self, NewUser};
use boxvault_catalog::versions::{self, NewVersion};
use boxvault_catalog::{CatalogError, accounts};
use boxvault_types::names::{ArchitectureName, BoxName, OrganizationName, ProviderName, UserName};
use boxvault_types::version::BoxVersion;

const ROUNDS: u32 = 2_000;

#[expect(clippy::print_stdout, reason = "what is measured is printed")]
fn report(what: &str, elapsed: Duration) {
    println!("{what}: {:.0} per second", f64::from(ROUNDS) / elapsed.as_secs_f64());
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = TestDatabase::sqlite().await;
    let catalog = &db.catalog;
    let user = NewUser {
        name: UserName::parse("anna")?,
        email: None,
        display_name: String::new(),
        password_hash: None,
        platform_admin: false,
        email_verified: false,
    };
    let user = users::create(catalog, user).await?;
    let organization = NewOrganization {
        name: OrganizationName::parse("acme")?,
        description: String::new(),
        email: None,
        access_mode: AccessMode::Private,
        owner: user.id,
    };
    let organization = organizations::create(catalog, organization).await?;
    let start = Instant::now();
    for index in 0..ROUNDS {
        let new = NewBox {
            organization_id: organization.id,
            name: BoxName::parse(&format!("box-{index}"))?,
            short_description: String::new(),
            description: String::new(),
            readme: None,
            tags: Vec::new(),
            links: boxes::Links::default(),
            is_public: true,
            created_by: Some(user.id),
            takes_former_name: false,
        };
        boxes::create(catalog, new).await?;
    }
    report("boxes::create, one commit each", start.elapsed());
    let start = Instant::now();
    audit::insert(catalog, (0..ROUNDS).map(|_| NewEntry::default()).collect()).await?;
    report("audit::insert, one batch", start.elapsed());
    lookups(&db, &organization.name).await?;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        accounts::load(catalog, user.id).await?;
    }
    report("accounts::load, three queries", start.elapsed());
    Ok(())
}

async fn lookups(
    db: &TestDatabase,
    organization: &OrganizationName,
) -> Result<(), Box<dyn std::error::Error>> {
    let catalog = &db.catalog;
    let (name, version) = (BoxName::parse("box-7")?, BoxVersion::parse("1.0.0")?);
    let provider = ProviderName::parse("virtualbox")?;
    let found = boxes::find(catalog, organization, &name).await?;
    let box_id = found.ok_or("the box is there")?.vagrant_box.id;
    let (description, release_notes) = (String::new(), String::new());
    let new = NewVersion { box_id, number: version.clone(), description, release_notes };
    let version_id = versions::create(catalog, new).await?.id;
    let new = NewProvider { version_id, name: provider.clone(), description: String::new() };
    let provider_id = providers::create(catalog, new).await?.id;
    let architecture = ArchitectureName::parse("amd64")?;
    let new = NewArtifact { provider_id, name: architecture, default_architecture: true };
    artifacts::create(catalog, new).await?;

    let start = Instant::now();
    for _ in 0..ROUNDS {
        boxes::find(catalog, organization, &name).await?;
    }
    report("boxes::find, one after the other", start.elapsed());
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (catalog, organization, name) = (catalog.clone(), organization.clone(), name.clone());
        tasks.spawn(async move {
            for _ in 0..ROUNDS / 8 {
                boxes::find(&catalog, &organization, &name).await?;
            }
            Ok::<_, CatalogError>(())
        });
    }
    for outcome in tasks.join_all().await {
        outcome?;
    }
    report("boxes::find, eight at once", start.elapsed());
    let path = ArtifactPath {
        organization,
        box_name: &name,
        version: &version,
        provider: &provider,
        architecture: None,
    };
    let start = Instant::now();
    for _ in 0..ROUNDS {
        artifacts::locate(catalog, path).await?;
    }
    report("artifacts::locate, one after the other", start.elapsed());
    Ok(())
}
