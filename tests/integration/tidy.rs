//! The house rules as a test: who may import whom, licenses, and what every file has to say of itself.
//!
//! Needs nothing but cargo, so that they hold on every machine and not at the forge alone; `deny.toml` repeats the
//! licenses and the fences for cargo-deny, and a test compares the two. Each failure says what to do. The reasons for
//! the rules are in `ARCHITECTURE.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use boxvault_tests::workspace;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Which of our crates each of our crates may name. An arrow that is not here is discussed first.
const ROOMS: &[(&str, &[&str])] = &[
    ("boxvault-types", &[]),
    ("boxvault-catalog", &["boxvault-types"]),
    ("boxvault-policy", &["boxvault-types"]),
    ("boxvault-plugin-host", &["boxvault-plugin-sdk"]),
    ("boxvault-transfer", &[]),
    ("boxvault-web", &[]),
    (
        "boxvault",
        &[
            "boxvault-types",
            "boxvault-catalog",
            "boxvault-policy",
            "boxvault-plugin-host",
            "boxvault-transfer",
            "boxvault-web",
            "boxvault-plugin-sdk",
            "boxvault-plugin-conformance",
        ],
    ),
    ("boxvault-plugin-sdk", &[]),
    ("boxvault-plugin-conformance", &["boxvault-plugin-sdk"]),
    ("boxvault-storage-opendal", &["boxvault-plugin-sdk"]),
    (
        "boxvault-tests",
        &[
            "boxvault",
            "boxvault-plugin-host",
            "boxvault-plugin-conformance",
            "boxvault-plugin-sdk",
            "boxvault-types",
        ],
    ),
];

/// What a plugin may name, whichever it is.
const PLUGIN_MAY: &[&str] = &["boxvault-plugin-sdk", "boxvault-storage-opendal"];
/// What an example may name: it shows what somebody outside can do.
const EXAMPLE_MAY: &[&str] = &["boxvault-plugin-sdk"];
/// What our crates may name for their tests alone, beyond the above.
const FOR_TESTS: &[(&str, &str)] = &[
    ("boxvault-storage-", "boxvault-plugin-conformance"),
    ("boxvault-auth-", "boxvault-plugin-conformance"),
    ("boxvault-tests", "boxvault-storage-"),
    ("boxvault-tests", "boxvault-auth-"),
];

/// One room per outside world: the crates that alone may name it. A name that ends with `-` stands for all that
/// begin so.
const FENCES: &[(&str, &[&str])] = &[
    ("sea-orm", &["boxvault-catalog", "sea-orm-migration"]),
    ("sea-orm-migration", &["boxvault-catalog"]),
    ("casbin", &["boxvault-policy"]),
    ("libloading", &["boxvault-plugin-host"]),
    ("memmap2", &["boxvault-transfer"]),
    ("rust-embed", &["boxvault-web"]),
    ("salvo", &["boxvault", "boxvault-transfer"]),
    ("figment", &["boxvault"]),
    ("clap", &["boxvault"]),
    ("lettre", &["boxvault"]),
    ("opendal", &["boxvault-storage-fs", "boxvault-storage-memory", "boxvault-storage-opendal"]),
    ("openssh-sftp-client", &["boxvault-storage-sftp"]),
    // what signs and reads for OpenDAL, and for what it has no words for
    (
        "quick-xml",
        &[
            "boxvault-storage-opendal",
            "opendal-core",
            "opendal-service-azblob",
            "opendal-service-s3",
            "opendal-service-webdav",
            "reqsign-aws-core",
            "reqsign-aws-v4",
        ],
    ),
    ("reqsign-aws-v4", &["boxvault-storage-s3", "opendal-service-s3"]),
    ("reqsign-azure-storage", &["boxvault-storage-azblob", "opendal-service-azblob"]),
    ("reqsign-google", &["boxvault-storage-gcs", "opendal-service-gcs"]),
    (
        "reqsign-core",
        &[
            "boxvault-storage-opendal",
            "opendal-core",
            "opendal-service-azblob",
            "opendal-service-gcs",
            "opendal-service-s3",
            "reqsign-aws-core",
            "reqsign-aws-v4",
            "reqsign-azure-storage",
            "reqsign-file-read-tokio",
            "reqsign-google",
        ],
    ),
    (
        "reqsign-file-read-tokio",
        &[
            "boxvault-storage-opendal",
            "opendal-service-azblob",
            "opendal-service-gcs",
            "opendal-service-s3",
        ],
    ),
];

