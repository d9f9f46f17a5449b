//! Messages that wait to be sent: written with the change that they tell of, sent later by whichever server comes first.
//!
//! A server claims a message before it sends it, for a while: the claim moves the time of the next attempt on, so that
//! no other server takes it meanwhile, and one whose server died comes up again by itself. A message that was sent is
//! removed; one that is given up stays without a next attempt, for an operator to see, until it is forgotten.
//! What a message says is sealed by the server; here it is only bytes.

use std::time::Duration;

use boxvault_types::ids::MailId;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::clock::whole_micros;
use crate::entity::mail_outbox as table;
use crate::rows::{clean, insert};
use crate::{Catalog, Page, Paged, Result, paging};

/// The longest problem that is kept, in characters: what a mail server says is of any length.
const PROBLEM_CHARS_MAX: usize = 500;

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// Its id.
    pub id: MailId,
    /// What it is about, for numbers and logs.
    pub kind: &'static str,
    /// What it says and to whom, sealed.
    pub payload: Vec<u8>,
}

/// A message that this server alone sends now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedMail {
    /// Its id.
    pub id: MailId,
    /// What it is about.
    pub kind: String,
    /// What it says and to whom, sealed.
    pub payload: Vec<u8>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// How many attempts failed before.
    pub attempts: u32,
    claim_id: Uuid,
}

/// Where a message stands that was not sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailState {
    /// Its id.
    pub id: MailId,
    /// What it is about.
    pub kind: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// How many attempts failed.
    pub attempts: u32,
    /// When the next attempt is due; none for one that was given up.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed.
    pub problem: Option<String>,
}

/// How many messages there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MailCounts {
    /// Those that wait for an attempt.
    pub waiting: u64,
    /// Those that were given up.
    pub given_up: u64,
}

/// Puts a message into the outbox.
pub async fn queue(catalog: &Catalog, mail: NewMail) -> Result<()> {
    queue_in(catalog.writer(), catalog.now(), mail).await
}

/// The same within the transaction of the change that the message tells of.
pub(crate) async fn queue_in<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
    mail: NewMail,
) -> Result<()> {
    insert(db, row_of(mail, now)).await
}

/// The same for several messages, by one statement.
pub(crate) async fn queue_all_in<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
    mails: Vec<NewMail>,
) -> Result<()> {
    if mails.is_empty() {
        return Ok(());
    }
    let rows = mails.into_iter().map(|mail| row_of(mail, now).into_active_model().reset_all());
    table::Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}

fn row_of(mail: NewMail, now: DateTime<Utc>) -> table::Model {
    table::Model {
        id: mail.id.0,
        kind: mail.kind.to_owned(),
        payload: mail.payload,
        created_at: now,
        attempts: 0,
        next_attempt_at: Some(now),
        claim_id: None,
        problem: None,
    }
}

/// Takes at most so many messages that are due, the longest waiting first. Nobody else gets them until the lease ends.
///
/// With nothing due it only reads.
pub async fn claim(catalog: &Catalog, limit: u64, lease: Duration) -> Result<Vec<ClaimedMail>> {
    let now = catalog.now();
    let due = || table::Entity::find().filter(table::Column::NextAttemptAt.lte(now));
    if due().limit(1).one(catalog.reader()).await?.is_none() {
        return Ok(Vec::new());
    }
    let transaction = catalog.begin_aside().await?;
    let rows = due()
        .order_by_asc(table::Column::NextAttemptAt)
        .order_by_asc(table::Column::Id)
        .limit(limit)
        .lock_exclusive()
        .all(&transaction)
        .await?;
    let claim_id = Uuid::now_v7();
    let until = whole_micros(now + TimeDelta::from_std(lease).unwrap_or(TimeDelta::days(1)));
    table::Entity::update_many()
        .col_expr(table::Column::NextAttemptAt, Expr::value(Some(until)))
        .col_expr(table::Column::ClaimId, Expr::value(Some(claim_id)))
        .filter(table::Column::Id.is_in(rows.iter().map(|row| row.id)))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    let claimed = rows.into_iter().map(|row| ClaimedMail {
        id: MailId(row.id),
        kind: row.kind,
        payload: row.payload,
        created_at: row.created_at,
        attempts: u32::try_from(row.attempts).unwrap_or_default(),
        claim_id,
    });
    Ok(claimed.collect())
}

