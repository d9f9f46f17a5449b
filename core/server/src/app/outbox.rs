//! Messages on their way: written into the catalog with the change that they tell of, sent in the background.
//!
//! A message may be sent twice, when a server dies between the mail server's word and its own note of it, and never
//! not at all. What cannot be sent is tried again with growing pauses, then given up: an error in the log, a number in
//! the metrics, and `boxvault mail retry` once the cause is gone.

use std::{error::Error, time::Duration};

use boxvault_catalog::{
    PAGE_SIZE_MAX, Page,
    outbox::{self, ClaimedMail, MailState, NewMail},
};
use boxvault_types::ids::MailId;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tracing::{error, info, warn};

use super::{App, jobs::Job, links::LinkWish, sessions::delta};
use crate::{
    error::{AppError, Result},
    language::Language,
    mail::{
        letter::{Letter, Mail, Template},
        transport::{SendError, Transport},
    },
};

/// How many messages of one server are on their way at once.
const CONCURRENT_MAX: u64 = 8;
/// How often a server looks for messages that another one, or a command, has written.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How much longer a claim lasts than an attempt may take.
const LEASE_MARGIN: Duration = Duration::from_secs(30);
/// What sealed messages are sealed for.
const PURPOSE: &str = "mail";

/// What a row of the outbox holds.
#[derive(Debug, Serialize, Deserialize)]
enum Parcel {
    /// Ready to be sent.
    Letter(Letter),
    /// Somebody who is not signed in wants a link. Looked at only here, so that the answer to them takes the same
    /// work whomever they name.
    Wish(LinkWish),
}

/// The way out, and the bell that says that there is something to send.
pub(crate) struct Postbox {
    transport: Transport,
    bell: Notify,
}

impl Postbox {
    /// An idle one.
    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport, bell: Notify::new() }
    }

    /// Says that a message was written into the catalog.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }
}

impl App {
    /// Puts a message into the outbox. Where it tells of a change, hand [`App::compose_mail`] to that change instead.
    pub(crate) async fn queue_mail(&self, mail: Mail) -> Result<MailId> {
        let new = self.compose_mail(mail)?;
        let id = new.id;
        outbox::queue(&self.catalog, new).await?;
        self.postbox.ring();
        Ok(id)
    }

    /// Lays a message out and seals it, for the transaction that it belongs to. Ring the bell after the commit.
    pub(crate) fn compose_mail(&self, mail: Mail) -> Result<NewMail> {
        let (kind, letter) = mail.write(&self.public_url.to_string())?;
        self.pack(kind, &Parcel::Letter(letter))
    }

    /// Puts a wish for a link into the outbox, to be looked at when its turn comes.
    pub(crate) async fn queue_wish(&self, wish: LinkWish) -> Result<()> {
        let kind = wish.kind();
        outbox::queue(&self.catalog, self.pack(kind, &Parcel::Wish(wish))?).await?;
        self.postbox.ring();
        Ok(())
    }

    fn pack(&self, kind: &'static str, parcel: &Parcel) -> Result<NewMail> {
        let text = serde_json::to_vec(parcel).map_err(AppError::internal)?;
        Ok(NewMail { id: MailId::new(), kind, payload: self.sealer.seal(PURPOSE, &text)? })
    }

    /// Sends messages for as long as it runs.
    pub(crate) async fn send_mail_forever(&self) {
        if let Some(folder) = self.postbox.transport.folder() {
            info!(
                folder = %folder.display(),
                "no mail server is set (mail.host): messages become files in {}",
                folder.display()
            );
        }
        self.jobs.begin(Job::Mail, POLL_INTERVAL);
        loop {
            match self.jobs.run(Job::Mail, self.send_due_mail()).await {
                // there may be more
                Ok(sent) if sent > 0 => continue,
                Ok(_) => {}
                Err(error) => {
                    warn!(cause = error.causes(), "could not look into the outbox; trying again");
                }
            }
            // either way: it is time to look
            drop(timeout(POLL_INTERVAL, self.postbox.bell.notified()).await);
        }
    }