/// Licenses that ask for nothing but their notice, or, for MPL, the source of changed files.
const LICENSES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
];

/// Licenses taken for one dependency alone; `deny.toml` says why.
const LICENSE_EXCEPTIONS: &[(&str, &str)] = &[("tiny-keccak", "CC0-1.0")];

/// The files that may hold unsafe code; a folder stands for all in it.
const UNSAFE_FILES: &[&str] = &[
    "core/plugin-host/src/auth",
    "core/plugin-host/src/bridge",
    "core/plugin-host/src/library",
    "core/plugin-host/src/log",
    "core/plugin-host/src/storage",
    "core/transfer/src/mapping",
    "core/transfer/src/os",
    "plugins/conformance/src/abi",
    "plugins/sdk/src/abi",
    "plugins/sdk/src/crossing",
    "plugins/sdk/src/export",
    "plugins/sdk/src/log",
];

/// Words that code under a folder (or a file) may not use, and the reason.
const FORBIDDEN_WORDS: &[(&str, &str, &str)] = &[
    ("core/server/src/app", "salvo::", "the application knows no HTTP; that belongs in http/"),
    ("core/server/src/app", "crate::http", "http/ calls app/, never the other way"),
    ("core/server/src/http/api", "boxvault_catalog", "a handler asks app/, which asks the catalog"),
    (
        "core/server/src/http/api",
        "http::vagrant",
        "the dialect of stock clients stays in http/vagrant",
    ),
    (
        "core/catalog/src/migration",
        "entity::",
        "a migration describes a schema of the past; entities describe today's",
    ),
];

const FILE_LINES_MAX: usize = 800;

fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| {
        MetadataCommand::new()
            .manifest_path(workspace::root().join("Cargo.toml"))
            .exec()
            .expect("cargo metadata runs where cargo test does")
    })
}

fn our_packages() -> impl Iterator<Item = &'static Package> {
    metadata().workspace_packages().into_iter()
}

fn is_plugin(name: &str) -> bool {
    name != "boxvault-storage-opendal"
        && (name.starts_with("boxvault-storage-") || name.starts_with("boxvault-auth-"))
}

/// Panics with all problems at once.
#[track_caller]
fn none(problems: &[String], what_to_do: &str) {
    assert!(problems.is_empty(), "\n{}\n\n{what_to_do}\n", problems.join("\n"));
}

#[test]
fn a_crate_names_only_the_rooms_that_it_may() {
    let rooms: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let mut problems = Vec::new();
    for package in our_packages() {
        let name = package.name.as_str();
        let manifest = shown(package.manifest_path.as_std_path());
        let may = match rooms.get(name) {
            Some(may) => may,
            None if manifest.starts_with("examples/") => EXAMPLE_MAY,
            None if is_plugin(name) => PLUGIN_MAY,
            None => {
                problems.push(format!("{name} is in no row of the table ROOMS"));
                continue;
            }
        };
        for dependency in &package.dependencies {
            let theirs = dependency.name.as_str();
            let for_tests = dependency.kind == DependencyKind::Development
                && FOR_TESTS.iter().any(|(who, what)| {
                    name.starts_with(who) && theirs.starts_with(what) && theirs != name
                });
            let itself = theirs == name;
            if dependency.path.is_some() && !may.contains(&theirs) && !for_tests && !itself {
                problems.push(format!("{name} names {theirs} in its Cargo.toml"));
            }
        }
    }
    none(
        &problems,
        "Remove the dependency: ARCHITECTURE.md says which room knows what. If the arrow is right after all, it \
         changes the picture: talk about it first, then add it to ARCHITECTURE.md and to ROOMS in tidy.rs.",
    );
}

#[test]
fn an_outside_world_is_named_by_its_room_alone() {
    let mut problems = Vec::new();
    for package in our_packages() {
        for dependency in &package.dependencies {
            let fence = FENCES.iter().find(|(theirs, _)| *theirs == dependency.name);
            if let Some((theirs, rooms)) = fence
                && !rooms.contains(&package.name.as_str())
            {
                problems.push(format!("{} names {theirs}; only {rooms:?} may", package.name));
            }
        }
    }
    none(&problems, "Ask the room that owns it for what you need, in our own words.");
}

