//! The policy from outside: what callers may do by the shipped rules, and what a decision depends on.

mod fuzz;
mod oracle;
mod overlays;
mod questions;
mod reload;

use std::sync::Arc;

use boxvault_types::action::{Action, Resource};
use boxvault_types::identity::{
    Caller, Credential, Identity, LOCAL_ISSUER, Role, ServiceCaller, TokenScope,
};
use boxvault_types::ids::{OrganizationId, ServiceAccountId, UserId};
use boxvault_types::names::{ArchitectureName, BoxName, OrganizationName, ProviderName, UserName};
use boxvault_types::version::BoxVersion;

use crate::{AccessRequest, Decision, Policy, PolicyFiles, Reason, Relations};

const MODEL: &str = include_str!("../../../policies/model.conf");
const ADMIN: &str = "p, role:platform-admin, *, **, *, allow\n";
const NO_RELATION: Relations = Relations { creator: false, public: false };
const CREATOR: Relations = Relations { creator: true, public: false };
const PUBLIC: Relations = Relations { creator: false, public: true };

fn organization(name: &str) -> OrganizationName {
    OrganizationName::parse(name).unwrap()
}

/// A caller with a role in acme, or none.
fn bob(role: Option<Role>) -> Caller {
    Caller {
        user_id: UserId::new(),
        name: UserName::parse("Bob").unwrap(),
        issuer: LOCAL_ISSUER.to_owned(),
        platform_admin: false,
        language: None,
        memberships: role.map(|role| (organization("Acme"), role)).into_iter().collect(),
        groups: Vec::new(),
        credential: Credential::None,
        scope: TokenScope::default(),
        service: None,
    }
}

fn identity(caller: Caller) -> Identity {
    Identity::User(Arc::new(caller))
}

fn box_of(organization_name: &str, name: &str) -> Resource {
    Resource::Box(organization(organization_name), Some(BoxName::parse(name).unwrap()))
}

fn file_of(organization_name: &str, name: &str) -> Resource {
    Resource::File(
        organization(organization_name),
        BoxName::parse(name).unwrap(),
        BoxVersion::parse("1.0.0").unwrap(),
        ProviderName::parse("virtualbox").unwrap(),
        ArchitectureName::parse("amd64").unwrap(),
    )
}

fn ask(
    policy: &Policy,
    identity: &Identity,
    resource: &Resource,
    action: Action,
    relations: Relations,
) -> Decision {
    policy.decide(&AccessRequest::new(identity, resource, action, relations))
}

fn site(rules: &str) -> Policy {
    let shipped = include_str!("../../../policies/policy.csv");
    Policy::from_texts(MODEL, &[("policy.csv", shipped), ("site.csv", rules)]).unwrap()
}

#[test]
fn the_shipped_rules_build_without_a_warning() {
    let policy = Policy::embedded().unwrap();
    assert_eq!(policy.warnings(), []);
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    assert_eq!(crate::check(&PolicyFiles::read(&dir).unwrap()).unwrap().digest, policy.digest());
}

#[test]
fn a_decision_names_the_line_that_made_it() {
    let policy = Policy::embedded().unwrap();
    let member = identity(bob(Some(Role::Member)));
    let decision = ask(&policy, &member, &file_of("acme", "web"), Action::Download, NO_RELATION);
    assert!(decision.allowed);
    let rule = decision.rule.unwrap();
    assert_eq!(rule.text, "p, role:member, *, box/**, download, allow");
    assert_eq!(&*rule.file, "policy.csv");
    let shipped = include_str!("../../../policies/policy.csv");
    assert_eq!(shipped.lines().nth(rule.line as usize - 1), Some(rule.text.as_str()));

    let refused = ask(&policy, &member, &box_of("acme", "web"), Action::Delete, NO_RELATION);
    assert_eq!((refused.allowed, refused.reason, refused.rule), (false, Reason::NoRule, None));
}

#[test]
fn the_second_answer_comes_from_the_cache_and_is_the_same() {
    let policy = Policy::embedded().unwrap();
    let admin = identity(bob(Some(Role::Admin)));
    let resource = box_of("acme", "web");
    let first = ask(&policy, &admin, &resource, Action::Update, NO_RELATION);
    assert_eq!(ask(&policy, &admin, &resource, Action::Update, NO_RELATION), first);
    assert!(first.allowed);
}

