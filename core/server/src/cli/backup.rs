//! `boxvault backup` and `boxvault restore`: a copy of everything in a folder, and back.

use std::{io, path::PathBuf, process::ExitCode};

use boxvault_catalog::{Database, sqlite_file};
use boxvault_types::{action::Action, byte_count::ByteCount};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{
    CliError, EXIT_FAILED, answer,
    progress::{bytes_of, watch},
    storage::findings_json,
};
use crate::{
    app::{
        backup::{
            BackupError, Copying, Direction, Folder, Manifest, STORE,
            folder::{begun, put_in_place},
        },
        fsck::Finding,
    },
    config::{Config, PluginEntry},
    data_dir::DataDir,
    error::AppError,
    startup::{self, StartupError},
};

pub(super) const AFTER_BACKUP: &str = "\
It can run beside the server. Give the same folder each time: files that are in it already are not copied
again, and a backup that is stopped leaves the one before as it was. Each file is compared with the digest
that was computed when it came; a damaged one is reported and left out.

In it are the catalog (accounts, boxes, policy versions, keys that the server made) and all files of all
stores. Not in it: config.toml and the files that it names, such as auth.sealing_key, and policy.dir. Who
can read the folder can do everything: keep it like a password.

PostgreSQL or MariaDB? Back the files up, then the database with its own tool, then the files again, which
is quick the second time:
  boxvault backup /backup --files-only && pg_dump … && boxvault backup /backup --files-only

Examples:
  boxvault backup /backup
  boxvault backup /backup --prune --bytes-per-second '50 MiB'
  boxvault backup /backup --verify                  once a month: disks forget

Exit codes: 0 all is in it; 1 files are missing from it, or it failed; 2 wrong arguments or configuration.";

pub(super) const AFTER_RESTORE: &str = "\
Begin with the configuration of the server that was backed up, its stores by the same names, and without a
catalog: an existing one is never replaced. Every file is compared with its digest on its way, and what is
in the stores already stays, so that a restore that was stopped goes on when it is given again. The catalog
comes last.

PostgreSQL or MariaDB? Restore the database first with its own tool; this brings the files.

Example:
  boxvault --config /etc/boxvault/config.toml restore /backup

Exit codes: 0 all is back; 1 files are missing, or it failed; 2 wrong arguments or configuration.";

/// What to back up, and where.
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// The folder; it is made if it is absent
    folder: PathBuf,
    /// Leave the catalog out, as is needed with PostgreSQL and MariaDB
    #[arg(long)]
    files_only: bool,
    /// Read the files that are in the folder already as well, and copy those anew that are damaged there
    #[arg(long)]
    verify: bool,
    /// Remove files from the folder that the catalog does not know any more
    #[arg(long)]
    prune: bool,
    /// Copy at most so much a second, all files together, such as "50 MiB"
    #[arg(long, value_name = "SIZE")]
    bytes_per_second: Option<ByteCount>,
    /// Answer as JSON at the end; the progress goes to standard error in any case
    #[arg(long)]
    json: bool,
}

/// What to bring back.
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// The folder of the backup
    folder: PathBuf,
    /// Copy at most so much a second, all files together, such as "50 MiB"
    #[arg(long, value_name = "SIZE")]
    bytes_per_second: Option<ByteCount>,
    /// Answer as JSON at the end; the progress goes to standard error in any case
    #[arg(long)]
    json: bool,
}

pub(super) async fn back_up(
    arguments: BackupArguments,
    config: &Config,
) -> Result<ExitCode, CliError> {
    let path = arguments.folder.clone();
    let folder = blocking(move || Folder::create(&path)).await?;
    let app = startup::open_app(&with_folder(config, &folder)).await?;
    let database = app.catalog.database();
    if database != Database::Sqlite && !arguments.files_only {
        return Err(CliError::BackupOfDatabase(database));
    }
    app.record_command(Action::Read, "storage").await?;
    let copying =
        Copying::new(&app, Direction::Out, arguments.bytes_per_second).verifying(arguments.verify);
    follow(&copying).await?;
    let mut catalog = None;
    if !arguments.files_only {
        let path = folder.new_catalog(app.catalog.now())?;
        app.catalog.snapshot(&path).await.map_err(AppError::from)?;
        let folder = folder.clone();
        catalog = Some(blocking(move || folder.seal_catalog(&path)).await?);
        // what came while the files were copied
        follow(&copying).await?;
    }
    let (total, findings) = (copying.progress().total, copying.findings());
    let mut manifest = Manifest::new(app.catalog.now(), catalog);
    manifest.files = u64::try_from(total.files).unwrap_or_default();
    manifest.bytes = u64::try_from(total.bytes).unwrap_or_default();
    manifest.left_out = findings.len() as u64;
    let done = manifest.clone();
    blocking(move || folder.finish(&done)).await?;
    let removed = if arguments.prune { Some(copying.prune().await?) } else { None };
    app.close().await?;
    if arguments.json {
        answer(outcome_json(&manifest, &copying, &findings, removed.map(|removed| removed.files)))?;
    } else {
        tell_findings("not in the backup", &findings)?;
        if let Some(removed) = removed {
            answer(format_args!("removed {} files, {}", removed.files, bytes_of(removed.bytes)))?;
        }
        if arguments.verify {
            answer(format_args!(
                "{} files were damaged there, and are whole again",
                copying.replaced_files()
            ))?;
        }
        let copied = bytes_of(copying.progress().copied_bytes);
        answer(format_args!("backed up {}; {copied} were new", manifest.amount()))?;
    }
    Ok(verdict(&findings))
}

