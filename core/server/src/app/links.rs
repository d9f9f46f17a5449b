//! Links in messages: a forgotten password, the proof of an address, another address.
//!
//! A link works once and soon ends. Its token stands behind `#` in the URL, so that it reaches no log of a server or a
//! proxy, and is used by a request of its own, so that nothing that merely opens links uses it up.

use std::{net::IpAddr, time::Duration};

use boxvault_catalog::{
    attempts::{self, AttemptKey},
    links::{self, LinkKind, NewLink},
    outbox::NewMail,
    users::{self, SignUp, User},
};
use boxvault_types::{
    error::ErrorCode,
    identity::Caller,
    params::account::{ChangeEmailParams, RequestLinkParams, ResetPasswordParams, Secret},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::{
    App,
    accounts::{check_email, language_of},
    password_policy::{self, Owner},
    secrets::{self, TokenKind},
    sessions::delta,
};
use crate::{
    config::HumanDuration,
    error::{AppError, Result},
    language::Language,
    mail::letter::{Letter, Mail, Template},
};

/// Another link of the same kind is not sent sooner, lest somebody fills a mailbox.
const PAUSE: Duration = Duration::from_mins(1);
/// The longest name or address that a wish may hold, in bytes (RFC 5321).
const TYPED_BYTES_MAX: usize = 254;

/// What somebody wants who is not signed in, by the name or the address that they typed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum LinkWish {
    ResetPassword(String),
    VerifyEmail(String),
}

impl LinkWish {
    /// For numbers and logs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::ResetPassword(_) => "reset_password",
            Self::VerifyEmail(_) => "verify_email",
        }
    }
}

/// A link that is about to be sent.
struct Fresh {
    token_hash: [u8; 32],
    expires_at: DateTime<Utc>,
    mail: Mail,
}

impl App {
    /// Takes a wish for a link. The answer and the work are the same whether there is such an account or not.
    pub(crate) async fn wish_for_link(
        &self,
        wish: impl FnOnce(String) -> LinkWish,
        params: RequestLinkParams,
    ) -> Result<()> {
        if params.email.len() > TYPED_BYTES_MAX {
            let why = format!("must have at most {TYPED_BYTES_MAX} bytes");
            return Err(AppError::invalid("email", why));
        }
        self.queue_wish(wish(params.email)).await
    }

    /// Makes the link that was wished for, where the account is there and may have one, and the letter that carries it.
    pub(super) async fn grant(&self, wish: LinkWish) -> Result<Option<Letter>> {
        let (kind, typed) = match &wish {
            LinkWish::ResetPassword(typed) => (LinkKind::ResetPassword, typed),
            LinkWish::VerifyEmail(typed) => (LinkKind::VerifyEmail, typed),
        };
        let user = users::find_by_name_or_email(&self.catalog, typed).await?;
        let Some(user) = user.filter(|user| user.suspended_at.is_none()) else { return Ok(None) };
        let Some(email) = user.email.clone() else { return Ok(None) };
        if kind == LinkKind::VerifyEmail && user.email_verified_at.is_some() {
            return Ok(None);
        }
        let Fresh { token_hash, expires_at, mail } = self.fresh_link(kind, &user, &email);
        let link = NewLink { user_id: user.id, kind, token_hash, email, expires_at };
        let made_after = self.catalog.now() - delta(PAUSE);
        if !links::create_unless_recent(&self.catalog, link, made_after).await? {
            return Ok(None);
        }
        let (_, letter) = mail.write(&self.public_url.to_string())?;
        Ok(Some(letter))
    }

    /// Ends somebody's password and their sessions, since an admin wants it, and sends them a link to another password.
    /// Whoever knew the password is out at once. API tokens stay: they are not made from the password, and machines
    /// work with them.
    ///
    /// # Errors
    /// `INVALID_INPUT` where there is nothing to end or nowhere to write to; `LAST_ADMIN`.
    pub(crate) async fn send_reset_link(&self, user: &User) -> Result<()> {
        let email =
            user.email.clone().filter(|_| user.issuer == boxvault_types::identity::LOCAL_ISSUER);
        let Some(email) = email.filter(|_| user.suspended_at.is_none()) else {
            return Err(AppError::new(
                ErrorCode::InvalidInput,
                "this account is suspended, has no e-mail address, or its password is kept elsewhere",
            ));
        };
        let (token, token_hash) = new_token();
        let ttl = self.config.auth.reset_link_ttl;
        let template = Template::PasswordEnded {
            username: user.name.to_string(),
            link: self.link("reset-password", &token),
            valid_for: ttl.to_string(),
        };
        let mail = self.compose_mail(Mail::new(email.clone(), language_of(user), template))?;
        let (kind, expires_at) = (LinkKind::ResetPassword, self.ends(ttl));
        let link = NewLink { user_id: user.id, kind, token_hash, email, expires_at };
        links::create_in_place_of_password(&self.catalog, link, mail).await?;
        self.postbox.ring();
        self.identities.clear();
        Ok(())
    }

