//! Failed sign-ins, counted by account and by address, so that guessing gets slower and slower.
//!
//! Counted for names that no account has, too: the answer must not tell which names exist.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use crate::clock::whole_micros;
use crate::entity::sign_in_attempts as table;
use crate::rows::clean;
use crate::{Catalog, Result};

/// The longest account name that is kept apart from others, in bytes.
const ACCOUNT_BYTES_MAX: usize = 200;

/// Whose attempts are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttemptKey(String);

impl AttemptKey {
    /// Attempts on one account, by the name or e-mail address that was typed.
    pub fn account(typed: &str) -> Self {
        let mut key = format!("account:{}", clean(typed.trim()).to_lowercase());
        let mut end = key.len().min(ACCOUNT_BYTES_MAX);
        while !key.is_char_boundary(end) {
            end -= 1;
        }
        key.truncate(end);
        Self(key)
    }

    /// Attempts from one address. Of IPv6 the first 64 bits count, since one machine has all the others.
    pub fn address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(format!("address:{v4}")),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(format!("address:{a:x}:{b:x}:{c:x}:{d:x}::/64"))
            }
        }
    }
}

/// How fast to lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// How many failures cost nothing.
    pub free: u32,
    /// How long the first failure beyond them locks; each further one twice as long.
    pub first: Duration,
    /// How long one failure locks at most.
    pub longest: Duration,
    /// After how long without a failure all is forgotten.
    pub forget_after: Duration,
}

/// What is known of failed sign-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attempts {
    /// How many failed since the last success.
    pub failures: u32,
    /// When the last one failed.
    pub last_failure_at: Option<DateTime<Utc>>,
    /// Until when further attempts are refused.
    pub locked_until: Option<DateTime<Utc>>,
}

/// Reads what is known; nothing is known of most.
pub async fn read(catalog: &Catalog, key: &AttemptKey) -> Result<Attempts> {
    let row = table::Entity::find_by_id(key.0.as_str()).one(catalog.reader()).await?;
    Ok(row.as_ref().map(from_row).unwrap_or_default())
}

/// Counts a failure, and locks when there were too many.
pub async fn record_failure(
    catalog: &Catalog,
    key: &AttemptKey,
    back_off: &BackOff,
) -> Result<Attempts> {
    let now = catalog.now();
    let transaction = catalog.begin_aside().await?;
    let stale = now - delta(back_off.forget_after);
    table::Entity::delete_many()
        .filter(table::Column::AttemptKey.eq(key.0.as_str()))
        .filter(table::Column::LastFailureAt.lt(whole_micros(stale)))
        .exec(&transaction)
        .await?;
    // the insert holds the row until the commit, so that two failures count as two
    let first = table::Model {
        attempt_key: key.0.clone(),
        failures: 1,
        last_failure_at: now,
        locked_until: None,
    };
    let failures = (table::Entity, table::Column::Failures);
    table::Entity::insert(first.into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(table::Column::AttemptKey)
                .value(table::Column::Failures, Expr::col(failures).add(1))
                .value(table::Column::LastFailureAt, Expr::value(now))
                .to_owned(),
        )
        .exec_without_returning(&transaction)
        .await?;
    let mut attempts = table::Entity::find_by_id(key.0.as_str())
        .one(&transaction)
        .await?
        .as_ref()
        .map(from_row)
        .unwrap_or_default();
    if let Some(wait) = wait_after(attempts.failures, back_off) {
        attempts.locked_until = Some(whole_micros(now + delta(wait)));
        table::Entity::update_many()
            .col_expr(table::Column::LockedUntil, Expr::value(attempts.locked_until))
            .filter(table::Column::AttemptKey.eq(key.0.as_str()))
            .exec(&transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(attempts)
}

/// Forgets the failures, since the right password came.
pub async fn record_success(catalog: &Catalog, key: &AttemptKey) -> Result<()> {
    table::Entity::delete_by_id(key.0.as_str()).exec(catalog.writer()).await?;
    Ok(())
}

/// Forgets all failures older than this, of whomever; tells how many.
pub async fn forget_older_than(catalog: &Catalog, age: Duration) -> Result<u64> {
    let before = whole_micros(catalog.now() - delta(age));
    let gone = table::Entity::delete_many()
        .filter(table::Column::LastFailureAt.lt(before))
        .exec(catalog.writer())
        .await?;
    Ok(gone.rows_affected)
}

fn wait_after(failures: u32, back_off: &BackOff) -> Option<Duration> {
    let beyond = failures.checked_sub(back_off.free).filter(|beyond| *beyond > 0)?;
    let factor = 1_u32.checked_shl(beyond - 1).unwrap_or(u32::MAX);
    Some(back_off.first.checked_mul(factor).unwrap_or(back_off.longest).min(back_off.longest))
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(36_500))
}

fn from_row(row: &table::Model) -> Attempts {
    Attempts {
        failures: u32::try_from(row.failures).unwrap_or_default(),
        last_failure_at: Some(row.last_failure_at),
        locked_until: row.locked_until,
    }
}
