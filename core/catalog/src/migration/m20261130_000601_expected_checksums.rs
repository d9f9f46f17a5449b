//! What the next file of an architecture must hash to, for clients that say so before they upload.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::Table;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::Dialect;

pub(super) struct Migration;

const TABLE: &str = "artifacts";
const COLUMNS: [(&str, u32); 2] = [("expected_type", 16), ("expected", 128)];

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000601_expected_checksums"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        for (name, chars_max) in COLUMNS {
            let mut column = d.short(name, chars_max).null().take();
            manager.alter_table(Table::alter().table(TABLE).add_column(&mut column).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in COLUMNS {
            manager.alter_table(Table::alter().table(TABLE).drop_column(name).take()).await?;
        }
        Ok(())
    }
}
