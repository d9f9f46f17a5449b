//! Pages of lists: no list is unbounded.

use boxvault_types::params::PAGE_NUMBER_MAX;
use sea_orm::{ConnectionTrait, PaginatorTrait, SelectorTrait, sea_query};

use crate::Result;

/// How many rows a page has when nobody says.
pub const PAGE_SIZE_DEFAULT: u64 = 30;

/// The most rows of one page.
pub const PAGE_SIZE_MAX: u64 = 200;

/// Which page of a list, and how many rows it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    number: u64,
    size: u64,
}

impl Page {
    /// A page; the number counts from 1, the size is held between 1 and [`PAGE_SIZE_MAX`].
    pub fn new(number: u64, size: u64) -> Self {
        Self { number: number.clamp(1, PAGE_NUMBER_MAX), size: size.clamp(1, PAGE_SIZE_MAX) }
    }

    /// The number, from 1.
    pub fn number(self) -> u64 {
        self.number
    }

    /// How many rows come before it.
    pub(crate) fn offset(self) -> u64 {
        (self.number - 1) * self.size
    }

    /// How many rows it has at most.
    pub fn size(self) -> u64 {
        self.size
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::new(1, PAGE_SIZE_DEFAULT)
    }
}

/// The rows of one page, and how many there are on all pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// The number of rows on all pages.
    pub total: u64,
}

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Lowest, oldest, or first in the alphabet.
    #[default]
    Ascending,
    /// The other way round.
    Descending,
}

impl From<Order> for sea_query::Order {
    fn from(order: Order) -> Self {
        match order {
            Order::Ascending => Self::Asc,
            Order::Descending => Self::Desc,
        }
    }
}

/// Fetches one page: a count and a select, whatever the number of rows.
pub(crate) async fn fetch<'db, C, S, T>(
    db: &'db C,
    select: S,
    page: Page,
    convert: impl Fn(<S::Selector as SelectorTrait>::Item) -> Result<T>,
) -> Result<Paged<T>>
where
    C: ConnectionTrait,
    S: PaginatorTrait<'db, C>,
{
    let paginator = select.paginate(db, page.size);
    let total = paginator.num_items().await?;
    let rows = paginator.fetch_page(page.number - 1).await?;
    let items = rows.into_iter().map(convert).collect::<Result<Vec<_>>>()?;
    Ok(Paged { items, total })
}
