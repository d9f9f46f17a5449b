//! Suspending and resuming, deleting and restoring organizations; finding one to join.

use boxvault_catalog::{
    Order,
    organizations::{self, Organization, OrganizationFilter, OrganizationScope},
};
use boxvault_types::{
    identity::{Caller, Identity},
    params::ListQuery,
    views::{
        PageView,
        organizations::{DeletedOrganizationView, DiscoveredOrganizationView, OrganizationView},
    },
};
use tracing::info;

use super::{SORTS, check_length};
use crate::{
    app::{App, box_life::later, lists},
    error::{AppError, Result},
};

/// The longest reason of a suspension, in characters.
const REASON_CHARS_MAX: usize = 1024;

impl App {
    /// The organizations that everybody sees, with what they have.
    pub(crate) async fn discover_organizations(
        &self,
        query: ListQuery,
    ) -> Result<(Vec<DiscoveredOrganizationView>, PageView)> {
        let page = self.page(&query)?;
        let filter = OrganizationFilter {
            scope: OrganizationScope::Public,
            sort: lists::sort(&query, SORTS, organizations::OrganizationSort::Name)?,
            order: lists::order(&query, Order::Ascending),
            q: query.q,
        };
        let found = organizations::list(&self.catalog, &filter, page).await?;
        let ids: Vec<_> = found.items.iter().map(|organization| organization.id).collect();
        let counts = organizations::counts(&self.catalog, &ids).await?;
        let views = found.items.into_iter().map(|organization| {
            let counts = counts.get(&organization.id).copied().unwrap_or_default();
            DiscoveredOrganizationView {
                name: organization.name.to_string(),
                description: organization.description,
                access_mode: organization.access_mode,
                member_count: counts.members,
                public_box_count: counts.public_boxes,
                created_at: organization.created_at,
            }
        });
        Ok((views.collect(), lists::view(page, found.total)))
    }

    /// Suspends an organization: from now on it serves nothing and takes nothing.
    pub(crate) async fn suspend_organization(
        &self,
        identity: &Identity,
        organization: &Organization,
        reason: &str,
    ) -> Result<OrganizationView> {
        check_length("reason", reason, REASON_CHARS_MAX)?;
        organizations::suspend(&self.catalog, organization.id, reason).await?;
        info!(organization = %organization.name, "organization {} was suspended", organization.name);
        self.changed(identity, organization).await
    }

    /// Ends a suspension.
    pub(crate) async fn resume_organization(
        &self,
        identity: &Identity,
        organization: &Organization,
    ) -> Result<OrganizationView> {
        organizations::resume(&self.catalog, organization.id).await?;
        info!(organization = %organization.name, "organization {} was resumed", organization.name);
        self.changed(identity, organization).await
    }

    /// Deletes an organization with all that is in it, if its name was given once more. It can be restored for a while.
    pub(crate) async fn delete_organization(
        &self,
        organization: &Organization,
        confirm: Option<&str>,
    ) -> Result<()> {
        if confirm != Some(organization.name.as_str()) {
            return Err(AppError::invalid(
                "confirm",
                format!(
                    "must be the organization's name: add ?confirm={} to delete it with all its boxes",
                    organization.name
                ),
            ));
        }
        organizations::delete(&self.catalog, organization.id).await?;
        self.rights_changed();
        info!(organization = %organization.name, "organization {} was deleted", organization.name);
        Ok(())
    }

    /// The deleted organizations that the caller can restore: those that they owned; to platform admins, all.
    pub(crate) async fn list_deleted_organizations(
        &self,
        caller: &Caller,
        query: ListQuery,
    ) -> Result<(Vec<DeletedOrganizationView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let owner = (!caller.platform_admin).then_some(caller.user_id);
        let found = organizations::list_deleted(&self.catalog, owner, page).await?;
        let restorable_for = self.config.organizations.restorable_for.into();
        let views = found.items.into_iter().filter_map(|organization| {
            let deleted_at = organization.deleted_at?;
            Some(DeletedOrganizationView {
                id: organization.id,
                name: organization.name.to_string(),
                deleted_at,
                restorable_until: later(deleted_at, restorable_for),
            })
        });
        Ok((views.collect(), lists::view(page, found.total)))
    }

    /// Brings a deleted organization back as it was.
    pub(crate) async fn restore_organization(
        &self,
        identity: &Identity,
        organization: &Organization,
    ) -> Result<OrganizationView> {
        let within = self.config.organizations.restorable_for.into();
        organizations::restore(&self.catalog, organization.id, within).await?;
        info!(organization = %organization.name, "organization {} was restored", organization.name);
        self.changed(identity, organization).await
    }

    async fn changed(
        &self,
        identity: &Identity,
        organization: &Organization,
    ) -> Result<OrganizationView> {
        self.rights_changed();
        let changed = self.organization_by_id(organization.id).await?;
        self.organization_view(&changed, identity).await
    }
}