#[test]
fn a_stranger_sees_public_things_only() {
    let policy = Policy::embedded().unwrap();
    for stranger in [Identity::Anonymous, identity(bob(None)), identity(bob(Some(Role::Owner)))] {
        let theirs = file_of("other", "web");
        for action in Action::ALL {
            assert!(!ask(&policy, &stranger, &theirs, *action, NO_RELATION).allowed);
            let reads = matches!(action, Action::Read | Action::Download);
            assert_eq!(ask(&policy, &stranger, &theirs, *action, PUBLIC).allowed, reads);
        }
    }
}

#[test]
fn a_creator_who_left_the_organization_has_no_rights() {
    let policy = Policy::embedded().unwrap();
    let web = box_of("acme", "web");
    let here = identity(bob(Some(Role::Member)));
    assert!(ask(&policy, &here, &web, Action::Delete, CREATOR).allowed);
    assert!(!ask(&policy, &here, &web, Action::Delete, NO_RELATION).allowed);
    let left = identity(bob(None));
    assert!(!ask(&policy, &left, &web, Action::Delete, CREATOR).allowed);
    assert!(!ask(&policy, &Identity::Anonymous, &web, Action::Delete, CREATOR).allowed);
}

#[test]
fn a_role_in_one_organization_is_none_in_another() {
    let policy = Policy::embedded().unwrap();
    let owner = identity(bob(Some(Role::Owner)));
    assert!(ask(&policy, &owner, &box_of("ACME", "web"), Action::Delete, NO_RELATION).allowed);
    assert!(!ask(&policy, &owner, &box_of("acme2", "web"), Action::Delete, NO_RELATION).allowed);
    assert!(!ask(&policy, &owner, &Resource::Policy, Action::Read, NO_RELATION).allowed);
}

#[test]
fn a_deny_wins_over_every_allow_of_all_roles_together() {
    let policy = site(
        "p, authenticated, acme, box/gold/**, delete, deny\n\
         p, role:creator, *, box/*/version/*, revoke, deny\n",
    );
    let mut caller = bob(Some(Role::Owner));
    caller.platform_admin = true;
    let everything = identity(caller);
    let decision = ask(&policy, &everything, &box_of("acme", "gold"), Action::Delete, CREATOR);
    assert_eq!(decision.reason, Reason::Denied);
    assert_eq!(
        decision.rule.unwrap().to_string(),
        "site.csv:1: p, authenticated, acme, box/gold/**, delete, deny"
    );
    assert!(ask(&policy, &everything, &box_of("acme", "iron"), Action::Delete, CREATOR).allowed);
    let version = Resource::Version(
        organization("acme"),
        BoxName::parse("iron").unwrap(),
        Some(BoxVersion::parse("1").unwrap()),
    );
    assert!(!ask(&policy, &everything, &version, Action::Revoke, CREATOR).allowed);
    assert!(ask(&policy, &everything, &version, Action::Revoke, NO_RELATION).allowed);
}

#[test]
fn users_and_groups_are_bound_to_roles_in_an_organization() {
    let policy = site(
        "g, user:local:bob, role:admin, beta\n\
         g, \"group:ldap:CN=Builders, OU=IT\", role:releaser, acme\n\
         g, group:oidc:staff, role:member, *\n\
         p, role:releaser, *, box/*/version/*, release, allow\n",
    );
    let version = |name: &str| {
        Resource::Version(
            organization(name),
            BoxName::parse("web").unwrap(),
            Some(BoxVersion::parse("1").unwrap()),
        )
    };
    let plain = identity(bob(None));
    assert!(ask(&policy, &plain, &box_of("beta", "web"), Action::Delete, NO_RELATION).allowed);
    assert!(!ask(&policy, &plain, &box_of("acme", "web"), Action::Delete, NO_RELATION).allowed);

    let mut foreign = bob(None);
    foreign.issuer = "ldap".to_owned();
    foreign.groups = vec!["ldap:CN=Builders, OU=IT".to_owned()];
    let foreign = identity(foreign);
    assert!(!ask(&policy, &foreign, &box_of("beta", "web"), Action::Delete, NO_RELATION).allowed);
    assert!(ask(&policy, &foreign, &version("acme"), Action::Release, NO_RELATION).allowed);
    assert!(!ask(&policy, &foreign, &version("beta"), Action::Release, NO_RELATION).allowed);

    let mut staff = bob(None);
    staff.groups = vec!["oidc:staff".to_owned()];
    let staff = identity(staff);
    assert!(ask(&policy, &staff, &version("gamma"), Action::Read, NO_RELATION).allowed);
    assert!(!ask(&policy, &staff, &Resource::Policy, Action::Read, NO_RELATION).allowed);
}

