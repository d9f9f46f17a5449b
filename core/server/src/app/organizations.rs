//! Organizations and their members.

use boxvault_catalog::{
    memberships::{self, Member},
    organizations::{
        self, NewOrganization, Organization, OrganizationChanges, OrganizationFilter,
        OrganizationScope, OrganizationSort,
    },
    users,
};
use boxvault_types::{
    error::ErrorCode,
    identity::{Identity, Role},
    ids::{OrganizationId, UserId},
    names::{OrganizationName, UserName},
    params::{
        ListQuery,
        organizations::{AddMemberParams, CreateOrganizationParams, UpdateOrganizationParams},
    },
    views::{
        PageView,
        organizations::{MemberView, OrganizationView},
    },
};

use super::{App, access::Target, accounts::check_email, lists, mirrors::ByOrganization};
use crate::error::{AppError, Result};

mod lives;

/// What lists of organizations can be sorted by.
const SORTS: &[(&str, OrganizationSort)] = &[
    ("name", OrganizationSort::Name),
    ("created", OrganizationSort::Created),
    ("updated", OrganizationSort::Updated),
];
/// The longest description of an organization, in characters.
const DESCRIPTION_CHARS_MAX: usize = 4096;

impl App {
    /// The organizations that the caller may see.
    pub(crate) async fn list_organizations(
        &self,
        identity: &Identity,
        query: ListQuery,
    ) -> Result<(Vec<OrganizationView>, PageView)> {
        let scope = match identity.caller() {
            None => OrganizationScope::Public,
            Some(caller) if caller.platform_admin => OrganizationScope::All,
            Some(caller) => OrganizationScope::VisibleTo(caller.user_id),
        };
        let page = self.page(&query)?;
        let filter = OrganizationFilter {
            scope,
            sort: lists::sort(&query, SORTS, OrganizationSort::Name)?,
            order: lists::order(&query, boxvault_catalog::Order::Ascending),
            q: query.q,
        };
        let found = organizations::list(&self.catalog, &filter, page).await?;
        let mirrors = self.all_mirrors().await?;
        let views = found.items.iter().map(|one| view(one, identity, &mirrors)).collect();
        Ok((views, lists::view(page, found.total)))
    }

    /// Makes an organization; the caller becomes its owner.
    pub(crate) async fn create_organization(
        &self,
        identity: &Identity,
        params: CreateOrganizationParams,
    ) -> Result<OrganizationView> {
        let caller = identity.caller().ok_or_else(|| AppError::internal("nobody to own it"))?;
        check_length("description", &params.description, DESCRIPTION_CHARS_MAX)?;
        if let Some(email) = &params.email {
            check_email(email)?;
        }
        let organization = organizations::create(
            &self.catalog,
            NewOrganization {
                name: params.name,
                description: params.description,
                email: params.email,
                access_mode: params.access_mode,
                owner: caller.user_id,
            },
        )
        .await?;
        self.identities.clear();
        let mut view = view(&organization, identity, &ByOrganization::default());
        view.role = Some(Role::Owner);
        Ok(view)
    }

    /// An organization as the caller sees it.
    pub(crate) async fn organization_view(
        &self,
        organization: &Organization,
        identity: &Identity,
    ) -> Result<OrganizationView> {
        Ok(view(organization, identity, &self.all_mirrors().await?))
    }

    /// Changes an organization.
    pub(crate) async fn update_organization(
        &self,
        identity: &Identity,
        organization: &Organization,
        params: UpdateOrganizationParams,
    ) -> Result<OrganizationView> {
        if let Some(description) = &params.description {
            check_length("description", description, DESCRIPTION_CHARS_MAX)?;
        }
        if let Some(email) = &params.email {
            check_email(email)?;
        }
        let changes = OrganizationChanges {
            name: params.name,
            old_name_kept_for: self.config.organizations.former_names_lead_for.into(),
            description: params.description,
            email: params.email,
            access_mode: params.access_mode,
        };
        let changed = organizations::update(&self.catalog, organization.id, changes).await?;
        self.rights_changed();
        let mut view = view(&changed, identity, &self.all_mirrors().await?);
        // the caller was identified under its old name
        view.role = identity.caller().and_then(|caller| caller.role_in(&organization.name));
        Ok(view)
    }

