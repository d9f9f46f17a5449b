//! Lists of boxes: which may be shown, which are wanted, in which order; as fast over many boxes as over few.
//!
//! Without a search, a page is a walk along the index of its order. With one, the rarest of the wanted words decides
//! ([`Plan`]): when few boxes have it these are looked at, when many have it the walk meets some soon. Either way a
//! page looks at a bounded number of boxes as long as what is wanted is not both common and never together. How many
//! boxes have common words only is not counted: that would take longer than everything else. Three statements at most,
//! however long the page.

use boxvault_types::ids::{BoxId, OrganizationId, UserId};
use boxvault_types::names::{ArchitectureName, BoxName, OrganizationName, ProviderName};
use boxvault_types::tags::BoxTag;
use chrono::{DateTime, Utc};
use sea_orm::prelude::{DateTimeUtc, Uuid};
use sea_orm::sea_query::{
    Asterisk, CaseStatement, Expr, ExprTrait, Query, SelectStatement, SimpleExpr,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select,
};

use super::words::Term;
use super::{table, tags_of, to_organization};
use crate::entity::{box_words as word_rows, organizations as organization_rows};
use crate::rows::stored;
use crate::{Catalog, Order, Page, Paged, Result};

/// How far is looked before an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How many boxes may have a word that is rare. To sort so many takes about as long as to meet a page of boxes that
    /// have a word which is a little less rare, among a hundred thousand.
    pub(crate) rare: u64,
    /// How far the boxes of a list are counted: what is beyond is there, and a list goes on to its end, but how many
    /// they are would cost a walk over all of them.
    pub(crate) total: u64,
}

const BOUNDS: Bounds = Bounds { rare: 500, total: 2_000 };
/// The most words of a text that are looked for: more narrow nothing down.
const TEXTS_MAX: usize = 8;

/// A box as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxSummary {
    /// Its id.
    pub id: BoxId,
    /// Whose it is.
    pub organization: OrganizationName,
    /// Its name.
    pub name: BoxName,
    /// One line on what it is.
    pub short_description: String,
    /// What it is found by.
    pub tags: Vec<BoxTag>,
    /// Whether everybody may read it.
    pub is_public: bool,
    /// Who made it, unless that account is gone.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed, or a file of it.
    pub updated_at: DateTime<Utc>,
    /// How often a file of it was downloaded.
    pub downloads: i64,
}

/// Which boxes a list may show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Visibility {
    /// Those that everybody may read.
    #[default]
    Public,
    /// Those that everybody may read, and all of these organizations.
    MemberOf(Vec<OrganizationId>),
    /// All of them.
    All,
}

/// What a list of boxes is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BoxSort {
    /// The name.
    #[default]
    Name,
    /// When it was made.
    Created,
    /// When it was last changed.
    Updated,
    /// How often it was downloaded.
    Downloads,
    /// How well it fits what is searched for; where that fits many, how often it was downloaded.
    Relevance,
}

/// Which boxes to list, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoxFilter {
    /// Which may be shown.
    pub visibility: Visibility,
    /// Only those of one organization.
    pub organization: Option<OrganizationId>,
    /// Beginnings of words in the name, the tags or the short description; all of them.
    pub q: Option<String>,
    /// Only those with this tag.
    pub tag: Option<BoxTag>,
    /// Only those with a released file for this provider.
    pub provider: Option<ProviderName>,
    /// Only those with a released file for this architecture; with a provider, in the same file.
    pub architecture: Option<ArchitectureName>,
    /// Only those that everybody may read, or only the others.
    pub is_public: Option<bool>,
    /// What to sort by.
    pub sort: BoxSort,
    /// Which end first.
    pub order: Order,
}

/// How the wanted boxes are come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// Along the index of the order.
    Walk,
    /// From the boxes that have this one of the terms.
    From(usize),
}

/// Lists boxes of one organization, or of all.
///
/// The total is exact up to two thousand, and beyond that the least that there are; where all words are common, it
/// tells no more than whether there is another page.
pub async fn list(catalog: &Catalog, filter: &BoxFilter, page: Page) -> Result<Paged<BoxSummary>> {
    list_within(catalog, filter, page, BOUNDS).await
}

