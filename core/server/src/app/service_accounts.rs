//! Service accounts: what pipelines sign in as. They belong to one organization and never reach another.

use boxvault_catalog::{
    organizations::Organization,
    service_accounts::{self, NewServiceAccount, Secret, ServiceAccount, ServiceAccountChanges},
};
use boxvault_types::{
    error::ErrorCode,
    identity::{Caller, Role},
    names::ServiceAccountName,
    params::{
        ListQuery,
        service_accounts::{CreateServiceAccountParams, UpdateServiceAccountParams},
    },
    scope::TokenScope,
    views::{
        PageView,
        service_accounts::{NewServiceAccountView, ServiceAccountView},
    },
};
use chrono::TimeDelta;

use super::{
    App, lists,
    organizations::check_length,
    secrets,
    secrets::TokenKind,
    tokens::{DESCRIPTION_CHARS_MAX, check_lifetime, scope_of},
};
use crate::error::{AppError, Result};

/// How long a secret is good for when nobody says: unlike a person, nobody misses a pipeline's.
const LIFETIME_DAYS_DEFAULT: u32 = 365;

impl App {
    /// The service accounts of an organization.
    pub(crate) async fn list_service_accounts(
        &self,
        organization: &Organization,
        query: ListQuery,
    ) -> Result<(Vec<ServiceAccountView>, PageView)> {
        self.flush_token_uses().await?;
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let q = query.q.as_deref();
        let found = service_accounts::list(&self.catalog, organization.id, q, page).await?;
        let views = found.items.into_iter().map(|service| view(organization, service)).collect();
        Ok((views, lists::view(page, found.total)))
    }

    /// One service account.
    ///
    /// # Errors
    /// `SERVICE_ACCOUNT_NOT_FOUND`.
    pub(crate) async fn service_account(
        &self,
        organization: &Organization,
        name: &ServiceAccountName,
    ) -> Result<ServiceAccountView> {
        self.flush_token_uses().await?;
        let found = service_accounts::find(&self.catalog, organization.id, name).await?;
        found.map(|service| view(organization, service)).ok_or_else(|| {
            AppError::new(
                ErrorCode::ServiceAccountNotFound,
                format!("{} has no service account {:?}", organization.name, name.as_str()),
            )
        })
    }

    /// Makes a service account. Its secret shows once, here. The caller vouches for it.
    pub(crate) async fn create_service_account(
        &self,
        caller: &Caller,
        organization: &Organization,
        params: CreateServiceAccountParams,
    ) -> Result<NewServiceAccountView> {
        check_length("description", &params.description, DESCRIPTION_CHARS_MAX)?;
        let role = params.role.unwrap_or(Role::Member);
        check_role(role)?;
        // the organization is known by its id, and its present name belongs to no stored scope
        let scope = TokenScope {
            organization: None,
            ..scope_of(
                params.actions,
                Some(organization.name.clone()),
                params.box_name,
                params.pattern,
            )?
        };
        let (token, secret) = self.new_secret(caller, params.expires_in_days)?;
        let new = NewServiceAccount {
            organization_id: organization.id,
            name: params.name,
            description: params.description,
            role,
            scope,
            secret,
        };
        let created = service_accounts::create(&self.catalog, new).await?;
        Ok(NewServiceAccountView { info: view(organization, created), token })
    }

    /// Changes a service account. What takes rights away bites at once.
    pub(crate) async fn update_service_account(
        &self,
        organization: &Organization,
        name: &ServiceAccountName,
        params: UpdateServiceAccountParams,
    ) -> Result<ServiceAccountView> {
        if let Some(description) = &params.description {
            check_length("description", description, DESCRIPTION_CHARS_MAX)?;
        }
        if let Some(role) = params.role {
            check_role(role)?;
        }
        let changes = ServiceAccountChanges {
            description: params.description,
            role: params.role,
            suspended: params.suspended,
        };
        let changed =
            service_accounts::update(&self.catalog, organization.id, name, changes).await?;
        self.identities.clear();
        Ok(view(organization, changed))
    }

    /// Gives a service account another secret, which shows once, here. The one before ends at once, and the caller
    /// vouches from now on.
    pub(crate) async fn rotate_service_account_secret(
        &self,
        caller: &Caller,
        organization: &Organization,
        name: &ServiceAccountName,
        expires_in_days: Option<u32>,
    ) -> Result<NewServiceAccountView> {
        let (token, secret) = self.new_secret(caller, expires_in_days)?;
        let changed =
            service_accounts::set_secret(&self.catalog, organization.id, name, secret).await?;
        self.identities.clear();
        Ok(NewServiceAccountView { info: view(organization, changed), token })
    }

    /// Removes a service account.
    pub(crate) async fn delete_service_account(
        &self,
        organization: &Organization,
        name: &ServiceAccountName,
    ) -> Result<()> {
        service_accounts::delete(&self.catalog, organization.id, name).await?;
        self.identities.clear();
        Ok(())
    }

    fn new_secret(&self, sponsor: &Caller, days: Option<u32>) -> Result<(String, Secret)> {
        check_lifetime(days)?;
        let token = TokenKind::Service.generate();
        let lifetime = TimeDelta::days(days.unwrap_or(LIFETIME_DAYS_DEFAULT).into());
        let secret = Secret {
            hash: secrets::hash(&token),
            sponsor: sponsor.user_id,
            expires_at: self.catalog.now() + lifetime,
        };
        Ok((token, secret))
    }
}

/// Owners answer for an organization, and nobody answers for what a pipeline does.
fn check_role(role: Role) -> Result<()> {
    match role {
        Role::Member | Role::Admin => Ok(()),
        Role::Owner => Err(AppError::invalid("role", "must be member or admin: only people own")),
    }
}

fn view(organization: &Organization, service: ServiceAccount) -> ServiceAccountView {
    ServiceAccountView {
        id: service.id,
        name: service.name.to_string(),
        description: service.description,
        role: service.role,
        scope: TokenScope { organization: Some(organization.name.clone()), ..service.scope },
        sponsor: service.sponsor.map(|name| name.to_string()),
        suspended: service.suspended_at.is_some(),
        created_at: service.created_at,
        updated_at: service.updated_at,
        expires_at: service.expires_at,
        last_used_at: service.last_used_at,
    }
}