/// Removes a message, since it was sent.
pub async fn remove(catalog: &Catalog, mail: &ClaimedMail) -> Result<()> {
    table::Entity::delete_many()
        .filter(table::Column::Id.eq(mail.id.0))
        .filter(table::Column::ClaimId.eq(mail.claim_id))
        .exec(catalog.writer())
        .await?;
    Ok(())
}

/// Notes that an attempt failed: another one follows at a time, or none.
pub async fn record_failure(
    catalog: &Catalog,
    mail: &ClaimedMail,
    problem: &str,
    next_attempt_at: Option<DateTime<Utc>>,
) -> Result<()> {
    let problem: String = clean(problem).chars().take(PROBLEM_CHARS_MAX).collect();
    table::Entity::update_many()
        .col_expr(table::Column::Attempts, Expr::col(table::Column::Attempts).add(1))
        .col_expr(table::Column::NextAttemptAt, Expr::value(next_attempt_at.map(whole_micros)))
        .col_expr(table::Column::ClaimId, Expr::value(None::<Uuid>))
        .col_expr(table::Column::Problem, Expr::value(Some(problem)))
        .filter(table::Column::Id.eq(mail.id.0))
        .filter(table::Column::ClaimId.eq(mail.claim_id))
        .exec(catalog.writer())
        .await?;
    Ok(())
}

/// Where a message stands; `None` when it was sent.
pub async fn find(catalog: &Catalog, id: MailId) -> Result<Option<MailState>> {
    let row = table::Entity::find_by_id(id.0).one(catalog.reader()).await?;
    Ok(row.map(state))
}

/// Lists messages of which at least one attempt failed, the oldest first; those given up before the others.
pub async fn list_failed(catalog: &Catalog, page: Page) -> Result<Paged<MailState>> {
    let select = table::Entity::find()
        .filter(table::Column::Attempts.gt(0))
        .order_by_asc(table::Column::NextAttemptAt.is_not_null())
        .order_by_asc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, |row| Ok(state(row))).await
}

fn state(row: table::Model) -> MailState {
    MailState {
        id: MailId(row.id),
        kind: row.kind,
        created_at: row.created_at,
        attempts: u32::try_from(row.attempts).unwrap_or_default(),
        next_attempt_at: row.next_attempt_at,
        problem: row.problem,
    }
}

/// How many messages wait, and how many were given up.
pub async fn count(catalog: &Catalog) -> Result<MailCounts> {
    let given_up = table::Entity::find()
        .filter(table::Column::NextAttemptAt.is_null())
        .count(catalog.reader())
        .await?;
    let waiting = table::Entity::find()
        .filter(table::Column::NextAttemptAt.is_not_null())
        .count(catalog.reader())
        .await?;
    Ok(MailCounts { waiting, given_up })
}

/// Lets every message that was given up be tried again from now on; tells how many.
pub async fn retry_given_up(catalog: &Catalog) -> Result<u64> {
    let changed = table::Entity::update_many()
        .col_expr(table::Column::NextAttemptAt, Expr::value(Some(catalog.now())))
        .col_expr(table::Column::Attempts, Expr::value(0))
        .filter(table::Column::NextAttemptAt.is_null())
        .exec(catalog.writer())
        .await?;
    Ok(changed.rows_affected)
}

/// Forgets messages that were given up and are older than this; tells how many.
pub async fn forget_given_up(catalog: &Catalog, age: Duration) -> Result<u64> {
    let before = catalog.now() - TimeDelta::from_std(age).unwrap_or(TimeDelta::days(36_500));
    let gone = table::Entity::delete_many()
        .filter(table::Column::NextAttemptAt.is_null())
        .filter(table::Column::CreatedAt.lt(before))
        .exec(catalog.writer())
        .await?;
    Ok(gone.rows_affected)
}
