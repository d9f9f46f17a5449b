//! Vagrant's catalogue of a box as others write it, made into our words.
//!
//! What cannot be kept here (a name that is none, an address that is none, a version that was withdrawn) is left out,
//! and told: one odd entry does not take the box away.
//! Source: Vagrant's `lib/vagrant/box_metadata.rb`.

use std::collections::BTreeMap;

use boxvault_types::{
    digest::{Checksum, ChecksumType},
    names::{ArchitectureName, ProviderName},
    version::BoxVersion,
};
use serde::{Deserialize, Serialize};
use url::Url;

/// A box as an upstream describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamBox {
    /// Its name there, `organization/box` as a rule.
    pub(crate) name: Option<String>,
    /// One line.
    pub(crate) short_description: String,
    /// Markdown.
    pub(crate) description: String,
    /// Under which license it is, where the upstream says so.
    pub(crate) license: Option<String>,
    /// Its versions with at least one file, the newest first.
    pub(crate) versions: Vec<UpstreamVersion>,
    /// What was left out, and why.
    pub(crate) left_out: Vec<String>,
}

/// A version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamVersion {
    pub(crate) number: BoxVersion,
    /// Markdown.
    pub(crate) description: String,
    /// By provider and architecture, each once.
    pub(crate) files: Vec<UpstreamFile>,
}

/// A file of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamFile {
    pub(crate) provider: ProviderName,
    pub(crate) architecture: ArchitectureName,
    /// Whether it is what clients get that name no architecture; one of each provider is.
    pub(crate) is_default: bool,
    /// Where it is.
    pub(crate) url: Url,
    /// What it must hash to, where the upstream says so.
    pub(crate) checksum: Option<Checksum>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Document {
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    short_description: Option<String>,
    #[serde(default)]
    license: Option<String>,
    versions: Vec<DocumentVersion>,
}

#[derive(Debug, Deserialize, Serialize)]
struct DocumentVersion {
    version: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    description_markdown: Option<String>,
    #[serde(default)]
    providers: Vec<DocumentProvider>,
}

#[derive(Debug, Deserialize, Serialize)]
struct DocumentProvider {
    name: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    checksum: Option<String>,
    #[serde(default)]
    checksum_type: Option<String>,
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    default_architecture: Option<bool>,
}

impl UpstreamBox {
    /// Reads a catalogue that came from an address, which its own addresses may be relative to.
    pub(crate) fn parse(bytes: &[u8], from: &Url) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_slice(bytes)?;
        let mut left_out = Vec::new();
        let mut versions = BTreeMap::new();
        for version in document.versions {
            let number = version.version.clone();
            match read_version(version, from, &mut left_out) {
                Ok(Some(version)) => {
                    versions.insert(version.number.sort_key(), version);
                }
                Ok(None) => {}
                Err(why) => left_out.push(format!("version {number:?}: {why}")),
            }
        }
        Ok(Self {
            name: document.name,
            short_description: text(document.short_description),
            description: text(document.description),
            license: document.license.filter(|license| !license.is_empty()),
            versions: versions.into_values().rev().collect(),
            left_out,
        })
    }

    /// A file by what clients name it; without an architecture the default one.
    pub(crate) fn file(
        &self,
        version: &BoxVersion,
        provider: &ProviderName,
        architecture: Option<&ArchitectureName>,
    ) -> Option<&UpstreamFile> {
        let version =
            self.versions.iter().find(|found| found.number.sort_key() == version.sort_key())?;
        version.files.iter().find(|file| {
            file.provider.key() == provider.key()
                && architecture
                    .map_or(file.is_default, |wanted| wanted.key() == file.architecture.key())
        })
    }
}

fn read_version(
    version: DocumentVersion,
    from: &Url,
    left_out: &mut Vec<String>,
) -> Result<Option<UpstreamVersion>, String> {
    let number = BoxVersion::parse(&version.version).map_err(|error| error.to_string())?;
    // withdrawn ones are still listed by some
    if version.status.is_some_and(|status| !matches!(&*status, "active" | "released")) {
        return Ok(None);
    }
    let mut files = BTreeMap::new();
    for provider in version.providers {
        let name = provider.name.clone();
        match read_file(provider, from) {
            // the last of a name counts, as with clients
            Ok(file) => {
                files.insert((file.provider.key(), file.architecture.key()), file);
            }
            Err(why) => left_out.push(format!("version {number}, provider {name:?}: {why}")),
        }
    }
    if files.is_empty() {
        return Ok(None);
    }
    let mut files: Vec<_> = files.into_values().collect();
    one_default(&mut files);
    let description = text(version.description_markdown.or(version.description));
    Ok(Some(UpstreamVersion { number, description, files }))
}

