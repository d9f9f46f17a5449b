//! Every route, one table: what it needs, and who answers it. A GET is answered to HEAD as well.

use boxvault_types::action::{
    Action::{Create, Delete, Download, Read, Release, Revoke, Update, Upload},
    ResourceKind as On,
};

use super::{
    api::{
        account, architectures, audit, boxes, files, organizations, providers, sign_in, system,
        users, versions,
    },
    openapi,
    routes::{ApiRouter, endpoint},
    vagrant,
};

/// The table.
#[rustfmt::skip]
pub(crate) fn routes() -> ApiRouter {
    ApiRouter::new(openapi::frame())
        // first start and sign-in
        .add(Create,   On::Setup,        endpoint!(sign_in::set_up))
        .add(Read,     On::System,       endpoint!(sign_in::list_sign_in_methods))
        .add(Create,   On::Account,      endpoint!(sign_in::sign_up))
        .add(Create,   On::Session,      endpoint!(sign_in::sign_in))
        .add(Update,   On::Session,      endpoint!(sign_in::refresh_session))
        .add(Delete,   On::Session,      endpoint!(sign_in::sign_out))
        .add(Read,     On::Session,      endpoint!(sign_in::list_sessions))
        .add(Delete,   On::Session,      endpoint!(sign_in::end_other_sessions))
        .add(Delete,   On::Session,      endpoint!(sign_in::end_session))
        // one's own account
        .add(Read,     On::Profile,      endpoint!(account::read_profile))
        .add(Update,   On::Profile,      endpoint!(account::update_profile))
        .add(Delete,   On::Profile,      endpoint!(account::delete_profile))
        .add(Update,   On::Profile,      endpoint!(account::change_password))
        .add(Read,     On::Token,        endpoint!(account::list_tokens))
        .add(Create,   On::Token,        endpoint!(account::create_token))
        .add(Delete,   On::Token,        endpoint!(account::delete_token))
        // everybody's account
        .add(Read,     On::User,         endpoint!(users::list_users))
        .add(Create,   On::User,         endpoint!(users::create_user))
        .add(Read,     On::User,         endpoint!(users::read_user))
        .add(Update,   On::User,         endpoint!(users::update_user))
        .add(Delete,   On::User,         endpoint!(users::delete_user))
        // organizations
        .add(Read,     On::Organization, endpoint!(organizations::list_organizations))
        .add(Create,   On::Organization, endpoint!(organizations::create_organization))
        .add(Read,     On::Organization, endpoint!(organizations::read_organization))
        .add(Update,   On::Organization, endpoint!(organizations::update_organization))
        .add(Delete,   On::Organization, endpoint!(organizations::delete_organization))
        .add(Read,     On::Member,       endpoint!(organizations::list_members))
        .add(Create,   On::Member,       endpoint!(organizations::add_member))
        .add(Update,   On::Member,       endpoint!(organizations::update_member))
        .add(Delete,   On::Member,       endpoint!(organizations::remove_member))
        // boxes
        .add(Read,     On::System,       endpoint!(boxes::discover_boxes))
        .add(Read,     On::Box,          endpoint!(boxes::list_boxes))
        .add(Create,   On::Box,          endpoint!(boxes::create_box))
        .add(Read,     On::Box,          endpoint!(boxes::read_box))
        .add(Update,   On::Box,          endpoint!(boxes::update_box))
        .add(Delete,   On::Box,          endpoint!(boxes::delete_box))
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
        .add(Read,     On::File,         endpoint!(files::read_file_info))
        .add(Download, On::File,         endpoint!(files::download_file))
        .add(Delete,   On::File,         endpoint!(files::delete_file))
        // the audit log
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
        .complete()
}
