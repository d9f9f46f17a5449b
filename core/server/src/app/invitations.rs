//! Invitations into organizations: a message to an address, whose link makes whoever has that address a member.
//!
//! The link works once and for a while, for an account of the invited address alone, or makes one. It never tells whether
//! the address has an account: an invitation looks the same either way.

use std::time::Duration;

use boxvault_catalog::{
    invitations::{self, Invitation, InvitationLetter, NewInvitation, SendLimits},
    organizations::{self, Organization},
    users::{self, NewUser, User},
};
use boxvault_types::{
    error::ErrorCode,
    identity::{Caller, Identity, Role},
    ids::InvitationId,
    names::OrganizationName,
    params::{ListQuery, account::Secret, invitations::CreateInvitationParams},
    views::{
        PageView,
        invitations::{InvitationView, JoinedView, OpenedInvitationView},
    },
};
use tracing::info;

use super::{
    App,
    accounts::{check_email, language_of},
    lists,
    organizations::check_rank,
    secrets,
    sessions::delta,
};
use crate::{
    app::secrets::TokenKind,
    error::{AppError, Result},
    language::Language,
    mail::letter::{Mail, Template},
};

/// The least that a caller is asked to wait.
pub(super) const SECOND: Duration = Duration::from_secs(1);

impl App {
    /// Invites somebody by a message to their address.
    pub(crate) async fn invite(
        &self,
        identity: &Identity,
        organization: &Organization,
        params: CreateInvitationParams,
        language: Language,
    ) -> Result<InvitationView> {
        let role = params.role.unwrap_or(Role::Member);
        check_rank(identity, organization, role)?;
        check_email(&params.email)?;
        let new =
            self.new_invitation(identity, organization, (params.email, role), language).await?;
        let created = invitations::create(&self.catalog, new, self.send_limits()).await;
        let created = created.map_err(|error| self.why_not_sent(error.into()))?;
        self.postbox.ring();
        Ok(self.invitation_view(created))
    }

    /// Sends an invitation again. The link that was sent before ends.
    pub(crate) async fn resend_invitation(
        &self,
        identity: &Identity,
        organization: &Organization,
        id: InvitationId,
        language: Language,
    ) -> Result<InvitationView> {
        let found = invitations::read(&self.catalog, organization.id, id).await?;
        check_rank(identity, organization, found.role)?;
        let to = (found.email, found.role);
        let again = self.new_invitation(identity, organization, to, language).await?;
        let sent = invitations::resend(&self.catalog, id, again, self.send_limits()).await;
        let sent = sent.map_err(|error| self.why_not_sent(error.into()))?;
        self.postbox.ring();
        Ok(self.invitation_view(sent))
    }

    /// Whoever has an account reads it in their language, anybody else in that of whoever invites.
    async fn new_invitation(
        &self,
        identity: &Identity,
        organization: &Organization,
        (email, role): (String, Role),
        language: Language,
    ) -> Result<NewInvitation> {
        let caller = identity.caller().ok_or_else(|| AppError::internal("nobody invites"))?;
        let token = TokenKind::Link.generate();
        let invited = users::find_by_name_or_email(&self.catalog, &email).await?;
        let language = invited.as_ref().map_or(language, language_of);
        let ttl = self.config.organizations.invitation_ttl;
        let template = Template::Invitation {
            organization: organization.name.to_string(),
            invited_by: caller.actor(),
            role,
            link: self.link("invitation", &token),
            valid_for: ttl.to_string(),
        };
        let letter = InvitationLetter {
            token_hash: secrets::hash(&token),
            expires_at: self.catalog.now() + delta(ttl.into()),
            mail: self.compose_mail(Mail::new(&*email, language, template))?,
        };
        Ok(NewInvitation {
            organization_id: organization.id,
            email,
            role,
            invited_by: caller.user_id,
            letter,
        })
    }

    fn send_limits(&self) -> SendLimits {
        let config = &self.config.organizations;
        SendLimits {
            per_day: config.invitations_per_day.into(),
            pause: config.invitation_pause.into(),
        }
    }

    fn why_not_sent(&self, error: AppError) -> AppError {
        match error.code() {
            ErrorCode::AlreadyExists => AppError::new(
                ErrorCode::AlreadyExists,
                "there is an open invitation to this address; send it again, or withdraw it",
            ),
            ErrorCode::RateLimited => {
                error.with_retry_after(self.config.organizations.invitation_pause.get().max(SECOND))
            }
            _ => error,
        }
    }

