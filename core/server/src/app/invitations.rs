//! Invitations into organizations, and requests to join them.
//!
//! The token of an invitation is proof enough: it went only to the invited address, works once and for a while, and
//! whoever reads that mailbox could make an account of that address anyway. So it is accepted by whatever account its
//! reader has, under whichever address; what it never gives is a role above that of whoever sent it.

use boxvault_catalog::{
    invitations::{self, Invitation, InvitationLetter, NewInvitation},
    join_requests::{self, JoinRequest, OwnJoinRequest},
    memberships,
    organizations::{AccessMode, Organization},
    outbox::NewMail,
    users::{NewUser, User},
};
use boxvault_types::{
    error::ErrorCode,
    identity::{Caller, Identity, Role},
    ids::{InvitationId, JoinRequestId},
    names::UserName,
    params::{
        ListQuery,
        account::Secret,
        invitations::{CreateInvitationParams, CreateJoinRequestParams},
    },
    views::{
        PageView,
        invitations::{
            InvitationView, JoinRequestView, JoinedView, OpenedInvitationView, OwnJoinRequestView,
        },
    },
};
use chrono::Duration as TimeDelta;

use super::{
    App,
    accounts::check_email,
    lists,
    organizations::{check_length, check_rank},
    secrets,
    secrets::TokenKind,
};
use crate::{
    error::{AppError, Result},
    mail::letter::{Mail, Template},
};

/// The longest message of somebody who wants to join, in characters.
const MESSAGE_CHARS_MAX: usize = 1024;
/// How many admins and owners hear of a request.
const TOLD_MAX: u64 = 50;

impl App {
    /// Invites somebody by a message to their address.
    pub(crate) async fn invite(
        &self,
        identity: &Identity,
        organization: &Organization,
        params: CreateInvitationParams,
    ) -> Result<InvitationView> {
        let caller = person(identity)?;
        let role = params.role.unwrap_or(Role::Member);
        check_rank(identity, organization, role)?;
        check_email(&params.email)?;
        let letter = self.invitation_letter(caller, organization, &params.email, role)?;
        let new = NewInvitation {
            organization_id: organization.id,
            email: params.email,
            role,
            invited_by: caller.user_id,
            letter,
        };
        let created = invitations::create(&self.catalog, new).await?;
        self.postbox.ring();
        Ok(self.invitation_view(created))
    }

    /// Sends an invitation again. The token that was sent before ends.
    pub(crate) async fn resend_invitation(
        &self,
        identity: &Identity,
        organization: &Organization,
        id: InvitationId,
    ) -> Result<InvitationView> {
        let caller = person(identity)?;
        let found = invitations::read(&self.catalog, organization.id, id).await?;
        check_rank(identity, organization, found.role)?;
        let letter = self.invitation_letter(caller, organization, &found.email, found.role)?;
        let sent = invitations::resend(&self.catalog, organization.id, id, letter).await?;
        self.postbox.ring();
        Ok(self.invitation_view(sent))
    }