    /// The members of an organization.
    pub(crate) async fn list_members(
        &self,
        organization: &Organization,
        query: ListQuery,
    ) -> Result<(Vec<MemberView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found =
            memberships::list(&self.catalog, organization.id, query.q.as_deref(), page).await?;
        let views = found.items.into_iter().map(member_view).collect();
        Ok((views, lists::view(page, found.total)))
    }

    /// Gives an existing user a place in an organization. Nobody gives a role above their own.
    pub(crate) async fn add_member(
        &self,
        identity: &Identity,
        organization: &Organization,
        params: AddMemberParams,
    ) -> Result<()> {
        check_rank(identity, organization, params.role)?;
        let user = self.user_by_name(&params.username).await?;
        memberships::add(&self.catalog, organization.id, user.id, params.role).await?;
        self.rights_changed();
        Ok(())
    }

    /// Gives a member another role. Nobody touches a role above their own, nor gives one.
    pub(crate) async fn update_member(
        &self,
        identity: &Identity,
        organization: &Organization,
        username: &UserName,
        role: Role,
    ) -> Result<()> {
        let (user, present) = self.member(organization, username).await?;
        check_rank(identity, organization, present)?;
        check_rank(identity, organization, role)?;
        memberships::set_role(&self.catalog, organization.id, user, role).await?;
        self.rights_changed();
        Ok(())
    }

    /// Makes a member an owner; the owner who asks steps down. Only owners, and platform admins, hand over.
    pub(crate) async fn hand_over_organization(
        &self,
        identity: &Identity,
        organization: &Organization,
        username: &UserName,
    ) -> Result<()> {
        check_rank(identity, organization, Role::Owner)?;
        let caller = identity.caller().ok_or_else(|| AppError::internal("nobody hands over"))?;
        let (user, _) = self.member(organization, username).await?;
        if user == caller.user_id {
            return Err(AppError::invalid(
                "username",
                "is your own; name the member who is to own it",
            ));
        }
        memberships::hand_over(&self.catalog, organization.id, caller.user_id, user).await?;
        self.rights_changed();
        Ok(())
    }

    /// Takes a member out of an organization. Their boxes stay.
    pub(crate) async fn remove_member(
        &self,
        identity: &Identity,
        organization: &Organization,
        username: &UserName,
    ) -> Result<()> {
        let (user, present) = self.member(organization, username).await?;
        check_rank(identity, organization, present)?;
        memberships::remove(&self.catalog, organization.id, user).await?;
        self.rights_changed();
        Ok(())
    }

    async fn member(
        &self,
        organization: &Organization,
        username: &UserName,
    ) -> Result<(UserId, Role)> {
        let missing = || {
            AppError::new(
                ErrorCode::MemberNotFound,
                format!(
                    "{:?} is not a member of {:?}",
                    username.as_str(),
                    organization.name.as_str()
                ),
            )
        };
        let user = users::find_by_name(&self.catalog, username).await?.ok_or_else(missing)?;
        let role = memberships::find(&self.catalog, organization.id, user.id)
            .await?
            .ok_or_else(missing)?;
        Ok((user.id, role))
    }

    /// A user by name.
    ///
    /// # Errors
    /// `USER_NOT_FOUND`.
    pub(crate) async fn user_by_name(&self, name: &UserName) -> Result<users::User> {
        users::find_by_name(&self.catalog, name).await?.ok_or_else(|| {
            AppError::new(ErrorCode::UserNotFound, format!("there is no user {:?}", name.as_str()))
        })
    }

    /// An organization that was there a moment ago.
    pub(super) async fn organization_by_id(&self, id: OrganizationId) -> Result<Organization> {
        organizations::find_by_id(&self.catalog, id).await?.ok_or_else(|| {
            AppError::new(
                ErrorCode::OrganizationNotFound,
                "this organization does not exist any more",
            )
        })
    }

