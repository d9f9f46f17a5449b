//! The mapper's models, one file per table, without methods.
//!
//! Kept by hand; a test compares them with what the migrations make.
#![expect(
    unreachable_pub,
    reason = "the derive macros write `pub` into modules that are private here"
)]

pub mod account_links;
pub mod api_tokens;
pub mod archives;
pub mod artifacts;
pub mod audit;
pub mod avatars;
pub mod begun_sign_ins;
pub mod blob_moves;
pub mod blobs;
pub mod box_artworks;
pub mod box_downloads;
pub mod box_watches;
pub mod box_words;
pub mod boxes;
pub mod former_box_names;
pub mod idempotency_keys;
pub mod invitations;
pub mod join_requests;
pub mod mail_outbox;
pub mod memberships;
pub mod mirrored_boxes;
pub mod mirrors;
pub mod organization_names;
pub mod organization_stores;
pub mod organizations;
pub mod policy_versions;
pub mod providers;
pub mod quotas;
pub mod recovery_codes;
pub mod release_notices;
pub mod resumable_uploads;
pub mod second_factors;
pub mod service_accounts;
pub mod sessions;
pub mod settings;
pub mod sign_in_attempts;
pub mod signing_keys;
pub mod store_moves;
pub mod upload_parts;
pub mod uploads;
pub mod user_groups;
pub mod users;
pub mod verifications;
pub mod versions;
