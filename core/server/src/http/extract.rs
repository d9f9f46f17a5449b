//! From the text of a path to names and things: `{organization}`, `{box}`, … are parsed here, once, into types.

use boxvault_types::{
    action::{Resource, ResourceKind},
    error::ErrorCode,
    names::{ArchitectureName, BoxName, OrganizationName, ProviderName, UserName},
    version::BoxVersion,
};
use salvo::Request;
use utoipa::{
    PartialSchema,
    openapi::{
        ObjectBuilder, RefOr,
        schema::{KnownFormat, Schema, SchemaFormat, Type},
    },
};

use crate::error::{AppError, Result};

/// One parameter of the path, parsed, if the path has it. A text that is no name names nothing: 400, with the reason.
pub(crate) fn optional<T: std::str::FromStr>(req: &Request, name: &str) -> Result<Option<T>>
where
    T::Err: std::fmt::Display,
{
    let Some(text) = req.param::<String>(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|error| AppError::invalid(name, error))
}

/// One parameter that the path has for certain.
pub(crate) fn required<T: std::str::FromStr>(req: &Request, name: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    optional(req, name)?.ok_or_else(|| AppError::internal(format!("the path has no {{{name}}}")))
}

/// The thing that a path names, given the kind that its route acts on.
pub(crate) fn resource(
    req: &Request,
    kind: ResourceKind,
    system_part: &'static str,
) -> Result<Resource> {
    let organization = || required::<OrganizationName>(req, "organization");
    let vagrant_box = || required::<BoxName>(req, "box");
    let version = || required::<BoxVersion>(req, "version");
    let provider = || provider(req);
    Ok(match kind {
        ResourceKind::Setup => Resource::Setup,
        ResourceKind::Account => Resource::Account,
        ResourceKind::Session => Resource::Session,
        ResourceKind::Profile => Resource::Profile,
        ResourceKind::Token => Resource::Token,
        ResourceKind::Policy => Resource::Policy,
        ResourceKind::Rules => Resource::Rules(organization()?),
        ResourceKind::Mirror => Resource::Mirror(organization()?),
        ResourceKind::System => Resource::System(system_part),
        ResourceKind::User => Resource::User(optional::<UserName>(req, "username")?),
        ResourceKind::Organization => Resource::Organization(optional(req, "organization")?),
        ResourceKind::Audit => Resource::Audit(optional(req, "organization")?),
        ResourceKind::Storage => Resource::Storage(optional(req, "organization")?),
        ResourceKind::Suspension => Resource::Suspension(organization()?),
        ResourceKind::Invitation => Resource::Invitation(organization()?),
        ResourceKind::JoinRequest => Resource::JoinRequest(organization()?),
        ResourceKind::Member => Resource::Member(organization()?, optional(req, "username")?),
        ResourceKind::ServiceAccount => {
            Resource::ServiceAccount(organization()?, optional(req, "service")?)
        }
        ResourceKind::Box => Resource::Box(organization()?, box_name(req)?),
        ResourceKind::Version => {
            Resource::Version(organization()?, vagrant_box()?, optional(req, "version")?)
        }
        ResourceKind::Provider => Resource::Provider(
            organization()?,
            vagrant_box()?,
            version()?,
            optional(req, "provider")?,
        ),
        ResourceKind::Architecture => Resource::Architecture(
            organization()?,
            vagrant_box()?,
            version()?,
            provider()?,
            optional(req, "architecture")?,
        ),
        ResourceKind::File => Resource::File(
            organization()?,
            vagrant_box()?,
            version()?,
            provider()?,
            optional(req, "architecture")?.unwrap_or_else(ArchitectureName::unknown),
        ),
    })
}

/// The box that a path names, if it names one: `{box}`, or `{badge}`, which is a box's name and `.svg`.
fn box_name(req: &Request) -> Result<Option<BoxName>> {
    let Some(badge) = req.param::<String>("badge") else { return optional(req, "box") };
    let name = badge.strip_suffix(".svg").ok_or_else(|| {
        AppError::new(
            ErrorCode::PathNotFound,
            "the last part of this path is a box's name and .svg",
        )
    })?;
    name.parse().map(Some).map_err(|error| AppError::invalid("badge", error))
}

/// The provider that a path names: `{provider}`, or `{file}`, which is a provider's name and `.box`.
pub(crate) fn provider(req: &Request) -> Result<ProviderName> {
    let Some(file) = req.param::<String>("file") else { return required(req, "provider") };
    let name = file.strip_suffix(".box").ok_or_else(|| {
        AppError::new(
            ErrorCode::PathNotFound,
            "the last part of this path is a provider's name and .box",
        )
    })?;
    name.parse().map_err(|error| AppError::invalid("file", error))
}

/// A path as the router reads it: decoded, without empty segments, without a slash at its ends.
///
/// `/%61pi//user` reaches the route of `/api/user`; whoever looks at a path has to see what the router sees.
pub(crate) fn plain_path(path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let decoded =
        segments.map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy());
    decoded.collect::<Vec<_>>().join("/")
}

