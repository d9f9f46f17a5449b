//! Objects and the patterns that match them, segment by segment.
//!
//! The rule: a literal segment is itself; `*` is exactly one name; `**`, only as the last segment, is zero or more
//! segments. So `box/**` is the collection, every box and everything in them; `box/*/**` is every box and everything
//! in them, but not the collection; `**` alone is everything. The nouns between the names (`version`, `provider`, …)
//! are always written out, so a pattern that can match nothing is told from one that can, when the file is read.

use boxvault_types::action::{Action, ResourceKind, SYSTEM_DOMAIN};
pub(crate) use boxvault_types::scope::matches;

use crate::rules::words::{did_you_mean, name_problem};

/// A place for a name in [`SHAPES`].
const NAME: &str = "<name>";
/// A place for a version: the only name whose case matters.
const VERSION: &str = "<version>";

/// Every form an object can have. `Resource::object` makes them; a test compares the two.
const SHAPES: &[(ResourceKind, &[&str])] = &[
    (ResourceKind::Setup, &["setup"]),
    (ResourceKind::Account, &["account"]),
    (ResourceKind::Session, &["session"]),
    (ResourceKind::Profile, &["profile"]),
    (ResourceKind::Token, &["token"]),
    (ResourceKind::User, &["user"]),
    (ResourceKind::User, &["user", NAME]),
    (ResourceKind::Organization, &["organization"]),
    (ResourceKind::Suspension, &["suspension"]),
    (ResourceKind::Member, &["member"]),
    (ResourceKind::Member, &["member", NAME]),
    (ResourceKind::Invitation, &["invitation"]),
    (ResourceKind::JoinRequest, &["join-request"]),
    (ResourceKind::ServiceAccount, &["service"]),
    (ResourceKind::ServiceAccount, &["service", NAME]),
    (ResourceKind::Box, &["box"]),
    (ResourceKind::Box, &["box", NAME]),
    (ResourceKind::Version, &["box", NAME, "version"]),
    (ResourceKind::Version, &["box", NAME, "version", VERSION]),
    (ResourceKind::Provider, &["box", NAME, "version", VERSION, "provider"]),
    (ResourceKind::Provider, &["box", NAME, "version", VERSION, "provider", NAME]),
    (
        ResourceKind::Architecture,
        &["box", NAME, "version", VERSION, "provider", NAME, "architecture"],
    ),
    (
        ResourceKind::Architecture,
        &["box", NAME, "version", VERSION, "provider", NAME, "architecture", NAME],
    ),
    (
        ResourceKind::File,
        &["box", NAME, "version", VERSION, "provider", NAME, "architecture", NAME, "file"],
    ),
    (ResourceKind::Policy, &["policy"]),
    (ResourceKind::Rules, &["rules"]),
    (ResourceKind::Mirror, &["mirror"]),
    (ResourceKind::Audit, &["audit"]),
    (ResourceKind::Storage, &["storage"]),
    (ResourceKind::System, &["system", NAME]),
];

/// What is wrong with a pattern, and at which character of it (from 0).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PatternProblem {
    pub(crate) offset: usize,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Whether the server ever asks for an action on a kind of object. The matrix shows these pairs, and a rule that
/// speaks of no such pair looks like a mistake; decisions do not look at it.
pub fn is_asked(action: Action, kind: ResourceKind) -> bool {
    use Action::{
        Create, Delete, Download, Read, Release, Replace, Restore, Revoke, Transfer, Update,
        Upload, Verify, Watch,
    };
    let asked: &[Action] = match kind {
        ResourceKind::Setup => &[Read, Create],
        ResourceKind::Account => &[Create, Update],
        ResourceKind::Session
        | ResourceKind::Token
        | ResourceKind::User
        | ResourceKind::Member
        | ResourceKind::Invitation
        | ResourceKind::ServiceAccount
        | ResourceKind::Provider
        | ResourceKind::Architecture => &[Read, Create, Update, Delete],
        ResourceKind::Organization => &[Read, Create, Update, Delete, Restore],
        ResourceKind::Suspension => &[Create, Delete],
        ResourceKind::JoinRequest => &[Read, Create, Update],
        ResourceKind::Profile | ResourceKind::Mirror => &[Read, Update, Delete],
        ResourceKind::Box => &[Read, Create, Update, Delete, Watch, Transfer, Restore],
        ResourceKind::Version => &[Read, Create, Update, Delete, Release, Revoke],
        ResourceKind::File => &[Read, Upload, Replace, Download, Delete, Verify],
        ResourceKind::Policy | ResourceKind::Rules | ResourceKind::Storage => {
            &[Read, Update, Verify]
        }
        ResourceKind::Audit | ResourceKind::System => &[Read],
    };
    asked.contains(&action)
}

