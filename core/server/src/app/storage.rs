//! What files take, what they may take, and which store holds what.

use std::collections::BTreeMap;

use boxvault_catalog::{
    audit::NewEntry,
    boxes::OwnedBox,
    organizations::{self, Organization},
    quotas::{self, Allowance, Limits, OverQuota, Quota, Room},
    usage::{self, BoxUsage, StoreUsage, Usage, UsageSort},
};
use boxvault_types::{
    byte_count::ByteCount,
    error::ErrorCode,
    names::OrganizationName,
    params::{ListQuery, storage::SetQuotaParams},
    views::{
        PageView,
        storage::{BoxUsageView, QuotaView, StoreUsageView, StoreView, UsageSumView, UsageView},
    },
};

use super::{App, lists};
use crate::error::{AppError, Result};

/// What the list of boxes and their usage can be sorted by.
const SORTS: &[(&str, UsageSort)] = &[
    ("name", UsageSort::Name),
    ("bytes", UsageSort::Bytes),
    ("storedBytes", UsageSort::StoredBytes),
    ("files", UsageSort::Files),
];

impl App {
    /// What an organization takes, and what it may take.
    pub(crate) async fn usage(&self, organization: &Organization) -> Result<UsageView> {
        let stores = usage::of_organization(&self.catalog, organization.id).await?;
        let total = stores.iter().fold(Usage::default(), |sum, store| sum.and(store.usage));
        Ok(UsageView {
            organization: organization.name.to_string(),
            total: sum_view(total),
            quota: self.quota(organization).await?,
            stores: stores.into_iter().map(store_usage_view).collect(),
        })
    }

    /// The same of an organization by its name.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND`.
    pub async fn usage_of(&self, name: &OrganizationName) -> Result<UsageView> {
        let found = organizations::find(&self.catalog, name).await?;
        let found = found.ok_or_else(|| {
            let message = format!("there is no organization {name}");
            AppError::new(ErrorCode::OrganizationNotFound, message)
        })?;
        self.usage(&found).await
    }

    /// The boxes of an organization, with what each takes.
    pub(crate) async fn list_box_usage(
        &self,
        organization: &Organization,
        query: ListQuery,
    ) -> Result<(Vec<BoxUsageView>, PageView)> {
        let page = self.page(&query)?;
        let sort = lists::sort(&query, SORTS, UsageSort::Name)?;
        let order = lists::order(&query, boxvault_catalog::Order::Ascending);
        let q = query.q.as_deref();
        let found =
            usage::list_boxes(&self.catalog, organization.id, q, (sort, order), page).await?;
        let views = found.items.iter().map(box_usage_view).collect();
        Ok((views, lists::view(page, found.total)))
    }

    /// What an organization may take.
    pub(crate) async fn quota(&self, organization: &Organization) -> Result<QuotaView> {
        let own = quotas::find(&self.catalog, organization.id).await?;
        Ok(quota_view(own, self.default_limits()))
    }

    /// Allows an organization so much.
    pub(crate) async fn set_quota(
        &self,
        organization: &Organization,
        params: SetQuotaParams,
        audit: NewEntry,
    ) -> Result<QuotaView> {
        let quota = Quota {
            bytes: whole("bytes", params.bytes)?,
            file_bytes: whole("fileBytes", params.file_bytes)?,
        };
        let set = quotas::put(&self.catalog, organization.id, quota, audit).await?;
        Ok(quota_view(set, self.default_limits()))
    }

    /// Every store, and what it holds: those of the configuration, and those that only rows still name.
    pub(crate) async fn list_stores(&self) -> Result<Vec<StoreView>> {
        let default = self.stores.default_name();
        let mut views: BTreeMap<String, StoreView> = self
            .stores
            .iter()
            .map(|(name, _)| (name.clone(), self.store_view(name, default)))
            .collect();
        for contents in usage::of_stores(&self.catalog).await? {
            let view = views
                .entry(contents.store.clone())
                .or_insert_with(|| self.store_view(&contents.store, default));
            view.files = unsigned(contents.blobs);
            view.bytes = unsigned(contents.bytes);
            view.unreferenced_files = unsigned(contents.unreferenced_blobs);
            view.unreferenced_bytes = unsigned(contents.unreferenced_bytes);
        }
        Ok(views.into_values().collect())
    }