pub(super) async fn restore(
    arguments: RestoreArguments,
    config: &Config,
) -> Result<ExitCode, CliError> {
    let path = arguments.folder.clone();
    let (folder, manifest) = blocking(move || {
        let folder = Folder::open(&path)?;
        let manifest = folder.manifest()?;
        Ok((folder, manifest))
    })
    .await?;
    let url = config.database_url();
    let file = sqlite_file(url.expose()).map_err(AppError::from)?;
    let mut config = with_folder(config, &folder);
    let catalog = match (manifest.catalog.clone(), file) {
        (Some(kept), Some(file)) => {
            if file.try_exists()? {
                return Err(CliError::RestoreOver(file));
            }
            DataDir::open(&config.server.data_dir).map_err(StartupError::from)?;
            let begun = begun(&file);
            let to = begun.clone();
            blocking(move || folder.take_catalog(&kept, &to)).await?;
            config.set_catalog_file(&begun);
            Some((begun, file))
        }
        (Some(_), None) => return Err(CliError::RestoreNeedsSqlite),
        (None, Some(file)) if !file.try_exists()? => return Err(CliError::RestoreNeedsDatabase),
        (None, _) => None,
    };
    let app = startup::open_app(&config).await?;
    let copying = Copying::new(&app, Direction::In, arguments.bytes_per_second);
    follow(&copying).await?;
    app.record_command(Action::Update, "storage").await?;
    app.close().await?;
    if let Some((begun, file)) = catalog {
        blocking(move || put_in_place(&begun, &file)).await?;
    }
    let findings = copying.findings();
    if arguments.json {
        answer(outcome_json(&manifest, &copying, &findings, None))?;
    } else {
        tell_findings("not restored", &findings)?;
        let progress = copying.progress();
        answer(format_args!(
            "restored {} files, {}, of {}; {} were not there yet",
            progress.moved.files,
            bytes_of(progress.moved.bytes),
            manifest.taken_at.to_rfc3339(),
            bytes_of(progress.copied_bytes)
        ))?;
    }
    Ok(verdict(&findings))
}

/// The folder is one more store, so that bytes go there as they go anywhere: durable, and never half.
fn with_folder(config: &Config, folder: &Folder) -> Config {
    let mut config = config.clone();
    let entry = PluginEntry::new("fs").with_option("root", json!(folder.files()));
    config.stores.insert(STORE.to_owned(), entry);
    config
}

async fn follow(copying: &Copying) -> Result<(), CliError> {
    let ended = watch(|| copying.pace_so_far(), copying.run()).await;
    Ok(ended.ok_or(CliError::Interrupted)??)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, CliError> {
    Ok(spawn_blocking(work).await.map_err(io::Error::other)??)
}

fn tell_findings(word: &str, findings: &[Finding]) -> Result<(), CliError> {
    for Finding { store, key, problem } in findings {
        answer(format_args!("{word}: {key} of store {store:?}: {problem}"))?;
    }
    Ok(())
}

fn outcome_json(
    manifest: &Manifest,
    copying: &Copying,
    findings: &[Finding],
    removed_files: Option<i64>,
) -> Value {
    let progress = copying.progress();
    json!({
        "takenAt": manifest.taken_at,
        "files": progress.moved.files,
        "bytes": progress.moved.bytes,
        "copiedBytes": progress.copied_bytes,
        "replacedFiles": copying.replaced_files(),
        "removedFiles": removed_files,
        "leftOut": findings_json(findings),
    })
}

fn verdict(findings: &[Finding]) -> ExitCode {
    if findings.is_empty() { ExitCode::SUCCESS } else { EXIT_FAILED.into() }
}
