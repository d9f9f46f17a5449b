//! Pictures of users. Small, so that they live with the rest.

use boxvault_types::digest::Digest;
use boxvault_types::ids::UserId;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use crate::entity::{avatars as table, users as user_rows};
use crate::rows::{digest, insert};
use crate::{Catalog, CatalogError, Noun, Result};

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Avatar {
    /// Its media type, told by its bytes.
    pub content_type: String,
    /// The picture.
    pub bytes: Vec<u8>,
    /// The SHA-256 of the bytes.
    pub digest: Digest,
}

/// Finds the picture of a user.
pub async fn find(catalog: &Catalog, user: UserId) -> Result<Option<Avatar>> {
    let row = table::Entity::find_by_id(user.0).one(catalog.reader()).await?;
    row.map(|row| {
        let digest = digest(row.digest)?;
        Ok(Avatar { content_type: row.content_type, bytes: row.bytes, digest })
    })
    .transpose()
}

/// Gives a user a picture, whatever there was before.
///
/// # Errors
/// `NotFound(User)` when the account is gone.
pub async fn put(catalog: &Catalog, user: UserId, avatar: Avatar) -> Result<()> {
    let transaction = catalog.begin().await?;
    note(&transaction, catalog, user, Some(avatar.digest.0.to_vec())).await?;
    table::Entity::delete_by_id(user.0).exec(&transaction).await?;
    let row = table::Model {
        user_id: user.0,
        content_type: avatar.content_type,
        bytes: avatar.bytes,
        digest: avatar.digest.0.to_vec(),
    };
    insert(&transaction, row).await.map_err(|error| error.without_parent(Noun::User))?;
    transaction.commit().await?;
    Ok(())
}

/// Takes the picture of a user away, if there is one.
pub async fn remove(catalog: &Catalog, user: UserId) -> Result<()> {
    let transaction = catalog.begin().await?;
    note(&transaction, catalog, user, None).await?;
    table::Entity::delete_by_id(user.0).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Repeats the digest in the account's own row, so that a list of accounts tells of pictures without looking at them.
async fn note<C: ConnectionTrait>(
    db: &C,
    catalog: &Catalog,
    user: UserId,
    digest: Option<Vec<u8>>,
) -> Result<()> {
    let changed = user_rows::Entity::update_many()
        .col_expr(user_rows::Column::AvatarDigest, Expr::value(digest))
        .col_expr(user_rows::Column::UpdatedAt, Expr::value(catalog.now()))
        .filter(user_rows::Column::Id.eq(user.0))
        .exec(db)
        .await?;
    match changed.rows_affected {
        0 => Err(CatalogError::not_found(Noun::User)),
        _ => Ok(()),
    }
}