/// The actions that the server ever asks for on a kind of object.
pub(crate) fn asked(kind: ResourceKind) -> Vec<&'static str> {
    let asked = Action::ALL.iter().filter(|action| is_asked(**action, kind));
    asked.map(|action| action.as_str()).collect()
}

/// Whether a kind of object is found in a domain: most belong either to organizations or to the system.
pub(crate) fn lies_in(kind: ResourceKind, domain: &str) -> bool {
    let of_system = domain == SYSTEM_DOMAIN;
    match kind {
        ResourceKind::Organization | ResourceKind::Audit | ResourceKind::Storage => true,
        ResourceKind::Suspension
        | ResourceKind::Invitation
        | ResourceKind::JoinRequest
        | ResourceKind::Member
        | ResourceKind::ServiceAccount
        | ResourceKind::Box
        | ResourceKind::Version
        | ResourceKind::Provider
        | ResourceKind::Architecture
        | ResourceKind::File
        | ResourceKind::Rules
        | ResourceKind::Mirror => !of_system,
        // written out, so that a new kind of thing does not go missing
        ResourceKind::Setup
        | ResourceKind::Account
        | ResourceKind::Session
        | ResourceKind::Profile
        | ResourceKind::Token
        | ResourceKind::User
        | ResourceKind::Policy
        | ResourceKind::System => of_system,
    }
}

/// A form of object, with or without names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) kind: ResourceKind,
    /// With the names of the pattern that it was made from, and `*` for the others.
    pub(crate) label: String,
    /// With `*` for every name.
    pub(crate) general: String,
}

/// Every form that a pattern can match: of `**` all of them, without names.
pub(crate) fn forms(pattern: &str) -> Vec<Form> {
    let segments: Vec<&str> = pattern.split('/').collect();
    let star = |word: &&'static str| if matches!(*word, NAME | VERSION) { "*" } else { *word };
    let form = |kind: ResourceKind, shape: &[&'static str]| {
        let named = |(at, word)| match segments.get(at) {
            Some(segment) if *segment != "**" => *segment,
            _ => star(word),
        };
        Form {
            kind,
            label: shape.iter().enumerate().map(named).collect::<Vec<_>>().join("/"),
            general: shape.iter().map(star).collect::<Vec<_>>().join("/"),
        }
    };
    SHAPES
        .iter()
        .filter(|(_, shape)| matches!(reach(&segments, shape), Reach::Whole))
        .map(|(kind, shape)| form(*kind, shape))
        .collect()
}

/// Whether two patterns have an object in common.
pub(crate) fn meet(left: &str, right: &str) -> bool {
    fn segments(left: &[&str], right: &[&str]) -> bool {
        match (left, right) {
            (["**", ..], _) | (_, ["**", ..]) | ([], []) => true,
            ([l, left @ ..], [r, right @ ..]) => {
                (l == r || *l == "*" || *r == "*") && segments(left, right)
            }
            _ => false,
        }
    }
    let left: Vec<&str> = left.split('/').collect();
    let right: Vec<&str> = right.split('/').collect();
    segments(&left, &right)
}

/// The kinds of objects that a pattern can match: never none.
pub(crate) fn check(pattern: &str) -> Result<Vec<ResourceKind>, PatternProblem> {
    let segments: Vec<&str> = pattern.split('/').collect();
    check_segments(&segments)?;
    let mut kinds: Vec<ResourceKind> = Vec::new();
    let mut furthest = 0;
    for (kind, shape) in SHAPES {
        match reach(&segments, shape) {
            Reach::Whole if kinds.contains(kind) => {}
            Reach::Whole => kinds.push(*kind),
            Reach::Until(index) => furthest = furthest.max(index),
        }
    }
    if kinds.is_empty() { Err(no_such_object(&segments, furthest)) } else { Ok(kinds) }
}