#[test]
fn every_dependency_has_a_license_from_the_list() {
    let members: BTreeSet<_> = metadata().workspace_members.iter().collect();
    let problems: Vec<_> = metadata()
        .packages
        .iter()
        .filter(|package| !members.contains(&package.id))
        .filter_map(|package| {
            let license = package.license.as_deref().unwrap_or("no license");
            let exceptions = LICENSE_EXCEPTIONS
                .iter()
                .filter(|(name, _)| *name == package.name.as_str())
                .map(|(_, license)| *license);
            let allowed: Vec<_> = LICENSES.iter().copied().chain(exceptions).collect();
            (!license_is_allowed(license, &allowed))
                .then(|| format!("{} {}: {license}", package.name, package.version))
        })
        .collect();
    none(
        &problems,
        "Choose another crate. A license is added to tidy.rs and deny.toml together, and only if it asks nothing of \
         those who run or ship the server.",
    );
}

/// Judges an SPDX expression, also in the old form with `/` for "or".
fn license_is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    // One word for a license with its exception.
    let joined = spaced.replace(" WITH ", "\u{1}");
    let mut words: Vec<_> = joined.split_whitespace().rev().collect();
    any_of(&mut words, allowed) && words.is_empty()
}

fn any_of(words: &mut Vec<&str>, allowed: &[&str]) -> bool {
    let mut result = all_of(words, allowed);
    while words.last() == Some(&"OR") {
        words.pop();
        result |= all_of(words, allowed);
    }
    result
}

fn all_of(words: &mut Vec<&str>, allowed: &[&str]) -> bool {
    let mut result = one_of(words, allowed);
    while words.last() == Some(&"AND") {
        words.pop();
        result &= one_of(words, allowed);
    }
    result
}

fn one_of(words: &mut Vec<&str>, allowed: &[&str]) -> bool {
    match words.pop() {
        Some("(") => {
            let result = any_of(words, allowed);
            words.pop() == Some(")") && result
        }
        Some(word) => {
            let name = word.replace('\u{1}', " WITH ");
            allowed.contains(&name.trim_end_matches('+'))
        }
        None => false,
    }
}

#[test]
fn license_expressions_are_judged_as_they_are_meant() {
    let allowed = ["MIT", "ISC", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "MPL-2.0"];
    for good in [
        "MIT",
        "MIT OR GPL-3.0",
        "Unlicense/MIT",
        "MPL-2.0+",
        "ISC AND (Apache-2.0 OR GPL-2.0) AND MIT",
        "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
    ] {
        assert!(license_is_allowed(good, &allowed), "{good} was refused");
    }
    for bad in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "no license", "ISC AND (GPL-2.0 OR LGPL-3.0)", "MIT)"]
    {
        assert!(!license_is_allowed(bad, &allowed), "{bad} was accepted");
    }
}

#[test]
fn deny_toml_says_what_these_tests_say() {
    let text = read(&workspace::root().join("deny.toml"));
    let deny: toml::Table = text.parse().expect("deny.toml is TOML");
    let words = |value: &toml::Value| -> Vec<String> {
        let list = value.as_array().expect("a list");
        list.iter().map(|word| word.as_str().expect("a text").to_owned()).collect()
    };
    assert_eq!(words(&deny["licenses"]["allow"]), LICENSES, "licenses.allow and LICENSES differ");

    let exceptions: Vec<_> =
        deny["licenses"]["exceptions"].as_array().expect("a list").iter().collect();
    let theirs: Vec<_> = exceptions
        .iter()
        .map(|row| (row["crate"].as_str().expect("a name").to_owned(), words(&row["allow"])))
        .collect();
    let ours: Vec<_> = LICENSE_EXCEPTIONS
        .iter()
        .map(|(name, license)| ((*name).to_owned(), vec![(*license).to_owned()]))
        .collect();
    assert_eq!(theirs, ours, "licenses.exceptions and LICENSE_EXCEPTIONS differ");

    let fences: BTreeMap<_, _> = deny["bans"]["deny"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|row| row.get("wrappers").is_some())
        .map(|row| (row["crate"].as_str().expect("a name").to_owned(), words(&row["wrappers"])))
        .collect();
    let ours: BTreeMap<_, Vec<_>> = FENCES
        .iter()
        .map(|(name, rooms)| {
            ((*name).to_owned(), rooms.iter().map(|room| (*room).to_owned()).collect())
        })
        .collect();
    assert_eq!(fences, ours, "bans.deny and FENCES differ");
}

