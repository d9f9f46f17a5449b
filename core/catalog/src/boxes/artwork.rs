//! The picture of a box: small, so it lives in the catalog and changes with it, by one transaction.

use boxvault_types::digest::Digest;
use boxvault_types::ids::BoxId;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};

use super::life::lock;
use crate::entity::box_artworks as table;
use crate::rows::insert;
use crate::{Catalog, Result};

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artwork {
    /// What kind of picture it is, as HTTP says it: `image/png`.
    pub media_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Finds the picture of a box.
pub async fn find_artwork(catalog: &Catalog, id: BoxId) -> Result<Option<Artwork>> {
    let row = table::Entity::find_by_id(id.0).one(catalog.reader()).await?;
    Ok(row.map(|row| Artwork { media_type: row.media_type, content: row.content }))
}

/// Gives a box a picture in the place of the one that it has, or takes it away.
///
/// # Errors
/// `NotFound(Box)`.
pub async fn set_artwork(
    catalog: &Catalog,
    id: BoxId,
    artwork: Option<(Artwork, Digest)>,
) -> Result<()> {
    let transaction = catalog.begin().await?;
    let mut row = lock(&transaction, id).await?.into_active_model();
    row.artwork = Set(artwork.as_ref().map(|(_, digest)| digest.0.to_vec()));
    row.updated_at = Set(catalog.now());
    row.update(&transaction).await?;
    table::Entity::delete_by_id(id.0).exec(&transaction).await?;
    if let Some((Artwork { media_type, content }, _)) = artwork {
        insert(&transaction, table::Model { box_id: id.0, media_type, content }).await?;
    }
    transaction.commit().await?;
    Ok(())
}