fn check_segments(segments: &[&str]) -> Result<(), PatternProblem> {
    let last = segments.len() - 1;
    let mut offset = 0;
    for (index, segment) in segments.iter().enumerate() {
        let problem = |message: String, hint: &str| {
            Err(PatternProblem { offset, message, hint: Some(hint.to_owned()) })
        };
        if segment.is_empty() {
            return problem(
                "a pattern may not begin or end with '/', nor hold '//'".to_owned(),
                "write it like box/debian12/version/*",
            );
        }
        if *segment == "**" && index != last {
            return problem(
                "** may stand only at the end of a pattern".to_owned(),
                "it means the rest, however long; * is one name",
            );
        }
        if segment.contains('*') && *segment != "*" && *segment != "**" {
            return problem(
                format!("{segment:?} mixes letters and wildcards"),
                "* stands for one whole name and ** for the rest; a part of a name cannot be matched",
            );
        }
        offset += segment.chars().count() + 1;
    }
    Ok(())
}

enum Reach {
    Whole,
    Until(usize),
}

/// How far a pattern agrees with a shape.
fn reach(segments: &[&str], shape: &[&str]) -> Reach {
    for (index, segment) in segments.iter().enumerate() {
        if *segment == "**" {
            return Reach::Whole;
        }
        let fits = match shape.get(index) {
            Some(&NAME) => *segment == "*" || name_problem(segment).is_none(),
            Some(&VERSION) => {
                *segment == "*" || name_problem(&segment.to_ascii_lowercase()).is_none()
            }
            Some(noun) => noun == segment,
            None => false,
        };
        if !fits {
            return Reach::Until(index);
        }
    }
    if segments.len() == shape.len() { Reach::Whole } else { Reach::Until(segments.len()) }
}

fn no_such_object(segments: &[&str], furthest: usize) -> PatternProblem {
    let offset =
        segments.iter().take(furthest).map(|segment| segment.chars().count() + 1).sum::<usize>();
    let mut expected: Vec<&str> = SHAPES
        .iter()
        .filter(|(_, shape)| matches!(reach(segments, shape), Reach::Until(at) if at == furthest))
        .filter_map(|(_, shape)| shape.get(furthest).copied())
        .collect();
    expected.dedup();
    let Some(segment) = segments.get(furthest) else {
        return PatternProblem {
            offset: 0,
            message: format!("no object has the form {:?}", segments.join("/")),
            hint: Some(format!("after it comes {}, or **", expected.join(" or "))),
        };
    };
    if expected.iter().any(|word| *word == NAME || *word == VERSION) {
        let problem = name_problem(segment).unwrap_or("is no name");
        return PatternProblem {
            offset,
            message: format!("{segment:?} cannot be a name: it {problem}"),
            hint: Some("write a name in lower case, * for any name, or ** for the rest".to_owned()),
        };
    }
    let message = match furthest {
        0 => format!("unknown object {segment:?}; known are: {}, **", expected.join(", ")),
        _ if expected.is_empty() => format!("nothing comes after {:?}", {
            segments.get(furthest - 1).copied().unwrap_or_default()
        }),
        _ => format!("unknown object {segment:?}; here comes {}", expected.join(" or ")),
    };
    let hint = match *segment {
        "*" => Some("* stands for a name; the nouns between names are written out".to_owned()),
        _ => did_you_mean(segment, &expected),
    };
    PatternProblem { offset, message, hint }
}

#[cfg(test)]
mod tests {
    use boxvault_types::action::Resource;
    use boxvault_types::names::{
        ArchitectureName, BoxName, OrganizationName, ProviderName, UserName,
    };
    use boxvault_types::version::BoxVersion;

    use super::*;

    #[test]
    fn a_star_is_one_name_and_two_stars_are_the_rest() {
        assert!(matches("box/*", "box/debian12"));
        assert!(!matches("box/*", "box"));
        assert!(!matches("box/*", "box/debian12/version"));
        assert!(matches("box/**", "box"));
        assert!(matches("box/**", "box/debian12/version/1.0"));
        assert!(!matches("box/**", "boxes"));
        assert!(!matches("box/*/**", "box"));
        assert!(matches("box/*/**", "box/debian12"));
        assert!(matches("**", "policy"));
        assert!(matches("box/a/version/*", "box/a/version/2.0"));
        assert!(!matches("box/a/version/*", "box/b/version/2.0"));
        assert!(!matches("box/a", "box/a/version"));
        assert!(!matches("box/a/version", "box/a"));
    }