#[test]
fn every_crate_takes_the_lints_and_the_license_of_the_workspace() {
    let mut problems = Vec::new();
    for package in our_packages() {
        let manifest: toml::Table =
            read(package.manifest_path.as_std_path()).parse().expect("a manifest is TOML");
        let inherits = |table: &str, key: &str| {
            let value = manifest.get(table).and_then(|table| table.get(key));
            value.is_some_and(|value| {
                value.as_bool() == Some(true)
                    || value.get("workspace").and_then(toml::Value::as_bool) == Some(true)
            })
        };
        if !inherits("lints", "workspace") {
            problems.push(format!("{}: add `[lints]` with `workspace = true`", package.name));
        }
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if !inherits("package", key) {
                problems.push(format!("{}: write `{key}.workspace = true`", package.name));
            }
        }
    }
    none(&problems, "One place says it for all crates: the root Cargo.toml.");
}

#[test]
fn every_rust_file_says_what_lives_in_it() {
    let problems: Vec<_> = rust_files()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| format!("{path} does not open with //!"))
        .collect();
    none(
        &problems,
        "Say what lives in the file, what does not, and the one decision worth knowing.",
    );
}

#[test]
fn modules_are_named_files() {
    let problems: Vec<_> =
        rust_files().map(|(path, _)| path).filter(|path| path.ends_with("/mod.rs")).collect();
    none(&problems, "Name it after its folder: foo.rs beside foo/.");
}

#[test]
fn a_long_file_says_why() {
    let problems: Vec<_> = rust_files()
        .filter(|(_, text)| text.lines().count() > FILE_LINES_MAX)
        .filter(|(_, text)| !text.lines().any(|line| line.starts_with("//! Long because:")))
        .map(|(path, text)| format!("{path} has {} lines", text.lines().count()))
        .collect();
    none(
        &problems,
        "Split it where the names change. If no good name for the half comes, leave it and write a line \
         `//! Long because: …`.",
    );
}

#[test]
fn layers_do_not_look_behind_themselves() {
    let mut problems = Vec::new();
    for (place, word, reason) in FORBIDDEN_WORDS {
        for (path, text) in rust_files().filter(|(path, _)| lies_in(path, place)) {
            for (number, line) in code_lines(&text).filter(|(_, line)| line.contains(word)) {
                problems.push(format!("{path}:{number}: {}: {reason}", line.trim()));
            }
        }
    }
    none(&problems, "ARCHITECTURE.md says which layer knows what.");
}

#[test]
fn every_handler_is_boxed() {
    let mut problems = Vec::new();
    for (path, text) in rust_files().filter(|(path, _)| lies_in(path, "core/server/src/http")) {
        let lines: Vec<_> = text.lines().collect();
        let bare = lines.windows(2).filter(|pair| pair[0] == "#[handler]" && pair[1] != "#[boxed]");
        problems.extend(bare.map(|pair| format!("{path}: {}", pair[1])));
    }
    none(&problems, "put #[boxed] below #[handler]; http/shared_app.rs says why");
}

#[test]
fn the_sdk_names_tokio_in_its_runtime_alone() {
    let problems: Vec<_> = rust_files()
        .filter(|(path, _)| path.starts_with("plugins/sdk/src/"))
        .filter(|(path, _)| !lies_in(path, "plugins/sdk/src/runtime"))
        .flat_map(|(path, text)| {
            let found: Vec<_> = code_lines(&text)
                .filter(|(_, line)| line.contains("tokio::"))
                .map(|(number, line)| format!("{path}:{number}: {}", line.trim()))
                .collect();
            found
        })
        .collect();
    none(&problems, "A plugin has its own runtime; give runtime.rs a function for what you need.");
}

