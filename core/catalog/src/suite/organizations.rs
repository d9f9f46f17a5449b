//! Organizations and their members.

use boxvault_types::identity::Role;
use boxvault_types::ids::UserId;

use super::fixture::{organization, organization_name, put_file, tree, user};
use super::on_each_database;
use crate::memberships;
use crate::organizations::{
    self, AccessMode, Contents, NewOrganization, OrganizationChanges, OrganizationFilter,
    OrganizationScope,
};
use crate::{Catalog, CatalogError, ConflictReason, Noun, Page, Taken, blobs};

async fn names(catalog: &Catalog, scope: OrganizationScope, q: Option<&str>) -> Vec<String> {
    let filter =
        OrganizationFilter { scope, q: q.map(str::to_owned), ..OrganizationFilter::default() };
    let page = organizations::list(catalog, &filter, Page::default()).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    page.items.iter().map(|organization| organization.name.to_string()).collect()
}

on_each_database! {
    async fn an_organization_has_its_maker_as_owner(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "Acme", anna.id).await;
        let found = organizations::find(catalog, &organization_name("aCME")).await.unwrap();
        assert_eq!(found, Some(acme.clone()));
        assert_eq!(organizations::find_by_id(catalog, acme.id).await.unwrap(), Some(acme.clone()));
        assert_eq!(memberships::find(catalog, acme.id, anna.id).await.unwrap(), Some(Role::Owner));
    }

    async fn an_organization_without_an_owner_is_not_made(db) {
        let catalog = &db.catalog;
        let new = NewOrganization {
            name: organization_name("acme"),
            description: String::new(),
            email: None,
            access_mode: AccessMode::Private,
            owner: UserId::new(),
        };
        let error = organizations::create(catalog, new).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { what: Noun::User }), "{error:?}");
        assert!(organizations::find(catalog, &organization_name("acme")).await.unwrap().is_none());
    }

    async fn an_organization_can_be_renamed_unless_the_name_is_taken(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await;
        organization(catalog, "other", anna.id).await;
        let rename = |name| OrganizationChanges {
            name: Some(organization_name(name)),
            email: Some(String::new()),
            ..OrganizationChanges::default()
        };
        let error = organizations::update(catalog, acme.id, rename("OTHER")).await.unwrap_err();
        let taken = Taken::OrganizationName;
        assert!(matches!(error, CatalogError::AlreadyExists { what } if what == taken), "{error:?}");
        let renamed = organizations::update(catalog, acme.id, rename("ACME")).await.unwrap();
        assert_eq!((renamed.name.as_str(), renamed.email), ("ACME", None));
        assert_eq!(renamed.description, acme.description);
    }

    async fn lists_show_what_their_scope_allows(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let bert = user(catalog, "bert").await;
        organization(catalog, "anna-private", anna.id).await;
        organization(catalog, "bert-private", bert.id).await;
        let open = organization(catalog, "bert-open", bert.id).await;
        let mode = Some(AccessMode::RequestToJoin);
        let changes = OrganizationChanges { access_mode: mode, ..OrganizationChanges::default() };
        organizations::update(catalog, open.id, changes).await.unwrap();

        assert_eq!(names(catalog, OrganizationScope::Public, None).await, ["bert-open"]);
        let of_anna = OrganizationScope::OfUser(anna.id);
        assert_eq!(names(catalog, of_anna, None).await, ["anna-private"]);
        let to_anna = OrganizationScope::VisibleTo(anna.id);
        assert_eq!(names(catalog, to_anna.clone(), None).await, ["anna-private", "bert-open"]);
        assert_eq!(names(catalog, to_anna, Some("BOXES OF b")).await, ["bert-open"]);
        assert_eq!(names(catalog, OrganizationScope::All, None).await.len(), 3);
    }

    async fn an_organization_with_boxes_goes_only_when_its_boxes_may(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        let id = tree.organization.id;
        let error = organizations::delete(catalog, id, Contents::Keep).await.unwrap_err();
        let why = ConflictReason::NotEmpty;
        assert!(matches!(error, CatalogError::Conflict { why: w } if w == why), "{error:?}");
        organizations::delete(catalog, id, Contents::Delete).await.unwrap();
        let found = crate::boxes::find_by_id(catalog, tree.vagrant_box.id).await.unwrap();
        assert!(found.is_none());
        let dust = blobs::list_unreferenced(catalog, std::time::Duration::ZERO).await.unwrap();
        assert_eq!(dust.len(), 1, "the bytes are left to the sweep");
        let error = organizations::delete(catalog, id, Contents::Delete).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { .. }), "{error:?}");
    }

    async fn members_come_get_roles_and_go(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let bert = user(catalog, "Bert").await;
        let acme = organization(catalog, "acme", anna.id).await;
        memberships::add(catalog, acme.id, bert.id, Role::Member).await.unwrap();
        let error = memberships::add(catalog, acme.id, bert.id, Role::Admin).await.unwrap_err();
        assert!(matches!(error, CatalogError::AlreadyExists { what: Taken::Member }), "{error:?}");
        let error = memberships::add(catalog, acme.id, UserId::new(), Role::Admin).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { what: Noun::Member }), "{error:?}");

        memberships::set_role(catalog, acme.id, bert.id, Role::Admin).await.unwrap();
        let page = memberships::list(catalog, acme.id, None, Page::default()).await.unwrap();
        let rows = page.items.iter().map(|m| (m.name.as_str(), m.role)).collect::<Vec<_>>();
        assert_eq!(rows, [("anna", Role::Owner), ("Bert", Role::Admin)]);
        let page = memberships::list(catalog, acme.id, Some("THE b"), Page::default()).await.unwrap();
        assert_eq!((page.total, page.items[0].user_id), (1, bert.id));
        let of_bert = memberships::of_user(catalog, bert.id).await.unwrap();
        assert_eq!((of_bert.len(), of_bert[0].role), (1, Role::Admin));

        memberships::remove(catalog, acme.id, bert.id).await.unwrap();
        let error = memberships::remove(catalog, acme.id, bert.id).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { what: Noun::Member }), "{error:?}");
    }

    async fn the_last_owner_can_neither_leave_nor_step_down(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await;
        let why = ConflictReason::LastOwner;
        let error = memberships::remove(catalog, acme.id, anna.id).await.unwrap_err();
        assert!(matches!(error, CatalogError::Conflict { why: w } if w == why), "{error:?}");
        let step_down = memberships::set_role(catalog, acme.id, anna.id, Role::Admin).await;
        assert!(matches!(step_down, Err(CatalogError::Conflict { why: w }) if w == why));
        memberships::set_role(catalog, acme.id, anna.id, Role::Owner).await.unwrap();
    }
}
