//! The table `users`. Accounts.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub name_key: String,
    pub email: Option<String>,
    pub email_key: Option<String>,
    pub display_name: String,
    pub password_hash: Option<String>,
    pub issuer: String,
    pub subject: String,
    pub platform_admin: bool,
    pub suspended_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub last_sign_in_at: Option<DateTimeUtc>,
    pub search_text: String,
    pub email_verified_at: Option<DateTimeUtc>,
    pub language: Option<String>,
    pub theme: Option<String>,
    pub time_zone: Option<String>,
    pub default_organization_id: Option<Uuid>,
    pub avatar_digest: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
