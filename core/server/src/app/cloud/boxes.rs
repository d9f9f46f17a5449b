//! Boxes as the Vagrant Cloud API shows them: whole, and in the lists of an organization or a search.

use boxvault_catalog::{boxes, versions::VersionStatus};
use boxvault_policy::Policy;
use boxvault_types::{
    action::{Action, Resource},
    identity::Identity,
    names::OrganizationName,
    params::{ListQuery, boxes::BoxQuery},
    views::{
        PageView,
        boxes::{BoxSummaryView, BoxView},
        cloud::{CloudBoxView, CloudStatus},
    },
};

use super::{Place, Tag, versions::Texts};
use crate::{
    app::{
        App,
        access::{Answer, Target},
    },
    error::Result,
};

impl App {
    /// A box with its versions: all of them, or those that everybody sees.
    pub(crate) async fn cloud_box(
        &self,
        place: &Place,
        view: BoxView,
        status: Option<VersionStatus>,
    ) -> Result<CloudBoxView> {
        let contents = boxes::contents(&self.catalog, view.id, status).await?;
        let tag = Tag { organization: &view.organization, name: &view.name };
        let mut versions = Vec::with_capacity(contents.len());
        for contents in contents {
            versions.push(self.cloud_version_view(place, tag, contents, Texts::All).await?);
        }
        let current = versions.iter().find(|version| version.status == CloudStatus::Active);
        Ok(CloudBoxView {
            created_at: view.created_at,
            updated_at: view.updated_at,
            tag: format!("{}/{}", view.organization, view.name),
            current_version: current.cloned(),
            versions: Some(versions),
            name: view.name,
            short_description: view.short_description,
            description_html: Some(self.render(&view.description).await?),
            description_markdown: Some(view.description.clone()),
            description: Some(view.description),
            username: view.organization,
            private: !view.is_public,
            downloads: view.download_count,
        })
    }

    /// The name of an organization, as it is written, if the caller may read it.
    pub(crate) async fn cloud_organization(
        &self,
        policy: &Policy,
        identity: &Identity,
        name: &OrganizationName,
    ) -> Result<Option<String>> {
        let wanted = Resource::Organization(Some(name.clone()));
        let target = Target::find(self, wanted, Action::Read).await?;
        let answer = self.answer(policy, identity, &target, Action::Read);
        let found = target.organization.filter(|_| answer == Answer::Allowed);
        Ok(found.map(|organization| organization.name.to_string()))
    }

    /// All boxes of an organization that the caller may see.
    pub(crate) async fn cloud_boxes(
        &self,
        place: &Place,
        identity: &Identity,
        organization: &OrganizationName,
    ) -> Result<Vec<CloudBoxView>> {
        let mut all = Vec::new();
        for number in 1.. {
            let query = ListQuery {
                page: Some(number),
                per_page: Some(self.config.limits.page_size_max.into()),
                ..ListQuery::default()
            };
            let wanted = BoxQuery::default();
            let (items, page) =
                self.discover_boxes(identity, Some(organization.clone()), wanted, query).await?;
            all.extend(self.cloud_list(place, items).await?);
            if page.number * page.size >= page.total {
                break;
            }
        }
        Ok(all)
    }

    /// One page of the boxes that a search finds, as far as they have a released version. The words of boxes go first;
    /// where they find nothing, `organization` and `organization/box` are looked for.
    pub(crate) async fn cloud_search(
        &self,
        place: &Place,
        identity: &Identity,
        wanted: BoxQuery,
        query: ListQuery,
    ) -> Result<(Vec<CloudBoxView>, PageView)> {
        let by_words = self.list_boxes(identity, None, wanted.clone(), query.clone()).await?;
        let (items, page) = match owner_in(&query) {
            Some((owner, query)) if by_words.1.total == 0 => {
                self.discover_boxes(identity, Some(owner), wanted, query).await?
            }
            _ => by_words,
        };
        let mut boxes = self.cloud_list(place, items).await?;
        // clients break on a box that has none
        boxes.retain(|found| found.current_version.is_some());
        Ok((boxes, page))
    }

    async fn cloud_list(
        &self,
        place: &Place,
        items: Vec<BoxSummaryView>,
    ) -> Result<Vec<CloudBoxView>> {
        let ids: Vec<_> = items.iter().map(|item| item.id).collect();
        let mut newest = boxes::newest_releases(&self.catalog, &ids).await?;
        let mut views = Vec::with_capacity(items.len());
        for item in items {
            let tag = Tag { organization: &item.organization, name: &item.name };
            let current_version = match newest.remove(&item.id) {
                Some(contents) => {
                    Some(self.cloud_version_view(place, tag, contents, Texts::None).await?)
                }
                None => None,
            };
            views.push(CloudBoxView {
                created_at: item.created_at,
                updated_at: item.updated_at,
                tag: format!("{}/{}", item.organization, item.name),
                name: item.name,
                short_description: item.short_description,
                description_html: None,
                description_markdown: None,
                description: None,
                username: item.organization,
                private: !item.is_public,
                downloads: item.download_count,
                current_version,
                versions: None,
            });
        }
        Ok(views)
    }
}

/// The organization that somebody searches for, and what they look for in it.
fn owner_in(query: &ListQuery) -> Option<(OrganizationName, ListQuery)> {
    let text = query.q.as_deref()?.trim();
    let (owner, rest) =
        text.split_once('/').map_or((text, None), |(owner, rest)| (owner, Some(rest)));
    let rest = rest.filter(|rest| !rest.is_empty()).map(ToOwned::to_owned);
    Some((OrganizationName::parse(owner).ok()?, ListQuery { q: rest, ..query.clone() }))
}