pub(crate) async fn list_within(
    catalog: &Catalog,
    filter: &BoxFilter,
    page: Page,
    bounds: Bounds,
) -> Result<Paged<BoxSummary>> {
    let (terms, texts) = filter.terms();
    let plan = plan(catalog, &terms, bounds.rare).await?;
    let wanted = |visible: Condition| filter.wanted(&terms, plan, visible);
    let scored = terms.get(..texts).unwrap_or_default();
    let mut rows = filter
        .ordered(select_summaries(wanted(unindexed(filter.visible()))), scored, plan)
        .offset(page.offset())
        // one more than the page, to know whether it is the last one
        .limit(page.size() + 1)
        .into_model::<SummaryRow>()
        .all(catalog.reader())
        .await?;
    let seen = page.offset() + rows.len() as u64;
    let is_beyond_the_end = rows.is_empty() && page.offset() > 0;
    let total = if plan == Plan::Walk && !terms.is_empty() && !is_beyond_the_end {
        seen
    } else {
        let visible = match filter.organization {
            // from an index that has all that this asks for
            None if plan == Plan::Walk => filter.visible(),
            _ => unindexed(filter.visible()),
        };
        match count(catalog, wanted(visible), bounds.total).await? {
            counted if counted > bounds.total => Ord::max(seen, bounds.total),
            counted => counted,
        }
    };
    rows.truncate(usize::try_from(page.size()).unwrap_or(usize::MAX));
    let items = rows.into_iter().map(summary_of).collect::<Result<_>>()?;
    Ok(Paged { items, total })
}

impl Visibility {
    /// Which boxes may be shown.
    pub(crate) fn condition(&self) -> Condition {
        let there = Condition::all()
            .add(table::Column::DeletedAt.is_null())
            .add(not_of(organization_rows::Column::DeletedAt));
        match self {
            Self::All => there,
            Self::Public => serving(there).add(table::Column::IsPublic.eq(true)),
            Self::MemberOf(ids) => serving(there).add(
                Condition::any()
                    .add(table::Column::IsPublic.eq(true))
                    .add(table::Column::OrganizationId.is_in(ids.iter().map(|id| id.0))),
            ),
        }
    }
}

impl BoxFilter {
    /// What a box must have, and how many of these were typed: they come first.
    fn terms(&self) -> (Vec<Term>, usize) {
        let mut terms = Term::of_text(self.q.as_deref().unwrap_or_default());
        terms.truncate(TEXTS_MAX);
        let texts = terms.len();
        terms.extend(self.tag.as_ref().map(Term::of_tag));
        terms.extend(Term::of_platform(self.provider.as_ref(), self.architecture.as_ref()));
        (terms, texts)
    }

    fn visible(&self) -> Condition {
        let is_public = self.is_public.map(|is_public| table::Column::IsPublic.eq(is_public));
        self.visibility.condition().add_option(is_public)
    }

    fn wanted(&self, terms: &[Term], plan: Plan, visible: Condition) -> Select<table::Entity> {
        let mut select = table::Entity::find().filter(visible);
        if let Some(organization) = self.organization {
            select = select.filter(table::Column::OrganizationId.eq(organization.0));
        }
        for (index, term) in terms.iter().enumerate() {
            select = if plan == Plan::From(index) {
                let boxes = Query::select()
                    .column(word_rows::Column::BoxId)
                    .from(word_rows::Entity)
                    .cond_where(term.range())
                    .take();
                select.filter(table::Column::Id.in_subquery(boxes))
            } else {
                select.filter(Expr::exists(words_of_box(term).expr(Expr::val(1)).take()))
            };
        }
        select
    }

    fn ordered(
        &self,
        select: Select<table::Entity>,
        texts: &[Term],
        plan: Plan,
    ) -> Select<table::Entity> {
        let column = match self.sort {
            BoxSort::Name => table::Column::NameKey,
            BoxSort::Created => table::Column::CreatedAt,
            BoxSort::Updated => table::Column::UpdatedAt,
            BoxSort::Downloads | BoxSort::Relevance => table::Column::Downloads,
        };
        let order = sea_orm::sea_query::Order::from(self.order);
        let score = texts.iter().map(score).reduce(ExprTrait::add);
        let select = match (self.sort, plan, score) {
            (BoxSort::Relevance, Plan::From(_), Some(score)) => {
                select.order_by(score, order.clone())
            }
            _ => select,
        };
        // both the same way, as the index runs
        select.order_by(column, order.clone()).order_by(table::Column::Id, order)
    }
}

/// Only boxes of organizations that are not suspended.
fn serving(there: Condition) -> Condition {
    there.add(not_of(organization_rows::Column::SuspendedAt))
}

/// Not those of organizations with such a date: few, found by its index once for the whole list.
fn not_of(date: organization_rows::Column) -> SimpleExpr {
    let those = Query::select()
        .column(organization_rows::Column::Id)
        .from(organization_rows::Entity)
        .and_where(date.is_not_null())
        .take();
    table::Column::OrganizationId.not_in_subquery(those)
}

