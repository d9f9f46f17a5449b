//! What a credential may at most be used for: the one kind of limit, of API tokens and of service accounts.
//!
//! A scope takes away and never gives: who presents the credential needs the right as well.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::action::Action;
use crate::names::{BoxName, OrganizationName};

/// The longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1024;

/// The nouns on the way from a box to its file. Between them stand names.
const NOUNS: [&str; 5] = ["box", "version", "provider", "architecture", "file"];
/// Where the version stands: the only name whose case matters.
const VERSION: usize = 3;

/// Whether an object lies within a pattern, segment by segment: `*` is one name, `**` at the end is the rest. Both are
/// trusted to be well-formed.
pub fn matches(pattern: &str, object: &str) -> bool {
    let mut object = object.split('/');
    for segment in pattern.split('/') {
        if segment == "**" {
            return true;
        }
        match object.next() {
            Some(found) if segment == "*" || segment == found => {}
            _ => return false,
        }
    }
    object.next().is_none()
}

/// Which boxes, or parts of boxes, something is about: an object as policy files write it, or a pattern of one.
///
/// `box/debian12/**` is one box with all in it, `box/*/version/**` all versions of every box, `box/**` also the list of
/// boxes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct BoxPattern(String);

/// Why a text is no pattern of boxes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// Longer than [`PATTERN_BYTES_MAX`].
    #[error("must have at most {PATTERN_BYTES_MAX} bytes")]
    TooLong,
    /// A segment is not what can stand at its place.
    #[error(
        "{0:?} cannot stand there: write box/debian12/**, or box/*/version/** (* is one whole name, ** at the end is the rest)"
    )]
    Segment(String),
}

impl BoxPattern {
    /// Parses a pattern. Names are taken in any case.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        let count = text.split('/').count();
        let mut normal = Vec::with_capacity(count);
        for (index, segment) in text.split('/').enumerate() {
            let is_name = index % 2 == 1 && index < 2 * NOUNS.len() - 1;
            let fits = match segment {
                "**" => index + 1 == count && index > 0 && index < 2 * NOUNS.len(),
                "*" => is_name,
                name if is_name => BoxName::parse(name).is_ok(),
                noun => index % 2 == 0 && NOUNS.get(index / 2) == Some(&noun),
            };
            if !fits {
                return Err(PatternError::Segment(segment.to_owned()));
            }
            let keeps_case = index == VERSION;
            normal.push(if keeps_case { segment.to_owned() } else { segment.to_ascii_lowercase() });
        }
        Ok(Self(normal.join("/")))
    }

    /// One box with all that is in it.
    pub fn of_box(name: &BoxName) -> Self {
        Self(format!("box/{}/**", name.key()))
    }

    /// The pattern, names in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an object lies within it.
    pub fn matches(&self, object: &str) -> bool {
        matches(&self.0, object)
    }
}

impl fmt::Display for BoxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BoxPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for BoxPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for BoxPattern {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .max_length(Some(PATTERN_BYTES_MAX))
            .pattern(Some("^box(/.*)?$"))
            .examples(["box/debian12/**"])
            .into()
    }
}

impl utoipa::ToSchema for BoxPattern {}

/// What a credential may at most be used for. It never gives more than whoever made it has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(from = "StoredScope")]
pub struct TokenScope {
    /// The actions; `None` for all.
    pub actions: Option<Vec<Action>>,
    /// The organization that it is limited to; `None` for all.
    pub organization: Option<OrganizationName>,
    /// The boxes, or parts of boxes, that it is limited to; `None` for everything. Only together with an organization.
    pub pattern: Option<BoxPattern>,
}

/// A scope as it is read: the first release knew one box by its name, and no patterns.
#[derive(Deserialize)]
struct StoredScope {
    #[serde(default)]
    actions: Option<Vec<Action>>,
    #[serde(default)]
    organization: Option<OrganizationName>,
    #[serde(default)]
    pattern: Option<BoxPattern>,
    #[serde(default, rename = "box")]
    box_name: Option<BoxName>,
}

