//! Accounts: signing up, one's own profile, and what platform admins do with all of them.

use std::net::IpAddr;

use boxvault_catalog::{
    accounts,
    links::LinkKind,
    users::{self, NewUser, User, UserChanges, UserFilter, UserSort},
};
use boxvault_types::{
    error::ErrorCode,
    identity::{Caller, Credential, LOCAL_ISSUER},
    ids::UserId,
    names::OrganizationName,
    params::{
        ListQuery,
        account::{
            ChangePasswordParams, CreateUserParams, DeleteProfileParams, Secret, SignUpParams,
            UpdateProfileParams, UpdateUserParams,
        },
    },
    views::{
        PageView,
        account::{MembershipView, ProfileView, UserView},
    },
};

use data_encoding::HEXLOWER;

use super::{
    App, lists,
    organizations::check_length,
    password_policy::{self, Owner},
    sessions::attempt_keys,
};
use crate::{
    config::SignUp,
    error::{AppError, Result},
    language::Language,
};

/// What lists of users can be sorted by.
const SORTS: &[(&str, UserSort)] = &[
    ("name", UserSort::Name),
    ("created", UserSort::Created),
    ("last_sign_in", UserSort::LastSignIn),
];
/// The longest e-mail address (RFC 5321), in bytes.
const EMAIL_BYTES_MAX: usize = 254;
/// The longest name to show, in characters.
const DISPLAY_NAME_CHARS_MAX: usize = 255;

impl App {
    /// Takes a new account, if the server is open for it. Tells into which organization it was invited, if it was.
    pub(crate) async fn sign_up(
        &self,
        params: SignUpParams,
        language: Language,
    ) -> Result<(UserView, Option<OrganizationName>)> {
        match (self.config.auth.sign_up, &params.invitation) {
            (SignUp::Open, _) | (SignUp::InvitationOnly, Some(_)) => {}
            (SignUp::InvitationOnly, None) => {
                return Err(AppError::new(
                    ErrorCode::SignUpClosed,
                    "this server takes those whom an organization invited; use the link in the invitation",
                ));
            }
            (SignUp::Closed, _) => {
                return Err(AppError::new(
                    ErrorCode::SignUpClosed,
                    "this server does not take new accounts by itself; ask a platform admin for one",
                ));
            }
        }
        if users::count(&self.catalog).await? == 0 {
            return Err(AppError::new(
                ErrorCode::SignUpClosed,
                "this server is not set up yet; the first account is made by POST /api/setup",
            ));
        }
        let new = self
            .new_user(CreateUserParams {
                username: params.username,
                email: params.email,
                password: Some(params.password),
                name: params.name,
                platform_admin: false,
            })
            .await?;
        if let Some(invitation) = &params.invitation {
            let (user, organization) = self.sign_up_by_invitation(invitation, new).await?;
            return Ok((user_view(&user), organization));
        }
        let new = NewUser { email_verified: false, ..new };
        let new = self.account_with_link(LinkKind::VerifyEmail, new, language)?;
        let user = users::sign_up(&self.catalog, new).await?;
        self.postbox.ring();
        Ok((user_view(&user), None))
    }

    /// Makes an account, for whoever was allowed to. Without a password, its owner is sent a link to choose one.
    pub(crate) async fn create_account(
        &self,
        params: CreateUserParams,
        language: Language,
    ) -> Result<User> {
        let new = self.new_user(params).await?;
        if new.password_hash.is_some() {
            return Ok(users::create(&self.catalog, new).await?);
        }
        let new = self.account_with_link(LinkKind::ResetPassword, new, language)?;
        let user = users::sign_up(&self.catalog, new).await?;
        self.postbox.ring();
        Ok(user)
    }

