//! Boxes.

use boxvault_catalog::{
    boxes::{self, BoxChanges, BoxFilter, BoxSort, NewBox, OwnedBox, VagrantBox, Visibility},
    memberships,
    organizations::Organization,
};
use boxvault_policy::Relations;
use boxvault_types::{
    action::{Action, Resource},
    identity::Identity,
    names::OrganizationName,
    params::{
        ListQuery,
        boxes::{CreateBoxParams, UpdateBoxParams},
    },
    views::{PageView, boxes::BoxView},
};

use super::{App, lists, organizations::check_length};
use crate::error::Result;

/// What lists of boxes can be sorted by.
const SORTS: &[(&str, BoxSort)] = &[
    ("name", BoxSort::Name),
    ("created", BoxSort::Created),
    ("updated", BoxSort::Updated),
    ("downloads", BoxSort::Downloads),
];
/// The longest short description, in characters.
const SHORT_DESCRIPTION_CHARS_MAX: usize = 255;
/// The longest Markdown description, in characters.
pub(crate) const DESCRIPTION_CHARS_MAX: usize = 65_536;
/// The longest README or release notes, in characters.
pub(crate) const README_CHARS_MAX: usize = 262_144;

impl App {
    /// The boxes that the caller may see, of one organization or of all.
    pub(crate) async fn list_boxes(
        &self,
        identity: &Identity,
        organization: Option<&Organization>,
        query: ListQuery,
    ) -> Result<(Vec<BoxView>, PageView)> {
        let page = self.page(&query)?;
        let filter = BoxFilter {
            visibility: self.visibility(identity).await?,
            organization: organization.map(|organization| organization.id),
            sort: lists::sort(&query, SORTS, BoxSort::Name)?,
            order: lists::order(&query, boxvault_catalog::Order::Ascending),
            q: query.q,
        };
        let found = boxes::list(&self.catalog, &filter, page).await?;
        let views = found
            .items
            .iter()
            .filter(|found| self.may_read_box(identity, found))
            .map(|found| view(&found.organization, &found.vagrant_box))
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
        )?;
        let new = NewBox {
            organization_id: organization.id,
            name: params.name,
            short_description: params.short_description,
            description: params.description,
            readme: params.readme,
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
        )?;
        let changes = BoxChanges {
            name: params.name,
            short_description: params.short_description,
            description: params.description,
            readme: params.readme,
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
    async fn visibility(&self, identity: &Identity) -> Result<Visibility> {
        let Some(caller) = identity.caller() else { return Ok(Visibility::Public) };
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
    fn may_read_box(&self, identity: &Identity, found: &OwnedBox) -> bool {
        let resource =
            Resource::Box(found.organization.name.clone(), Some(found.vagrant_box.name.clone()));
        let creator = identity
            .caller()
            .is_some_and(|caller| found.vagrant_box.created_by == Some(caller.user_id));
        let relations = Relations { creator, public: found.vagrant_box.is_public };
        let policy = self.policy.load();
        self.require(&policy, identity, &resource, Action::Read, relations).is_ok()
    }
}

fn check(short: Option<&str>, description: Option<&str>, readme: Option<&str>) -> Result<()> {
    check_length("shortDescription", short.unwrap_or_default(), SHORT_DESCRIPTION_CHARS_MAX)?;
    check_length("description", description.unwrap_or_default(), DESCRIPTION_CHARS_MAX)?;
    check_length("readme", readme.unwrap_or_default(), README_CHARS_MAX)
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
        is_public: vagrant_box.is_public,
        download_count: u64::try_from(vagrant_box.downloads).unwrap_or_default(),
        created_at: vagrant_box.created_at,
        updated_at: vagrant_box.updated_at,
    }
}
