//! One listener: what happened, as far as they may know of it, until their credentials are good no more.
//!
//! A stream is let in as any request is, and asked again for as long as it lasts: the token at each event that may have
//! changed rights and at each heartbeat, the policy for each event.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use boxvault_policy::Policy;
use boxvault_types::{
    action::{Action, Resource},
    identity::{Caller, Identity},
    names::{BoxName, OrganizationName},
    version::BoxVersion,
    views::events::{EventKind, EventView, EventsView},
};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::{Instant, sleep_until},
};

use super::{Event, Seat, notice};
use crate::{
    app::{
        App,
        access::{Answer, Target},
    },
    error::Result,
};

/// How often a stream without events shows that it is alive: less than proxies, and this server, wait for.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Somebody who listens.
pub(crate) struct Listening {
    app: Arc<App>,
    tokens: Vec<String>,
    caller: Arc<Caller>,
    policy: Arc<Policy>,
    coming: broadcast::Receiver<Arc<Event>>,
    closed: watch::Receiver<bool>,
    /// What is to be sent before what is coming.
    missed: VecDeque<Arc<Event>>,
    told: VecDeque<EventView>,
    last_id: String,
    next_beat: Instant,
    is_over: bool,
    _seat: Seat,
}

/// Why a stream that waited goes on.
enum Woken {
    Closed,
    Received(Arc<Event>),
    /// It took too long over what came before.
    Behind,
    Beat,
}

/// What a stream says next.
#[derive(Debug)]
pub(crate) enum Said {
    /// Where to go on from; said first.
    Hello(String),
    /// Something happened.
    Event(EventView),
    /// It is alive.
    Beat,
}

impl App {
    /// Lets somebody listen, from after an event on.
    ///
    /// # Errors
    /// `BUSY` where too many streams are open.
    pub(crate) fn listen(
        self: &Arc<Self>,
        caller: Arc<Caller>,
        tokens: Vec<String>,
        after: Option<&str>,
    ) -> Result<Listening> {
        let seat = self.events.take_seat(caller.user_id, self)?;
        // it may have slept
        self.events.ring();
        let (missed, coming) = self.events.listen(after);
        let last_id = after.map_or_else(|| self.events.last_id(), ToOwned::to_owned);
        let mut listening = Listening {
            policy: self.policy.load(),
            closed: self.events.closed.subscribe(),
            last_id,
            next_beat: Instant::now() + HEARTBEAT,
            missed: VecDeque::new(),
            told: VecDeque::new(),
            is_over: false,
            app: Arc::clone(self),
            tokens,
            caller,
            coming,
            _seat: seat,
        };
        match missed {
            Some(events) => listening.missed.extend(events),
            None => listening.read_anew(),
        }
        Ok(listening)
    }

    /// What the caller may know of what happened since an event.
    ///
    /// # Errors
    /// When the catalog fails.
    pub(crate) async fn list_events(
        self: &Arc<Self>,
        caller: Arc<Caller>,
        tokens: Vec<String>,
        after: Option<&str>,
    ) -> Result<EventsView> {
        let mut listening = self.listen(caller, tokens, after)?;
        let mut events: Vec<_> = listening.told.drain(..).collect();
        while let Some(event) = listening.missed.pop_front() {
            listening.last_id.clone_from(&event.view.id);
            listening.take(&event).await?;
            events.extend(listening.told.drain(..));
        }
        Ok(EventsView { events, last_event_id: listening.last_id })
    }
}

impl Listening {
    /// What the stream begins with.
    pub(crate) fn hello(&self) -> Said {
        Said::Hello(self.last_id.clone())
    }

