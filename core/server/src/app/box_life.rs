//! How a box changes hands, goes for a while or for good, and comes back.

use std::time::Duration;

use boxvault_catalog::{
    boxes::{self, OwnedBox, Transfer},
    organizations::{self, Organization},
};
use boxvault_types::{
    error::ErrorCode,
    identity::Identity,
    names::{BoxName, OrganizationName},
    params::ListQuery,
    views::{
        PageView,
        boxes::{BoxView, DeletedBoxView},
    },
};
use chrono::{DateTime, TimeDelta, Utc};

use super::{App, boxes::view, lists, organizations::suspended};
use crate::error::{AppError, Result};

impl App {
    /// Hands a box to another organization. Who may read it, and who may change it, is from now on up to that one.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND`; `ORGANIZATION_SUSPENDED`; `ALREADY_EXISTS` or `FORMER_NAME` when the name is taken there; `QUOTA_EXCEEDED` or
    /// `FILE_TOO_LARGE` when its files are more than that organization may have.
    pub(crate) async fn transfer_box(
        &self,
        identity: &Identity,
        found: &OwnedBox,
        to: &OrganizationName,
    ) -> Result<BoxView> {
        let missing = || {
            AppError::new(
                ErrorCode::OrganizationNotFound,
                format!("there is no organization {:?}", to.as_str()),
            )
        };
        let to = organizations::find(&self.catalog, to).await?.ok_or_else(missing)?;
        if to.id == found.organization.id {
            return Err(AppError::invalid("organization", "the box belongs to it already"));
        }
        if to.suspension.is_some() {
            return Err(suspended(&to, identity));
        }
        let transfer = Transfer {
            to: to.id,
            default_limits: self.default_limits(),
            old_name_leads_until: self.former_names_lead_until(),
        };
        let moved = match boxes::transfer(&self.catalog, found.vagrant_box.id, transfer).await {
            Ok(moved) => moved,
            Err(error) => {
                return Err(self.why_taken(&to, &found.vagrant_box.name, error.into()).await?);
            }
        };
        self.catalogues.clear();
        Ok(view(&to, &moved))
    }

    /// Deletes a box. Tells until when it can be restored, if at all; its bytes go with a sweep after that.
    pub(crate) async fn delete_box(&self, found: &OwnedBox) -> Result<Option<DateTime<Utc>>> {
        let deleted = boxes::delete(&self.catalog, found.vagrant_box.id).await?;
        self.catalogues.clear();
        if self.restorable_for().is_zero() {
            self.purge_boxes().await?;
            return Ok(None);
        }
        Ok(deleted.deleted_at.map(|at| self.restorable_until(at)))
    }

    /// The deleted boxes of an organization, the last deleted first.
    pub(crate) async fn list_deleted_boxes(
        &self,
        organization: &Organization,
        query: ListQuery,
    ) -> Result<(Vec<DeletedBoxView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found = boxes::list_deleted(&self.catalog, organization.id, page).await?;
        let views = found.items.into_iter().filter_map(|OwnedBox { vagrant_box, .. }| {
            let deleted_at = vagrant_box.deleted_at?;
            Some(DeletedBoxView {
                id: vagrant_box.id,
                name: vagrant_box.name.to_string(),
                organization: organization.name.to_string(),
                short_description: vagrant_box.short_description,
                deleted_at,
                restorable_until: self.restorable_until(deleted_at),
            })
        });
        Ok((views.collect(), lists::view(page, found.total)))
    }

    /// Brings a deleted box back.
    ///
    /// # Errors
    /// `NOT_DELETED`.
    pub(crate) async fn restore_box(&self, found: &OwnedBox) -> Result<BoxView> {
        let restored = boxes::restore(&self.catalog, found.vagrant_box.id).await?;
        self.catalogues.clear();
        Ok(view(&found.organization, &restored))
    }

    /// Removes for good what was deleted long ago.
    pub(crate) async fn purge_boxes(&self) -> Result<u64> {
        let mut count = 0;
        loop {
            let purged = boxes::purge_deleted(&self.catalog, self.restorable_for()).await?;
            count += purged;
            // one call is not all of them
            if purged == 0 {
                return Ok(count);
            }
        }
    }

    /// Until when the name that a box has today leads to it.
    pub(super) fn former_names_lead_until(&self) -> Option<DateTime<Utc>> {
        let lead: Duration = self.config.boxes.former_names_lead_for.into();
        (!lead.is_zero()).then(|| later(self.catalog.now(), lead))
    }

    /// Says more of a name that is taken: a box that nobody sees may have it.
    pub(super) async fn why_taken(
        &self,
        organization: &Organization,
        name: &BoxName,
        error: AppError,
    ) -> Result<AppError> {
        let full = format!("{}/{name}", organization.name);
        match error.code() {
            ErrorCode::FormerName => Ok(AppError::new(
                ErrorCode::FormerName,
                format!(
                    "{full} still leads to a box that had this name before; choose another name, or create the box with \
                     replaceFormerName, and clients that ask for the old name get the new box"
                ),
            )),
            ErrorCode::AlreadyExists => {
                let taken =
                    boxes::find_even_deleted(&self.catalog, &organization.name, name).await?;
                let deleted_at = taken.and_then(|taken| taken.vagrant_box.deleted_at);
                Ok(match deleted_at {
                    Some(at) => AppError::new(
                        ErrorCode::AlreadyExists,
                        format!(
                            "a deleted box keeps the name {full} until {}; restore it, or choose another name",
                            self.restorable_until(at).to_rfc3339()
                        ),
                    ),
                    None => error,
                })
            }
            _ => Ok(error),
        }
    }

    fn restorable_for(&self) -> Duration {
        self.config.boxes.restorable_for.into()
    }

    fn restorable_until(&self, deleted_at: DateTime<Utc>) -> DateTime<Utc> {
        later(deleted_at, self.restorable_for())
    }
}

/// A moment later; for times beyond the calendar, the end of it.
pub(super) fn later(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| at.checked_add_signed(by))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