#[test]
fn a_group_with_a_strange_name_is_nobody_else() {
    let policy = Policy::embedded().unwrap();
    let mut caller = bob(None);
    caller.groups = vec![
        "ldap:x\nrole:platform-admin".to_owned(),
        "ldap:x,role:platform-admin".to_owned(),
        "role:platform-admin".to_owned(),
        "\"".to_owned(),
        String::new(),
    ];
    let caller = identity(caller);
    for action in Action::ALL {
        assert!(!ask(&policy, &caller, &Resource::Policy, *action, NO_RELATION).allowed);
        assert!(!ask(&policy, &caller, &file_of("acme", "web"), *action, NO_RELATION).allowed);
    }
}

#[test]
fn a_token_never_gives_more_than_its_scope() {
    let policy = Policy::embedded().unwrap();
    let mut caller = bob(Some(Role::Owner));
    caller.platform_admin = true;
    caller.scope = TokenScope {
        actions: Some(vec![Action::Read, Action::Download]),
        organization: Some(organization("acme")),
        pattern: Some("box/web/**".parse().unwrap()),
    };
    let token = identity(caller);
    assert!(ask(&policy, &token, &file_of("acme", "web"), Action::Download, NO_RELATION).allowed);
    for (resource, action) in [
        (file_of("acme", "web"), Action::Replace),
        (file_of("acme", "web2"), Action::Download),
        (file_of("beta", "web"), Action::Download),
        (Resource::Policy, Action::Read),
        (Resource::Box(organization("acme"), None), Action::Read),
    ] {
        let decision = ask(&policy, &token, &resource, action, NO_RELATION);
        assert_eq!(decision, Decision { allowed: false, reason: Reason::TokenScope, rule: None });
    }
}

#[test]
fn a_limited_token_does_not_hide_what_everybody_sees() {
    let policy = Policy::embedded().unwrap();
    let mut caller = bob(Some(Role::Owner));
    caller.scope = TokenScope { organization: Some(organization("beta")), ..TokenScope::default() };
    let token = identity(caller);
    let public_file = file_of("acme", "web");
    assert!(ask(&policy, &token, &public_file, Action::Download, PUBLIC).allowed);
    for (resource, action) in [
        (public_file, Action::Replace),
        (Resource::Organization(Some(organization("acme"))), Action::Update),
        (Resource::Session, Action::Delete),
    ] {
        assert!(!ask(&policy, &token, &resource, action, PUBLIC).allowed, "{action}");
    }
}

#[test]
fn a_token_never_gives_more_than_its_owner_has() {
    let policy = Policy::embedded().unwrap();
    let mut caller = bob(None);
    caller.scope = TokenScope { organization: Some(organization("acme")), ..TokenScope::default() };
    let token = identity(caller);
    for action in Action::ALL {
        assert!(!ask(&policy, &token, &file_of("acme", "web"), *action, NO_RELATION).allowed);
    }
}

/// `service:acme/ci`, with a role there, and somebody with a role there who vouches for it.
fn service(role: Option<Role>, sponsor: Caller) -> Identity {
    let mut caller = bob(role);
    caller.scope = TokenScope { organization: Some(organization("acme")), ..TokenScope::default() };
    caller.service = Some(ServiceCaller {
        id: ServiceAccountId::new(),
        name: "CI".parse().unwrap(),
        organization_id: OrganizationId::new(),
        organization: organization("Acme"),
        sponsor: Box::new(sponsor),
    });
    identity(caller)
}

