//! Small helpers between rows and records.

use std::error::Error;

use boxvault_types::digest::{Checksum, Digest};
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, ModelTrait,
};

use crate::error::StoredValueError;
use crate::{CatalogError, Result};

/// A SHA-256 of a secret, as it is kept.
pub(crate) type Hash = [u8; 32];

/// Inserts one row as it stands, by one statement.
pub(crate) async fn insert<C, M, A>(db: &C, row: M) -> Result<()>
where
    C: ConnectionTrait,
    A: ActiveModelTrait<Entity = M::Entity>,
    M: ModelTrait + IntoActiveModel<A>,
{
    let row = row.into_active_model().reset_all();
    <M::Entity as EntityTrait>::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Reads back what was checked before it was stored.
pub(crate) fn stored<T, E>(column: &'static str, parsed: std::result::Result<T, E>) -> Result<T>
where
    E: Error + Send + Sync + 'static,
{
    parsed.map_err(|source| {
        CatalogError::unexpected(StoredValueError { column, source: Some(source.into()) })
    })
}

/// Like [`stored`], for a parser that does not say why.
pub(crate) fn stored_some<T>(column: &'static str, parsed: Option<T>) -> Result<T> {
    parsed.ok_or_else(|| CatalogError::unexpected(StoredValueError { column, source: None }))
}

/// A digest from its column.
pub(crate) fn digest(bytes: Vec<u8>) -> Result<Digest> {
    stored_some("digest", bytes.try_into().ok().map(Digest))
}

/// A declared checksum from its two columns.
pub(crate) fn checksum(kind: Option<String>, hex: Option<String>) -> Result<Option<Checksum>> {
    let (Some(kind), Some(hex)) = (kind, hex) else {
        return Ok(None);
    };
    let kind = stored("checksum_type", kind.parse())?;
    stored("checksum", Checksum::parse(kind, &hex)).map(Some)
}

/// Free text as all three databases take it: PostgreSQL has no NUL.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// What a list is searched in: lower case by Unicode's rules, since the databases' own rules differ.
pub(crate) fn search_text(parts: &[&str]) -> String {
    clean(&parts.join("\n")).to_lowercase()
}

/// Whether a `search_text` column holds what somebody typed, whatever its case; blank text holds everywhere.
pub(crate) fn matches<C: ColumnTrait>(column: C, q: Option<&str>) -> Option<SimpleExpr> {
    let q = clean(q?.trim()).to_lowercase();
    if q.is_empty() {
        return None;
    }
    let pattern = format!("%{}%", escape_like(&q));
    Some(Expr::col(column.as_column_ref()).like(LikeExpr::new(pattern).escape('!')))
}

/// A text as part of a `LIKE` pattern with the escape `!`, where it stands for itself.
pub(crate) fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            escaped.push('!');
        }
        escaped.push(c);
    }
    escaped
}