    /// Forgets what depends on names, memberships and visibility.
    pub(crate) fn rights_changed(&self) {
        self.identities.clear();
        self.catalogues.clear();
    }
}

/// Refuses a text that is too long.
pub(crate) fn check_length(field: &str, text: &str, chars_max: usize) -> Result<()> {
    let length = text.chars().count();
    if length > chars_max {
        return Err(AppError::invalid(
            field,
            format!("must have at most {chars_max} characters, not {length}"),
        ));
    }
    Ok(())
}

/// The policy says whether somebody manages members; nobody manages those above them.
pub(super) fn check_rank(
    identity: &Identity,
    organization: &Organization,
    role: Role,
) -> Result<()> {
    let caller = identity.caller();
    if caller.is_some_and(|caller| caller.platform_admin) {
        return Ok(());
    }
    let own = caller.and_then(|caller| caller.role_in(&organization.name));
    // somebody without a place there was let in by a rule of the policy files, as an admin would be
    if role <= own.unwrap_or(Role::Admin) {
        return Ok(());
    }
    Err(AppError::new(
        ErrorCode::PermissionDenied,
        format!("only an {role} of {} can do this", organization.name),
    ))
}

/// What somebody reads who wants something of a suspended organization, and may know that there is one.
pub(crate) fn suspended(organization: &Organization, identity: &Identity) -> AppError {
    let reason = suspension_reason(organization, identity).filter(|reason| !reason.is_empty());
    let why = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    AppError::new(
        ErrorCode::OrganizationSuspended,
        format!(
            "{} is suspended{why}; an admin of this server can resume it",
            organization.name.as_str()
        ),
    )
}

/// What somebody reads who would change an organization under a name that it had.
pub(crate) fn renamed(target: &Target) -> AppError {
    let name = |name: Option<&OrganizationName>| name.map(ToString::to_string).unwrap_or_default();
    AppError::new(
        ErrorCode::OrganizationRenamed,
        format!(
            "{} is called {now} now; use that name for everything but reading",
            name(target.asked().organization()),
            now = name(target.resource.organization()),
        ),
    )
}

/// Why it is suspended: for those who can do something about it.
fn suspension_reason(organization: &Organization, identity: &Identity) -> Option<String> {
    let caller = identity.caller()?;
    let may_know = caller.platform_admin || caller.role_in(&organization.name) >= Some(Role::Admin);
    let suspension = organization.suspension.as_ref()?;
    may_know.then(|| suspension.reason.clone())
}

/// The upstream of a mirror. Whoever may read its boxes reads it there as well.
fn mirror_of(
    organization: &Organization,
    identity: &Identity,
    mirrors: &ByOrganization,
) -> Option<String> {
    let mirror = mirrors.get(&organization.id)?;
    let is_within = identity.caller().is_some_and(|caller| {
        caller.platform_admin || caller.role_in(&organization.name).is_some()
    });
    (mirror.is_public || is_within).then(|| mirror.url.clone())
}

fn view(
    organization: &Organization,
    identity: &Identity,
    mirrors: &ByOrganization,
) -> OrganizationView {
    OrganizationView {
        id: organization.id,
        name: organization.name.to_string(),
        description: organization.description.clone(),
        email: organization.email.clone(),
        access_mode: organization.access_mode,
        role: identity.caller().and_then(|caller| caller.role_in(&organization.name)),
        suspended: organization.suspension.is_some(),
        suspended_reason: suspension_reason(organization, identity),
        mirror_of: mirror_of(organization, identity, mirrors),
        created_at: organization.created_at,
        updated_at: organization.updated_at,
    }
}

fn member_view(member: Member) -> MemberView {
    MemberView {
        user_id: member.user_id,
        username: member.name.to_string(),
        name: Some(member.display_name).filter(|name| !name.is_empty()),
        role: member.role,
        joined_at: member.created_at,
    }
}
