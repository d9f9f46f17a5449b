//! Requests to join organizations that take them: who asks, who is told, who decides.
//!
//! Messages go to proven addresses only, so that nobody fills another one's mailbox by asking in their name.

use boxvault_catalog::{
    CatalogError, Taken,
    join_requests::{self, AskLimits, JoinRequest, NewJoinRequest, OwnJoinRequest},
    memberships,
    organizations::Organization,
    outbox::NewMail,
};
use boxvault_types::{
    error::ErrorCode,
    identity::{Caller, Identity, Role},
    ids::JoinRequestId,
    names::UserName,
    params::{ListQuery, join_requests::CreateJoinRequestParams},
    views::{
        PageView,
        join_requests::{JoinRequestView, OwnJoinRequestView},
    },
};
use tracing::info;

use super::{
    App,
    invitations::SECOND,
    lists,
    organizations::{check_length, check_rank},
};
use crate::{
    error::{AppError, Result},
    language::Language,
    mail::letter::{Mail, Template},
};

/// The longest message of a request, in characters: it is read in an e-mail.
const MESSAGE_CHARS_MAX: usize = 1024;
/// How many admins and owners are told at most, so that one request is not thousands of messages.
const TOLD_MAX: u64 = 20;

impl App {
    /// Asks to join an organization that takes requests.
    pub(crate) async fn request_to_join(
        &self,
        caller: &Caller,
        organization: &Organization,
        params: CreateJoinRequestParams,
    ) -> Result<OwnJoinRequestView> {
        check_message(&params.message)?;
        let id = JoinRequestId::new();
        let (server, name) = (&self.public_url, &organization.name);
        let told = memberships::list_admins_to_tell(&self.catalog, organization.id, TOLD_MAX);
        let letters = told.await?.into_iter().map(|admin| {
            let template = Template::JoinRequest {
                organization: name.to_string(),
                username: caller.name.to_string(),
                message: params.message.clone(),
                link: format!(
                    "{server}/organization/join-request#organization={name}&request={id}"
                ),
            };
            let language = Language::chosen(admin.language.as_deref());
            self.compose_mail(Mail::new(admin.email, language, template))
        });
        let new = NewJoinRequest {
            id,
            organization_id: organization.id,
            user_id: caller.user_id,
            letters: letters.collect::<Result<_>>()?,
            message: params.message,
        };
        let config = &self.config.organizations;
        let limits = AskLimits {
            per_day: config.join_requests_per_day.into(),
            pause: config.join_request_pause.into(),
        };
        let made = join_requests::create(&self.catalog, new, limits).await;
        let made = made.map_err(|error| self.why_not_asked(error))?;
        self.postbox.ring();
        Ok(own_view(made))
    }

    fn why_not_asked(&self, error: CatalogError) -> AppError {
        let taken = |why: &str| AppError::new(ErrorCode::AlreadyExists, why);
        match error {
            CatalogError::AlreadyExists { what: Taken::Member } => {
                taken("you are a member of this organization already")
            }
            CatalogError::AlreadyExists { what: Taken::JoinRequest } => taken(
                "you have asked already, and nobody has decided yet; withdraw that request first",
            ),
            other => {
                let error = AppError::from(other);
                let limited = error.code() == ErrorCode::RateLimited;
                let pause = self.config.organizations.join_request_pause.get().max(SECOND);
                if limited { error.with_retry_after(pause) } else { error }
            }
        }
    }

    /// The requests to an organization that wait for a decision.
    pub(crate) async fn list_join_requests(
        &self,
        organization: &Organization,
        query: ListQuery,
    ) -> Result<(Vec<JoinRequestView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found = join_requests::list(&self.catalog, organization.id, page).await?;
        Ok((found.items.into_iter().map(view).collect(), lists::view(page, found.total)))
    }

    /// Takes in whoever asked, with a role that is not above the caller's own. Tells who it is.
    pub(crate) async fn approve_join_request(
        &self,
        identity: &Identity,
        organization: &Organization,
        id: JoinRequestId,
        role: Option<Role>,
    ) -> Result<UserName> {
        let role = role.unwrap_or(Role::Member);
        check_rank(identity, organization, role)?;
        let found = join_requests::read(&self.catalog, organization.id, id).await?;
        let letter = self.decision_mail(organization, &found, Some(role))?;
        join_requests::approve(&self.catalog, organization.id, id, role, letter).await?;
        self.postbox.ring();
        self.rights_changed();
        let (user, name) = (&found.user, &organization.name);
        info!(user = %user, organization = %name, "{user} joined {name}");
        Ok(found.user)
    }

    /// Says no to whoever asked. Tells who it is.
    pub(crate) async fn deny_join_request(
        &self,
        organization: &Organization,
        id: JoinRequestId,
    ) -> Result<UserName> {
        let found = join_requests::read(&self.catalog, organization.id, id).await?;
        let letter = self.decision_mail(organization, &found, None)?;
        join_requests::deny(&self.catalog, organization.id, id, letter).await?;
        self.postbox.ring();
        Ok(found.user)
    }

    fn decision_mail(
        &self,
        organization: &Organization,
        found: &JoinRequest,
        role: Option<Role>,
    ) -> Result<Option<NewMail>> {
        let letter = |email: &String| {
            let organization = organization.name.to_string();
            let template = Template::JoinRequestDecided { organization, role };
            let language = Language::chosen(found.language.as_deref());
            self.compose_mail(Mail::new(email, language, template))
        };
        found.proven_email.as_ref().map(letter).transpose()
    }

    /// The caller's own requests.
    pub(crate) async fn list_own_join_requests(
        &self,
        caller: &Caller,
        query: ListQuery,
    ) -> Result<(Vec<OwnJoinRequestView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found = join_requests::list_of_user(&self.catalog, caller.user_id, page).await?;
        Ok((found.items.into_iter().map(own_view).collect(), lists::view(page, found.total)))
    }

    /// Takes a request of the caller back.
    pub(crate) async fn withdraw_join_request(
        &self,
        caller: &Caller,
        id: JoinRequestId,
    ) -> Result<OwnJoinRequestView> {
        Ok(own_view(join_requests::withdraw(&self.catalog, caller.user_id, id).await?))
    }
}

fn check_message(message: &str) -> Result<()> {
    if message.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(AppError::invalid("message", "must be text without control characters"));
    }
    check_length("message", message, MESSAGE_CHARS_MAX)
}

fn view(request: JoinRequest) -> JoinRequestView {
    JoinRequestView {
        id: request.id,
        user_id: request.user_id,
        username: request.user.to_string(),
        name: Some(request.display_name).filter(|name| !name.is_empty()),
        email: request.proven_email,
        suspended: request.suspended,
        message: request.message,
        created_at: request.created_at,
    }
}

fn own_view(request: OwnJoinRequest) -> OwnJoinRequestView {
    OwnJoinRequestView {
        id: request.id,
        organization: request.organization.to_string(),
        message: request.message,
        status: request.status,
        created_at: request.created_at,
        ended_at: request.ended_at,
    }
}
