//! Boxes.

use std::collections::BTreeSet;

use boxvault_catalog::{
    Order,
    boxes::{
        self, BoxChanges, BoxFilter, BoxSort, BoxSummary, Links, NewBox, OwnedBox, VagrantBox,
        Visibility,
    },
    memberships,
    organizations::{self, Organization},
};
use boxvault_policy::{Policy, Relations};
use boxvault_types::{
    action::{Action, Resource},
    identity::Identity,
    names::OrganizationName,
    params::{
        ListQuery,
        boxes::{BoxQuery, BoxVisibility, CreateBoxParams, UpdateBoxParams},
    },
    tags::BoxTag,
    views::{
        PageView,
        boxes::{BoxSummaryView, BoxView},
    },
};
use url::Url;

use super::{App, lists, organizations::check_length};
use crate::error::{AppError, Result};

/// What lists of boxes can be sorted by.
const SORTS: &[(&str, BoxSort)] = &[
    ("name", BoxSort::Name),
    ("created", BoxSort::Created),
    ("updated", BoxSort::Updated),
    ("downloads", BoxSort::Downloads),
    ("relevance", BoxSort::Relevance),
];
/// The longest short description, in characters.
pub(crate) const SHORT_DESCRIPTION_CHARS_MAX: usize = 255;
/// The longest address, in characters: browsers and servers take no longer ones for sure.
const LINK_CHARS_MAX: usize = 2048;
/// The most tags of one box: more find it no better, and lists show them all.
const TAGS_MAX: usize = 20;
/// The longest Markdown description, in characters.
pub(crate) const DESCRIPTION_CHARS_MAX: usize = 65_536;
/// The longest README or release notes, in characters.
pub(crate) const README_CHARS_MAX: usize = 262_144;

impl App {
    /// The boxes of all organizations that the caller may see, or of one of them. That it does not exist is no
    /// failure: the caller may not be to know.
    pub(crate) async fn discover_boxes(
        &self,
        identity: &Identity,
        organization: Option<OrganizationName>,
        wanted: BoxQuery,
        query: ListQuery,
    ) -> Result<(Vec<BoxSummaryView>, PageView)> {
        let Some(name) = organization else {
            return self.list_boxes(identity, None, wanted, query).await;
        };
        match organizations::find(&self.catalog, &name).await? {
            Some(found) => self.list_boxes(identity, Some(&found), wanted, query).await,
            None => Ok((Vec::new(), lists::view(self.page(&query)?, 0))),
        }
    }

    /// The boxes that the caller may see, of one organization or of all.
    pub(crate) async fn list_boxes(
        &self,
        identity: &Identity,
        organization: Option<&Organization>,
        wanted: BoxQuery,
        query: ListQuery,
    ) -> Result<(Vec<BoxSummaryView>, PageView)> {
        let page = self.page(&query)?;
        let (sort, order) = match &query.q {
            Some(_) => (BoxSort::Relevance, Order::Descending),
            None => (BoxSort::Name, Order::Ascending),
        };
        let sort = lists::sort(&query, SORTS, sort)?;
        let order = if sort == BoxSort::Relevance { order } else { Order::Ascending };
        let filter = BoxFilter {
            visibility: self.visibility(identity).await?,
            organization: organization.map(|organization| organization.id),
            sort,
            order: lists::order(&query, order),
            q: query.q,
            tag: wanted.tag,
            provider: wanted.provider,
            architecture: wanted.architecture,
            is_public: wanted.visibility.map(|wanted| wanted == BoxVisibility::Public),
        };
        let found = boxes::list(&self.catalog, &filter, page).await?;
        let policy = self.policy.load();
        let views = found
            .items
            .iter()
            .filter(|found| self.may_read_box(&policy, identity, found))
            .map(summary)
            .collect();
        Ok((views, lists::view(page, found.total)))
    }

    /// Makes a box.
    pub(crate) async fn create_box(
        &self,
        identity: &Identity,
        organization: &Organization,
        params: CreateBoxParams,
    ) -> Result<BoxView> {
        check(
            Some(&params.short_description),
            Some(&params.description),
            params.readme.as_deref(),
            &params.tags,
        )?;
        let new = NewBox {
            organization_id: organization.id,
            name: params.name,
            short_description: params.short_description,
            description: params.description,
            readme: params.readme,
            tags: distinct(params.tags),
            links: links(
                params.homepage_url.filter(|link| !link.is_empty()),
                params.source_url.filter(|link| !link.is_empty()),
                params.documentation_url.filter(|link| !link.is_empty()),
            )?,
            is_public: params.is_public,
            created_by: identity.caller().map(|caller| caller.user_id),
            takes_former_name: params.replace_former_name,
        };
        let name = new.name.clone();
        let created = match boxes::create(&self.catalog, new).await {
            Ok(created) => created,
            Err(error) => return Err(self.why_taken(organization, &name, error.into()).await?),
        };
        self.catalogues.clear();
        Ok(view(organization, &created))
    }

