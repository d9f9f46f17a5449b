//! The frame of the API document: title, tags, ways to present credentials. The rest comes from the routes.

use utoipa::openapi::{
    ComponentsBuilder, ContactBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    tag::TagBuilder,
};

use super::credentials::Way;

/// The five categories of the reference, and what surrounds them.
const TAGS: &[(&str, &str)] = &[
    ("Authentication & Authorization", "Set-up, sign-up, sign-in, refresh, sign-out, sessions."),
    (
        "User Management",
        "The caller's own account and API tokens; for platform admins, all accounts.",
    ),
    ("Organization Management", "Organizations and their members."),
    ("Box Management", "Boxes, versions, providers, architectures."),
    ("File Operations", "Upload, download, facts and removal of box files."),
    ("Policies", "Who may do what: the rules in force, their versions, and changes of them."),
    ("Audit", "Who did what, and who was refused what."),
    ("System", "Health, version, metrics."),
    ("Vagrant", "Catalogues and files where stock Vagrant looks for them."),
    (
        "Vagrant Cloud",
        "Its API, for `vagrant cloud` and Packer: v2 and v1, which knows no architectures.",
    ),
    (
        "HCP Vagrant Registry",
        "Its API of 2022-09-30, for Packer's `vagrant-registry`, and the token that OAuth clients begin with.",
    ),
];

/// The document without any path.
pub(crate) fn frame() -> OpenApi {
    let ways = Way::ALL.into_iter().fold(ComponentsBuilder::new(), |components, way| {
        components.security_scheme(way.name(), way.scheme())
    });
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("BoxVault")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "A self-hosted registry for Vagrant boxes. Every answer is an envelope: \
                     `success`, `message`, `data`; every failure has a stable code in `error.code`.",
                ))
                .license(Some(
                    LicenseBuilder::new()
                        .name("Apache-2.0 OR MIT")
                        .identifier(Some("Apache-2.0 OR MIT"))
                        .build(),
                ))
                .contact(Some(ContactBuilder::new().name(Some("BoxVault")).build()))
                .build(),
        )
        .tags(Some(TAGS.iter().map(|(name, description)| {
            TagBuilder::new().name(*name).description(Some(*description)).build()
        })))
        .components(Some(ways.build()))
        .build()
}
