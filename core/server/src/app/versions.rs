//! Versions: created unreleased, released once, revoked perhaps, never the other way round.

use boxvault_catalog::{
    Order,
    boxes::OwnedBox,
    versions::{
        self, NewDeprecation, NewVersion, Version, VersionChanges, VersionFilter, VersionOrder,
    },
};
use boxvault_types::{
    error::ErrorCode,
    params::{
        ListQuery,
        boxes::{CreateVersionParams, UpdateVersionParams, VersionStatus},
    },
    version::BoxVersion,
    views::{PageView, boxes::VersionView},
};

use super::{
    App,
    boxes::{DESCRIPTION_CHARS_MAX, README_CHARS_MAX},
    lists,
    organizations::check_length,
};
use crate::error::{AppError, Result};

/// The longest reason of a deprecation, in characters: it stands in lists.
const DEPRECATION_REASON_CHARS_MAX: usize = 512;

impl App {
    /// The versions of a box, newest first; all of them, or those of one status.
    pub(crate) async fn list_versions(
        &self,
        found: &OwnedBox,
        status: Option<VersionStatus>,
        query: ListQuery,
    ) -> Result<(Vec<VersionView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let order = match lists::order(&query, Order::Descending) {
            Order::Descending => VersionOrder::NewestFirst,
            Order::Ascending => VersionOrder::OldestFirst,
        };
        let filter = VersionFilter { status, order };
        let found = versions::list(&self.catalog, found.vagrant_box.id, filter, page).await?;
        Ok((found.items.into_iter().map(view).collect(), lists::view(page, found.total)))
    }

    /// Makes a version.
    pub(crate) async fn create_version(
        &self,
        found: &OwnedBox,
        params: CreateVersionParams,
    ) -> Result<VersionView> {
        check(Some(&params.description), params.release_notes.as_deref())?;
        let new = NewVersion {
            box_id: found.vagrant_box.id,
            number: params.version_number,
            description: params.description,
            release_notes: params.release_notes.unwrap_or_default(),
        };
        Ok(view(versions::create(&self.catalog, new).await?))
    }

    /// One version.
    ///
    /// # Errors
    /// `VERSION_NOT_FOUND`.
    pub(crate) async fn version(&self, found: &OwnedBox, number: &BoxVersion) -> Result<Version> {
        versions::find(&self.catalog, found.vagrant_box.id, number).await?.ok_or_else(|| {
            AppError::new(
                ErrorCode::VersionNotFound,
                format!(
                    "{}/{} has no version {number}",
                    found.organization.name, found.vagrant_box.name
                ),
            )
        })
    }

    /// Changes a version.
    pub(crate) async fn update_version(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        params: UpdateVersionParams,
    ) -> Result<VersionView> {
        check(params.description.as_deref(), params.release_notes.as_deref())?;
        let version = self.version(found, number).await?;
        let changes = VersionChanges {
            deprecation: deprecation(&version, params.deprecated, params.deprecation_reason)?,
            number: params.version_number,
            description: params.description,
            release_notes: params.release_notes,
        };
        let changed = versions::update(&self.catalog, version.id, changes).await?;
        self.catalogues.clear();
        Ok(view(changed))
    }

    /// Removes a version with its files. The bytes go with the next sweep.
    pub(crate) async fn delete_version(&self, found: &OwnedBox, number: &BoxVersion) -> Result<()> {
        let version = self.version(found, number).await?;
        versions::delete(&self.catalog, version.id).await?;
        self.catalogues.clear();
        Ok(())
    }

    /// Makes a version visible to clients, for ever.
    pub(crate) async fn release_version(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
    ) -> Result<VersionView> {
        let version = self.version(found, number).await?;
        let released = versions::release(&self.catalog, version.id).await.map_err(|error| {
            let error = AppError::from(error);
            match (error.code(), version.status) {
                // Packer goes on when it reads these words
                (ErrorCode::VersionState, VersionStatus::Released) => AppError::new(
                    ErrorCode::VersionReleased,
                    format!("version {number} has already been released"),
                ),
                (ErrorCode::VersionState, _) => AppError::new(
                    ErrorCode::VersionState,
                    format!("version {number} was revoked and cannot be released again; create a new version"),
                ),
                (ErrorCode::VersionEmpty, _) => AppError::new(
                    ErrorCode::VersionEmpty,
                    format!("version {number} has no file yet; upload one for a provider and architecture first"),
                ),
                _ => error,
            }
        })?;
        self.catalogues.clear();
        Ok(view(released))
    }

    /// Withdraws a released version.
    pub(crate) async fn revoke_version(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
    ) -> Result<VersionView> {
        let version = self.version(found, number).await?;
        let revoked = versions::revoke(&self.catalog, version.id).await.map_err(|error| {
            let error = AppError::from(error);
            if error.code() == ErrorCode::VersionState {
                return AppError::new(
                    ErrorCode::VersionState,
                    format!(
                        "version {number} is {}; only a released version can be revoked",
                        version.status
                    ),
                );
            }
            error
        })?;
        self.catalogues.clear();
        Ok(view(revoked))
    }
}

/// What becomes of the warning of a version.
fn deprecation(
    version: &Version,
    deprecated: Option<bool>,
    reason: Option<String>,
) -> Result<Option<NewDeprecation>> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    check_length(
        "deprecationReason",
        reason.as_deref().unwrap_or_default(),
        DEPRECATION_REASON_CHARS_MAX,
    )?;
    let is_deprecated = version.deprecation.is_some();
    match (deprecated.unwrap_or(is_deprecated), reason) {
        (true, Some(reason)) => Ok(Some(NewDeprecation::Deprecate(reason))),
        (true, None) if is_deprecated => Ok(None),
        (true, None) => Err(AppError::invalid(
            "deprecationReason",
            "say why it should not be used any more, and what to use instead",
        )),
        (false, Some(_)) => Err(AppError::invalid(
            "deprecationReason",
            "only a deprecated version has one; send deprecated: true with it",
        )),
        (false, None) => Ok(is_deprecated.then_some(NewDeprecation::Undo)),
    }
}

fn check(description: Option<&str>, notes: Option<&str>) -> Result<()> {
    check_length("description", description.unwrap_or_default(), DESCRIPTION_CHARS_MAX)?;
    check_length("releaseNotes", notes.unwrap_or_default(), README_CHARS_MAX)
}

/// A version as the API shows it.
pub(crate) fn view(version: Version) -> VersionView {
    let (deprecated_at, deprecation_reason) =
        version.deprecation.map(|deprecation| (deprecation.at, deprecation.reason)).unzip();
    VersionView {
        id: version.id,
        version_number: version.number.to_string(),
        description: version.description,
        release_notes: Some(version.release_notes).filter(|notes| !notes.is_empty()),
        status: version.status,
        deprecated: deprecated_at.is_some(),
        deprecation_reason,
        deprecated_at,
        created_at: version.created_at,
        updated_at: version.updated_at,
        released_at: version.released_at,
        revoked_at: version.revoked_at,
    }
}