/// The same condition, of which no planner can make use. Most boxes are visible, so an index of what is visible finds
/// nearly all of them, to be sorted then; without statistics every planner prefers that to a walk in order.
fn unindexed(condition: Condition) -> Condition {
    let holds: SimpleExpr = CaseStatement::new().case(condition, 1).finally(0).into();
    Condition::all().add(holds.eq(1))
}

/// Finds the rarest of the terms, by one statement that counts no further than it matters.
async fn plan(catalog: &Catalog, terms: &[Term], rare_max: u64) -> Result<Plan> {
    if terms.is_empty() {
        return Ok(Plan::Walk);
    }
    let mut select = Query::select();
    for term in terms {
        let some = Query::select()
            .expr(Expr::val(1))
            .from(word_rows::Entity)
            .cond_where(term.range())
            .limit(rare_max + 1)
            .take();
        select.expr(SimpleExpr::from(count_of(some)));
    }
    let Some(row) = catalog.reader().query_one(&select).await? else { return Ok(Plan::Walk) };
    let mut rarest = (Plan::Walk, i64::try_from(rare_max).unwrap_or(i64::MAX));
    for index in 0..terms.len() {
        let count: i64 = row.try_get_by_index(index)?;
        if count <= rarest.1 {
            rarest = (Plan::From(index), count);
        }
    }
    Ok(rarest.0)
}

/// Counts what is wanted, and one more than the most.
async fn count(catalog: &Catalog, wanted: Select<table::Entity>, most: u64) -> Result<u64> {
    let some = wanted.select_only().expr(Expr::val(1)).limit(most + 1).into_query();
    let row = catalog.reader().query_one(&count_of(some)).await?;
    let count: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    Ok(u64::try_from(count).unwrap_or_default())
}

fn count_of(some: SelectStatement) -> SelectStatement {
    Query::select().expr(Expr::col(Asterisk).count()).from_subquery(some, "some").take()
}

/// How well a box fits a term: a whole word twice as well as its beginning.
fn score(term: &Term) -> SimpleExpr {
    let weight = Expr::col((word_rows::Entity, word_rows::Column::Weight));
    let (Term::Prefix(text) | Term::Exact(text)) = term;
    let value: SimpleExpr = CaseStatement::new()
        .case(word_rows::Column::Word.eq(text), weight.clone().mul(2))
        .finally(weight)
        .into();
    let best = words_of_box(term).expr(value.max()).take();
    SimpleExpr::from(best)
}

/// The words of the box at hand that a term means.
fn words_of_box(term: &Term) -> SelectStatement {
    Query::select()
        .from(word_rows::Entity)
        .and_where(
            Expr::col((word_rows::Entity, word_rows::Column::BoxId))
                .equals((table::Entity, table::Column::Id)),
        )
        .cond_where(term.range())
        .take()
}

/// What [`select_summaries`] selects.
#[derive(Debug, FromQueryResult)]
pub(crate) struct SummaryRow {
    id: Uuid,
    organization: String,
    name: String,
    short_description: String,
    tags: Option<String>,
    is_public: bool,
    created_by: Option<Uuid>,
    created_at: DateTimeUtc,
    updated_at: DateTimeUtc,
    downloads: i64,
}

/// What lists show: not the long texts, which would be most of the page.
pub(crate) fn select_summaries(select: Select<table::Entity>) -> Select<table::Entity> {
    select
        .select_only()
        .columns([
            table::Column::Id,
            table::Column::Name,
            table::Column::ShortDescription,
            table::Column::Tags,
            table::Column::IsPublic,
            table::Column::CreatedBy,
            table::Column::CreatedAt,
            table::Column::UpdatedAt,
            table::Column::Downloads,
        ])
        .column_as(organization_rows::Column::Name, "organization")
        .join(JoinType::InnerJoin, to_organization())
}

pub(crate) fn summary_of(row: SummaryRow) -> Result<BoxSummary> {
    Ok(BoxSummary {
        id: BoxId(row.id),
        organization: stored("organizations.name", OrganizationName::parse(&row.organization))?,
        name: stored("boxes.name", BoxName::parse(&row.name))?,
        short_description: row.short_description,
        tags: tags_of(row.tags.as_deref())?,
        is_public: row.is_public,
        created_by: row.created_by.map(UserId),
        created_at: row.created_at,
        updated_at: row.updated_at,
        downloads: row.downloads,
    })
}