    /// What it says next; nothing when it is over.
    pub(crate) async fn next(&mut self) -> Option<Said> {
        loop {
            if let Some(view) = self.told.pop_front() {
                return Some(Said::Event(view));
            }
            if self.is_over {
                return None;
            }
            if let Some(event) = self.missed.pop_front() {
                self.take_or_end(&event).await;
                continue;
            }
            match self.wait().await {
                Woken::Closed => return None,
                Woken::Received(event) => self.take_or_end(&event).await,
                Woken::Behind => {
                    self.coming = self.coming.resubscribe();
                    self.read_anew();
                }
                Woken::Beat => {
                    self.next_beat = Instant::now() + HEARTBEAT;
                    self.look_again().await;
                    if self.told.is_empty() {
                        return Some(Said::Beat);
                    }
                }
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        tokio::select! {
            _ = self.closed.wait_for(|closed| *closed) => Woken::Closed,
            received = self.coming.recv() => match received {
                Ok(event) => Woken::Received(event),
                Err(RecvError::Lagged(_)) => Woken::Behind,
                Err(RecvError::Closed) => Woken::Closed,
            },
            () = sleep_until(self.next_beat) => Woken::Beat,
        }
    }

    async fn take_or_end(&mut self, event: &Event) {
        self.last_id.clone_from(&event.view.id);
        // a catalog that is away says nothing of what they may know; whoever comes back reads everything anew
        if self.take(event).await.is_err() {
            self.is_over = true;
        }
    }

    /// Takes note of an event, and tells what the caller may know of it.
    async fn take(&mut self, event: &Event) -> Result<()> {
        if event.touches_rights {
            self.look_again().await;
        }
        if !self.is_over && self.may_know(event).await? {
            self.told.push_back(event.view.clone());
        }
        Ok(())
    }

    /// Looks whether the credentials are still good, and whether they are good for something else now.
    async fn look_again(&mut self) {
        let mut found = None;
        for token in &self.tokens {
            if let Ok(caller) = self.app.identify(token).await {
                found = Some(caller);
                break;
            }
        }
        let Some(caller) = found else {
            self.is_over = true;
            self.told.push_back(notice(EventKind::End, self.last_id.clone()));
            return;
        };
        let policy = self.app.policy.load();
        let changed = *caller != *self.caller || !Arc::ptr_eq(&policy, &self.policy);
        (self.caller, self.policy) = (caller, policy);
        if changed {
            self.told.push_back(notice(EventKind::Rights, self.last_id.clone()));
        }
    }

    fn read_anew(&mut self) {
        self.last_id = self.app.events.last_id();
        self.told.push_back(notice(EventKind::Reset, self.last_id.clone()));
    }

    /// An event says that something changed, which is told to whoever could read that by asking.
    async fn may_know(&self, event: &Event) -> Result<bool> {
        let view = &event.view;
        let is_own = event.actor == Some(self.caller.user_id);
        let is_inside = view.organization.as_deref().is_some_and(|organization| {
            self.caller.platform_admin
                || self.caller.memberships.iter().any(|(name, _)| name.key() == organization)
        });
        match view.kind {
            EventKind::Account => Ok(is_own),
            EventKind::System => Ok(is_own || self.caller.platform_admin),
            EventKind::Organization => Ok(is_inside),
            _ => match resource(view) {
                Some(resource) => self.may_read(resource).await,
                // the boxes of an organization as a whole
                None => Ok(is_inside),
            },
        }
    }

    async fn may_read(&self, resource: Resource) -> Result<bool> {
        let identity = Identity::User(Arc::clone(&self.caller));
        let target = Target::find(&self.app, resource, Action::Read).await?;
        Ok(self.app.answer(&self.policy, &identity, &target, Action::Read) == Answer::Allowed)
    }
}

/// The box, or its version, that an event is about.
fn resource(view: &EventView) -> Option<Resource> {
    let organization = OrganizationName::parse(view.organization.as_deref()?).ok()?;
    let mut parts = view.object.as_deref()?.split('/').skip(1);
    let name = BoxName::parse(parts.next()?).ok()?;
    match (parts.next(), parts.next()) {
        (Some("version"), Some(number)) => {
            let number = BoxVersion::parse(number).ok()?;
            Some(Resource::Version(organization, name, Some(number)))
        }
        _ => Some(Resource::Box(organization, Some(name))),
    }
}