    /// The open invitations of an organization.
    pub(crate) async fn list_invitations(
        &self,
        organization: &Organization,
        query: ListQuery,
    ) -> Result<(Vec<InvitationView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found = invitations::list(&self.catalog, organization.id, page).await?;
        let views = found.items.into_iter().map(|found| self.invitation_view(found)).collect();
        Ok((views, lists::view(page, found.total)))
    }

    /// Withdraws an invitation.
    pub(crate) async fn revoke_invitation(
        &self,
        organization: &Organization,
        id: InvitationId,
    ) -> Result<()> {
        Ok(invitations::revoke(&self.catalog, organization.id, id).await?)
    }

    /// What a token invites to.
    pub(crate) async fn open_invitation(&self, token: &Secret) -> Result<OpenedInvitationView> {
        let hash = secrets::hash(token.expose());
        let found = invitations::find_by_token(&self.catalog, &hash).await?;
        let (invitation, organization) = found.ok_or_else(no_invitation)?;
        Ok(OpenedInvitationView {
            organization: organization.name.to_string(),
            email: invitation.email,
            role: invitation.role,
            invited_by: invitation.invited_by.map(|name| name.to_string()),
            expires_at: invitation.expires_at,
        })
    }

    /// Makes the caller a member, by the link that was sent to their address.
    ///
    /// # Errors
    /// `INVITATION_NOT_FOUND` when the token is none, was used or has ended; `INVITATION_FOR_OTHER`; `ALREADY_EXISTS`.
    pub(crate) async fn accept_invitation(
        &self,
        caller: &Caller,
        token: &Secret,
    ) -> Result<JoinedView> {
        let hash = secrets::hash(token.expose());
        let accepted = invitations::accept(&self.catalog, &hash, caller.user_id).await;
        let accepted = accepted.map_err(AppError::from).map_err(as_no_invitation)?;
        self.rights_changed();
        let organization = self.organization_by_id(accepted.organization_id).await?;
        let name = organization.name.as_str();
        info!(user = %caller.name, organization = name, "{} joined {name}", caller.name);
        Ok(JoinedView { organization: name.to_owned(), role: accepted.role })
    }

    /// Makes an account for whoever was invited, and a member of it, both or neither. Its address is known to be theirs.
    /// Tells into which organization they came, unless that is gone already.
    ///
    /// # Errors
    /// `INVITATION_NOT_FOUND` when the token is none, was used or has ended; `INVITATION_FOR_OTHER`; `ALREADY_EXISTS`.
    pub(crate) async fn sign_up_by_invitation(
        &self,
        token: &Secret,
        new: NewUser,
    ) -> Result<(User, Option<OrganizationName>)> {
        let hash = secrets::hash(token.expose());
        let accepted = invitations::accept_as_new_user(&self.catalog, &hash, new).await;
        let (user, accepted) = accepted.map_err(AppError::from).map_err(as_no_invitation)?;
        self.rights_changed();
        let organization =
            organizations::find_by_id(&self.catalog, accepted.organization_id).await?;
        Ok((user, organization.map(|organization| organization.name)))
    }

    /// Says no to an invitation.
    pub(crate) async fn decline_invitation(&self, token: &Secret) -> Result<()> {
        let declined = invitations::decline(&self.catalog, &secrets::hash(token.expose())).await;
        declined.map_err(AppError::from).map_err(as_no_invitation)
    }

    fn invitation_view(&self, invitation: Invitation) -> InvitationView {
        InvitationView {
            id: invitation.id,
            email: invitation.email,
            role: invitation.role,
            invited_by: invitation.invited_by.map(|name| name.to_string()),
            expired: invitation.expires_at <= self.catalog.now(),
            created_at: invitation.created_at,
            sent_at: invitation.sent_at,
            expires_at: invitation.expires_at,
        }
    }
}

fn no_invitation() -> AppError {
    AppError::new(
        ErrorCode::InvitationNotFound,
        "this invitation is unknown, was used, withdrawn or has ended; ask for a new one",
    )
}

fn as_no_invitation(error: AppError) -> AppError {
    if error.code() == ErrorCode::InvitationNotFound { no_invitation() } else { error }
}