fn read_file(provider: DocumentProvider, from: &Url) -> Result<UpstreamFile, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let url = provider.url.ok_or("it has no address")?;
    let url = from.join(&url).map_err(|error| text(&error))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{} is no scheme of the web", url.scheme()));
    }
    let architecture = match provider.architecture.filter(|name| !name.is_empty()) {
        Some(name) => ArchitectureName::parse(&name).map_err(|error| text(&error))?,
        None => ArchitectureName::unknown(),
    };
    let checksum = match (provider.checksum_type, provider.checksum) {
        (Some(kind), Some(hex)) if !hex.is_empty() && !kind.is_empty() => {
            let kind: ChecksumType = kind.parse().map_err(|error| text(&error))?;
            Some(Checksum::parse(kind, &hex).map_err(|error| text(&error))?)
        }
        _ => None,
    };
    Ok(UpstreamFile {
        provider: ProviderName::parse(&provider.name).map_err(|error| text(&error))?,
        architecture,
        is_default: provider.default_architecture.unwrap_or_default(),
        url,
        checksum,
    })
}

/// Of each provider exactly one architecture is the default: the first that says so, else the last.
fn one_default(files: &mut [UpstreamFile]) {
    let mut chosen = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        let one = chosen.entry(file.provider.key()).or_insert((index, file.is_default));
        if !one.1 {
            *one = (index, file.is_default);
        }
    }
    for (index, file) in files.iter_mut().enumerate() {
        file.is_default = chosen.get(&file.provider.key()).is_some_and(|one| one.0 == index);
    }
}

fn text(value: Option<String>) -> String {
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &serde_json::Value) -> UpstreamBox {
        let from = "https://boxes.example.com/acme/debian.json".parse().unwrap();
        UpstreamBox::parse(json.to_string().as_bytes(), &from).unwrap()
    }

    #[test]
    fn a_catalogue_is_read_newest_first_with_its_addresses_made_whole() {
        let sum = "ab".repeat(32);
        let found = parse(&serde_json::json!({
            "name": "acme/debian", "description": "d", "license": "MIT",
            "versions": [
                {"version": "1.0.0", "status": "active", "description_markdown": "first", "providers": [
                    {"name": "virtualbox", "url": "files/a.box", "checksum": sum, "checksum_type": "sha256",
                     "architecture": "amd64", "default_architecture": true},
                    {"name": "virtualbox", "url": "https://cdn.example.com/b.box", "architecture": "arm64"},
                ]},
                {"version": "1.10.0", "providers": [{"name": "libvirt", "url": "/c.box"}]},
                {"version": "2.0.0", "status": "revoked", "providers": [{"name": "libvirt", "url": "/c.box"}]},
            ],
        }));
        assert_eq!(found.license.as_deref(), Some("MIT"));
        let numbers: Vec<_> =
            found.versions.iter().map(|version| version.number.as_str()).collect();
        assert_eq!(numbers, ["1.10.0", "1.0.0"]);
        let files = &found.versions[1].files;
        let places: Vec<_> = files.iter().map(|file| file.url.as_str()).collect();
        let wanted =
            ["https://boxes.example.com/acme/files/a.box", "https://cdn.example.com/b.box"];
        assert_eq!(places, wanted);
        assert_eq!(files[0].checksum.as_ref().unwrap().hex(), sum);
        assert!(files[0].is_default && files[1].checksum.is_none() && !files[1].is_default);
        assert!(found.left_out.is_empty(), "{:?}", found.left_out);
    }

    #[test]
    fn what_cannot_be_kept_is_left_out_and_told() {
        let found = parse(&serde_json::json!({
            "versions": [
                {"version": "not a version", "providers": []},
                {"version": "1.0.0", "providers": [
                    {"name": "../etc", "url": "a.box"},
                    {"name": "virtualbox", "url": "file:///etc/passwd"},
                    {"name": "virtualbox"},
                    {"name": "libvirt", "url": "a.box", "checksum": "abc", "checksum_type": "sha256"},
                ]},
            ],
        }));
        assert!(found.versions.is_empty());
        assert_eq!(found.left_out.len(), 5, "{:?}", found.left_out);
    }

    #[test]
    fn each_provider_has_one_default() {
        let entry = |name: &str, architecture: &str, default: Option<bool>| serde_json::json!({"name": name, "url": "a.box", "architecture": architecture, "default_architecture": default});
        let found = parse(&serde_json::json!({"versions": [{"version": "1", "providers": [
            entry("a", "amd64", Some(true)), entry("a", "arm64", Some(true)),
            entry("b", "amd64", None), entry("b", "arm64", None),
        ]}]}));
        let defaults: Vec<_> = found.versions[0]
            .files
            .iter()
            .filter(|file| file.is_default)
            .map(|file| format!("{} {}", file.provider, file.architecture))
            .collect();
        assert_eq!(defaults, ["a amd64", "b arm64"]);
    }
}