/// A part of the system that no rule speaks of but that of platform admins.
pub(crate) const OTHER_PART: &str = "other";

/// Whether a part of the system is the same for everybody, so that a limited token does not hide it.
pub(crate) fn is_for_all(part: &str) -> bool {
    !matches!(part, "jobs" | "configuration" | "plugins" | OTHER_PART)
}

/// The part of the system that a route shows, by the path that it is mounted at.
pub(crate) fn system_part(route: &str) -> &'static str {
    match route.trim_matches('/') {
        // what of tus is spoken is the same for every file
        path if path.ends_with("/file/uploads") || path.ends_with("/file/uploads/{id}") => {
            "uploads"
        }
        "health/live" | "health/ready" => "health",
        "metrics" => "metrics",
        "api/version" => "version",
        "api/jobs" => "jobs",
        "api/configuration" => "configuration",
        "api/admin/plugins" => "plugins",
        // who one is, for whoever is signed in
        "api/auth/methods" | "api/v1/authenticate" | "api/v2/authenticate" | "oauth2/token" => {
            "methods"
        }
        // nothing takes long enough to be a secret
        path if path.starts_with("operation/2020-05-05/") => "methods",
        // boxes of all organizations, each of which the policy then decides on
        "api/discover"
        | "api/v1/search"
        | "api/v2/search"
        | "api/v1/user/{organization}"
        | "api/v2/user/{organization}" => "discover",
        _ => OTHER_PART,
    }
}

/// What is not there, in the words of its kind.
pub(crate) fn not_found(resource: &Resource) -> AppError {
    match resource {
        Resource::Member(organization, Some(user)) => AppError::new(
            ErrorCode::MemberNotFound,
            format!(
                "{user:?} is not a member of {organization:?}",
                user = user.as_str(),
                organization = organization.as_str()
            ),
        ),
        Resource::Organization(Some(name))
        | Resource::Storage(Some(name))
        | Resource::Suspension(name)
        | Resource::Invitation(name)
        | Resource::JoinRequest(name)
        | Resource::Member(name, None)
        | Resource::ServiceAccount(name, _)
        | Resource::Box(name, None) => AppError::new(
            ErrorCode::OrganizationNotFound,
            format!("there is no organization {:?}", name.as_str()),
        ),
        Resource::Version(organization, name, Some(number)) => AppError::new(
            ErrorCode::VersionNotFound,
            format!("{organization}/{name} has no version {number}"),
        ),
        Resource::Box(organization, Some(name))
        | Resource::Version(organization, name, _)
        | Resource::Provider(organization, name, ..)
        | Resource::Architecture(organization, name, ..)
        | Resource::File(organization, name, ..) => AppError::new(
            ErrorCode::BoxNotFound,
            format!("there is no box {:?} in {:?}", name.as_str(), organization.as_str()),
        ),
        Resource::User(Some(name)) => {
            AppError::new(ErrorCode::UserNotFound, format!("there is no user {:?}", name.as_str()))
        }
        _ => AppError::new(ErrorCode::PathNotFound, "there is nothing at this path"),
    }
}

/// The schema of a path parameter, for the document.
pub(crate) fn schema_of(parameter: &str) -> RefOr<Schema> {
    match parameter {
        "version" => BoxVersion::schema(),
        "id" => ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
            .into(),
        "token" | "since" | "method" => ObjectBuilder::new().schema_type(Type::String).into(),
        _ => BoxName::schema(),
    }
}

/// A value of a path parameter, for the document.
pub(crate) fn example_of(parameter: &str) -> Option<&'static str> {
    Some(match parameter {
        "organization" => "acme",
        "box" => "debian12",
        "badge" => "debian12.svg",
        "version" => "1.0.0",
        "provider" => "virtualbox",
        "file" => "virtualbox.box",
        "architecture" => "amd64",
        "username" => "alice",
        "service" => "ci",
        "method" => "corp",
        _ => return None,
    })
}

/// What a path parameter means, for the document.
pub(crate) fn description_of(parameter: &str) -> &'static str {
    match parameter {
        "organization" => "The organization's name.",
        "box" => "The box's name.",
        "badge" => "The box's name and `.svg`.",
        "version" => "The version, as it was created.",
        "provider" => "The provider's name, as Vagrant calls it.",
        "architecture" => "The architecture's name, as Vagrant calls it.",
        "username" => "The user's name.",
        "service" => "The service account's name.",
        "method" => "The way to sign in, as `GET /api/auth/methods` lists it.",
        "since" => "What the address of an upload has here.",
        _ => "The identifier.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_the_router_reads_it() {
        for (path, expected) in [
            ("/api/user", "api/user"),
            ("//%61pi//user/", "api/user"),
            ("/%6detrics", "metrics"),
            ("/", ""),
            ("/a%", "a%"),
        ] {
            assert_eq!(plain_path(path), expected, "{path}");
        }
    }
}