#[test]
fn a_service_account_may_what_both_it_and_its_sponsor_may() {
    let policy = Policy::embedded().unwrap();
    let allowed = |who: &Identity, what: &Resource, action| {
        ask(&policy, who, what, action, NO_RELATION).allowed
    };
    let everything = Caller { platform_admin: true, ..bob(None) };
    let (file, member) = (file_of("acme", "web"), Role::Member);
    let both = service(Some(Role::Admin), bob(Some(Role::Owner)));
    assert!(allowed(&both, &file, Action::Upload));
    assert!(!allowed(&both, &Resource::Organization(Some(organization("acme"))), Action::Delete));
    assert!(!allowed(&service(Some(Role::Admin), bob(Some(member))), &file, Action::Upload));
    assert!(!allowed(&service(Some(member), bob(Some(Role::Owner))), &file, Action::Upload));
    assert!(!allowed(&service(Some(Role::Admin), bob(None)), &file, Action::Read), "they left");
    assert!(!allowed(&service(None, everything.clone()), &file, Action::Read));
    let by_root = service(Some(Role::Admin), everything);
    assert!(allowed(&by_root, &file, Action::Upload));
    for (what, action) in [
        (file_of("beta", "web"), Action::Read),
        (Resource::Policy, Action::Read),
        (Resource::User(None), Action::Read),
        (Resource::Profile, Action::Read),
        (Resource::Token, Action::Read),
        (Resource::Organization(None), Action::Create),
        (Resource::ServiceAccount(organization("acme"), None), Action::Create),
    ] {
        assert!(!allowed(&by_root, &what, action), "{action} {}", what.object());
    }
    let public = file_of("beta", "web");
    assert!(ask(&policy, &both, &public, Action::Download, PUBLIC).allowed);
    assert!(!ask(&policy, &both, &public, Action::Upload, PUBLIC).allowed);
}

#[test]
fn rules_know_a_service_account_by_its_own_name() {
    let rules = "p, role:admin, *, box/**, *, allow\n\
                 p, service:acme/ci, acme, box/gold/**, *, deny\n\
                 p, service:acme/ci, acme, audit, read, allow\n\
                 p, user:local:bob, acme, box/lead/**, read, deny\n";
    let policy = Policy::from_texts(MODEL, &[("policy.csv", &format!("{ADMIN}{rules}"))]).unwrap();
    let ci = service(Some(Role::Admin), bob(Some(Role::Admin)));
    let decide = |what: Resource| ask(&policy, &ci, &what, Action::Read, NO_RELATION);
    assert!(decide(box_of("acme", "web")).allowed);
    assert_eq!(decide(box_of("acme", "gold")).reason, Reason::Denied);
    assert_eq!(decide(box_of("acme", "lead")).reason, Reason::Denied, "its sponsor may not");
    let audit = decide(Resource::Audit(Some(organization("acme"))));
    assert_eq!(audit.reason, Reason::NoRule, "a rule lifted it above its sponsor");
}

#[test]
fn a_limited_token_cannot_make_an_unlimited_one() {
    let policy = Policy::embedded().unwrap();
    let mut caller = bob(None);
    caller.scope = TokenScope {
        actions: Some(vec![Action::Create, Action::Read, Action::Update]),
        ..TokenScope::default()
    };
    let limited = identity(caller);
    assert!(!ask(&policy, &limited, &Resource::Token, Action::Create, NO_RELATION).allowed);
    assert!(!ask(&policy, &limited, &Resource::Profile, Action::Update, NO_RELATION).allowed);
    assert!(!ask(&policy, &limited, &Resource::Session, Action::Create, NO_RELATION).allowed);
    assert!(ask(&policy, &limited, &Resource::Token, Action::Read, NO_RELATION).allowed);
    let whole = identity(bob(None));
    assert!(ask(&policy, &whole, &Resource::Token, Action::Create, NO_RELATION).allowed);
}

#[test]
fn the_kind_of_credential_changes_no_answer() {
    let policy = Policy::embedded().unwrap();
    let session = bob(Some(Role::Member));
    let mut token = session.clone();
    token.credential = Credential::Token(boxvault_types::ids::TokenId::new());
    let (session, token) = (identity(session), identity(token));
    for resource in [Resource::Policy, Resource::Profile, box_of("acme", "a"), file_of("acme", "a")]
    {
        for action in Action::ALL {
            for relations in [NO_RELATION, CREATOR, PUBLIC] {
                let by_session = ask(&policy, &session, &resource, *action, relations);
                assert_eq!(ask(&policy, &token, &resource, *action, relations), by_session);
            }
        }
    }
}

