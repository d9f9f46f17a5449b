//! Where an upstream is: an organization of a registry, or the catalogue of one box.

use std::{fmt, path::Path, str::FromStr};

use url::Url;

use super::UpstreamError;

/// An upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// An organization of a registry that serves Vagrant's catalogues and lists the boxes of an organization.
    Registry {
        /// Where its paths begin; without a slash at the end.
        base: Url,
        /// The organization there.
        organization: String,
    },
    /// The catalogue of one box: a `metadata.json`.
    Catalogue {
        /// The catalogue.
        url: Url,
    },
}

impl Upstream {
    /// Whose boxes it has, as the upstream writes it, where its address tells.
    pub(crate) fn organization(&self) -> Option<&str> {
        match self {
            Self::Registry { organization, .. } => Some(organization),
            Self::Catalogue { .. } => None,
        }
    }

    /// The address as it was given.
    pub(crate) fn url(&self) -> Url {
        match self {
            Self::Registry { base, organization } => below(base, &[organization]),
            Self::Catalogue { url } => url.clone(),
        }
    }

    /// What a single catalogue's box is called if it does not say so itself: as the file, or as the folder of a
    /// `metadata.json`.
    pub(crate) fn box_name_hint(&self) -> Option<String> {
        let Self::Catalogue { url } = self else { return None };
        let mut segments = url.path_segments()?.rev();
        let file = segments.next()?.trim_end_matches(".json");
        let name = if file == "metadata" { segments.next().unwrap_or(file) } else { file };
        Some(name.to_owned())
    }

    /// Where the boxes are listed: the path of the Vagrant Cloud API; a catalogue lists nothing.
    pub(super) fn list_url(&self) -> Option<Url> {
        match self {
            Self::Registry { base, organization } => {
                Some(below(base, &["api", "v2", "user", organization]))
            }
            Self::Catalogue { .. } => None,
        }
    }

    /// Where the catalogue of a box is, in the dialect that knows architectures.
    pub(crate) fn catalogue_url(&self, name: &str) -> Url {
        match self {
            Self::Registry { base, organization } => {
                below(base, &["api", "v2", "vagrant", organization, name])
            }
            Self::Catalogue { url } => url.clone(),
        }
    }
}

fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    url.path_segments_mut().expect("http has paths").pop_if_empty().extend(segments);
    url
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    /// `https://boxes.example.com/acme` is an organization of a registry; an address that ends with `.json` is a
    /// catalogue.
    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        let wrong = |why: &str| {
            UpstreamError::Address(format!(
                "is no upstream ({why}); write the address of an organization, such as https://boxes.example.com/acme, or of a catalogue, such as https://boxes.example.com/debian.json"
            ))
        };
        let mut url = Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("it must begin with https:// or http:// and name a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "it must not hold a name or a password; a token has a place of its own",
            ));
        }
        url.set_fragment(None);
        let extension = Path::new(url.path()).extension();
        if extension.is_some_and(|it| it.eq_ignore_ascii_case("json")) {
            return Ok(Self::Catalogue { url });
        }
        if url.query().is_some() {
            return Err(wrong("only the address of a catalogue has a query"));
        }
        let segments: Vec<String> = url
            .path_segments()
            .map(|segments| segments.filter(|part| !part.is_empty()).map(str::to_owned).collect())
            .unwrap_or_default();
        let Some((organization, rest)) = segments.split_last() else {
            return Err(wrong("it names no organization"));
        };
        let mut base = url.clone();
        base.path_segments_mut().expect("http has paths").clear().extend(rest);
        Ok(Self::Registry { base, organization: organization.clone() })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_segment_is_the_organization_and_json_is_a_catalogue() {
        let registry: Upstream = "https://boxes.example.com/mirror/acme/".parse().unwrap();
        assert_eq!(registry.organization(), Some("acme"));
        assert_eq!(
            registry.list_url().unwrap().as_str(),
            "https://boxes.example.com/mirror/api/v2/user/acme"
        );
        assert_eq!(
            registry.catalogue_url("debian").as_str(),
            "https://boxes.example.com/mirror/api/v2/vagrant/acme/debian"
        );
        assert_eq!(registry.to_string(), "https://boxes.example.com/mirror/acme");
        let root: Upstream = "http://127.0.0.1:5000/acme".parse().unwrap();
        assert_eq!(root.list_url().unwrap().as_str(), "http://127.0.0.1:5000/api/v2/user/acme");
        let one: Upstream = "https://boxes.example.com/a/metadata.json?x=1#y".parse().unwrap();
        assert!(one.list_url().is_none() && one.organization().is_none());
        assert_eq!(
            one.catalogue_url("debian").as_str(),
            "https://boxes.example.com/a/metadata.json?x=1"
        );
    }

    #[test]
    fn what_is_no_upstream_is_told_so() {
        for text in [
            "acme",
            "ftp://boxes.example.com/acme",
            "file:///etc/passwd.json",
            "https://boxes.example.com/",
            "https://user:secret@boxes.example.com/acme",
            "https://boxes.example.com/acme?x=1",
        ] {
            let error = text.parse::<Upstream>().unwrap_err().to_string();
            assert!(error.contains("write the address"), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
