//! What users do with their own account beside signing in: preferences, leaving an organization, taking their data.

use boxvault_catalog::{
    memberships, organizations,
    users::{self, Preferences, User},
};
use boxvault_types::{
    error::ErrorCode,
    identity::{Caller, Identity},
    ids::UserId,
    names::OrganizationName,
    params::{ListQuery, account::PreferencesParams},
    views::account::{ExportView, PreferencesView},
};

use super::{App, organizations::check_length};
use crate::error::{AppError, Result};

/// The longest language tag (RFC 5646, section 4.4.1).
const LANGUAGE_CHARS_MAX: usize = 35;
/// Longer than every name in the time zone database.
const TIME_ZONE_CHARS_MAX: usize = 64;

impl App {
    /// How the caller wants things.
    pub(crate) async fn preferences(&self, user: UserId) -> Result<PreferencesView> {
        let user = self.user_by_id(user).await?;
        self.preferences_view(&user).await
    }

    /// Changes how the caller wants things.
    pub(crate) async fn update_preferences(
        &self,
        caller: &Caller,
        params: PreferencesParams,
    ) -> Result<PreferencesView> {
        let mut preferences = self.user_by_id(caller.user_id).await?.preferences;
        if let Some(language) = params.language {
            check_word("language", language.as_deref(), "-", LANGUAGE_CHARS_MAX)?;
            preferences.language = language;
        }
        if let Some(time_zone) = params.time_zone {
            check_word("timeZone", time_zone.as_deref(), "/_+-", TIME_ZONE_CHARS_MAX)?;
            preferences.time_zone = time_zone;
        }
        if let Some(theme) = params.theme {
            preferences.theme = theme.map(|theme| theme.as_str().to_owned());
        }
        if let Some(organization) = params.default_organization {
            preferences.default_organization = match organization {
                Some(name) => {
                    let found = self.own_organization(caller, &name).await;
                    Some(found.map_err(|error| match error.code() {
                        ErrorCode::MemberNotFound => AppError::invalid(
                            "defaultOrganization",
                            "is not one of your organizations",
                        ),
                        _ => error,
                    })?)
                }
                None => None,
            };
        }
        let user = users::set_preferences(&self.catalog, caller.user_id, preferences).await?;
        // the language is known with the caller
        self.identities.clear();
        self.preferences_view(&user).await
    }

    /// Takes the caller out of an organization, at once.
    pub(crate) async fn leave_organization(
        &self,
        caller: &Caller,
        name: &OrganizationName,
    ) -> Result<()> {
        let organization = self.own_organization(caller, name).await?;
        memberships::remove(&self.catalog, organization, caller.user_id).await?;
        self.rights_changed();
        Ok(())
    }

    /// Everything that the server knows of the caller.
    pub(crate) async fn export_account(
        &self,
        identity: &Identity,
        caller: &Caller,
    ) -> Result<ExportView> {
        // one page is more than anybody has; what lies beyond is told by the lists themselves
        let all = || ListQuery {
            per_page: Some(self.config.limits.page_size_max.into()),
            ..ListQuery::default()
        };
        Ok(ExportView {
            profile: self.profile(caller.user_id).await?,
            preferences: self.preferences(caller.user_id).await?,
            second_factor: self.second_factor(caller.user_id).await?,
            sessions: self.list_sessions(caller, all()).await?.0,
            tokens: self.list_tokens(caller, all()).await?.0,
            watches: self.list_watches(identity, caller, all()).await?.0,
            join_requests: self.list_own_join_requests(caller, all()).await?.0,
        })
    }

    /// An organization that the caller has a place in. Others are as if they were not there.
    async fn own_organization(
        &self,
        caller: &Caller,
        name: &OrganizationName,
    ) -> Result<boxvault_types::ids::OrganizationId> {
        let not_member = || {
            AppError::new(
                ErrorCode::MemberNotFound,
                format!("you are not a member of {:?}", name.as_str()),
            )
        };
        let organization =
            organizations::find(&self.catalog, name).await?.ok_or_else(not_member)?;
        let role = memberships::find(&self.catalog, organization.id, caller.user_id).await?;
        role.map(|_| organization.id).ok_or_else(not_member)
    }

    async fn preferences_view(&self, user: &User) -> Result<PreferencesView> {
        let Preferences { language, theme, time_zone, default_organization } =
            user.preferences.clone();
        let mut name = None;
        if let Some(wanted) = default_organization {
            let places = memberships::of_user(&self.catalog, user.id).await?;
            let place = places.iter().find(|place| place.organization_id == wanted);
            name = place.map(|place| place.organization_name.to_string());
        }
        Ok(PreferencesView {
            language,
            theme,
            time_zone,
            default_organization: name,
            updated_at: user.updated_at,
        })
    }
}

/// Letters, digits and a few signs.
fn check_word(field: &str, word: Option<&str>, signs: &str, chars_max: usize) -> Result<()> {
    let Some(word) = word else { return Ok(()) };
    check_length(field, word, chars_max)?;
    if word.is_empty() || !word.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c)) {
        let why = format!("must be letters, digits and {signs:?}, or null");
        return Err(AppError::invalid(field, why));
    }
    Ok(())
}
