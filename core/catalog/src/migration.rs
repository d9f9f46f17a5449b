//! The schema's history. Never names a model of `entity/`: those follow the newest schema, migrations keep the old.
#![expect(
    elided_lifetimes_in_paths,
    reason = "the migration trait elides this lifetime, and an implementation must do as the trait does"
)]

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod columns;
mod m20260901_000001_create_users;
mod m20260901_000002_create_boxes;
mod m20260901_000003_create_audit;
mod m20261125_000101_create_mail_outbox;
mod m20261125_000102_complete_accounts;
mod m20261125_000301_box_life_cycle;
mod m20261125_000310_organization_lives;
mod m20261125_000311_service_accounts;
mod m20261125_000312_invitations;
mod m20261125_000401_create_quotas;
mod m20261125_000402_create_resumable_uploads;
mod m20261125_000403_create_verifications;
mod m20261125_000404_box_search;
mod m20261125_000405_box_pages;
mod m20261125_000406_box_watches;
mod m20261125_000501_widen_audit;
mod m20261125_000502_create_idempotency_keys;
mod m20261126_000301_create_join_requests;
mod m20261126_000302_bind_tokens;
mod m20261129_000401_create_policy_versions;
mod m20261130_000601_expected_checksums;
mod m20261130_000701_create_archives;
mod m20261130_000710_create_begun_sign_ins;
mod m20261130_000801_several_stores;
mod m20261130_000901_create_mirrors;

pub(crate) struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20260901_000001_create_users::Migration),
            Box::new(m20260901_000002_create_boxes::Migration),
            Box::new(m20260901_000003_create_audit::Migration),
            Box::new(m20261125_000101_create_mail_outbox::Migration),
            Box::new(m20261125_000102_complete_accounts::Migration),
            Box::new(m20261125_000301_box_life_cycle::Migration),
            Box::new(m20261125_000310_organization_lives::Migration),
            Box::new(m20261125_000311_service_accounts::Migration),
            Box::new(m20261125_000312_invitations::Migration),
            Box::new(m20261125_000401_create_quotas::Migration),
            Box::new(m20261125_000402_create_resumable_uploads::Migration),
            Box::new(m20261125_000403_create_verifications::Migration),
            Box::new(m20261125_000404_box_search::Migration),
            Box::new(m20261125_000405_box_pages::Migration),
            Box::new(m20261125_000406_box_watches::Migration),
            Box::new(m20261125_000501_widen_audit::Migration),
            Box::new(m20261125_000502_create_idempotency_keys::Migration),
            Box::new(m20261126_000301_create_join_requests::Migration),
            Box::new(m20261126_000302_bind_tokens::Migration),
            Box::new(m20261129_000401_create_policy_versions::Migration),
            Box::new(m20261130_000601_expected_checksums::Migration),
            Box::new(m20261130_000701_create_archives::Migration),
            Box::new(m20261130_000710_create_begun_sign_ins::Migration),
            Box::new(m20261130_000801_several_stores::Migration),
            Box::new(m20261130_000901_create_mirrors::Migration),
        ]
    }
}
