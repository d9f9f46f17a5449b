//! Generates the C header from `abi`, and holds the committed one to it.
//!
//! Generated, and not compared by a C compiler, because a compiler sees sizes and offsets only: two
//! functions that swapped places would pass. And with the header generated, its comments are ours.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use cbindgen::{Builder, Config, DocumentationStyle, ExportConfig, Language, Style};

use crate::abi;

const SOURCES: [&str; 6] = ["bytes", "error", "call", "handshake", "storage", "auth"];

const INTRODUCTION: &str = "\
/* The contract between BoxVault and its plugins, version 1.2.
 *
 * Generated from plugins/sdk/src/abi: do not edit. A plugin is a shared library that exports one
 * function, boxvault_plugin_entry; examples/storage-c is a complete one. Rules that hold everywhere:
 *
 * - Structs grow only at the end. Their size says how much is there; what is missing is zero.
 * - Whoever allocated frees: bytes and handles carry their own release.
 * - Borrowed text is UTF-8, not terminated, and valid only until the called function returns.
 * - Every function may be called from any thread.
 * - Nothing unwinds across: no exception, no longjmp.
 * - A library is never unloaded.
 *
 * Names in the comments are without their prefix: StorageTable is bv_storage_table.
 */";

const TARGET: &str = "
/* What this is compiled for, as bv_handshake.target says it. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__)
#define BV_TARGET \"x86_64-linux-gnu\"
#elif defined(__x86_64__) && defined(__linux__)
#define BV_TARGET \"x86_64-linux-musl\"
#elif defined(__aarch64__) && defined(__linux__) && defined(__GLIBC__)
#define BV_TARGET \"aarch64-linux-gnu\"
#elif defined(__aarch64__) && defined(__linux__)
#define BV_TARGET \"aarch64-linux-musl\"
#else
#define BV_TARGET \"other\"
#endif
";

const ENTRY: &str = "
#ifdef __cplusplus
extern \"C\" {
#endif

/* The one symbol that a plugin exports. Has no side effects, may be called more than once. */
const bv_handshake *boxvault_plugin_entry(void);

#ifdef __cplusplus
}
#endif
";

fn config() -> Config {
    let types = [
        ("Str", "bv_str"),
        ("OwnedBytes", "bv_owned_bytes"),
        ("Outcome", "bv_outcome"),
        ("Completion", "bv_completion"),
        ("Handshake", "bv_handshake"),
        ("Host", "bv_host"),
        ("WriteOptions", "bv_write_options"),
        ("Entry", "bv_entry"),
        ("PresignOptions", "bv_presign_options"),
        ("PartOptions", "bv_part_options"),
        ("StorageTable", "bv_storage_table"),
        ("LocalPathTable", "bv_local_path_table"),
        ("PresignTable", "bv_presign_table"),
        ("UnfinishedTable", "bv_unfinished_table"),
        ("AuthTable", "bv_auth_table"),
    ];
    let mut rename: std::collections::HashMap<String, String> =
        types.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())).into();
    for source in SOURCES {
        let text = fs::read_to_string(source_file(source)).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("pub const ")) {
            let name = line.split(':').next().unwrap();
            rename.insert(name.to_owned(), format!("BV_{name}"));
        }
    }
    Config {
        language: Language::C,
        style: Style::Both,
        documentation_style: DocumentationStyle::C,
        header: Some(INTRODUCTION.to_owned()),
        include_guard: Some("BOXVAULT_PLUGIN_H".to_owned()),
        no_includes: true,
        sys_includes: vec!["stddef.h".to_owned(), "stdint.h".to_owned()],
        after_includes: Some(format!("{TARGET}{}", extensions())),
        trailer: Some(ENTRY.to_owned()),
        line_length: 100,
        tab_width: 2,
        export: ExportConfig {
            rename,
            include: types.map(|(ours, _)| ours.to_owned()).into(),
            ..ExportConfig::default()
        },
        ..Config::default()
    }
}

/// Names of extensions are text, which the generator leaves out.
fn extensions() -> String {
    format!(
        "\n/* The name of LocalPathTable. */\n#define BV_EXTENSION_LOCAL_PATH {:?}\n\
         \n/* The name of PresignTable. */\n#define BV_EXTENSION_PRESIGN {:?}\n\
         \n/* The name of UnfinishedTable. */\n#define BV_EXTENSION_UNFINISHED {:?}\n",
        abi::EXTENSION_LOCAL_PATH,
        abi::EXTENSION_PRESIGN,
        abi::EXTENSION_UNFINISHED
    )
}

fn source_file(source: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/abi/{source}.rs"))
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let mut builder = Builder::new().with_config(config());
    for source in SOURCES {
        builder = builder.with_src(source_file(source));
    }
    let mut generated = Vec::new();
    builder.generate().unwrap().write(&mut generated);
    let generated = String::from_utf8(generated).unwrap();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/boxvault_plugin.h");
    if std::env::var_os("BOXVAULT_WRITE_HEADER").is_some() {
        File::create(&path).unwrap().write_all(generated.as_bytes()).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/boxvault_plugin.h is not what src/abi says; if the change is wanted and keeps the \
         promises of plugins/README.md, run: \
         BOXVAULT_WRITE_HEADER=1 cargo test -p boxvault-plugin-sdk header"
    );
}
