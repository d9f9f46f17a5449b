//! Small facts that all servers of one catalog share: the hash of the set-up token, secrets of the instance.
//!
//! Names are up to 128 bytes and are compared byte by byte. Those that begin with `lock.` are the catalog's own.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel};

use crate::entity::settings as table;
use crate::{Catalog, CatalogError, Result};

/// Reads a setting.
pub async fn get(catalog: &Catalog, name: &str) -> Result<Option<String>> {
    get_in(catalog.reader(), name).await
}

async fn get_in<C: ConnectionTrait>(db: &C, name: &str) -> Result<Option<String>> {
    Ok(table::Entity::find_by_id(name).one(db).await?.map(|row| row.value))
}

/// Writes a setting, whatever it was before.
pub async fn put(catalog: &Catalog, name: &str, value: &str) -> Result<()> {
    table::Entity::insert(row(catalog, name, value).into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(table::Column::Name)
                .update_columns([table::Column::Value, table::Column::UpdatedAt])
                .to_owned(),
        )
        .exec_without_returning(catalog.writer())
        .await?;
    Ok(())
}

/// Writes a setting unless there is one; answers what is there afterwards.
pub async fn put_if_absent(catalog: &Catalog, name: &str, value: &str) -> Result<String> {
    let row = row(catalog, name, value).into_active_model().reset_all();
    let outcome = table::Entity::insert(row).exec_without_returning(catalog.writer()).await;
    match outcome.map_err(CatalogError::from) {
        Ok(_) => Ok(value.to_owned()),
        Err(CatalogError::AlreadyExists { .. }) => {
            Ok(get_in(catalog.writer(), name).await?.unwrap_or_else(|| value.to_owned()))
        }
        Err(other) => Err(other),
    }
}

/// Removes a setting. Tells whether there was one, so that of several takers one learns that it was first.
pub async fn delete(catalog: &Catalog, name: &str) -> Result<bool> {
    let gone = table::Entity::delete_by_id(name).exec(catalog.writer()).await?;
    Ok(gone.rows_affected > 0)
}

fn row(catalog: &Catalog, name: &str, value: &str) -> table::Model {
    table::Model { name: name.to_owned(), value: value.to_owned(), updated_at: catalog.now() }
}