#[test]
fn unsafe_blocks_stay_in_the_fenced_files() {
    let word = concat!("unsafe", "_code");
    let problems: Vec<_> = rust_files()
        .filter(|(path, _)| !UNSAFE_FILES.iter().any(|fenced| lies_in(path, fenced)))
        .filter(|(_, text)| {
            code_lines(text).any(|(_, line)| line.contains(word) && !line.contains("forbid"))
        })
        .map(|(path, _)| format!("{path} switches the lint {word} off"))
        .collect();
    none(
        &problems,
        "Find a safe way, or put it into one of the files of UNSAFE_FILES in tidy.rs, where each block is read \
         with care.",
    );
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let folders = ["work", "root", "farm", "home"].map(|folder| format!("/{folder}/"));
    let mut problems = Vec::new();
    for path in all_files().filter(|path| !path.ends_with("Cargo.lock")) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (index, line) in text.lines().enumerate() {
            let names_one = folders.iter().any(|folder| {
                line.match_indices(folder).any(|(at, _)| {
                    let before = line.get(..at).and_then(|start| start.chars().next_back());
                    // within a longer path or an URL it is another folder
                    before.is_none_or(|c| !(c.is_alphanumeric() || "_.-~}*".contains(c)))
                })
            });
            if names_one {
                problems.push(format!("{}:{}: {}", shown(&path), index + 1, line.trim()));
            }
        }
    }
    none(&problems, "Use a path relative to the checkout, a temporary folder, or the environment.");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut problems = Vec::new();
    for path in all_files().filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let text = read(&path);
        let folder = path.parent().expect("a file lies in a folder");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let outside =
                ["http://", "https://", "mailto:"].iter().any(|start| link.starts_with(start));
            if !outside && !target.is_empty() && !folder.join(target).exists() {
                problems.push(format!("{}: {link}", shown(&path)));
            }
        }
    }
    none(&problems, "Mend the link, or write what it points to.");
}

#[test]
fn every_test_in_the_tables_of_defects_and_hostile_plugins_is_there() {
    let readme = read(&workspace::root().join("tests/README.md"));
    let (mut problems, mut named) = (Vec::new(), BTreeSet::new());
    let mut rows = BTreeSet::new();
    let rows_of = |line: &&str| line.starts_with("| W-") || line.starts_with("| H-");
    for line in readme.lines().filter(rows_of) {
        let number = line.split('|').nth(1).unwrap_or_default().trim();
        if !rows.insert(number) {
            problems.push(format!("{number} stands there twice"));
        }
        for (module, test) in line.split('`').filter_map(|word| word.split_once("::")) {
            let file = workspace::root().join(format!("tests/integration/{module}.rs"));
            let text = fs::read_to_string(file).unwrap_or_default();
            if !text.contains(&format!("fn {test}()")) {
                problems
                    .push(format!("{number}: tests/integration/{module}.rs has no test {test}"));
            }
            named.insert(test.to_owned());
        }
    }
    let hostile = rows.iter().filter(|number| number.starts_with("H-")).count();
    assert!(hostile >= 12, "the table of hostile plugins has shrunk to {hostile} rows");
    assert!(rows.len() >= 39 + hostile, "the table has shrunk to {} rows", rows.len());
    assert!(named.len() >= 90, "the table has shrunk to {} tests", named.len());
    // and whoever names a test after a number adds it to the table
    for (path, text) in rust_files().filter(|(path, _)| path.starts_with("tests/integration/")) {
        for (_, line) in code_lines(&text) {
            let Some((_, test)) = line.split_once("async fn ") else { continue };
            let test = test.split('(').next().unwrap_or_default();
            let number: String = test
                .strip_prefix('w')
                .unwrap_or_default()
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            if number.len() == 2 && !named.contains(test) {
                problems.push(format!("{path}: {test} is in no row of the table"));
            }
        }
    }
    none(&problems, "Mend the table in tests/README.md, or bring the test back.");
}

/// Every Rust file of ours, by its path within the checkout.
fn rust_files() -> impl Iterator<Item = (String, String)> {
    all_files()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .map(|path| (shown(&path), read(&path)))
}

/// Every file of the checkout that people write.
fn all_files() -> impl Iterator<Item = PathBuf> {
    const NOT_OURS: &[&str] = &[".git", "target", "node_modules", "dist", "data", "bench-results"];
    let mut folders = vec![workspace::root()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the checkout can be read") {
            let entry = entry.expect("the checkout can be read");
            // `.git` is a folder, and in a further working tree a file
            if NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            let kind = entry.file_type().expect("a listed file has a type");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files.into_iter()
}

/// Lines that are no comments, with their numbers.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether a path is that module: the file itself, or one in its folder.
fn lies_in(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(workspace::root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
