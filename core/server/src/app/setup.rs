//! The first platform admin of a new server.
//!
//! Nobody who merely reaches the port can become admin: it takes a one-time token that the server prints where its
//! operator reads it. The token is kept as a hash, and ends with the first account, however that was made.

use boxvault_catalog::{
    settings,
    users::{self, UserChanges},
};
use boxvault_types::{
    error::ErrorCode,
    params::account::{CreateUserParams, SetupParams},
    views::account::SignInView,
};
use data_encoding::HEXLOWER;
use subtle::ConstantTimeEq;
use tracing::info;

use super::{App, secrets, secrets::TokenKind, sessions::Device};
use crate::error::{AppError, Result};

/// Where the hash of the set-up token is kept.
const SETUP_TOKEN_HASH: &str = "setup.token_hash";

impl App {
    /// Whether the first platform admin is still to be made.
    pub async fn needs_setup(&self) -> Result<bool> {
        Ok(users::count(&self.catalog).await? == 0)
    }

    /// Makes a new set-up token, in the place of any earlier one; `None` when the server is set up.
    pub async fn new_setup_token(&self) -> Result<Option<String>> {
        if !self.needs_setup().await? {
            return Ok(None);
        }
        let token = TokenKind::Setup.generate();
        settings::put(&self.catalog, SETUP_TOKEN_HASH, &HEXLOWER.encode(&secrets::hash(&token)))
            .await?;
        Ok(Some(token))
    }

    /// Makes the first platform admin, and signs them in.
    pub(crate) async fn set_up(&self, params: SetupParams, device: Device) -> Result<SignInView> {
        let already = || {
            AppError::new(ErrorCode::AlreadySetUp, "this server has been set up; sign in instead")
        };
        if !self.needs_setup().await? {
            return Err(already());
        }
        let expected = settings::get(&self.catalog, SETUP_TOKEN_HASH).await?.unwrap_or_default();
        let presented = HEXLOWER.encode(&secrets::hash(params.token.expose()));
        if !bool::from(expected.as_bytes().ct_eq(presented.as_bytes())) {
            return Err(AppError::new(
                ErrorCode::SetupTokenInvalid,
                "this is not the set-up token; the server prints it when it starts, and `boxvault setup token` makes a new one",
            ));
        }
        let new = self
            .new_user(CreateUserParams {
                username: params.username,
                email: params.email,
                password: Some(params.password),
                name: params.name,
                platform_admin: true,
            })
            .await?;
        let user = users::create_first_admin(&self.catalog, new).await.map_err(|error| {
            let error = AppError::from(error);
            if error.code() == ErrorCode::AlreadySetUp { already() } else { error }
        })?;
        settings::delete(&self.catalog, SETUP_TOKEN_HASH).await?;
        info!(user = %user.name, "the server was set up by {}", user.name);
        self.open_session(&user, false, device, None).await
    }

    /// Makes an account without a server, or brings an existing one in line. Doing it twice is doing it once.
    ///
    /// Returns whether the account is new. An admin stays one, whatever is asked for.
    pub async fn create_user_offline(&self, params: CreateUserParams) -> Result<bool> {
        let platform_admin = params.platform_admin;
        let new = self.new_user(params).await?;
        let Some(known) = users::find_by_name(&self.catalog, &new.name).await? else {
            users::create(&self.catalog, new).await?;
            settings::delete(&self.catalog, SETUP_TOKEN_HASH).await?;
            return Ok(true);
        };
        let changes = UserChanges { email: new.email, ..UserChanges::default() };
        users::update(&self.catalog, known.id, changes).await?;
        if let Some(hash) = new.password_hash {
            users::change_password(&self.catalog, known.id, hash, None, None).await?;
        }
        if platform_admin {
            users::grant_platform_admin(&self.catalog, known.id).await?;
        }
        Ok(false)
    }
}
