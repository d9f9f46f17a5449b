//! Counts of downloads, written in batches: of each artifact, of each box, and of each box by day.

use std::collections::BTreeMap;

use boxvault_types::ids::{ArtifactId, BoxId};
use boxvault_types::version::BoxVersion;
use chrono::NaiveDate;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, JoinType,
    QueryFilter, QueryOrder, QuerySelect,
};

use crate::artifacts::{to_provider, to_version};
use crate::entity::{
    artifacts as artifact_rows, box_downloads as table, boxes as box_rows, versions as version_rows,
};
use crate::rows::stored;
use crate::versions::VersionStatus;
use crate::{Catalog, Database, Result};

/// How many artifacts one statement counts.
const CHUNK: usize = 200;

/// The most files whose counts make the sums of versions: what is beyond belongs to the oldest versions.
const ARTIFACTS_MAX: u64 = 2_000;

/// The most days of one answer.
const DAYS_MAX: u64 = 3_660;

/// Adds downloads: for each artifact, how many more. Artifacts that are gone are left out.
///
/// All or nothing, by five statements for each 200 artifacts.
pub async fn add(catalog: &Catalog, counts: &[(ArtifactId, u32)]) -> Result<()> {
    let mut sums = BTreeMap::<Uuid, i64>::new();
    for (id, count) in counts {
        *sums.entry(id.0).or_default() += i64::from(*count);
    }
    let sums = sums.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>();
    if sums.is_empty() {
        return Ok(());
    }
    let transaction = catalog.begin_aside().await?;
    for some in sums.chunks(CHUNK) {
        let counts = some.iter().copied().collect::<BTreeMap<_, _>>();
        add_chunk(catalog, &transaction, &counts).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn add_chunk<C: ConnectionTrait>(
    catalog: &Catalog,
    db: &C,
    counts: &BTreeMap<Uuid, i64>,
) -> Result<()> {
    let ids = counts.keys().copied().collect::<Vec<_>>();
    let owners = artifact_rows::Entity::find()
        .select_only()
        .column(artifact_rows::Column::Id)
        .column(version_rows::Column::BoxId)
        .join(JoinType::InnerJoin, to_provider())
        .join(JoinType::InnerJoin, to_version())
        .filter(artifact_rows::Column::Id.is_in(ids.iter().copied()))
        .into_tuple::<(Uuid, Uuid)>()
        .all(db)
        .await?;
    let mut of_boxes = BTreeMap::<Uuid, i64>::new();
    for (artifact, owner) in owners {
        *of_boxes.entry(owner).or_default() += counts.get(&artifact).copied().unwrap_or_default();
    }
    // boxes first and in order, and held, so that two servers cannot wait for each other
    let boxes = box_rows::Entity::find()
        .select_only()
        .column(box_rows::Column::Id)
        .filter(box_rows::Column::Id.is_in(of_boxes.keys().copied()))
        .order_by_asc(box_rows::Column::Id)
        .lock_exclusive()
        .into_tuple::<Uuid>()
        .all(db)
        .await?;
    of_boxes.retain(|id, _| boxes.contains(id));
    if of_boxes.is_empty() {
        return Ok(());
    }
    let more = case(counts, |id| artifact_rows::Column::Id.eq(id));
    artifact_rows::Entity::update_many()
        .col_expr(
            artifact_rows::Column::Downloads,
            Expr::col(artifact_rows::Column::Downloads).add(more),
        )
        .filter(artifact_rows::Column::Id.is_in(ids))
        .exec(db)
        .await?;
    let more = case(&of_boxes, |id| box_rows::Column::Id.eq(id));
    box_rows::Entity::update_many()
        .col_expr(box_rows::Column::Downloads, Expr::col(box_rows::Column::Downloads).add(more))
        .filter(box_rows::Column::Id.is_in(of_boxes.keys().copied()))
        .exec(db)
        .await?;
    add_to_today(catalog, db, &of_boxes).await
}

async fn add_to_today<C: ConnectionTrait>(
    catalog: &Catalog,
    db: &C,
    of_boxes: &BTreeMap<Uuid, i64>,
) -> Result<()> {
    let day = catalog.now().date_naive();
    let rows = of_boxes.iter().map(|(id, count)| {
        let row = table::Model { box_id: *id, day, downloads: *count };
        row.into_active_model().reset_all()
    });
    let inserted = match catalog.database() {
        Database::MariaDb => "VALUES(downloads)",
        Database::Sqlite | Database::PostgreSql => "excluded.downloads",
    };
    let sum = Expr::col((table::Entity, table::Column::Downloads)).add(Expr::cust(inserted));
    table::Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([table::Column::BoxId, table::Column::Day])
                .value(table::Column::Downloads, sum)
                .to_owned(),
        )
        .exec_without_returning(db)
        .await?;
    Ok(())
}

fn case(counts: &BTreeMap<Uuid, i64>, is: impl Fn(Uuid) -> Expr) -> CaseStatement {
    counts
        .iter()
        .fold(CaseStatement::new(), |case, (id, count)| case.case(is(*id), *count))
        .finally(0_i64)
}

/// How often the files of each version of a box were downloaded, the newest version first.
pub async fn by_version(
    catalog: &Catalog,
    box_id: BoxId,
    status: Option<VersionStatus>,
) -> Result<Vec<(BoxVersion, i64)>> {
    let mut select = artifact_rows::Entity::find()
        .select_only()
        .column(version_rows::Column::Number)
        .column(artifact_rows::Column::Downloads)
        .join(JoinType::InnerJoin, to_provider())
        .join(JoinType::InnerJoin, to_version())
        .filter(version_rows::Column::BoxId.eq(box_id.0));
    if let Some(status) = status {
        select = select.filter(version_rows::Column::Status.eq(status.as_str()));
    }
    let rows: Vec<(String, i64)> = select
        .order_by_desc(version_rows::Column::SortKey)
        .limit(ARTIFACTS_MAX)
        .into_tuple()
        .all(catalog.reader())
        .await?;
    // summed here: the databases disagree on the type of a sum
    let mut sums: Vec<(BoxVersion, i64)> = Vec::new();
    for (number, count) in rows {
        match sums.last_mut() {
            Some((last, sum)) if last.as_str() == number => *sum += count,
            _ => sums.push((stored("versions.number", BoxVersion::parse(&number))?, count)),
        }
    }
    Ok(sums)
}

/// How often files of a box were downloaded on each day since one; days without any are left out.
pub async fn by_day(
    catalog: &Catalog,
    box_id: BoxId,
    since: NaiveDate,
) -> Result<Vec<(NaiveDate, i64)>> {
    let rows = table::Entity::find()
        .filter(table::Column::BoxId.eq(box_id.0))
        .filter(table::Column::Day.gte(since))
        .order_by_asc(table::Column::Day)
        .limit(DAYS_MAX)
        .all(catalog.reader())
        .await?;
    Ok(rows.into_iter().map(|row| (row.day, row.downloads)).collect())
}
