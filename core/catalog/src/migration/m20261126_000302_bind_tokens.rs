//! Binds API tokens of the first release, which know their organization by name alone, to the organization itself.
//!
//! They mean whichever organization the name leads to now, and go on meaning it under every other name. Where it leads to
//! none, the token ends: the name may be another one's tomorrow.

use std::collections::HashMap;

use chrono::Utc;
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::{ConnectionTrait, prelude::Uuid};
use sea_orm_migration::sea_query::{Expr, ExprTrait, Query};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

pub(super) struct Migration;

const TOKENS: &str = "api_tokens";
const NAMES: &str = "organization_names";
/// How many tokens are looked at together.
const CHUNK: u64 = 500;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000302_bind_tokens"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut last = None;
        loop {
            let tokens = by_name_alone(manager, last).await?;
            let Some((id, _)) = tokens.last() else { return Ok(()) };
            last = Some(*id);
            let mut named: HashMap<String, Vec<Uuid>> = HashMap::new();
            for (id, scope) in tokens {
                if let Some(name) = organization_in(&scope) {
                    named.entry(name).or_default().push(id);
                }
            }
            let found = organizations(manager, named.keys().cloned().collect()).await?;
            for (name, tokens) in named {
                bind(manager, tokens, found.get(&name).copied()).await?;
            }
        }
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        // the scope still holds the name
        Ok(())
    }
}

/// Some tokens that are bound to no organization, with their scopes.
async fn by_name_alone(
    manager: &SchemaManager<'_>,
    after: Option<Uuid>,
) -> Result<Vec<(Uuid, String)>, DbErr> {
    let mut select = Query::select();
    select
        .columns(["id", "scope"])
        .from(TOKENS)
        .and_where(Expr::col("organization_id").is_null())
        .and_where(Expr::col("revoked_at").is_null())
        .and_where_option(after.map(|after| Expr::col("id").gt(after)))
        .order_by("id", sea_orm_migration::sea_query::Order::Asc)
        .limit(CHUNK);
    let rows = manager.get_connection().query_all(&select).await?;
    rows.iter().map(|row| Ok((row.try_get("", "id")?, row.try_get("", "scope")?))).collect()
}

/// The name of the organization in a scope, as names are compared.
fn organization_in(scope: &str) -> Option<String> {
    let scope: serde_json::Value = serde_json::from_str(scope).ok()?;
    Some(scope.get("organization")?.as_str()?.to_ascii_lowercase())
}

/// The organizations that names lead to.
async fn organizations(
    manager: &SchemaManager<'_>,
    names: Vec<String>,
) -> Result<HashMap<String, Uuid>, DbErr> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let mut select = Query::select();
    select
        .columns(["name_key", "organization_id"])
        .from(NAMES)
        .and_where(Expr::col("name_key").is_in(names));
    let rows = manager.get_connection().query_all(&select).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "name_key")?, row.try_get("", "organization_id")?)))
        .collect()
}

async fn bind(
    manager: &SchemaManager<'_>,
    tokens: Vec<Uuid>,
    organization: Option<Uuid>,
) -> Result<(), DbErr> {
    let mut update = Query::update();
    update.table(TOKENS).and_where(Expr::col("id").is_in(tokens));
    match organization {
        Some(organization) => update.value("organization_id", organization),
        None => update.value("revoked_at", Utc::now()),
    };
    manager.get_connection().execute(&update).await?;
    Ok(())
}
