//! What BoxVault does, one module per noun. Knows no HTTP and no SQL.
//!
//! [`App`] is built once and passed by `Arc`; there is nothing global. Its fields are the rooms it stands on.

pub(crate) mod access;
pub(crate) mod access_tokens;
pub(crate) mod accounts;
pub(crate) mod archives;
pub(crate) mod artifacts;
pub(crate) mod audit;
pub(crate) mod avatars;
pub mod backup;
pub(crate) mod badges;
pub(crate) mod box_artwork;
pub(crate) mod box_life;
pub(crate) mod boxes;
pub(crate) mod catalogue;
pub(crate) mod cloud;
mod copying;
pub(crate) mod download_links;
pub(crate) mod downloads;
pub(crate) mod events;
pub mod fsck;
pub(crate) mod identify;
pub(crate) mod import;
pub(crate) mod invitations;
pub(crate) mod jobs;
pub(crate) mod join_requests;
pub(crate) mod links;
pub(crate) mod lists;
pub(crate) mod local_auth;
pub(crate) mod markdown;
pub(crate) mod mirrors;
pub mod moves;
pub(crate) mod organizations;
pub(crate) mod outbox;
mod pace;
pub(crate) mod password_policy;
pub(crate) mod passwords;
pub(crate) mod permissions;
pub(crate) mod pictures;
pub(crate) mod placement;
pub(crate) mod plugins;
pub(crate) mod policies;
pub(crate) mod profile;
pub(crate) mod providers;
pub(crate) mod readiness;
pub(crate) mod redirects;
pub(crate) mod resumable;
pub(crate) mod sealing;
pub(crate) mod second_factor;
pub(crate) mod secrets;
pub(crate) mod service_accounts;
pub(crate) mod service_tokens;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod storage;
pub(crate) mod stores;
pub mod sweep;
pub(crate) mod tokens;
pub(crate) mod transfer;
pub(crate) mod upload_tickets;
pub(crate) mod uploads;
pub(crate) mod verify;
pub(crate) mod versions;
pub(crate) mod watches;

use std::{collections::BTreeMap, sync::Arc};

use boxvault_catalog::Catalog;
use boxvault_plugin_sdk::AuthProvider;
use boxvault_policy::PolicyHandle;
use boxvault_transfer::LocalFiles;
use boxvault_types::views::system::SettingView;
use tokio::sync::{Notify, RwLock, Semaphore};

use crate::{
    config::{Config, PublicUrl},
    metrics::Metrics,
};

/// One server.
pub struct App {
    /// As it was started.
    pub config: Config,
    /// The beginning of every URL that it prints.
    pub public_url: PublicUrl,
    /// Names this process in rows that it alone works on.
    pub(crate) instance_id: String,
    pub(crate) catalog: Catalog,
    pub(crate) policy: Arc<PolicyHandle>,
    /// Which version of the policy its folder holds.
    pub(crate) policy_folder: policies::FolderMark,
    pub(crate) stores: stores::Stores,
    pub(crate) auth_providers: BTreeMap<String, Arc<dyn AuthProvider>>,
    pub(crate) plugins: plugins::Plugins,
    pub(crate) access_tokens: access_tokens::AccessTokens,
    pub(crate) passwords: Arc<passwords::Passwords>,
    pub(crate) sealer: sealing::Sealer,
    pub(crate) postbox: outbox::Postbox,
    pub(crate) identities: identify::IdentityCache,
    pub(crate) catalogues: catalogue::CatalogueCache,
    pub(crate) mirrors: mirrors::Mirrors,
    pub(crate) download_links: download_links::DownloadLinks,
    pub(crate) refused_uploads: upload_tickets::RefusedUploads,
    pub(crate) renderings: markdown::Renderings,
    pub(crate) downloads: downloads::DownloadCounter,
    pub(crate) refusals: audit::Refusals,
    pub(crate) token_uses: tokens::TokenUses,
    pub(crate) local_files: LocalFiles,
    pub(crate) upload_permits: Arc<Semaphore>,
    /// Held by each change that runs, also when its client is gone, so that who stops the server can wait for them.
    pub(crate) changes: Arc<RwLock<()>>,
    /// How what goes on beside the requests goes on.
    pub(crate) jobs: jobs::Jobs,
    /// What happens, for who has a page open.
    pub(crate) events: events::Events,
    /// The configuration as it is shown: secrets hidden, each key with where it came from.
    pub(crate) settings: Vec<SettingView>,
    /// Wakes whoever verifies.
    pub(crate) verification_wanted: Notify,
    pub(crate) metrics: Arc<Metrics>,
}
