//! The audit log: what was done is written before the answer goes out, what was refused a moment later, in batches.
//!
//! Refusals cost a caller nothing, so they may not cost us much: those that wait are bounded, and what does not fit
//! is counted and left out. What was done is never left out.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use boxvault_catalog::{
    audit::{self, AuditFilter, Entry, NewEntry},
    organizations::Organization,
    users,
};
use boxvault_types::{
    action::Action,
    names::UserName,
    params::{
        ListQuery,
        audit::{AuditQuery, ExportFormat},
    },
    views::{PageView, audit::AuditEntryView},
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use tracing::error;

use super::{App, lists};
use crate::error::{AppError, Result};

/// How many rows of an export are in memory at once.
const EXPORT_ROWS: u64 = 500;
/// The columns of an export as comma-separated values.
const CSV_COLUMNS: &str = "id,at,actor,actorId,credential,action,organization,object,allowed,status,address,requestId,policyDigest,detail\r\n";

/// Who did something that no request asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The server itself.
    Server,
    /// Somebody at the command line of its machine.
    Command,
}

impl By {
    /// In the place of the kind of a credential.
    fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Command => "command",
        }
    }
}

/// Refusals that are to be written.
pub(crate) struct Refusals {
    waiting: Mutex<Vec<NewEntry>>,
    waiting_max: usize,
}

impl Refusals {
    /// None yet.
    pub(crate) fn new(waiting_max: usize) -> Self {
        Self { waiting: Mutex::new(Vec::new()), waiting_max }
    }

    /// Adds as many as there is room for; tells how many there was none for.
    fn add(&self, entries: Vec<NewEntry>) -> usize {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.waiting_max.saturating_sub(waiting.len());
        let dropped = entries.len().saturating_sub(room);
        waiting.extend(entries.into_iter().take(room));
        dropped
    }

