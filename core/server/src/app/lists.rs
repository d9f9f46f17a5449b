//! Pages: from what a caller asked for to what the catalog takes, within the configured limits.

use boxvault_catalog::{Order, Page};
use boxvault_types::{params, params::ListQuery, views::PageView};

use super::App;
use crate::error::{AppError, Result};

impl App {
    /// The page that a query asks for.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a page that is larger than the limit.
    pub(crate) fn page(&self, query: &ListQuery) -> Result<Page> {
        let limits = &self.config.limits;
        let size = query.per_page.unwrap_or_else(|| limits.page_size_default.into());
        if size > limits.page_size_max.into() {
            return Err(AppError::invalid(
                "per_page",
                format!("must be at most {} (limits.page_size_max)", limits.page_size_max),
            ));
        }
        Ok(Page::new(query.page.unwrap_or(1), size))
    }
}

/// Where a page lies in its list.
pub(crate) fn view(page: Page, total: u64) -> PageView {
    PageView { number: page.number(), size: page.size(), total }
}

/// Which end comes first.
pub(crate) fn order(query: &ListQuery, default: Order) -> Order {
    match query.order {
        None => default,
        Some(params::Order::Asc) => Order::Ascending,
        Some(params::Order::Desc) => Order::Descending,
    }
}

/// What to sort by.
///
/// # Errors
/// `INVALID_INPUT`, naming what there is.
pub(crate) fn sort<T: Copy>(query: &ListQuery, known: &[(&str, T)], default: T) -> Result<T> {
    let Some(word) = &query.sort else { return Ok(default) };
    known.iter().find(|(name, _)| name == word).map(|(_, sort)| *sort).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        AppError::invalid("sort", format!("must be one of {}, not {word:?}", names.join(", ")))
    })
}

/// Refuses a wish about the order of a list that has only one.
///
/// # Errors
/// `INVALID_INPUT`.
pub(crate) fn unsorted(query: &ListQuery) -> Result<()> {
    match &query.sort {
        None => Ok(()),
        Some(_) => Err(AppError::invalid("sort", "this list has one order; leave it out")),
    }
}
