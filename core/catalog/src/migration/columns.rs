//! Columns as each database needs them: texts that compare byte by byte, times in microseconds, fixed ids.

use sea_orm_migration::SchemaManager;
use sea_orm_migration::sea_orm::DatabaseBackend;
use sea_orm_migration::sea_query::{
    ColumnDef, ColumnType, ForeignKey, ForeignKeyAction, ForeignKeyCreateStatement, Index,
    IndexCreateStatement, StringLen, Table, TableCreateStatement,
};

/// The database that a migration runs on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect(DatabaseBackend);

impl Dialect {
    pub(super) fn of(manager: &SchemaManager<'_>) -> Self {
        Self(manager.get_database_backend())
    }

    /// A table without columns yet.
    pub(super) fn table(self, name: &'static str) -> TableCreateStatement {
        let mut table = Table::create();
        table.table(name);
        if self.0 == DatabaseBackend::MySql {
            table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
        }
        table
    }

    /// A text of at most so many characters that can be indexed and compares byte by byte.
    pub(super) fn short(self, name: &'static str, chars_max: u32) -> ColumnDef {
        let kind = match self.0 {
            DatabaseBackend::Postgres => {
                ColumnType::custom(format!("varchar({chars_max}) COLLATE \"C\""))
            }
            _ => ColumnType::String(StringLen::N(chars_max)),
        };
        column(name, kind)
    }

    /// A text of any length.
    pub(super) fn long(self, name: &'static str) -> ColumnDef {
        let kind = match self.0 {
            DatabaseBackend::MySql => ColumnType::custom("longtext"),
            _ => ColumnType::Text,
        };
        column(name, kind)
    }

    /// Bytes, up to some megabytes.
    pub(super) fn large_bytes(self, name: &'static str) -> ColumnDef {
        let kind = match self.0 {
            DatabaseBackend::MySql => ColumnType::custom("mediumblob"),
            _ => ColumnType::Blob,
        };
        column(name, kind)
    }

    /// A moment, in UTC and microseconds.
    pub(super) fn time(self, name: &'static str) -> ColumnDef {
        let kind = match self.0 {
            DatabaseBackend::MySql => ColumnType::custom("datetime(6)"),
            _ => ColumnType::TimestampWithTimeZone,
        };
        column(name, kind)
    }
}

/// A column that is never null; `.null()` makes it so.
fn column(name: &'static str, kind: ColumnType) -> ColumnDef {
    let mut column = ColumnDef::new_with_type(name, kind);
    column.not_null();
    column
}

/// An id.
pub(super) fn id(name: &'static str) -> ColumnDef {
    column(name, ColumnType::Uuid)
}

/// A number of bytes, of downloads, …
pub(super) fn count(name: &'static str) -> ColumnDef {
    column(name, ColumnType::BigInteger)
}

/// A small number.
pub(super) fn small_count(name: &'static str) -> ColumnDef {
    column(name, ColumnType::Integer)
}

/// Yes or no.
pub(super) fn flag(name: &'static str) -> ColumnDef {
    column(name, ColumnType::Boolean)
}

/// A SHA-256.
pub(super) fn sha256(name: &'static str) -> ColumnDef {
    column(name, ColumnType::Binary(32))
}

/// Bytes, a few kilobytes at most.
pub(super) fn bytes(name: &'static str) -> ColumnDef {
    column(name, ColumnType::Blob)
}

/// A day.
pub(super) fn day(name: &'static str) -> ColumnDef {
    column(name, ColumnType::Date)
}

/// A foreign key to the column `id` of another table.
pub(super) fn refers(
    name: &'static str,
    (table, column): (&'static str, &'static str),
    to: &'static str,
    on_delete: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    ForeignKey::create().name(name).from(table, column).to(to, "id").on_delete(on_delete).take()
}

/// A primary key of several columns.
pub(super) fn primary(columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    for column in columns {
        index.col(*column);
    }
    index.primary().take()
}

/// A unique index; `error::Taken` knows each by its name.
pub(super) fn unique(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    index(name, table, columns).unique().take()
}

/// An index for a list or a reference.
pub(super) fn index(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index.take()
}

/// Drops tables, the last made first.
pub(super) async fn drop_tables(
    manager: &SchemaManager<'_>,
    tables: &[&'static str],
) -> Result<(), sea_orm_migration::DbErr> {
    for table in tables.iter().rev() {
        manager.drop_table(Table::drop().table(*table).take()).await?;
    }
    Ok(())
}
