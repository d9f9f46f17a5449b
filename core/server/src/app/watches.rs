//! Watches: who wants to hear of new releases of a box, and the messages that tell them.

use std::sync::Arc;

use boxvault_catalog::{
    boxes::OwnedBox,
    watches::{self, Notice, Watcher},
};
use boxvault_policy::{AccessRequest, Policy, Relations};
use boxvault_types::{
    action::{Action, Resource},
    identity::{Caller, Credential, Identity, TokenScope},
    params::ListQuery,
    views::{PageView, boxes::WatchView},
};

use super::{App, lists};
use crate::{
    error::Result,
    mail::letter::{Mail, Template},
};

impl App {
    /// Lets the caller hear of new releases of a box.
    pub(crate) async fn watch_box(&self, caller: &Caller, found: &OwnedBox) -> Result<()> {
        Ok(watches::watch(&self.catalog, caller.user_id, found.vagrant_box.id).await?)
    }

    /// Lets the caller hear no more of a box.
    pub(crate) async fn unwatch_box(&self, caller: &Caller, found: &OwnedBox) -> Result<()> {
        Ok(watches::unwatch(&self.catalog, caller.user_id, found.vagrant_box.id).await?)
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
        let listed = watches::list(&self.catalog, caller.user_id, page).await?;
        let views = listed
            .items
            .into_iter()
            .filter(|watch| may_read(&policy, identity, &watch.found))
            .map(|watch| WatchView {
                id: watch.found.vagrant_box.id,
                name: watch.found.vagrant_box.name.to_string(),
                organization: watch.found.organization.name.to_string(),
                short_description: watch.found.vagrant_box.short_description,
                watched_since: watch.since,
            });
        Ok((views.collect(), lists::view(page, listed.total)))
    }

    /// Turns notices of releases into messages, until there are none left or another server is at it.
    pub(crate) async fn tell_watchers(&self) -> Result<()> {
        while let Some(notice) = watches::find_notice(&self.catalog).await? {
            let told = watches::list_untold(&self.catalog, &notice).await?;
            let policy = self.policy.load();
            let url = format!(
                "{}/{}/boxes/{}",
                self.public_url, notice.found.organization.name, notice.found.vagrant_box.name
            );
            let mails = told
                .iter()
                .filter(|watcher| may_hear(&policy, watcher, &notice))
                .filter_map(|watcher| watcher.user.email.clone())
                .map(|email| {
                    self.compose_mail(Mail::new(
                        email,
                        Template::Released {
                            name: format!(
                                "{}/{}",
                                notice.found.organization.name, notice.found.vagrant_box.name
                            ),
                            version: notice.version.number.to_string(),
                            url: url.clone(),
                        },
                    ))
                })
                .collect::<Result<Vec<_>>>()?;
            if !watches::tell(&self.catalog, &notice, &told, mails).await? {
                return Ok(());
            }
            self.postbox.ring();
        }
        Ok(())
    }
}

/// Whether a watcher is still somebody who may know of the release.
fn may_hear(policy: &Policy, watcher: &Watcher, notice: &Notice) -> bool {
    let user = &watcher.user;
    if user.suspended_at.is_some() {
        return false;
    }
    let organization = notice.found.organization.name.clone();
    let identity = Identity::User(Arc::new(Caller {
        user_id: user.id,
        name: user.name.clone(),
        issuer: user.issuer.clone(),
        platform_admin: user.platform_admin,
        memberships: watcher.role.map(|role| (organization, role)).into_iter().collect(),
        // rights that come by a group alone bring no messages: groups are known at sign-in only
        groups: Vec::new(),
        credential: Credential::None,
        scope: TokenScope::default(),
    }));
    may_read(policy, &identity, &notice.found)
}

fn may_read(policy: &Policy, identity: &Identity, found: &OwnedBox) -> bool {
    let creator =
        identity.caller().is_some_and(|caller| found.vagrant_box.created_by == Some(caller.user_id));
    let relations = Relations { creator, public: found.vagrant_box.is_public };
    let resource =
        Resource::Box(found.organization.name.clone(), Some(found.vagrant_box.name.clone()));
    policy.decide(&AccessRequest::new(identity, &resource, Action::Read, relations)).allowed
}