    /// Shows in the metrics what each store holds, and whether it answers.
    pub(crate) async fn count_stores(&self) -> Result<()> {
        let mut held: BTreeMap<&str, (i64, i64)> =
            self.stores.iter().map(|(name, _)| (name.as_str(), (0, 0))).collect();
        let contents = usage::of_stores(&self.catalog).await?;
        held.extend(
            contents.iter().map(|store| (store.store.as_str(), (store.blobs, store.bytes))),
        );
        for (name, (files, bytes)) in held {
            self.metrics.set_store_contents(name, files, bytes);
        }
        self.ask_stores().await;
        Ok(())
    }

    /// What is left for a file that takes the place of one with `replaced` bytes.
    pub(super) async fn room(&self, found: &OwnedBox, replaced: i64) -> Result<Room> {
        let id = found.organization.id;
        Ok(quotas::room(&self.catalog, id, replaced, self.default_limits()).await?)
    }

    /// What organizations may have that no platform admin allowed something else.
    pub(super) fn default_limits(&self) -> Limits {
        let limit = |count: ByteCount| i64::try_from(count.bytes()).ok().filter(|bytes| *bytes > 0);
        Limits {
            bytes: limit(self.config.limits.organization_bytes_max),
            file_bytes: limit(self.config.limits.organization_file_bytes_max),
        }
    }

    fn store_view(&self, name: &str, default: &str) -> StoreView {
        StoreView {
            name: name.to_owned(),
            plugin: self.config.stores.get(name).map(|entry| entry.plugin.clone()),
            is_default: name == default,
            files: 0,
            bytes: 0,
            unreferenced_files: 0,
            unreferenced_bytes: 0,
        }
    }
}

/// Why a file is not taken, in words that say what is used, allowed and asked for; the numbers are fields as well.
impl From<OverQuota> for AppError {
    fn from(over: OverQuota) -> Self {
        match over {
            OverQuota::File { allowed, asked } => Self::new(
                ErrorCode::FileTooLarge,
                format!(
                    "a file has {asked} bytes, and one file of this organization may have {allowed}; \
                     send a smaller one, or ask a platform admin for a larger quota"
                ),
            )
            .with_field("allowedBytes", allowed)
            .with_field("askedBytes", asked),
            OverQuota::Organization { used, allowed, asked } => Self::new(
                ErrorCode::QuotaExceeded,
                format!(
                    "the organization uses {used} of {allowed} bytes, and this takes {asked}; delete \
                     what nobody needs, or ask a platform admin for a larger quota"
                ),
            )
            .with_field("usedBytes", used)
            .with_field("allowedBytes", allowed)
            .with_field("askedBytes", asked),
        }
    }
}

fn whole(field: &str, bytes: Option<u64>) -> Result<Option<i64>> {
    bytes
        .map(|bytes| {
            i64::try_from(bytes).map_err(|_| AppError::invalid(field, "must be below 8 EiB"))
        })
        .transpose()
}

fn quota_view(set: Allowance, default: Limits) -> QuotaView {
    let own = set.quota;
    let limits = own.over(default);
    QuotaView {
        bytes: limits.bytes.map(unsigned),
        file_bytes: limits.file_bytes.map(unsigned),
        bytes_is_default: own.bytes.is_none(),
        file_bytes_is_default: own.file_bytes.is_none(),
        updated_at: set.set_at,
    }
}

fn store_usage_view(store: StoreUsage) -> StoreUsageView {
    StoreUsageView { store: store.store, total: sum_view(store.usage) }
}

fn box_usage_view(item: &BoxUsage) -> BoxUsageView {
    BoxUsageView { box_name: item.name.to_string(), total: sum_view(item.usage) }
}

fn sum_view(usage: Usage) -> UsageSumView {
    UsageSumView {
        files: unsigned(usage.files),
        bytes: unsigned(usage.bytes),
        stored_files: unsigned(usage.stored_files),
        stored_bytes: unsigned(usage.stored_bytes),
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
