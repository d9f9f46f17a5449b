//! Every route, one table: what it needs, and who answers it. A GET is answered to HEAD as well.

use boxvault_types::action::{
    Action::{
        Create, Delete, Download, Read, Release, Restore, Revoke, Transfer, Update, Upload, Verify,
        Watch,
    },
    ResourceKind as On,
};

use super::{
    api::{
        account, architectures, audit, badges, box_pages, boxes, files, invitations, join_requests,
        organizations, organizations::lives, own_policies, policies, profile, providers, recovery,
        second_factor, service_accounts, sign_in, storage, system, uploads, users, versions,
        watches,
    },
    hoops::{authorize::Asker, hold::HeldTo},
    routes::{ApiRouter, endpoint},
    vagrant,
};

/// The table, added to a router without routes.
#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "a table: one line for each route")]
pub(crate) fn routes(none: ApiRouter) -> ApiRouter {
    none
        // first start and sign-in
        .add(Create,   On::Setup,        endpoint!(sign_in::set_up))
        .add(Read,     On::System,       endpoint!(sign_in::list_sign_in_methods))
        .add(Create,   On::Account,      endpoint!(sign_in::sign_up))
        .add(Create,   On::Session,      endpoint!(sign_in::sign_in))
        .add(Update,   On::Session,      endpoint!(sign_in::refresh_session))
        .add(Delete,   On::Session,      endpoint!(sign_in::sign_out).asked_by(Asker::Somebody))
        .add(Update,   On::Profile,      endpoint!(sign_in::sign_out_everywhere))
        .add(Read,     On::Session,      endpoint!(sign_in::list_sessions))
        .add(Delete,   On::Session,      endpoint!(sign_in::end_other_sessions).asked_by(Asker::Somebody))
        .add(Delete,   On::Session,      endpoint!(sign_in::end_session).asked_by(Asker::Somebody))
        .add(Update,   On::Account,      endpoint!(recovery::request_reset_link))
        .add(Update,   On::Account,      endpoint!(recovery::reset_password))
        .add(Update,   On::Account,      endpoint!(recovery::verify_email))
        .add(Update,   On::Account,      endpoint!(recovery::request_verification_link))
        .add(Update,   On::Account,      endpoint!(invitations::open_invitation))
        .add(Update,   On::Account,      endpoint!(invitations::decline_invitation))
        .add(Update,   On::Profile,      endpoint!(invitations::accept_invitation))
        // one's own account
        .add(Read,     On::Profile,      endpoint!(account::read_profile))
        .add(Update,   On::Profile,      endpoint!(account::update_profile))
        .add(Delete,   On::Profile,      endpoint!(account::delete_profile))
        .add(Update,   On::Profile,      endpoint!(account::change_password))
        .add(Update,   On::Profile,      endpoint!(account::change_email))
        .add(Read,     On::Profile,      endpoint!(profile::read_preferences))
        .add(Update,   On::Profile,      endpoint!(profile::update_preferences))
        .add(Update,   On::Profile,      endpoint!(profile::leave_organization))
        .add(Read,     On::Profile,      endpoint!(profile::export_account))
        .add(Update,   On::Profile,      endpoint!(profile::put_avatar).held_to(HeldTo::Picture))
        .add(Update,   On::Profile,      endpoint!(profile::delete_avatar).held_to(HeldTo::Picture))
        .add(Read,     On::Profile,      endpoint!(profile::read_avatar))
        .add(Read,     On::Profile,      endpoint!(second_factor::read_second_factor))
        .add(Update,   On::Profile,      endpoint!(second_factor::begin_second_factor))
        .add(Update,   On::Profile,      endpoint!(second_factor::confirm_second_factor))
        .add(Update,   On::Profile,      endpoint!(second_factor::disable_second_factor))
        .add(Update,   On::Profile,      endpoint!(second_factor::renew_recovery_codes))
        .add(Read,     On::Token,        endpoint!(account::list_tokens))
        .add(Create,   On::Token,        endpoint!(account::create_token))
        .add(Read,     On::Token,        endpoint!(account::read_token))
        .add(Delete,   On::Token,        endpoint!(account::delete_token))
        .add(Read,     On::Profile,      endpoint!(watches::list_watches))
        .add(Read,     On::Profile,      endpoint!(join_requests::list_own_join_requests))
        .add(Update,   On::Profile,      endpoint!(join_requests::withdraw_join_request).held_to(HeldTo::Nothing))
        // everybody's account
        .add(Read,     On::User,         endpoint!(users::list_users))
        .add(Create,   On::User,         endpoint!(users::create_user))
        .add(Read,     On::User,         endpoint!(users::read_user))
        .add(Update,   On::User,         endpoint!(users::update_user))
        .add(Delete,   On::User,         endpoint!(users::delete_user))
        .add(Update,   On::User,         endpoint!(users::send_reset_link))
        .add(Update,   On::User,         endpoint!(users::remove_second_factor))
        // organizations
        .add(Read,     On::Organization, endpoint!(organizations::list_organizations))
        .add(Create,   On::Organization, endpoint!(organizations::create_organization))
        .add(Read,     On::Organization, endpoint!(organizations::read_organization))
        .add(Update,   On::Organization, endpoint!(organizations::update_organization))
        .add(Delete,   On::Organization, endpoint!(lives::delete_organization))
        .add(Restore,  On::Organization, endpoint!(lives::restore_organization).held_to(HeldTo::Nothing))
        .add(Create,   On::Suspension,   endpoint!(lives::suspend_organization))
        .add(Delete,   On::Suspension,   endpoint!(lives::resume_organization))
        .add(Read,     On::Organization, endpoint!(lives::discover_organizations))
        .add(Read,     On::Organization, endpoint!(lives::list_deleted_organizations).asked_by(Asker::Somebody))
        .add(Read,     On::Member,       endpoint!(organizations::list_members))
        .add(Create,   On::Member,       endpoint!(organizations::add_member))
        .add(Update,   On::Member,       endpoint!(organizations::update_member))
        .add(Delete,   On::Member,       endpoint!(organizations::remove_member))
        .add(Update,   On::Member,       endpoint!(lives::hand_over_organization))
        .add(Read,     On::Invitation,   endpoint!(invitations::list_invitations))
        .add(Create,   On::Invitation,   endpoint!(invitations::create_invitation))
        .add(Update,   On::Invitation,   endpoint!(invitations::resend_invitation))
        .add(Delete,   On::Invitation,   endpoint!(invitations::revoke_invitation))
        .add(Read,     On::JoinRequest,  endpoint!(join_requests::list_join_requests))
        .add(Create,   On::JoinRequest,  endpoint!(join_requests::create_join_request).asked_by(Asker::Person))
        .add(Update,   On::JoinRequest,  endpoint!(join_requests::approve_join_request))
        .add(Update,   On::JoinRequest,  endpoint!(join_requests::deny_join_request))
        .add(Read,     On::ServiceAccount, endpoint!(service_accounts::list_service_accounts))
        .add(Create,   On::ServiceAccount, endpoint!(service_accounts::create_service_account))
        .add(Read,     On::ServiceAccount, endpoint!(service_accounts::read_service_account))
        .add(Update,   On::ServiceAccount, endpoint!(service_accounts::update_service_account))
        .add(Update,   On::ServiceAccount, endpoint!(service_accounts::rotate_service_account_secret))
        .add(Delete,   On::ServiceAccount, endpoint!(service_accounts::delete_service_account))
        // what files take and may take
        .add(Read,     On::Storage,      endpoint!(storage::read_usage))
        .add(Read,     On::Storage,      endpoint!(storage::list_box_usage))
        .add(Read,     On::Storage,      endpoint!(storage::read_quota))
        .add(Update,   On::Storage,      endpoint!(storage::set_quota))
        .add(Read,     On::Storage,      endpoint!(storage::list_stores))
        .add(Read,     On::Storage,      endpoint!(storage::list_damaged_files))
        // boxes
        .add(Read,     On::System,       endpoint!(boxes::discover_boxes))
        .add(Read,     On::Box,          endpoint!(boxes::list_boxes))
        .add(Create,   On::Box,          endpoint!(boxes::create_box))
        .add(Read,     On::Box,          endpoint!(boxes::read_box))
        .add(Update,   On::Box,          endpoint!(boxes::update_box))
        .add(Delete,   On::Box,          endpoint!(boxes::delete_box))
        .add(Transfer, On::Box,          endpoint!(boxes::transfer_box))
        .add(Restore,  On::Box,          endpoint!(boxes::list_deleted_boxes))
        .add(Restore,  On::Box,          endpoint!(boxes::restore_box).held_to(HeldTo::Nothing))
        .add(Read,     On::Box,          endpoint!(box_pages::read_rendered_box))
        .add(Read,     On::Version,      endpoint!(box_pages::read_rendered_version))
        .add(Watch,    On::Box,          endpoint!(watches::watch_box).asked_by(Asker::Person).held_to(HeldTo::Nothing))
        .add(Watch,    On::Box,          endpoint!(watches::unwatch_box).asked_by(Asker::Person).held_to(HeldTo::Nothing))
        .add(Update,   On::Account,      endpoint!(watches::stop_watching))
        .add(Read,     On::Box,          endpoint!(box_pages::read_artwork))
        .add(Read,     On::Box,          endpoint!(badges::read_box_downloads))
        .add(Read,     On::Box,          endpoint!(badges::read_badge))
        .add(Update,   On::Box,          endpoint!(box_pages::set_artwork).held_to(HeldTo::Picture))
        .add(Update,   On::Box,          endpoint!(box_pages::delete_artwork).held_to(HeldTo::Picture))
        .add(Read,     On::Version,      endpoint!(versions::list_versions))
        .add(Create,   On::Version,      endpoint!(versions::create_version))
        .add(Read,     On::Version,      endpoint!(versions::read_version))
        .add(Update,   On::Version,      endpoint!(versions::update_version))
        .add(Delete,   On::Version,      endpoint!(versions::delete_version))
        .add(Release,  On::Version,      endpoint!(versions::release_version))
        .add(Revoke,   On::Version,      endpoint!(versions::revoke_version))
        .add(Read,     On::Provider,     endpoint!(providers::list_providers))
        .add(Create,   On::Provider,     endpoint!(providers::create_provider))
        .add(Read,     On::Provider,     endpoint!(providers::read_provider))
        .add(Update,   On::Provider,     endpoint!(providers::update_provider))
        .add(Delete,   On::Provider,     endpoint!(providers::delete_provider))
        .add(Read,     On::Architecture, endpoint!(architectures::list_architectures))
        .add(Create,   On::Architecture, endpoint!(architectures::create_architecture))
        .add(Read,     On::Architecture, endpoint!(architectures::read_architecture))
        .add(Update,   On::Architecture, endpoint!(architectures::update_architecture))
        .add(Delete,   On::Architecture, endpoint!(architectures::delete_architecture))
        // files
        .add(Upload,   On::File,         endpoint!(files::upload_file))
        .add(Upload,   On::File,         endpoint!(files::post_file))
        .add(Read,     On::System,       endpoint!(uploads::read_upload_options))
        .add(Read,     On::System,       endpoint!(uploads::read_options_of_upload))
        .add(Upload,   On::File,         endpoint!(uploads::create_upload))
        .add(Upload,   On::File,         endpoint!(uploads::read_upload))
        .add(Upload,   On::File,         endpoint!(uploads::append_upload).held_to(HeldTo::Nothing))
        .add(Upload,   On::File,         endpoint!(uploads::delete_upload).held_to(HeldTo::Nothing))
        .add(Read,     On::File,         endpoint!(files::read_file_info))
        .add(Download, On::File,         endpoint!(files::download_file))
        .add(Download, On::File,         endpoint!(files::read_download_link).gives_access())
        .add(Download, On::File,         endpoint!(files::post_download_link))
        .add(Verify,   On::File,         endpoint!(files::verify_file))
        .add(Delete,   On::File,         endpoint!(files::delete_file))
        // the audit log
        .add(Read,     On::Policy,       endpoint!(policies::read_policy))
        .add(Update,   On::Policy,       endpoint!(policies::put_policy))
        .add(Verify,   On::Policy,       endpoint!(policies::check_policy).held_to(HeldTo::Nothing))
        .add(Read,     On::Policy,       endpoint!(policies::explain_decision))
        .add(Read,     On::Policy,       endpoint!(policies::list_policy_versions))
        .add(Read,     On::Policy,       endpoint!(policies::read_policy_version))
        .add(Update,   On::Policy,       endpoint!(policies::roll_policy_back))
        // and the rules of an organization's own
        .add(Read,     On::Rules,        endpoint!(own_policies::read_organization_policy))
        .add(Update,   On::Rules,        endpoint!(own_policies::put_organization_policy))
        .add(Verify,   On::Rules,        endpoint!(own_policies::check_organization_policy).held_to(HeldTo::Nothing))
        .add(Read,     On::Rules,        endpoint!(own_policies::list_organization_policy_versions))
        .add(Read,     On::Rules,        endpoint!(own_policies::read_organization_policy_version))
        .add(Update,   On::Rules,        endpoint!(own_policies::roll_organization_policy_back))
        .add(Read,     On::Audit,        endpoint!(audit::list_audit))
        .add(Read,     On::Audit,        endpoint!(audit::export_audit))
        .add(Read,     On::Audit,        endpoint!(audit::list_organization_audit))
        .add(Read,     On::Audit,        endpoint!(audit::export_organization_audit))
        // the server itself
        .add(Read,     On::System,       endpoint!(system::read_version_info))
        .add(Read,     On::System,       endpoint!(system::read_liveness))
        .add(Read,     On::System,       endpoint!(system::read_readiness))
        .add(Read,     On::System,       endpoint!(system::read_metrics))
        // stock Vagrant; last, since its paths begin with a name
        .add(Read,     On::Box,          endpoint!(vagrant::read_catalogue))
        .add(Download, On::File,         endpoint!(vagrant::download_box))
        .add(Download, On::File,         endpoint!(vagrant::download_default_box))
        .add(Read,     On::Box,          endpoint!(vagrant::read_box_page))
        .add(Read,     On::Box,          endpoint!(vagrant::read_legacy_catalogue))
}
