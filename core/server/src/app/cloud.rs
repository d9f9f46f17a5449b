//! Boxes, versions and providers as the Vagrant Cloud API shows them, and what it means by a provider.
//!
//! What that API calls a provider is an architecture of ours with its provider: it has one name for both. Where a client
//! names no architecture, it means the default one; of a new provider that is `unknown`, which Vagrant 2.4 installs on
//! any host. Nothing is decided or written here that `app/boxes`, `versions`, `providers` and `artifacts` do not.

mod boxes;
mod changes;
mod checksums;
mod hcp;
mod providers;
mod versions;

use boxvault_catalog::boxes::OwnedBox;
use boxvault_types::version::BoxVersion;

pub(crate) use changes::Doomed;

use super::artifacts::Slot;
use crate::error::AppError;

/// Which edition of the API a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    /// Before 2.4: no architectures.
    V1,
    /// 2.4 and later.
    V2,
}

impl Edition {
    fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// How a client reaches the server, and what it understands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Scheme and host, as the client knows them.
    pub(crate) base: String,
    pub(crate) edition: Edition,
}

impl Place {
    fn of_version(&self, tag: &Tag<'_>, number: &BoxVersion) -> String {
        let (base, edition) = (&self.base, self.edition.as_str());
        format!("{base}/api/{edition}/box/{}/{}/version/{number}", tag.organization, tag.name)
    }

    /// Where a provider with its architecture is.
    pub(crate) fn of_slot(&self, found: &OwnedBox, slot: &Slot) -> String {
        let version = self.of_version(&Tag::of(found), &slot.version);
        format!("{version}/provider/{}/{}", slot.provider, slot.architecture)
    }
}

/// The two names of a box.
#[derive(Clone, Copy)]
struct Tag<'a> {
    organization: &'a str,
    name: &'a str,
}

impl<'a> Tag<'a> {
    fn of(found: &'a OwnedBox) -> Self {
        Self {
            organization: found.organization.name.as_str(),
            name: found.vagrant_box.name.as_str(),
        }
    }
}

/// What somebody reads who left out what a new thing needs.
pub(crate) fn missing_field(field: &'static str) -> AppError {
    AppError::invalid(field, "is missing")
}
