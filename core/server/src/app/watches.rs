//! Watches: who wants to hear of new releases of a box, and the messages that tell them.
//!
//! A message goes to a proven address only, so that nobody fills another one's mailbox, and holds a link that stops
//! them: the watch itself, sealed, so that it needs no row and no sign-in, and is good for nothing else.

use std::sync::Arc;

use boxvault_catalog::{
    boxes::OwnedBox,
    outbox::NewMail,
    users::{self, User},
    watches::{self, Notice, Watcher},
};
use boxvault_policy::{AccessRequest, Policy, Relations};
use boxvault_types::{
    action::{Action, Resource},
    error::ErrorCode,
    identity::{Caller, Credential, Identity, TokenScope},
    ids::{BoxId, UserId},
    params::ListQuery,
    views::{PageView, boxes::WatchView},
};
use data_encoding::BASE64URL_NOPAD;
use uuid::Uuid;

use super::{App, accounts::language_of, lists};
use crate::{
    error::{AppError, Result},
    mail::letter::{Mail, Stop, Template},
};

/// What links that stop messages are sealed for.
const PURPOSE: &str = "stop-watching";
/// The longest token that is looked at.
const TOKEN_CHARS_MAX: usize = 256;

impl App {
    /// Lets the caller hear of new releases of a box. Says whether there is a proven address to write to.
    pub(crate) async fn watch_box(&self, caller: &Caller, found: &OwnedBox) -> Result<bool> {
        watches::watch(&self.catalog, caller.user_id, found.vagrant_box.id).await?;
        let user = users::find(&self.catalog, caller.user_id).await?;
        Ok(user.is_some_and(|user| proven_address(&user).is_some()))
    }

    /// Lets the caller hear no more of a box.
    pub(crate) async fn unwatch_box(&self, caller: &Caller, found: &OwnedBox) -> Result<()> {
        Ok(watches::unwatch(&self.catalog, caller.user_id, found.vagrant_box.id).await?)
    }

    /// Stops messages by a link that stood in one. Once more changes nothing.
    ///
    /// # Errors
    /// `LINK_INVALID`.
    pub(crate) async fn stop_watching(&self, token: &str) -> Result<()> {
        let invalid = || {
            AppError::new(
                ErrorCode::LinkInvalid,
                "this link is not complete; open it as it stands in the message, or sign in to stop watching",
            )
        };
        let (user, vagrant_box) = self.watch_of(token).ok_or_else(invalid)?;
        Ok(watches::unwatch(&self.catalog, user, vagrant_box).await?)
    }

    /// What the caller watches and may still read, the last watched first.
    pub(crate) async fn list_watches(
        &self,
        identity: &Identity,
        caller: &Caller,
        query: ListQuery,
    ) -> Result<(Vec<WatchView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let policy = self.policy.load();
        let visibility = self.visibility(identity).await?;
        let listed = watches::list(&self.catalog, caller.user_id, &visibility, page).await?;
        let views = listed
            .items
            .into_iter()
            .filter(|watch| self.may_read_box(&policy, identity, &watch.found))
            .map(|watch| WatchView {
                id: watch.found.id,
                name: watch.found.name.to_string(),
                organization: watch.found.organization.to_string(),
                short_description: watch.found.short_description,
                watched_since: watch.since,
            });
        Ok((views.collect(), lists::view(page, listed.total)))
    }

    /// Turns notices of releases into messages, until there are none left or another server is at it.
    pub(crate) async fn tell_watchers(&self) -> Result<()> {
        while let Some(notice) = watches::find_notice(&self.catalog).await? {
            let told = watches::list_untold(&self.catalog, &notice).await?;
            let policy = self.policy.load();
            let mails = told
                .iter()
                .filter(|watcher| may_hear(&policy, watcher, &notice))
                .filter_map(|watcher| Some((&watcher.user, proven_address(&watcher.user)?)))
                .map(|(user, address)| self.notice_mail(&notice, user, address))
                .collect::<Result<Vec<_>>>()?;
            if !watches::tell(&self.catalog, &notice, &told, mails).await? {
                return Ok(());
            }
            self.postbox.ring();
        }
        Ok(())
    }

    fn notice_mail(&self, notice: &Notice, user: &User, address: &str) -> Result<NewMail> {
        let server = &self.public_url;
        let vagrant_box = &notice.found.vagrant_box;
        let (organization, name) = (&notice.found.organization.name, &vagrant_box.name);
        let token = self.stop_token(user.id, vagrant_box.id)?;
        let template = Template::Released {
            name: format!("{organization}/{name}"),
            version: notice.version.number.to_string(),
            link: format!("{server}/{organization}/boxes/{name}"),
            stop: Stop {
                page: format!("{server}/stop-watching#token={token}"),
                address: format!("{server}/api/watches/stop?token={token}"),
            },
        };
        self.compose_mail(Mail::new(address, language_of(user), template))
    }

    fn stop_token(&self, user: UserId, vagrant_box: BoxId) -> Result<String> {
        let watch = [*user.0.as_bytes(), *vagrant_box.0.as_bytes()].concat();
        Ok(BASE64URL_NOPAD.encode(&self.sealer.seal(PURPOSE, &watch)?))
    }

    fn watch_of(&self, token: &str) -> Option<(UserId, BoxId)> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let sealed = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
        let watch = self.sealer.open(PURPOSE, &sealed).ok()?;
        let (user, vagrant_box) = watch.split_first_chunk::<16>()?;
        let vagrant_box: [u8; 16] = vagrant_box.try_into().ok()?;
        Some((UserId(Uuid::from_bytes(*user)), BoxId(Uuid::from_bytes(vagrant_box))))
    }
}

fn proven_address(user: &User) -> Option<&str> {
    user.email.as_deref().filter(|_| user.email_verified_at.is_some())
}

/// Whether a watcher is still somebody who may know of the release.
fn may_hear(policy: &Policy, watcher: &Watcher, notice: &Notice) -> bool {
    let user = &watcher.user;
    if user.suspended_at.is_some() || notice.found.organization.suspension.is_some() {
        return false;
    }
    let organization = notice.found.organization.name.clone();
    let identity = Identity::User(Arc::new(Caller {
        user_id: user.id,
        name: user.name.clone(),
        issuer: user.issuer.clone(),
        platform_admin: user.platform_admin,
        language: None,
        memberships: watcher.role.map(|role| (organization, role)).into_iter().collect(),
        // rights that come by a group alone bring no messages: groups are known at sign-in only
        groups: Vec::new(),
        credential: Credential::None,
        scope: TokenScope::default(),
        service: None,
    }));
    let vagrant_box = &notice.found.vagrant_box;
    let relations = Relations {
        creator: vagrant_box.created_by == Some(user.id),
        public: vagrant_box.is_public,
    };
    let resource =
        Resource::Box(notice.found.organization.name.clone(), Some(vagrant_box.name.clone()));
    policy.decide(&AccessRequest::new(&identity, &resource, Action::Read, relations)).allowed
}
