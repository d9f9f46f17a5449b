//! Where the checkout, its files and its built program are.
//!
//! Cargo tells a test only of programs of its own package, so the server is looked for beside the test program, and
//! built when it is missing or older than a source file that went into it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    sync::OnceLock,
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

/// How long a test runner that ends tests after a while may wait for a build. After a change this is enough; where
/// nothing was built yet, it is not.
const BUILD_PATIENCE: Duration = Duration::from_mins(1);

/// What to run where that was not enough. What it builds is what such a runner has built already, with the same features.
const BUILD: [&str; 3] = ["build", "--workspace", "--all-targets"];

/// The plugins that a build of the workspace's default members leaves beside the program.
const PLUGINS: [&str; 9] = [
    "auth_ldap",
    "auth_oidc",
    "storage_azblob",
    "storage_fs",
    "storage_gcs",
    "storage_memory",
    "storage_s3",
    "storage_sftp",
    "storage_webdav",
];

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root").to_owned()
}

/// The folder of one build profile, such as `target/debug`: the test program lies in its `deps/`.
pub fn profile_dir() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    program.ancestors().nth(2).expect("a test program lies in <profile>/deps").to_owned()
}

/// The program `boxvault`, with its plugin libraries beside it. Builds them when they are missing or stale.
///
/// `BOXVAULT_BIN` names another one, for instance an installed one.
pub fn boxvault() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("BOXVAULT_BIN") {
            return PathBuf::from(path);
        }
        let dir = profile_dir();
        if find_stale(&dir).is_some() {
            build(&dir);
        }
        dir.join("boxvault")
    })
}

/// A file of a build that is missing or stale.
fn find_stale(dir: &Path) -> Option<PathBuf> {
    let plugins = PLUGINS.map(|name| dir.join(format!("libboxvault_{name}.so")));
    [dir.join("boxvault")].into_iter().chain(plugins).find(|file| is_stale(file))
}

/// Whether a built file is missing or older than what it was built from, by the list that cargo wrote beside it.
fn is_stale(built: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let Some(when_built) = modified(built) else { return true };
    let Ok(list) = fs::read_to_string(built.with_extension("d")) else { return true };
    let Some((_, sources)) = list.split_once(": ") else { return true };
    // Blanks within a path are written as "\ ".
    sources
        .replace("\\ ", "\0")
        .split_whitespace()
        .map(|source| source.replace('\0', " "))
        .any(|source| modified(Path::new(&source)).is_none_or(|time: SystemTime| time > when_built))
}

/// Runs `cargo build` for this profile. One process at a time: the others find it done, or given up.
fn build(dir: &Path) {
    let lock = File::create(dir.join("boxvault-tests.lock")).expect("the target folder is ours");
    lock.lock().expect("a lock file on a local disk can be locked");
    let Some(stale) = find_stale(dir) else { return };
    // nextest ends a test that takes long, and whatever it has started with it
    let run = std::env::var_os("NEXTEST_RUN_ID");
    let given_up = run.as_ref().map(|run| dir.join("boxvault-tests.given-up").join(run));
    let is_given_up = given_up.as_ref().is_some_and(|path| path.exists());
    let status = if is_given_up { None } else { cargo_build(dir, run.is_some()) };
    let Some(status) = status else {
        let marked = given_up.map(fs::create_dir_all).transpose();
        marked.expect("the target folder is ours");
        let command = BUILD.join(" ");
        panic!(
            "{} is missing or older than its sources, and to build it takes longer than a test may: run `make test`, or `cargo {command}` before the tests",
            stale.display()
        );
    };
    assert!(status.success(), "cargo build failed; the tests start the program that it builds");
}

/// `None` if there was no time for it.
#[expect(clippy::disallowed_methods, reason = "a test waits for this before it does anything else")]
fn cargo_build(dir: &Path, is_urgent: bool) -> Option<ExitStatus> {
    let profile = match dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(other) => other,
        None => panic!("{} has no name", dir.display()),
    };
    let target = dir.parent().expect("a profile folder lies in the target folder");
    let mut child = Command::new(env!("CARGO"))
        .args(BUILD)
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(root())
        .spawn()
        .expect("cargo runs, since it built this test");
    let ended = |child: &mut Child| child.try_wait().expect("our own child can be waited for");
    let end = Instant::now() + BUILD_PATIENCE;
    loop {
        if let Some(status) = ended(&mut child) {
            return Some(status);
        }
        if is_urgent && Instant::now() > end {
            child.kill().expect("our own child can be killed");
            drop(child.wait());
            return None;
        }
        sleep(Duration::from_millis(50));
    }
}

/// Finds a program on the `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