    #[test]
    fn a_pattern_knows_the_kinds_it_can_match() {
        use ResourceKind::{Architecture, Box, File, Provider, Version};
        assert_eq!(check("box").unwrap(), [Box]);
        assert_eq!(check("box/*/version/**").unwrap(), [Version, Provider, Architecture, File]);
        assert_eq!(check("box/**").unwrap(), [Box, Version, Provider, Architecture, File]);
        assert_eq!(check("**").unwrap(), ResourceKind::ALL);
        assert_eq!(check("box/*/version/1.0.RC1").unwrap(), [Version]);
    }

    #[test]
    fn every_resource_has_one_of_the_known_forms() {
        let organization = || OrganizationName::parse("Acme").unwrap();
        let name = || BoxName::parse("Debian").unwrap();
        let version = || BoxVersion::parse("1.0.0.RC1").unwrap();
        let provider = || ProviderName::parse("VirtualBox").unwrap();
        let architecture = || ArchitectureName::parse("AMD64").unwrap();
        let user = || UserName::parse("Bob").unwrap();
        let resources = [
            Resource::Setup,
            Resource::Account,
            Resource::Session,
            Resource::Profile,
            Resource::Token,
            Resource::User(None),
            Resource::User(Some(user())),
            Resource::Organization(None),
            Resource::Organization(Some(organization())),
            Resource::Suspension(organization()),
            Resource::Invitation(organization()),
            Resource::JoinRequest(organization()),
            Resource::Member(organization(), None),
            Resource::Member(organization(), Some(user())),
            Resource::ServiceAccount(organization(), None),
            Resource::ServiceAccount(organization(), Some("CI".parse().unwrap())),
            Resource::Box(organization(), None),
            Resource::Box(organization(), Some(name())),
            Resource::Version(organization(), name(), None),
            Resource::Version(organization(), name(), Some(version())),
            Resource::Provider(organization(), name(), version(), None),
            Resource::Provider(organization(), name(), version(), Some(provider())),
            Resource::Architecture(organization(), name(), version(), provider(), None),
            Resource::Architecture(
                organization(),
                name(),
                version(),
                provider(),
                Some(architecture()),
            ),
            Resource::File(organization(), name(), version(), provider(), architecture()),
            Resource::Policy,
            Resource::Rules(organization()),
            Resource::Mirror(organization()),
            Resource::Audit(None),
            Resource::Audit(Some(organization())),
            Resource::Storage(None),
            Resource::Storage(Some(organization())),
            Resource::System("health"),
        ];
        for resource in &resources {
            let object = resource.object();
            assert_eq!(check(&object).unwrap(), [resource.kind()], "{object}");
            assert!(matches(&object, &object), "{object}");
        }
        for kind in ResourceKind::ALL {
            assert!(resources.iter().any(|resource| resource.kind() == *kind), "{kind}");
            assert!(SHAPES.iter().any(|(known, _)| known == kind), "{kind}");
            assert!(Action::ALL.iter().any(|action| is_asked(*action, *kind)), "{kind}");
        }
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_told() {
        let problem = |pattern: &str| {
            let problem = check(pattern).unwrap_err();
            format!("{}: {}; {}", problem.offset, problem.message, problem.hint.unwrap_or_default())
        };
        assert!(problem("boxs/**").contains("did you mean \"box\""), "{}", problem("boxs/**"));
        assert!(problem("boxs/**").contains("known are: setup, account"));
        assert!(problem("box/a/versions").starts_with("6: unknown object \"versions\""));
        assert!(problem("box/*/*").contains("nouns between names"), "{}", problem("box/*/*"));
        assert!(problem("box/deb*").starts_with("4: \"deb*\" mixes"));
        assert!(problem("box/**/file").contains("only at the end"));
        assert!(problem("box/Debian").contains("lower case"), "{}", problem("box/Debian"));
        assert!(problem("box/..").contains("cannot be a name"), "{}", problem("box/.."));
        assert!(problem("/box").contains("begin or end"));
        assert!(problem("box/").contains("begin or end"));
        assert!(problem("system").contains("no object has the form"), "{}", problem("system"));
        assert!(problem("policy/x").contains("nothing comes after"), "{}", problem("policy/x"));
    }
}
