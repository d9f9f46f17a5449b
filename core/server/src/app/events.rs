//! What happens, for who has a page open: followed in the catalog, kept for a while, handed to whoever listens.
//!
//! The audit log has every change, of every server on the catalog, in the transaction that makes it; so that is what is
//! followed, and no handler has to tell. What was found when files were read again is followed beside it. Both are asked
//! for only while somebody listens, and at once when this server has written something. An event says what to read anew,
//! never what is there: who it goes to is decided for each listener ([`listening`]).

mod follow;
mod listening;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use boxvault_types::{
    error::ErrorCode,
    ids::UserId,
    views::events::{EventKind, EventView},
};
use chrono::{DateTime, Utc};
use tokio::sync::{Notify, broadcast, watch};
use uuid::Uuid;

use super::App;
use crate::error::{AppError, Result};
pub(crate) use listening::{Listening, Said};

/// How many events are kept for who comes back. A page that was away for longer reads everything anew.
const KEPT_MAX: usize = 1_000;
/// How many events a listener may be behind before it is told to read everything anew.
const BEHIND_MAX: usize = 256;
/// For how long events are followed on after the last listener went: one that exchanges its token is there again.
const LINGER: Duration = Duration::from_mins(1);

/// An event, with what decides who it is for.
#[derive(Debug, Clone)]
pub(super) struct Event {
    view: EventView,
    /// Who did it.
    actor: Option<UserId>,
    /// Whether it may have changed what somebody may do, or who they are.
    touches_rights: bool,
}

/// Everything that happened lately, and who listens.
pub(crate) struct Events {
    kept: Mutex<VecDeque<Arc<Event>>>,
    sender: broadcast::Sender<Arc<Event>>,
    bell: Notify,
    closed: watch::Sender<bool>,
    listeners: Arc<Mutex<Listeners>>,
}

#[derive(Default)]
struct Listeners {
    all: usize,
    of_user: HashMap<UserId, usize>,
    left_at: Option<Instant>,
    /// Since when there is always somebody, or was a moment ago.
    since: Option<DateTime<Utc>>,
}

impl Listeners {
    fn are_there(&self) -> bool {
        self.all > 0 || self.left_at.is_some_and(|left| left.elapsed() < LINGER)
    }
}

/// The place of one listener, free again when it is dropped.
struct Seat {
    listeners: Arc<Mutex<Listeners>>,
    user: UserId,
}

impl Events {
    /// Nothing happened, and nobody listens.
    pub(crate) fn new() -> Self {
        Self {
            kept: Mutex::default(),
            sender: broadcast::Sender::new(BEHIND_MAX),
            bell: Notify::new(),
            closed: watch::Sender::new(false),
            listeners: Arc::default(),
        }
    }

    /// Says that this server has written something that is worth a look.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Ends every stream: the server stops.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Since when somebody listens; nothing if nobody does, and nobody did a moment ago.
    fn wanted_since(&self) -> Option<DateTime<Utc>> {
        let listeners = lock(&self.listeners);
        listeners.since.filter(|_| listeners.are_there())
    }

    fn publish(&self, event: Event) {
        let event = Arc::new(event);
        // both under the lock: who begins to listen misses none and gets none twice
        let mut kept = lock(&self.kept);
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(&event));
        // nobody may be listening
        let _nobody = self.sender.send(event);
    }

    /// Forgets what was kept: there is a gap behind it.
    fn forget(&self) {
        lock(&self.kept).clear();
    }

    /// What came after an event, and all that will come. Of an event that is not known any more, nothing is known that
    /// came after it.
    fn listen(
        &self,
        after: Option<&str>,
    ) -> (Option<Vec<Arc<Event>>>, broadcast::Receiver<Arc<Event>>) {
        let kept = lock(&self.kept);
        let receiver = self.sender.subscribe();
        let Some(after) = after else { return (Some(Vec::new()), receiver) };
        let at = kept.iter().position(|event| event.view.id == after);
        (at.map(|at| kept.iter().skip(at + 1).cloned().collect()), receiver)
    }

    /// Where a listener stands who has heard everything so far.
    fn last_id(&self) -> String {
        let mut kept = lock(&self.kept);
        if kept.is_empty() {
            // a mark to come back to; it comes before all and is handed to nobody
            let view = notice(EventKind::Reset, Uuid::now_v7().to_string());
            kept.push_back(Arc::new(Event { view, actor: None, touches_rights: false }));
        }
        kept.back().map(|event| event.view.id.clone()).unwrap_or_default()
    }

    /// Takes a place, within `limits.event_streams_max` and `limits.event_streams_per_user_max`.
    fn take_seat(&self, user: UserId, app: &App) -> Result<Seat> {
        let limits = &app.config.limits;
        let mut listeners = lock(&self.listeners);
        let own = listeners.of_user.get(&user).copied().unwrap_or_default();
        let full = if own >= limits.event_streams_per_user_max {
            Some(
                "you have too many streams of events open (limits.event_streams_per_user_max); close some",
            )
        } else if listeners.all >= limits.event_streams_max {
            Some(
                "too many streams of events are open (limits.event_streams_max); ask from time to time instead",
            )
        } else {
            None
        };
        if let Some(why) = full {
            return Err(AppError::new(ErrorCode::Busy, why).with_retry_after(LINGER));
        }
        if !listeners.are_there() {
            listeners.since = Some(app.catalog.now());
        }
        listeners.all += 1;
        *listeners.of_user.entry(user).or_default() += 1;
        drop(listeners);
        Ok(Seat { listeners: Arc::clone(&self.listeners), user })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut listeners = lock(&self.listeners);
        listeners.all -= 1;
        listeners.left_at = Some(Instant::now());
        if let Some(own) = listeners.of_user.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                listeners.of_user.remove(&self.user);
            }
        }
    }
}

/// An event that is about the listener alone.
fn notice(kind: EventKind, id: String) -> EventView {
    EventView { id, kind, action: None, organization: None, object: None }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str) -> Event {
        let view = notice(EventKind::System, id.to_owned());
        Event { view, actor: None, touches_rights: false }
    }

    fn ids(events: &[Arc<Event>]) -> Vec<&str> {
        events.iter().map(|event| &*event.view.id).collect()
    }

    #[tokio::test]
    async fn who_comes_back_gets_what_came_meanwhile_once_and_in_order() {
        let events = Events::new();
        for id in ["a", "b", "c"] {
            events.publish(event(id));
        }
        let (missed, mut coming) = events.listen(Some("a"));
        events.publish(event("d"));
        assert_eq!(ids(&missed.unwrap()), ["b", "c"]);
        assert_eq!(coming.recv().await.unwrap().view.id, "d");
        assert!(coming.is_empty());
        // a first listener has missed nothing
        assert_eq!(events.listen(None).0.unwrap().len(), 0);
        // of what nobody remembers nothing can be said
        assert!(events.listen(Some("z")).0.is_none());
        for n in 0..KEPT_MAX {
            events.publish(event(&n.to_string()));
        }
        assert!(events.listen(Some("a")).0.is_none());
        assert_eq!(events.last_id(), (KEPT_MAX - 1).to_string());
        events.forget();
        assert!(events.listen(Some("999")).0.is_none());
        // whoever heard nothing yet has a place to come back to
        let nothing = events.last_id();
        assert_eq!(events.listen(Some(&nothing)).0.unwrap().len(), 0);
        events.publish(event("e"));
        assert_eq!(ids(&events.listen(Some(&nothing)).0.unwrap()), ["e"]);
    }
}
