//! Organizations and their members.

use std::time::Duration;

use boxvault_types::identity::Role;
use boxvault_types::ids::UserId;

use super::fixture::{organization, organization_name, public_box, put_file, tree, user};
use super::on_each_database;
use crate::boxes::{self, BoxFilter, Visibility};
use crate::memberships;
use crate::organizations::{
    self, AccessMode, NewOrganization, OrganizationChanges, OrganizationFilter, OrganizationScope,
};
use crate::{Catalog, CatalogError, ConflictReason, Noun, Page, Taken, blobs};

async fn names(catalog: &Catalog, scope: OrganizationScope, q: Option<&str>) -> Vec<String> {
    let filter =
        OrganizationFilter { scope, q: q.map(str::to_owned), ..OrganizationFilter::default() };
    let page = organizations::list(catalog, &filter, Page::default()).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    page.items.iter().map(|organization| organization.name.to_string()).collect()
}

fn new_organization(name: &str, owner: UserId) -> NewOrganization {
    NewOrganization {
        name: organization_name(name),
        description: String::new(),
        email: None,
        access_mode: AccessMode::Private,
        owner,
    }
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
        let new = new_organization("acme", UserId::new());
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

    async fn a_name_that_one_had_leads_to_it_until_its_time_is_over(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await;
        let rename = |name: &str| OrganizationChanges {
            name: Some(organization_name(name)),
            old_name_kept_for: Duration::from_mins(1),
            ..OrganizationChanges::default()
        };
        let led = async |name: &str| {
            let found = organizations::find(catalog, &organization_name(name)).await.unwrap();
            found.map(|found| found.name.to_string())
        };
        organizations::update(catalog, acme.id, rename("initech")).await.unwrap();
        let vagrant_box = public_box(catalog, acme.id, "web").await;
        let by_old = boxes::find(catalog, &organization_name("ACME"), &vagrant_box.name).await;
        assert_eq!(by_old.unwrap().unwrap().organization.name.as_str(), "initech");
        assert_eq!(led("acme").await.as_deref(), Some("initech"));
        let taken = Taken::OrganizationName;
        let new = new_organization("acme", anna.id);
        let error = organizations::create(catalog, new.clone()).await.unwrap_err();
        assert!(matches!(error, CatalogError::AlreadyExists { what } if what == taken), "{error:?}");
        let other = organization(catalog, "other", anna.id).await;
        let error = organizations::update(catalog, other.id, rename("Acme")).await.unwrap_err();
        assert!(matches!(error, CatalogError::AlreadyExists { what } if what == taken), "{error:?}");
        assert_eq!(led("other").await.as_deref(), Some("other"), "a failed rename changed it");

        db.clock.advance(Duration::from_mins(2));
        assert_eq!(led("acme").await, None);
        let second = organizations::create(catalog, new).await.unwrap();
        assert_eq!(organizations::find(catalog, &second.name).await.unwrap().unwrap().id, second.id);
        // one is remembered by a few names, not by all
        for number in 0..9 {
            organizations::update(catalog, acme.id, rename(&format!("n{number}"))).await.unwrap();
        }
        assert_eq!(led("n0").await, None);
        for name in ["n3", "n7", "n8"] {
            assert_eq!(led(name).await.as_deref(), Some("n8"), "{name}");
        }
    }

    async fn a_suspended_organization_shows_in_no_public_list(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = tree.organization.id;
        let mode = Some(AccessMode::InviteOnly);
        let changes = OrganizationChanges { access_mode: mode, ..OrganizationChanges::default() };
        organizations::update(catalog, id, changes).await.unwrap();
        let boxes_seen = async |visibility| {
            let filter = BoxFilter { visibility, ..BoxFilter::default() };
            boxes::list(catalog, &filter, Page::default()).await.unwrap().total
        };
        organizations::suspend(catalog, id, "why").await.unwrap();
        let found = organizations::find(catalog, &tree.organization.name).await.unwrap().unwrap();
        assert_eq!(found.suspension.unwrap().reason, "why");
        assert_eq!(names(catalog, OrganizationScope::Public, None).await, Vec::<String>::new());
        assert_eq!(names(catalog, OrganizationScope::VisibleTo(tree.user.id), None).await, ["acme"]);
        assert_eq!(boxes_seen(Visibility::Public).await, 0);
        assert_eq!(boxes_seen(Visibility::MemberOf(vec![id])).await, 0);
        assert_eq!(boxes_seen(Visibility::All).await, 1);
        organizations::resume(catalog, id).await.unwrap();
        assert_eq!(names(catalog, OrganizationScope::Public, None).await, ["acme"]);
        assert_eq!(boxes_seen(Visibility::Public).await, 1);
    }

    async fn a_deleted_organization_is_found_by_nothing_and_can_be_restored(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        let (id, name) = (tree.organization.id, &tree.organization.name);
        organizations::delete(catalog, id).await.unwrap();
        let error = organizations::delete(catalog, id).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { .. }), "{error:?}");
        assert_eq!(organizations::find(catalog, name).await.unwrap(), None);
        assert_eq!(organizations::find_by_id(catalog, id).await.unwrap(), None);
        assert_eq!(boxes::find(catalog, name, &tree.vagrant_box.name).await.unwrap(), None);
        assert_eq!(names(catalog, OrganizationScope::All, None).await, Vec::<String>::new());
        for error in [
            organizations::update(catalog, id, OrganizationChanges::default()).await.unwrap_err(),
            organizations::suspend(catalog, id, "").await.unwrap_err(),
        ] {
            assert!(matches!(error, CatalogError::NotFound { .. }), "{error:?}");
        }
        let error = organizations::create(catalog, new_organization("ACME", tree.user.id)).await;
        assert!(matches!(error, Err(CatalogError::AlreadyExists { .. })), "{error:?}");
        assert!(memberships::of_user(catalog, tree.user.id).await.unwrap()[0].organization_is_deleted);

        let of = async |owner| {
            organizations::list_deleted(catalog, owner, Page::default()).await.unwrap().total
        };
        assert_eq!((of(None).await, of(Some(tree.user.id)).await), (1, 1));
        assert_eq!(of(Some(UserId::new())).await, 0);
        let found = organizations::find_deleted(catalog, name).await.unwrap().unwrap();
        assert_eq!(found.id, id);
        let month = Duration::from_hours(30 * 24);
        assert_eq!(organizations::purge_deleted(catalog, month).await.unwrap(), 0);
        organizations::restore(catalog, id, month).await.unwrap();
        assert_eq!(organizations::find(catalog, name).await.unwrap(), Some(tree.organization.clone()));
        assert!(boxes::find(catalog, name, &tree.vagrant_box.name).await.unwrap().is_some());
        assert!(organizations::restore(catalog, id, month).await.is_err());
    }

    async fn a_purge_takes_what_is_due_and_leaves_the_bytes_to_the_sweep(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        let other = organization(catalog, "other", tree.user.id).await;
        let same_name = public_box(catalog, other.id, "debian").await;
        let (id, day) = (tree.organization.id, Duration::from_hours(24));
        organizations::delete(catalog, id).await.unwrap();
        db.clock.advance(2 * day);
        let error = organizations::restore(catalog, id, day).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { .. }), "what is due is not restored: {error:?}");
        assert_eq!(organizations::purge_deleted(catalog, day).await.unwrap(), 1);
        assert_eq!(organizations::find_deleted(catalog, &tree.organization.name).await.unwrap(), None);
        assert!(boxes::find_by_id(catalog, same_name.id).await.unwrap().is_some());
        let dust = blobs::list_unreferenced(catalog, Duration::ZERO).await.unwrap();
        assert_eq!(dust.len(), 1, "the bytes are left to the sweep");
        organizations::create(catalog, new_organization("acme", tree.user.id)).await.unwrap();
    }

    async fn ownership_is_handed_over_in_one_step(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        let acme = organization(catalog, "acme", anna.id).await;
        let error = memberships::hand_over(catalog, acme.id, anna.id, bert.id).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { what: Noun::Member }), "{error:?}");
        memberships::add(catalog, acme.id, bert.id, Role::Member).await.unwrap();
        memberships::hand_over(catalog, acme.id, anna.id, bert.id).await.unwrap();
        let role = async |user: UserId| memberships::find(catalog, acme.id, user).await.unwrap();
        assert_eq!(role(bert.id).await, Some(Role::Owner));
        assert_eq!(role(anna.id).await, Some(Role::Admin));
        let counts = organizations::counts(catalog, &[acme.id]).await.unwrap();
        assert_eq!((counts[&acme.id].members, counts[&acme.id].public_boxes), (2, 0));
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
        assert!(matches!(error, CatalogError::NotFound { what: Noun::User }), "{error:?}");

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