    /// Sends what is due now, a few at once; tells how many attempts were made.
    async fn send_due_mail(&self) -> Result<usize> {
        let lease = Duration::from(self.config.mail.timeout) + LEASE_MARGIN;
        let claimed = outbox::claim(&self.catalog, CONCURRENT_MAX, lease).await?;
        for outcome in join_all(claimed.iter().map(|mail| self.attempt(mail))).await {
            outcome?;
        }
        let counts = outbox::count(&self.catalog).await?;
        self.metrics.set_mail_queue(counts.waiting, counts.given_up);
        Ok(claimed.len())
    }

    async fn attempt(&self, mail: &ClaimedMail) -> Result<()> {
        let letter = match self.unpack(&mail.payload) {
            Ok(Parcel::Letter(letter)) => Ok(letter),
            Ok(Parcel::Wish(wish)) => match self.grant(wish).await? {
                Some(letter) => Ok(letter),
                // whoever asked named nobody; they are not told, and nobody else is
                None => return Ok(outbox::remove(&self.catalog, mail).await?),
            },
            Err(error) => Err(SendError::Refused(error.into())),
        };
        let outcome = match letter {
            Ok(letter) => {
                let id = mail.id.to_string();
                self.postbox.transport.send(&id, &mail.kind, mail.created_at, letter).await
            }
            Err(error) => Err(error),
        };
        let Err(failure) = outcome else {
            outbox::remove(&self.catalog, mail).await?;
            self.metrics.mailed("sent");
            return Ok(());
        };
        let attempt = mail.attempts + 1;
        let last =
            matches!(failure, SendError::Refused(_)) || attempt >= self.config.mail.attempts_max;
        let next = (!last).then(|| self.catalog.now() + delta(self.pause_after(attempt)));
        outbox::record_failure(&self.catalog, mail, &causes(&failure), next).await?;
        // what a mail server says often repeats the address, which has no place in the log
        let (id, kind) = (mail.id, &mail.kind);
        if last {
            self.metrics.mailed("given_up");
            error!(%id, kind, attempt, %failure, "gave a message up; `boxvault mail list` tells why");
        } else {
            self.metrics.mailed("postponed");
            warn!(%id, kind, attempt, %failure, "could not send a message; trying again later");
        }
        Ok(())
    }

    fn unpack(&self, payload: &[u8]) -> Result<Parcel> {
        let text = self.sealer.open(PURPOSE, payload)?;
        serde_json::from_slice(&text).map_err(AppError::internal)
    }

    fn pause_after(&self, attempt: u32) -> Duration {
        let mail = &self.config.mail;
        let factor = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = Duration::from(mail.retry_longest);
        Duration::from(mail.retry_first).checked_mul(factor).map_or(longest, |it| it.min(longest))
    }

    /// Sends a test message, and waits for what becomes of its first attempt: `None` when it was sent.
    ///
    /// # Errors
    /// When the catalog fails.
    pub async fn send_test_mail(&self, to: String) -> Result<Option<MailState>> {
        let id = self.queue_mail(Mail::new(to, Language::ENGLISH, Template::Test)).await?;
        loop {
            self.send_due_mail().await?;
            match outbox::find(&self.catalog, id).await? {
                None => return Ok(None),
                Some(state) if state.attempts > 0 => return Ok(Some(state)),
                // a running server has it in its hands
                Some(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// The first page of messages that could not be sent yet or were given up, and how many there are.
    ///
    /// # Errors
    /// When the catalog fails.
    pub async fn list_failed_mail(&self) -> Result<(Vec<MailState>, u64)> {
        let page = outbox::list_failed(&self.catalog, Page::new(1, PAGE_SIZE_MAX)).await?;
        Ok((page.items, page.total))
    }

    /// Lets every message that was given up be tried again.
    ///
    /// # Errors
    /// When the catalog fails.
    pub async fn retry_mail(&self) -> Result<u64> {
        Ok(outbox::retry_given_up(&self.catalog).await?)
    }
}

/// A failure and what caused it, as one line for the operator.
fn causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.extend([": ", &cause.to_string()]);
        next = cause.source();
    }
    line
}
