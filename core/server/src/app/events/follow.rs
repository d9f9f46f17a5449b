//! From rows of the catalog to events.
//!
//! A row gets its time before its transaction commits, so that rows become visible a little out of order: each look goes
//! back by [`OVERLAP`] and leaves out what it has seen.

use std::{collections::HashSet, sync::Arc, time::Duration};

use boxvault_catalog::{
    audit::{self, AuditFilter, Entry},
    verifications::{self, CheckedFile},
};
use boxvault_types::{
    action::{Action, Resource},
    views::events::{EventKind, EventView},
};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::timeout;
use tracing::warn;

use super::Event;
use crate::{
    app::{App, jobs::Job},
    error::Result,
};

/// How often other servers' rows are looked for.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);
/// How long a transaction of one change may take, which is short.
const OVERLAP: TimeDelta = TimeDelta::seconds(5);
/// How many rows one look brings; a burst of more is read on with the next.
const ROWS_MAX: u64 = 500;

/// How far it was read.
struct Position {
    /// From when on events are wanted at all.
    begun: DateTime<Utc>,
    since: DateTime<Utc>,
    seen: HashSet<String>,
}

impl App {
    /// Follows what happens, for as long as somebody listens, for ever.
    pub(crate) async fn follow_events_forever(self: Arc<Self>) {
        self.jobs.begin(Job::Events, FOLLOW_INTERVAL);
        let mut position = None::<Position>;
        loop {
            if let Some(begun) = self.events.wanted_since() {
                let at = position.get_or_insert_with(|| Position {
                    begun,
                    since: begun,
                    seen: HashSet::new(),
                });
                if let Err(error) = self.jobs.run(Job::Events, self.follow_events(at)).await {
                    warn!(cause = error.causes(), "could not look for events; trying again");
                }
            } else if position.take().is_some() {
                self.events.forget();
            }
            // either way: it is time to look
            drop(timeout(FOLLOW_INTERVAL, self.events.bell.notified()).await);
        }
    }

    async fn follow_events(&self, position: &mut Position) -> Result<()> {
        let now = self.catalog.now();
        let filter = AuditFilter {
            allowed: Some(true),
            since: Some(position.since),
            ..AuditFilter::default()
        };
        let mut last = None::<Entry>;
        let mut seen = HashSet::new();
        loop {
            let rows = audit::read_on(&self.catalog, &filter, last.as_ref(), ROWS_MAX).await?;
            for row in &rows {
                let id = row.id.to_string();
                if !position.seen.contains(&id)
                    && let Some(event) = of_row(row, id.clone())
                {
                    self.publish(event);
                }
                seen.insert(id);
            }
            if (rows.len() as u64) < ROWS_MAX {
                break;
            }
            last = rows.into_iter().next_back();
        }
        for file in
            verifications::list_checked_since(&self.catalog, position.since, ROWS_MAX).await?
        {
            let id = format!("{}-{}", file.artifact_id, file.checked_at.timestamp_micros());
            if !position.seen.contains(&id) {
                self.publish(of_check(file, id.clone()));
            }
            seen.insert(id);
        }
        position.since = position.begun.max(now - OVERLAP);
        position.seen = seen;
        Ok(())
    }

    fn publish(&self, event: Event) {
        if event.touches_rights {
            // another server may have changed them: what is remembered here is old
            self.identities.clear();
        }
        self.events.publish(event);
    }
}

/// What a row of the audit log is to who has a page open; nothing where it changed nothing.
fn of_row(row: &Entry, id: String) -> Option<Event> {
    if row.status.is_some_and(|status| status >= 400) || is_read(&row.action) {
        return None;
    }
    let first = row.object.split('/').next().unwrap_or_default();
    let kind = match (first, &row.organization) {
        ("box", Some(_)) => EventKind::Box,
        (_, Some(_)) => EventKind::Organization,
        ("session" | "token" | "profile" | "account", None) => EventKind::Account,
        (_, None) => EventKind::System,
    };
    Some(Event {
        view: EventView {
            id,
            kind,
            action: Some(row.action.clone()),
            organization: row.organization.clone(),
            object: Some(row.object.clone()),
        },
        actor: row.actor_id,
        touches_rights: kind != EventKind::Box,
    })
}

fn is_read(action: &str) -> bool {
    [Action::Read, Action::Download].iter().any(|read| read.as_str() == action)
}

fn of_check(file: CheckedFile, id: String) -> Event {
    let object = Resource::File(
        file.organization.clone(),
        file.box_name,
        file.version,
        file.provider,
        file.architecture,
    )
    .object();
    Event {
        view: EventView {
            id,
            kind: EventKind::Box,
            action: Some(Action::Verify.as_str().to_owned()),
            organization: Some(file.organization.key()),
            object: Some(object),
        },
        actor: None,
        touches_rights: false,
    }
}

#[cfg(test)]
mod tests {
    use boxvault_types::ids::AuditId;

    use super::*;

    fn row(organization: Option<&str>, object: &str, action: &str, status: u16) -> Entry {
        Entry {
            id: AuditId::new(),
            at: Utc::now(),
            actor_id: None,
            actor_name: None,
            credential: "session".to_owned(),
            action: action.to_owned(),
            organization: organization.map(ToOwned::to_owned),
            object: object.to_owned(),
            allowed: true,
            status: Some(status),
            address: None,
            request_id: None,
            policy_digest: None,
            detail: None,
        }
    }

    #[test]
    fn what_changed_something_is_an_event_of_its_kind() {
        let acme = Some("acme");
        for (organization, object, action, status, expected) in [
            (acme, "box/web/version/1.0.0", "release", 200, Some((EventKind::Box, false))),
            (acme, "member/bob", "update", 200, Some((EventKind::Organization, true))),
            (acme, "rules", "update", 200, Some((EventKind::Organization, true))),
            (None, "session/1", "delete", 200, Some((EventKind::Account, true))),
            (None, "policy", "update", 200, Some((EventKind::System, true))),
            (None, "user/bob", "update", 200, Some((EventKind::System, true))),
            // a link was given away, and a change that came to nothing
            (acme, "box/web/version/1.0.0/provider/x/architecture/y/file", "download", 200, None),
            (acme, "box/web", "update", 412, None),
        ] {
            let event = of_row(&row(organization, object, action, status), "id".to_owned());
            let found = event.map(|event| (event.view.kind, event.touches_rights));
            assert_eq!(found, expected, "{object} {action}");
        }
    }
}