    /// Changes a box.
    pub(crate) async fn update_box(
        &self,
        found: &OwnedBox,
        params: UpdateBoxParams,
    ) -> Result<BoxView> {
        check(
            params.short_description.as_deref(),
            params.description.as_deref(),
            params.readme.as_deref(),
            params.tags.as_deref().unwrap_or_default(),
        )?;
        let changes = BoxChanges {
            name: params.name,
            short_description: params.short_description,
            description: params.description,
            readme: params.readme,
            tags: params.tags.map(distinct),
            links: links(params.homepage_url, params.source_url, params.documentation_url)?,
            is_public: params.is_public,
            old_name_leads_until: self.former_names_lead_until(),
        };
        let name = changes.name.clone().unwrap_or_else(|| found.vagrant_box.name.clone());
        let changed = match boxes::update(&self.catalog, found.vagrant_box.id, changes).await {
            Ok(changed) => changed,
            Err(error) => {
                return Err(self.why_taken(&found.organization, &name, error.into()).await?);
            }
        };
        self.catalogues.clear();
        Ok(view(&found.organization, &changed))
    }

    /// What lists are made from: what is public, and what the caller's organizations own. The policy then has the
    /// last word on each box of the page.
    pub(super) async fn visibility(&self, identity: &Identity) -> Result<Visibility> {
        let Some(caller) = identity.caller() else { return Ok(Visibility::Public) };
        if let Some(service) = &caller.service {
            let own = (!caller.memberships.is_empty()).then_some(service.organization_id);
            return Ok(Visibility::MemberOf(own.into_iter().collect()));
        }
        if caller.platform_admin && caller.scope.organization.is_none() {
            return Ok(Visibility::All);
        }
        let within = |name: &OrganizationName| {
            caller.scope.organization.as_ref().is_none_or(|limit| limit.key() == name.key())
        };
        let places = memberships::of_user(&self.catalog, caller.user_id).await?;
        let visible = places.iter().filter(|place| within(&place.organization_name));
        Ok(Visibility::MemberOf(visible.map(|place| place.organization_id).collect()))
    }

    /// Whether the policy lets the caller see a box.
    pub(super) fn may_read_box(
        &self,
        policy: &Policy,
        identity: &Identity,
        found: &BoxSummary,
    ) -> bool {
        let resource = Resource::Box(found.organization.clone(), Some(found.name.clone()));
        let creator =
            identity.caller().is_some_and(|caller| found.created_by == Some(caller.user_id));
        let relations = Relations { creator, public: found.is_public };
        self.require(policy, identity, &resource, Action::Read, relations).is_ok()
    }
}

fn check(
    short: Option<&str>,
    description: Option<&str>,
    readme: Option<&str>,
    tags: &[BoxTag],
) -> Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(AppError::invalid("tags", format!("a box has at most {TAGS_MAX} of them")));
    }
    check_length("shortDescription", short.unwrap_or_default(), SHORT_DESCRIPTION_CHARS_MAX)?;
    check_length("description", description.unwrap_or_default(), DESCRIPTION_CHARS_MAX)?;
    check_length("readme", readme.unwrap_or_default(), README_CHARS_MAX)
}

/// Addresses that may stand in a page; an empty one says that there is none.
fn links(
    homepage: Option<String>,
    source: Option<String>,
    documentation: Option<String>,
) -> Result<Links> {
    Ok(Links {
        homepage: homepage.map(|link| check_link("homepageUrl", link)).transpose()?,
        source: source.map(|link| check_link("sourceUrl", link)).transpose()?,
        documentation: documentation
            .map(|link| check_link("documentationUrl", link))
            .transpose()?,
    })
}

/// An address as it is kept: what a browser would make of it, so that nothing else is shown than is followed.
fn check_link(field: &str, link: String) -> Result<String> {
    if link.is_empty() {
        return Ok(link);
    }
    check_length(field, &link, LINK_CHARS_MAX)?;
    let url = Url::parse(&link)
        .map_err(|error| AppError::invalid(field, format!("is not a URL: {error}")))?;
    if url.scheme() != "https" || url.host_str().is_none_or(str::is_empty) {
        return Err(AppError::invalid(field, "must begin with https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AppError::invalid(field, "must not hold a user name or a password"));
    }
    let url = String::from(url);
    check_length(field, &url, LINK_CHARS_MAX)?;
    Ok(url)
}

/// The tags in their order, each once.
fn distinct(tags: Vec<BoxTag>) -> Vec<BoxTag> {
    let mut seen = BTreeSet::new();
    tags.into_iter().filter(|tag| seen.insert(tag.clone())).collect()
}

/// A box as lists show it.
fn summary(found: &BoxSummary) -> BoxSummaryView {
    BoxSummaryView {
        id: found.id,
        name: found.name.to_string(),
        organization: found.organization.to_string(),
        short_description: found.short_description.clone(),
        tags: found.tags.clone(),
        is_public: found.is_public,
        download_count: u64::try_from(found.downloads).unwrap_or_default(),
        created_at: found.created_at,
        updated_at: found.updated_at,
    }
}

/// A box as the API shows it.
pub(crate) fn view(organization: &Organization, vagrant_box: &VagrantBox) -> BoxView {
    BoxView {
        id: vagrant_box.id,
        name: vagrant_box.name.to_string(),
        organization: organization.name.to_string(),
        short_description: vagrant_box.short_description.clone(),
        description: vagrant_box.description.clone(),
        readme: vagrant_box.readme.clone(),
        tags: vagrant_box.tags.clone(),
        homepage_url: vagrant_box.links.homepage.clone(),
        source_url: vagrant_box.links.source.clone(),
        documentation_url: vagrant_box.links.documentation.clone(),
        has_artwork: vagrant_box.artwork.is_some(),
        is_public: vagrant_box.is_public,
        origin: None,
        download_count: u64::try_from(vagrant_box.downloads).unwrap_or_default(),
        created_at: vagrant_box.created_at,
        updated_at: vagrant_box.updated_at,
    }
}