#[test]
fn metrics_are_for_platform_admins_unless_a_site_says_otherwise() {
    let metrics = Resource::System("metrics");
    let ask_metrics = |policy: &Policy, identity: &Identity| {
        ask(policy, identity, &metrics, Action::Read, NO_RELATION).allowed
    };
    let shipped = Policy::embedded().unwrap();
    assert!(!ask_metrics(&shipped, &Identity::Anonymous));
    assert!(!ask_metrics(&shipped, &identity(bob(Some(Role::Owner)))));
    let open = site("p, anonymous, -, system/metrics, read, allow\n");
    assert!(ask_metrics(&open, &Identity::Anonymous));
}

#[test]
fn files_of_a_site_come_after_the_shipped_ones_in_the_order_of_names() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let mut file = std::fs::File::create(dir.path().join(name)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    };
    write("model.conf", MODEL);
    write("policy.csv", ADMIN);
    write("20-B.CSV", "p, role:member, *, box/*, delete, deny\n");
    write("10-a.csv", "p, role:member, *, box/**, *, allow\n");
    write("tests.csv", "role:member, acme, box/a, delete, allow\n");
    write("site.TESTS.csv", "role:member, acme, box/a, delete, deny\n");
    write(".#policy.csv", "an editor's lock\n");
    write("policy.csv~", "an editor's copy\n");
    let report = crate::check(&PolicyFiles::read(dir.path()).unwrap()).unwrap();
    assert_eq!(report.files, ["policy.csv", "10-a.csv", "20-B.CSV"]);
    assert_eq!((report.rules, report.bindings), (3, 0));
    let policy = Policy::load(dir.path()).unwrap();
    let member = identity(bob(Some(Role::Member)));
    let decision = ask(&policy, &member, &box_of("acme", "a"), Action::Delete, NO_RELATION);
    assert_eq!(&*decision.rule.unwrap().file, "20-B.CSV");

    std::fs::remove_file(dir.path().join("model.conf")).unwrap();
    let error = PolicyFiles::read(dir.path()).unwrap_err();
    assert!(error.to_string().contains("model.conf"), "{error}");
    assert_eq!(error.problems().len(), 1);
}

#[test]
fn the_recipes_of_the_readme_work() {
    let readme = include_str!("../../../policies/README.md");
    let (_, recipes) = readme.split_once("## Recipes").unwrap();
    let (recipes, own) = recipes.split_once("## Rules of an organization's own").unwrap();
    let rules: Vec<&str> =
        recipes.lines().filter(|line| line.starts_with("p, ") || line.starts_with("g, ")).collect();
    assert!(rules.len() >= 10);
    let policy = site(&rules.join("\n"));
    assert_eq!(policy.warnings(), []);
    let admin = Caller { platform_admin: true, ..bob(None) };
    let golden = box_of("acme", "golden");
    let own: Vec<&str> =
        own.lines().filter(|line| line.starts_with("p, ") || line.starts_with("g, ")).collect();
    let own = crate::Overlay::new("acme", 1, &own.join("\n"), "acme");
    let limits = crate::OverlayLimits { bytes_max: 1_000, lines_max: 10 };
    let owner = AccessRequest::parse("role:owner", Some("acme"), "rules", "update").unwrap();
    let embedded = Policy::embedded().unwrap();
    embedded.with_new_overlay(own, limits, Some(&owner)).unwrap();
    assert!(!ask(&policy, &identity(admin), &golden, Action::Delete, NO_RELATION).allowed);
    assert!(!ask(&policy, &Identity::Anonymous, &golden, Action::Read, PUBLIC).allowed);

    // what is shipped expects something else of public boxes alone, and the README says how to state the opposite
    let shipped = include_str!("../../../policies/policy.csv");
    let tests = include_str!("../../../policies/tests.csv");
    let own: String = tests
        .lines()
        .filter(|line| line.starts_with("\"anonymous,role:public\"") && line.contains(", box/"))
        .map(|line| line.replace(", allow", ", deny\n"))
        .collect();
    let rules = rules.join("\n");
    let files = [
        ("policy.csv", shipped),
        ("site.csv", &rules),
        ("tests.csv", tests),
        ("site.tests.csv", &own),
    ];
    assert!(Policy::from_texts(MODEL, &files).is_ok());
    assert!(Policy::from_texts(MODEL, &files[..3]).is_err());
}

#[test]
fn a_folder_that_is_not_there_is_an_error_that_names_it() {
    let error = Policy::load(std::path::Path::new("/nonexistent/policies")).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/policies"), "{error}");
}
