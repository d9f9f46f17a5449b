//! `boxvault plugin new`: the sources of a plugin that works, to be changed into one's own.
//!
//! They are those of the examples, which our own tests build and judge, under another name.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use tokio::fs;

use super::{CliError, answer};
use crate::cli::Kind;

pub(super) const AFTER_HELP: &str = "\
Examples:
  boxvault plugin new storage attic
  boxvault plugin new auth badges --dir ~/src/badges --sdk ~/src/boxvault/plugins

Then, in the new folder:
  cargo test                                                     the conformance suite, on the code itself
  cargo build --release
  boxvault plugin check target/release/libboxvault_storage_attic.so --forgets";

/// Where the kit for authors is, when no folder of it is named.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

const STORAGE: Template = Template {
    type_name: "Shelf",
    name: "shelf",
    version: env!("CARGO_PKG_VERSION"),
    library: include_str!("../../../../../examples/storage-shelf/src/lib.rs"),
    tests: include_str!("../../../../../examples/storage-shelf/src/conformance.rs"),
};

const AUTH: Template = Template {
    type_name: "Static",
    name: "static",
    version: env!("CARGO_PKG_VERSION"),
    library: include_str!("../../../../../examples/auth-static/src/lib.rs"),
    tests: include_str!("../../../../../examples/auth-static/src/conformance.rs"),
};

/// What to write, and where.
#[derive(Debug, Args)]
pub struct NewArguments {
    /// What kind of plugin
    kind: Kind,
    /// Its name: small letters, digits and -
    name: String,
    /// The folder to make; the plugin's crate name in this one, if it is not given
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// The folder `plugins` of a checkout of BoxVault, instead of its repository
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<PathBuf>,
}

struct Template {
    type_name: &'static str,
    name: &'static str,
    /// The version of the kit that it is for.
    version: &'static str,
    library: &'static str,
    tests: &'static str,
}

pub(super) async fn run(arguments: &NewArguments) -> Result<ExitCode, CliError> {
    let NewArguments { kind, name, dir, sdk } = arguments;
    let (template, word) = match kind {
        Kind::Storage => (&STORAGE, "storage"),
        Kind::Auth => (&AUTH, "auth"),
    };
    check_name(name, template)?;
    let package = format!("boxvault-{word}-{name}");
    let folder = dir.clone().unwrap_or_else(|| PathBuf::from(&package));
    let failed =
        |error: io::Error| CliError::PluginFile { file: folder.clone(), reason: error.to_string() };
    let sdk = match sdk {
        Some(sdk) => Some(fs::canonicalize(sdk).await.map_err(failed)?),
        None => None,
    };
    let source = folder.join("src");
    fs::create_dir_all(&source).await.map_err(failed)?;
    let files = [
        (folder.join("Cargo.toml"), manifest(&package, template, sdk.as_deref())),
        (folder.join("README.md"), readme(&package, name, word)),
        (folder.join(".gitignore"), "/target\n".to_owned()),
        (source.join("lib.rs"), template.renamed(template.library, name)),
        (source.join("conformance.rs"), template.renamed(template.tests, name)),
    ];
    for (path, text) in &files {
        write_new(path, text).await.map_err(|error| CliError::PluginFile {
            file: path.clone(),
            reason: error.to_string(),
        })?;
    }
    for (path, _) in files {
        answer(path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Never writes over what is there.
async fn write_new(path: &Path, text: &str) -> io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).await?;
    file.write_all(text.as_bytes()).await?;
    file.flush().await
}

fn check_name(name: &str, template: &Template) -> Result<(), CliError> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let reason = if !starts || name.ends_with('-') || !name.chars().all(fine) {
        "a plugin's name is small letters, digits and -, and begins with a letter"
    } else if name.len() > 40 {
        "a plugin's name has at most 40 letters"
    } else if name == template.name {
        "that is the example's own name; choose another"
    } else {
        return Ok(());
    };
    Err(CliError::PluginFile { file: PathBuf::from(name), reason: reason.to_owned() })
}

impl Template {
    /// A source of the example with the new plugin's names.
    fn renamed(&self, source: &str, name: &str) -> String {
        let type_name: String = name.split('-').map(capitalized).collect();
        source
            .replace(self.type_name, &type_name)
            .replace(&format!("\"{}\"", self.name), &format!("\"{name}\""))
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

fn manifest(package: &str, template: &Template, sdk: Option<&Path>) -> String {
    let from = |folder: &str| match sdk {
        Some(sdk) => format!("path = {}", serde_json::json!(sdk.join(folder))),
        None => format!("git = \"{REPOSITORY}\", tag = \"v{}\"", template.version),
    };
    let (sdk, kit) = (from("sdk"), from("conformance"));
    format!(
        r#"[package]
name = "{package}"
version = "0.1.0"
edition = "2024"
license = "Apache-2.0 OR MIT"
publish = false

# The library that BoxVault loads. Its name decides that of the file.
[lib]
crate-type = ["cdylib", "rlib"]

[dependencies]
boxvault-plugin-sdk = {{ {sdk} }}

[dev-dependencies]
boxvault-plugin-conformance = {{ {kit} }}
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}

# No `panic = "abort"`, ever: a caught panic is an error of one call, and what keeps the server up.
[profile.release]
panic = "unwind"

[workspace]
"#
    )
}

fn readme(package: &str, name: &str, word: &str) -> String {
    let file = package.replace('-', "_");
    let (section, key) = match word {
        "storage" => ("stores.main", "forgets"),
        _ => ("auth.providers.main", "people people.toml"),
    };
    format!(
        r#"# {package}

A plugin of BoxVault. It works as it is; change `src/lib.rs` into your own.

```sh
cargo test                       # the conformance suite, on the code itself
cargo build --release
boxvault plugin check target/release/lib{file}.so --{key}
```

Put `target/release/lib{file}.so` beside the server, into its folder `plugins`, or into one of `plugins.search_paths`:

```toml
[{section}]
plugin = "{name}"
```

What the traits promise is said in `boxvault-plugin-sdk`; BoxVault's `plugins/README.md` says the rest.
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_get_the_new_names_and_nothing_else_changes() {
        let library = STORAGE.renamed(STORAGE.library, "cold-attic");
        assert!(library.contains("export_storage_backend!(ColdAttic, name = \"cold-attic\");"));
        assert!(!library.contains("Shelf") && !library.contains("\"shelf\""));
        let library = AUTH.renamed(AUTH.library, "badges");
        assert!(library.contains("export_auth_provider!(Badges, name = \"badges\");"));
        assert_eq!(library.matches("Static").count(), 0);
    }

    #[test]
    fn names_that_no_library_can_have_are_refused() {
        for name in ["", "Attic", "-x", "x-", "a_b", "a/b", "shelf", "../x", &"x".repeat(41)] {
            assert!(check_name(name, &STORAGE).is_err(), "{name:?} passed");
        }
        check_name("attic-2", &STORAGE).unwrap();
    }
}