    fn take(&self) -> Vec<NewEntry> {
        mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl App {
    /// Writes down what was done.
    ///
    /// # Errors
    /// When it could not be written: then the caller may not hear that it was done.
    pub(crate) async fn record_change(&self, entries: Vec<NewEntry>) -> Result<()> {
        let outcome = audit::insert(&self.catalog, entries.clone()).await;
        let kind = if outcome.is_ok() { "change" } else { "failed" };
        self.metrics.audited(kind, entries.len());
        self.events.ring();
        outcome.map_err(|error| {
            for entry in entries {
                error!(
                    actor = entry.actor_name,
                    action = entry.action,
                    object = entry.object,
                    organization = entry.organization.as_ref().map(ToString::to_string),
                    request_id = entry.request_id,
                    "a change was made and could not be written into the audit log"
                );
            }
            AppError::from(error)
        })
    }

    /// Writes down what was done on the command line of the server's own machine.
    ///
    /// # Errors
    /// When it could not be written.
    pub(crate) async fn record_command(&self, action: Action, object: &str) -> Result<()> {
        self.record_change(vec![self.own_entry(By::Command, action, object)]).await
    }

    /// A row for what no request asked for.
    pub(super) fn own_entry(&self, by: By, action: Action, object: &str) -> NewEntry {
        NewEntry {
            credential: by.as_str().to_owned(),
            action: action.as_str().to_owned(),
            object: object.to_owned(),
            allowed: true,
            // whoever runs a command has the host, and no rule says what they may do
            policy_digest: (by != By::Command).then(|| self.policy.load().digest().to_owned()),
            ..NewEntry::default()
        }
    }

    /// Writes down what was refused, with the next batch.
    pub(crate) fn record_refusal(&self, mut entry: NewEntry) {
        entry.at = Some(self.catalog.now());
        let dropped = self.refusals.add(vec![entry]);
        self.metrics.audited("dropped", dropped);
    }

    /// Writes the refusals that wait.
    ///
    /// # Errors
    /// If they could not be written; they are kept, as far as there is room.
    pub(crate) async fn flush_refusals(&self) -> Result<()> {
        let entries = self.refusals.take();
        if entries.is_empty() {
            return Ok(());
        }
        match audit::insert(&self.catalog, entries.clone()).await {
            Ok(()) => {
                self.metrics.audited("refusal", entries.len());
                Ok(())
            }
            Err(error) => {
                let dropped = self.refusals.add(entries);
                self.metrics.audited("dropped", dropped);
                Err(error.into())
            }
        }
    }

    /// Forgets what is older than the configuration keeps.
    pub(crate) async fn sweep_audit(&self) -> Result<u64> {
        let age: Duration = self.config.audit.retention.into();
        if age.is_zero() {
            return Ok(0);
        }
        Ok(audit::forget_older_than(&self.catalog, age).await?)
    }

    /// The audit log of an organization, or of everything, newest first.
    pub(crate) async fn list_audit(
        &self,
        organization: Option<&Organization>,
        wanted: AuditQuery,
        query: ListQuery,
    ) -> Result<(Vec<AuditEntryView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        if query.q.is_some() || query.order.is_some() {
            let field = if query.q.is_some() { "q" } else { "order" };
            return Err(AppError::invalid(
                field,
                "the audit log is newest first, and searched by actor, action, object, since, until",
            ));
        }
        let filter = self.audit_filter(organization, wanted).await?;
        let found = audit::list(&self.catalog, &filter, page).await?;
        Ok((found.items.into_iter().map(view).collect(), lists::view(page, found.total)))
    }

    /// The same as a stream of text, oldest first, of which only a piece is in memory at a time.
    pub(crate) async fn export_audit(
        self: &Arc<Self>,
        organization: Option<&Organization>,
        wanted: AuditQuery,
        format: ExportFormat,
    ) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let filter = self.audit_filter(organization, wanted).await?;
        let export = Export { app: Arc::clone(self), filter, format, progress: Progress::Head };
        Ok(stream::try_unfold(export, Export::next))
    }

    async fn audit_filter(
        &self,
        organization: Option<&Organization>,
        wanted: AuditQuery,
    ) -> Result<AuditFilter> {
        let actor = match &wanted.actor {
            None => None,
            Some(name) => {
                let name: UserName =
                    name.parse().map_err(|error| AppError::invalid("actor", error))?;
                // rows hold the name as its owner writes it
                let account = users::find_by_name(&self.catalog, &name).await?;
                Some(account.map_or(name, |account| account.name))
            }
        };
        Ok(AuditFilter {
            organization: organization.map(|organization| organization.id),
            actor,
            action: wanted.action,
            object: wanted.object,
            allowed: wanted.allowed,
            since: wanted.since,
            until: wanted.until,
        })
    }
}

struct Export {
    app: Arc<App>,
    filter: AuditFilter,
    format: ExportFormat,
    progress: Progress,
}

enum Progress {
    Head,
    After(Option<Box<Entry>>),
    Done,
}

impl Export {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>> {
        let last = match self.progress {
            Progress::Done => return Ok(None),
            Progress::Head if self.format == ExportFormat::Csv => {
                self.progress = Progress::After(None);
                return Ok(Some((Bytes::from_static(CSV_COLUMNS.as_bytes()), self)));
            }
            Progress::Head => None,
            Progress::After(last) => last,
        };
        let rows =
            audit::read_on(&self.app.catalog, &self.filter, last.as_deref(), EXPORT_ROWS).await?;
        let Some(newest) = rows.last().cloned() else { return Ok(None) };
        self.progress = match rows.len() as u64 {
            EXPORT_ROWS => Progress::After(Some(Box::new(newest))),
            _ => Progress::Done,
        };
        let mut text = String::new();
        for row in rows {
            match self.format {
                ExportFormat::Ndjson => {
                    text += &serde_json::to_string(&view(row)).map_err(AppError::internal)?;
                    text.push('\n');
                }
                ExportFormat::Csv => csv_line(&mut text, &view(row)),
            }
        }
        Ok(Some((Bytes::from(text), self)))
    }
}

fn csv_line(text: &mut String, row: &AuditEntryView) {
    let words = [
        row.id.to_string(),
        row.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        row.actor.clone().unwrap_or_default(),
        row.actor_id.map(|id| id.to_string()).unwrap_or_default(),
        row.credential.clone(),
        row.action.clone(),
        row.organization.clone().unwrap_or_default(),
        row.object.clone(),
        row.allowed.to_string(),
        row.status.map(|status| status.to_string()).unwrap_or_default(),
        row.address.clone().unwrap_or_default(),
        row.request_id.clone().unwrap_or_default(),
        row.policy_digest.clone().unwrap_or_default(),
        row.detail.as_ref().map(ToString::to_string).unwrap_or_default(),
    ];
    for (column, word) in words.iter().enumerate() {
        if column > 0 {
            text.push(',');
        }
        csv_word(text, word);
    }
    text.push_str("\r\n");
}

/// One value (RFC 4180). What a spreadsheet would take for a formula begins with an apostrophe.
fn csv_word(text: &mut String, word: &str) {
    let formula = word.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !word.contains(['"', ',', '\r', '\n']) {
        text.push_str(word);
        return;
    }
    text.push('"');
    if formula {
        text.push('\'');
    }
    text.push_str(&word.replace('"', "\"\""));
    text.push('"');
}

fn view(entry: Entry) -> AuditEntryView {
    AuditEntryView {
        id: entry.id,
        at: entry.at,
        actor: entry.actor_name,
        actor_id: entry.actor_id,
        credential: entry.credential,
        action: entry.action,
        organization: entry.organization,
        object: entry.object,
        allowed: entry.allowed,
        status: entry.status,
        address: entry.address,
        request_id: entry.request_id,
        policy_digest: entry.policy_digest,
        detail: entry.detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_says_how_many_it_had_no_room_for() {
        let refusals = Refusals::new(3);
        assert_eq!(refusals.add(vec![NewEntry::default(); 2]), 0);
        assert_eq!(refusals.add(vec![NewEntry::default(); 2]), 1);
        assert_eq!(refusals.take().len(), 3);
        assert_eq!(refusals.add(vec![NewEntry::default()]), 0);
    }

    #[test]
    fn values_of_an_export_are_text_to_every_spreadsheet() {
        for (word, expected) in [
            ("box/web", "box/web"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("a \"b\"\n", "\"a \"\"b\"\"\n\""),
            ("=1+1", "\"'=1+1\""),
            ("-1", "\"'-1\""),
            ("@cmd", "\"'@cmd\""),
        ] {
            let mut text = String::new();
            csv_word(&mut text, word);
            assert_eq!(text, expected, "{word}");
        }
    }
}