impl From<StoredScope> for TokenScope {
    fn from(stored: StoredScope) -> Self {
        let of_box = stored.box_name.as_ref().map(BoxPattern::of_box);
        Self {
            actions: stored.actions,
            organization: stored.organization,
            pattern: stored.pattern.or(of_box),
        }
    }
}

impl TokenScope {
    /// Whether an action on an object of this organization lies within the scope.
    pub fn covers(
        &self,
        action: Action,
        organization: Option<&OrganizationName>,
        object: &str,
    ) -> bool {
        let action_fits = self.actions.as_ref().is_none_or(|actions| actions.contains(&action));
        let organization_fits = self
            .organization
            .as_ref()
            .is_none_or(|limit| organization.is_some_and(|name| name.key() == limit.key()));
        let pattern_fits = self.pattern.as_ref().is_none_or(|pattern| pattern.matches(object));
        action_fits && organization_fits && pattern_fits
    }

    /// Whether it takes anything away.
    pub fn is_limited(&self) -> bool {
        *self != Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_limits_actions_organization_and_boxes() {
        let acme = OrganizationName::parse("acme").unwrap();
        let scope = TokenScope {
            actions: Some(vec![Action::Read]),
            organization: Some(OrganizationName::parse("Acme").unwrap()),
            pattern: Some(BoxPattern::of_box(&BoxName::parse("Web").unwrap())),
        };
        assert!(scope.covers(Action::Read, Some(&acme), "box/web/version/1.0"));
        assert!(scope.covers(Action::Read, Some(&acme), "box/web"));
        assert!(!scope.covers(Action::Delete, Some(&acme), "box/web"));
        assert!(!scope.covers(Action::Read, Some(&acme), "box/web2"));
        assert!(!scope.covers(Action::Read, Some(&acme), "box"));
        assert!(!scope.covers(Action::Read, Some(&acme), "organization"));
        assert!(!scope.covers(Action::Read, None, "profile"));
        assert!(TokenScope::default().covers(Action::Delete, None, "profile"));
        assert!(scope.is_limited() && !TokenScope::default().is_limited());
    }

    #[test]
    fn a_pattern_is_an_object_with_whole_segments_left_open() {
        for good in [
            "box",
            "box/**",
            "box/*",
            "box/*/**",
            "box/debian12/**",
            "box/*/version/1.0.0.RC1/**",
            "box/web/version/*/provider/virtualbox/architecture/*/file",
        ] {
            assert_eq!(BoxPattern::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "*",
            "**",
            "/box",
            "box/",
            "box//**",
            "boxes/*",
            "member/**",
            "box/deb*",
            "box/**/version",
            "box/a/b",
            "box/*/*",
            "box/../**",
            "box/a/version/1/provider/x/architecture/y/file/z",
            "box/a/version/1/provider/x/architecture/y/file/**/z",
        ] {
            assert!(BoxPattern::parse(bad).is_err(), "{bad:?} was accepted");
        }
        assert_eq!(
            BoxPattern::parse(&format!("box/{}", "a".repeat(2000))),
            Err(PatternError::TooLong)
        );
        assert_eq!(BoxPattern::parse("box/Debian/**").unwrap().as_str(), "box/debian/**");
    }

    #[test]
    fn a_pattern_matches_whole_segments() {
        let pattern = BoxPattern::parse("box/*/version/**").unwrap();
        assert!(
            pattern.matches("box/web/version") && pattern.matches("box/web/version/1.0/provider")
        );
        assert!(!pattern.matches("box/web") && !pattern.matches("box"));
        let pattern = BoxPattern::parse("box/web/**").unwrap();
        assert!(!pattern.matches("box/web2/version") && !pattern.matches("box/we"));
    }

    #[test]
    fn a_scope_of_the_first_release_is_still_read() {
        let old = r#"{"actions":["read"],"organization":"acme","box":"Web"}"#;
        let scope: TokenScope = serde_json::from_str(old).unwrap();
        assert_eq!(scope.pattern.as_ref().unwrap().as_str(), "box/web/**");
        let again: TokenScope =
            serde_json::from_str(&serde_json::to_string(&scope).unwrap()).unwrap();
        assert_eq!(again, scope);
    }
}