    /// Checks what a new account is made of, and hashes its password. Whoever makes it vouches for its address.
    pub(crate) async fn new_user(&self, params: CreateUserParams) -> Result<NewUser> {
        check_email(&params.email)?;
        check_display_name(params.name.as_deref())?;
        let length_min = self.config.auth.password_length_min;
        let owner = Owner { username: params.username.as_str(), email: Some(&params.email) };
        let password_hash = match &params.password {
            Some(password) => {
                password_policy::check("password", password, owner, length_min)?;
                Some(self.passwords.hash(password).await?)
            }
            None => None,
        };
        Ok(NewUser {
            name: params.username,
            email: Some(params.email),
            display_name: params.name.unwrap_or_default(),
            password_hash,
            platform_admin: params.platform_admin,
            email_verified: true,
        })
    }

    /// The caller's own account.
    pub(crate) async fn profile(&self, user: UserId) -> Result<ProfileView> {
        let account = accounts::load(&self.catalog, user).await?.ok_or_else(|| {
            AppError::new(ErrorCode::UserNotFound, "this account does not exist any more")
        })?;
        let organizations = account
            .memberships
            .iter()
            .filter(|place| !place.organization_is_deleted)
            .map(|place| MembershipView {
                name: place.organization_name.to_string(),
                role: place.role,
                primary: account.user.preferences.default_organization
                    == Some(place.organization_id),
            })
            .collect();
        Ok(ProfileView { user: user_view(&account.user), organizations })
    }

    /// Changes the caller's own account.
    pub(crate) async fn update_profile(
        &self,
        caller: &Caller,
        params: UpdateProfileParams,
    ) -> Result<ProfileView> {
        check_display_name(params.name.as_deref())?;
        let changes = UserChanges { display_name: params.name, ..UserChanges::default() };
        users::update(&self.catalog, caller.user_id, changes).await?;
        self.profile(caller.user_id).await
    }

    /// Gives the caller's own account another password. Every other session ends.
    pub(crate) async fn change_password(
        &self,
        caller: &Caller,
        params: ChangePasswordParams,
        address: IpAddr,
    ) -> Result<()> {
        let user = self.own_account(caller, &params.current_password, address).await?;
        let length_min = self.config.auth.password_length_min;
        let owner = Owner::of(&user);
        password_policy::check("newPassword", &params.new_password, owner, length_min)?;
        let hash = self.passwords.hash(&params.new_password).await?;
        let keep = match caller.credential {
            Credential::Session(own) => Some(own),
            _ => None,
        };
        let notice = self.password_notice(&user)?;
        users::change_password(&self.catalog, user.id, hash, keep, Some(notice)).await?;
        self.postbox.ring();
        self.identities.clear();
        Ok(())
    }

    /// The caller's own account, for what a stolen session alone must not do: the password shows that it is them.
    /// Guesses at it count like those at sign-in.
    pub(super) async fn own_account(
        &self,
        caller: &Caller,
        password: &Secret,
        address: IpAddr,
    ) -> Result<User> {
        let keys = attempt_keys(caller.name.as_str(), address);
        self.refuse_while_locked(&keys).await?;
        let user = self.user_by_id(caller.user_id).await?;
        if user.issuer != LOCAL_ISSUER {
            let why = "this account's password is kept elsewhere; change it there";
            return Err(AppError::invalid("currentPassword", why));
        }
        let hash = user.password_hash.clone();
        if !self.passwords.verify(password.expose(), hash).await? {
            self.note_failure(&keys).await?;
            let why = "is not the present password";
            return Err(AppError::new(
                ErrorCode::CurrentPasswordWrong,
                format!("currentPassword: {why}"),
            )
            .with_field("currentPassword", why));
        }
        Ok(user)
    }

    /// An account that was there a moment ago.
    pub(super) async fn user_by_id(&self, id: UserId) -> Result<User> {
        users::find(&self.catalog, id).await?.ok_or_else(|| {
            AppError::new(ErrorCode::UserNotFound, "this account does not exist any more")
        })
    }

    /// Removes the caller's own account, for whoever knows its password, where that is kept here.
    pub(crate) async fn delete_own_account(
        &self,
        caller: &Caller,
        params: DeleteProfileParams,
        address: IpAddr,
    ) -> Result<()> {
        if self.user_by_id(caller.user_id).await?.issuer == LOCAL_ISSUER {
            let password = params.current_password.ok_or_else(|| {
                AppError::invalid("currentPassword", "is needed to delete an account")
            })?;
            self.own_account(caller, &password, address).await?;
        }
        self.delete_account(caller.user_id).await
    }

