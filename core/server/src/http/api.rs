//! Our API, one module per noun; the names are those of `app/`.
//!
//! Handlers are thin: they say what the document says, and hand plain values to `app/`.

pub(crate) mod account;
pub(crate) mod architectures;
pub(crate) mod audit;
pub(crate) mod badges;
pub(crate) mod box_pages;
pub(crate) mod boxes;
pub(crate) mod direct_uploads;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod invitations;
pub(crate) mod join_requests;
pub(crate) mod mirrors;
pub(crate) mod moves;
pub(crate) mod organizations;
pub(crate) mod own_policies;
pub(crate) mod permissions;
pub(crate) mod plugins;
pub(crate) mod policies;
pub(crate) mod profile;
pub(crate) mod providers;
pub(crate) mod recovery;
pub(crate) mod redirects;
pub(crate) mod second_factor;
pub(crate) mod service_accounts;
pub(crate) mod sign_in;
pub(crate) mod storage;
pub(crate) mod system;
pub(crate) mod uploads;
pub(crate) mod users;
pub(crate) mod versions;
pub(crate) mod watches;
