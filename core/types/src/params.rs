//! Request bodies and queries, one module per noun. JSON names are camelCase.
//!
//! A missing field of an update leaves the value as it is. Unknown fields are refused, so that a misspelt one is
//! not silently ignored.

pub mod account;
pub mod audit;
pub mod boxes;
pub mod cloud;
pub mod files;
pub mod hcp;
pub mod invitations;
pub mod join_requests;
pub mod mirrors;
pub mod organizations;
pub mod policies;
pub mod service_accounts;
pub mod storage;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The highest number of a page: beyond a billion rows no list has any, and the offset stays within what databases take.
pub const PAGE_NUMBER_MAX: u64 = 5_000_000;

/// What every list takes.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Counted from 1.
    #[param(minimum = 1, maximum = 5_000_000, example = 1)]
    pub page: Option<u64>,
    /// How many items a page has.
    #[param(minimum = 1, maximum = 200, example = 30)]
    pub per_page: Option<u64>,
    /// What to sort by: `name`, `created`, `updated`, and for boxes `downloads` and `relevance`, which is the order of a
    /// search unless another one is wanted.
    pub sort: Option<String>,
    /// Which way to sort.
    #[param(inline)]
    pub order: Option<Order>,
    /// Only items whose name or short description holds this text, in any case. Boxes: only those that have each of its
    /// words, or one that begins so, in their name, tags or short description.
    #[param(max_length = 128)]
    pub q: Option<String>,
}

/// A body that says nothing.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Reads a value that is there, so that `null` and nothing at all can be told apart.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Which way to sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Smallest first.
    #[default]
    Asc,
    /// Largest first.
    Desc,
}