    /// Removes an account. Boxes and organizations stay.
    pub(crate) async fn delete_account(&self, user: UserId) -> Result<()> {
        users::delete(&self.catalog, user).await.map_err(|error| {
            let error = AppError::from(error);
            if error.code() == ErrorCode::LastOwner {
                return AppError::new(
                    ErrorCode::LastOwner,
                    "this account is the only owner of an organization with other members; hand it over first",
                );
            }
            error
        })?;
        self.rights_changed();
        Ok(())
    }

    /// All accounts.
    pub(crate) async fn list_users(&self, query: ListQuery) -> Result<(Vec<UserView>, PageView)> {
        let page = self.page(&query)?;
        let filter = UserFilter {
            sort: lists::sort(&query, SORTS, UserSort::Name)?,
            order: lists::order(&query, boxvault_catalog::Order::Ascending),
            q: query.q,
        };
        let found = users::list(&self.catalog, &filter, page).await?;
        Ok((found.items.iter().map(user_view).collect(), lists::view(page, found.total)))
    }

    /// Changes somebody's account, all of it or nothing. What takes rights away bites at once.
    pub(crate) async fn update_user(
        &self,
        user: &User,
        params: UpdateUserParams,
    ) -> Result<UserView> {
        check_display_name(params.name.as_deref())?;
        if let Some(email) = &params.email {
            check_email(email)?;
        }
        let changes = UserChanges {
            name: None,
            email: params.email,
            display_name: params.name,
            platform_admin: params.platform_admin,
            suspended: params.suspended,
        };
        let changed = users::update(&self.catalog, user.id, changes).await?;
        self.rights_changed();
        Ok(user_view(&changed))
    }
}

/// The language to write to somebody in.
pub(super) fn language_of(user: &User) -> Language {
    Language::chosen(user.preferences.language.as_deref())
}

/// Refuses what is no address. Whether it is theirs only a message to it can tell.
pub(crate) fn check_email(email: &str) -> Result<()> {
    let fine = email.len() <= EMAIL_BYTES_MAX
        && !email.contains(|c: char| c.is_whitespace() || c.is_control())
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.contains('@')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
                && !domain.is_empty()
        });
    if fine {
        Ok(())
    } else {
        Err(AppError::invalid("email", "must be an e-mail address, such as alice@example.com"))
    }
}

fn check_display_name(name: Option<&str>) -> Result<()> {
    let Some(name) = name else { return Ok(()) };
    if name.contains(char::is_control) {
        return Err(AppError::invalid("name", "must not hold control characters"));
    }
    check_length("name", name, DISPLAY_NAME_CHARS_MAX)
}

/// An account as its owner and platform admins see it.
pub(crate) fn user_view(user: &User) -> UserView {
    UserView {
        id: user.id,
        username: user.name.to_string(),
        name: Some(user.display_name.clone()).filter(|name| !name.is_empty()),
        email: user.email.clone().unwrap_or_default(),
        email_verified: user.email_verified_at.is_some(),
        avatar_url: user.avatar_digest.map(|digest| {
            let [a, b, c, d, ..] = digest.0;
            // another picture is another URL, so that caches need not ask
            format!("/api/avatars/{}?v={}", user.id, HEXLOWER.encode(&[a, b, c, d]))
        }),
        platform_admin: user.platform_admin,
        suspended: user.suspended_at.is_some(),
        issuer: user.issuer.clone(),
        created_at: user.created_at,
        updated_at: user.updated_at,
        last_sign_in_at: user.last_sign_in_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in ["", "a", "@", "a@", "@b", "a b@c", "a@b@c", "a@.b", "a@b."] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
        assert!(check_email("alice@localhost").is_ok() && check_email("a.b+c@example.com").is_ok());
    }
}