    /// A new account with the link that it begins with: to prove its address, or to choose its password. It has chosen
    /// no language yet.
    pub(crate) fn account_with_link(
        &self,
        kind: LinkKind,
        user: users::NewUser,
        language: Language,
    ) -> Result<SignUp> {
        let email = user.email.clone().unwrap_or_default();
        let username = user.name.to_string();
        let ttl = self.config.auth.email_link_ttl;
        let (token, token_hash) = new_token();
        let template = match kind {
            LinkKind::VerifyEmail => self.address_proof(username, &token),
            LinkKind::ResetPassword => Template::AccountMade {
                username,
                link: self.link("reset-password", &token),
                valid_for: ttl.to_string(),
            },
        };
        let mail = self.compose_mail(Mail::new(email, language, template))?;
        Ok(SignUp { user, kind, token_hash, expires_at: self.ends(ttl), mail })
    }

    /// Chooses a new password by the link that was sent. Ends every session and every other link of the account.
    pub(crate) async fn reset_password(&self, params: ResetPasswordParams) -> Result<User> {
        let hash = secrets::hash(params.token.expose());
        let known = links::find(&self.catalog, LinkKind::ResetPassword, &hash).await?;
        let Some((_, user)) = known else { return Err(link_invalid()) };
        // a password that is refused leaves the link as it is
        password_policy::check(
            "newPassword",
            &params.new_password,
            Owner::of(&user),
            self.config.auth.password_length_min,
        )?;
        let password_hash = self.passwords.hash(&params.new_password).await?;
        let notice = self.password_notice(&user)?;
        let reset = links::reset_password(&self.catalog, &hash, password_hash, notice).await?;
        let Some(user) = reset else { return Err(link_invalid()) };
        self.postbox.ring();
        attempts::record_success(&self.catalog, &AttemptKey::account(user.name.as_str())).await?;
        self.identities.clear();
        info!(user = %user.name, "{} has a new password, by a link", user.name);
        Ok(user)
    }

    /// Proves an address by the link that was sent to it.
    pub(crate) async fn verify_email(&self, token: &Secret) -> Result<User> {
        let hash = secrets::hash(token.expose());
        let verified = links::verify_email(&self.catalog, &hash).await?;
        let Some(user) = verified else { return Err(link_invalid()) };
        self.identities.clear();
        info!(user = %user.name, "{} has proven an address", user.name);
        Ok(user)
    }

    /// Asks for another address. The present one stays until the new one is proven, and is told.
    pub(crate) async fn change_email(
        &self,
        caller: &Caller,
        params: ChangeEmailParams,
        address: IpAddr,
    ) -> Result<()> {
        check_email(&params.email)?;
        let user = self.own_account(caller, &params.current_password, address).await?;
        let email = params.email;
        let kind = LinkKind::VerifyEmail;
        let Fresh { token_hash, expires_at, mail } = self.fresh_link(kind, &user, &email);
        let mut mails = vec![self.compose_mail(mail)?];
        if let Some(old) = user.email.clone() {
            let username = user.name.to_string();
            let notice = Template::EmailChangeRequested { username, new_email: email.clone() };
            mails.push(self.compose_mail(Mail::new(old, language_of(&user), notice))?);
        }
        // whether somebody else has the address, the caller learns only with that mailbox in hand
        let link = NewLink { user_id: user.id, kind, token_hash, email, expires_at };
        links::create(&self.catalog, link, mails).await?;
        self.postbox.ring();
        Ok(())
    }

    /// Tells a user that the password is another one now.
    pub(super) fn password_notice(&self, user: &User) -> Result<NewMail> {
        let notice = Template::PasswordChanged { username: user.name.to_string() };
        let email = user.email.clone().unwrap_or_default();
        self.compose_mail(Mail::new(email, language_of(user), notice))
    }

    fn fresh_link(&self, kind: LinkKind, user: &User, email: &str) -> Fresh {
        let (token, token_hash) = new_token();
        let username = user.name.to_string();
        let (ttl, template) = match kind {
            LinkKind::ResetPassword => {
                let ttl = self.config.auth.reset_link_ttl;
                let link = self.link("reset-password", &token);
                (ttl, Template::ResetPassword { username, link, valid_for: ttl.to_string() })
            }
            LinkKind::VerifyEmail => {
                (self.config.auth.email_link_ttl, self.address_proof(username, &token))
            }
        };
        Fresh {
            token_hash,
            expires_at: self.ends(ttl),
            mail: Mail::new(email, language_of(user), template),
        }
    }

    fn address_proof(&self, username: String, token: &str) -> Template {
        let link = self.link("verify-email", token);
        let valid_for = self.config.auth.email_link_ttl.to_string();
        Template::VerifyEmail { username, link, valid_for }
    }

    pub(super) fn link(&self, page: &str, token: &str) -> String {
        format!("{}/{page}#token={token}", self.public_url)
    }

    fn ends(&self, ttl: HumanDuration) -> DateTime<Utc> {
        let ttl: TimeDelta = delta(ttl.into());
        self.catalog.now() + ttl
    }
}

fn new_token() -> (String, [u8; 32]) {
    let token = TokenKind::Link.generate();
    let hash = secrets::hash(&token);
    (token, hash)
}

fn link_invalid() -> AppError {
    AppError::new(
        ErrorCode::LinkInvalid,
        "this link does not work (any more): it was used, it ended, or there is a newer one; ask for another one",
    )
}