    fn invitation_letter(
        &self,
        caller: &Caller,
        organization: &Organization,
        email: &str,
        role: Role,
    ) -> Result<InvitationLetter> {
        let token = TokenKind::Invitation.generate();
        let kept_for = self.config.organizations.invitation_ttl.get();
        let template = Template::Invitation {
            organization: organization.name.to_string(),
            invited_by: caller.name.to_string(),
            role,
            token: token.clone(),
        };
        Ok(InvitationLetter {
            token_hash: secrets::hash(&token),
            expires_at: self.catalog.now()
                + TimeDelta::from_std(kept_for).unwrap_or(TimeDelta::days(36_500)),
            mail: self.compose_mail(Mail::new(email, template))?,
        })
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

    /// Makes the caller a member, by the token that they were sent.
    pub(crate) async fn accept_invitation(
        &self,
        identity: &Identity,
        token: &Secret,
    ) -> Result<JoinedView> {
        let caller = person(identity)?;
        let hash = secrets::hash(token.expose());
        let found = invitations::find_by_token(&self.catalog, &hash).await?;
        let (_, organization) = found.ok_or_else(no_invitation)?;
        let accepted = invitations::accept(&self.catalog, &hash, caller.user_id).await;
        let accepted = accepted.map_err(AppError::from).map_err(as_no_invitation)?;
        self.rights_changed();
        Ok(JoinedView { organization: organization.name.to_string(), role: accepted.role })
    }

    /// Makes an account for whoever was invited, and a member of it, both or neither. Tells whether the account has the
    /// address that the invitation was sent to, which is then known to be theirs.
    ///
    /// # Errors
    /// `INVITATION_NOT_FOUND` when the token is none, was used or has ended; `ALREADY_EXISTS`.
    pub(crate) async fn accept_invitation_as_new_user(
        &self,
        token: &Secret,
        new: NewUser,
    ) -> Result<(User, bool)> {
        let hash = secrets::hash(token.expose());
        let accepted = invitations::accept_as_new_user(&self.catalog, &hash, new).await;
        let (user, invitation) = accepted.map_err(AppError::from).map_err(as_no_invitation)?;
        self.rights_changed();
        let own = user.email.as_deref().is_some_and(|email| same_address(email, &invitation.email));
        Ok((user, own))
    }

    /// Says no to an invitation.
    pub(crate) async fn decline_invitation(&self, token: &Secret) -> Result<()> {
        let declined = invitations::decline(&self.catalog, &secrets::hash(token.expose())).await;
        declined.map_err(AppError::from).map_err(as_no_invitation)
    }

    /// Asks to join an organization that takes requests. Its admins and owners are told by mail.
    pub(crate) async fn request_to_join(
        &self,
        identity: &Identity,
        organization: &Organization,
        params: CreateJoinRequestParams,
    ) -> Result<OwnJoinRequestView> {
        let caller = person(identity)?;
        check_length("message", &params.message, MESSAGE_CHARS_MAX)?;
        if caller.role_in(&organization.name).is_none()
            && organization.access_mode != AccessMode::RequestToJoin
        {
            return Err(AppError::new(
                ErrorCode::PermissionDenied,
                format!("{} takes members by invitation only; ask one of its admins", organization.name),
            ));
        }
        let told = memberships::addresses_of_admins(&self.catalog, organization.id, TOLD_MAX).await?;
        let letters: Vec<NewMail> = told
            .into_iter()
            .map(|email| {
                let template = Template::JoinRequest {
                    organization: organization.name.to_string(),
                    user: caller.name.to_string(),
                    message: params.message.clone(),
                };
                self.compose_mail(Mail::new(email, template))
            })
            .collect::<Result<_>>()?;
        let made = join_requests::create(
            &self.catalog,
            organization,
            caller.user_id,
            &params.message,
            letters,
        )
        .await?;
        self.postbox.ring();
        Ok(own_request_view(made))
    }

    /// The open requests to an organization.
    pub(crate) async fn list_join_requests(
        &self,
        organization: &Organization,
        query: ListQuery,
    ) -> Result<(Vec<JoinRequestView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found = join_requests::list(&self.catalog, organization.id, page).await?;
        let views = found.items.into_iter().map(request_view).collect();
        Ok((views, lists::view(page, found.total)))
    }

    /// Takes somebody in who asked for it, with a role that is not above the caller's own. They are told by mail.
    pub(crate) async fn approve_join_request(
        &self,
        identity: &Identity,
        organization: &Organization,
        id: JoinRequestId,
        role: Option<Role>,
    ) -> Result<UserName> {
        let role = role.unwrap_or(Role::Member);
        check_rank(identity, organization, role)?;
        let letter = |email: &str| {
            let template =
                Template::JoinRequestApproved { organization: organization.name.to_string(), role };
            self.compose_mail(Mail::new(email, template)).ok()
        };
        let user =
            join_requests::approve(&self.catalog, organization.id, id, role, letter).await?;
        self.postbox.ring();
        self.rights_changed();
        Ok(user)
    }

    /// Says no to somebody who asked to join.
    pub(crate) async fn deny_join_request(
        &self,
        organization: &Organization,
        id: JoinRequestId,
    ) -> Result<UserName> {
        Ok(join_requests::deny(&self.catalog, organization.id, id).await?)
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
        let views = found.items.into_iter().map(own_request_view).collect();
        Ok((views, lists::view(page, found.total)))
    }

    /// Takes a request of the caller back.
    pub(crate) async fn withdraw_join_request(
        &self,
        caller: &Caller,
        id: JoinRequestId,
    ) -> Result<()> {
        Ok(join_requests::withdraw(&self.catalog, caller.user_id, id).await?)
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

/// Who asks, where only people can: a service account joins nothing and invites nobody.
fn person(identity: &Identity) -> Result<&Caller> {
    match identity.caller() {
        Some(caller) if caller.service.is_none() => Ok(caller),
        Some(_) => Err(AppError::new(
            ErrorCode::PermissionDenied,
            "a service account cannot do this; sign in as a user",
        )),
        None => Err(AppError::new(ErrorCode::CredentialsMissing, "sign in first")),
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

fn same_address(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn request_view(request: JoinRequest) -> JoinRequestView {
    JoinRequestView {
        id: request.id,
        username: request.user.to_string(),
        name: Some(request.display_name).filter(|name| !name.is_empty()),
        message: request.message,
        created_at: request.created_at,
    }
}

fn own_request_view(request: OwnJoinRequest) -> OwnJoinRequestView {
    OwnJoinRequestView {
        id: request.id,
        organization: request.organization.to_string(),
        message: request.message,
        status: request.status,
        created_at: request.created_at,
        ended_at: request.ended_at,
    }
}
