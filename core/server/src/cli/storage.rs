//! `boxvault storage`: what the stores hold, whether it is what came, what is left over, and moves from store to store.

use std::{fmt::Write as _, process::ExitCode, sync::Arc, time::Duration};

use boxvault_catalog::store_moves::Progress;
use boxvault_types::{
    action::Action,
    byte_count::ByteCount,
    names::{BoxName, OrganizationName},
    views::storage::StoreView,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    CliError, EXIT_FAILED, answer,
    progress::{bytes_of, speed, watch},
    server,
};
use crate::{
    app::{
        App,
        fsck::{Depth, Finding},
        moves::{CONCURRENCY, MoveRequest, Moving},
    },
    config::HumanDuration,
};

/// What can be done with the stores.
#[derive(Debug, Subcommand)]
pub enum StorageCommand {
    /// Tell what each store holds, or what an organization has in which store
    #[command(
        after_help = "Examples:\n  boxvault storage usage\n  boxvault storage usage --org acme --json"
    )]
    Usage(UsageArguments),
    /// Read every stored file and compare it with what came; or, quickly, only its length
    #[command(
        after_help = "Examples:\n  boxvault storage verify            every file is read, which takes its time\n  \
                      boxvault storage verify --quick    every file is there and has its length\n\n\
                      Exit codes: 0 all is well; 1 something is damaged."
    )]
    Verify(VerifyArguments),
    /// Remove what failed uploads, moves and deleted boxes left behind
    #[command(after_help = "Example:\n  boxvault storage sweep --older-than '2 days'")]
    Sweep(SweepArguments),
    /// Move files from one store to another, while the server runs and clients download
    #[command(after_help = AFTER_MIGRATE)]
    Migrate(MigrateArguments),
}

const AFTER_MIGRATE: &str = "\
Each file is read once, compared with the digest that was computed when it came, and switched alone:
clients get it from the old store until then, and from the new one afterwards. Its old copy stays for
storage.unreferenced_kept_for (1 h unless set) and goes with a later sweep. A damaged file is reported
and stays where it is.

Stopped in the middle, or killed? Give the same command again: what is moved stays moved. New files
still go where storage.default_store and storage.rules send them: change those first when you leave a
store for good.

Examples:
  boxvault storage migrate --from main --to archive --dry-run
                                        how many files and bytes that would be
  boxvault storage migrate --from main --to archive --bytes-per-second '50 MiB'
                                        move all, leaving room on the network for others
  boxvault storage migrate --from main --to archive --larger-than '10 GiB'
                                        only large files
  boxvault storage migrate --from main --to fast --org acme --box debian12
                                        only one box of one organization

Exit codes: 0 all moved; 1 some files could not be moved, or a store failed; 2 wrong arguments or configuration.";

/// Of what to tell the usage.
#[derive(Debug, Args)]
pub struct UsageArguments {
    /// Only of this organization
    #[arg(long, value_name = "NAME")]
    org: Option<OrganizationName>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// How thoroughly to verify.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Only look whether each file is there and has its length
    #[arg(long)]
    quick: bool,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// What to sweep.
#[derive(Debug, Args)]
pub struct SweepArguments {
    /// Only what is older than this [default: the keys `limits.uploads_abandoned_after` and
    /// `storage.unreferenced_kept_for`]
    #[arg(long, value_name = "TIME")]
    older_than: Option<HumanDuration>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// What to move.
#[derive(Debug, Args)]
pub struct MigrateArguments {
    /// The store that the files lie in
    #[arg(long, value_name = "STORE")]
    from: String,
    /// The store that they shall lie in
    #[arg(long, value_name = "STORE")]
    to: String,
    /// Only the files of this organization; equal files that others have as well go with them
    #[arg(long, value_name = "NAME")]
    org: Option<OrganizationName>,
    /// Only the files of this box of the organization
    #[arg(long = "box", value_name = "NAME", requires = "org")]
    box_name: Option<BoxName>,
    /// Only files larger than this, such as "10 GiB"
    #[arg(long, value_name = "SIZE")]
    larger_than: Option<ByteCount>,
    /// Copy at most so much a second, all files together, such as "50 MiB"
    #[arg(long, value_name = "SIZE")]
    bytes_per_second: Option<ByteCount>,
    /// Copy so many files at once, up to 64
    #[arg(long, value_name = "NUMBER", default_value_t = CONCURRENCY)]
    concurrency: u32,
    /// Only tell how much there is to move
    #[arg(long)]
    dry_run: bool,
    /// Answer as JSON at the end; the progress goes to standard error in any case
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: StorageCommand, app: &Arc<App>) -> Result<ExitCode, CliError> {
    match command {
        StorageCommand::Usage(arguments) => usage(app, &arguments).await,
        StorageCommand::Verify(arguments) => verify(app, &arguments).await,
        StorageCommand::Sweep(arguments) => sweep(app, &arguments).await,
        StorageCommand::Migrate(arguments) => Box::pin(migrate(app, arguments)).await,
    }
}

async fn usage(app: &App, arguments: &UsageArguments) -> Result<ExitCode, CliError> {
    if let Some(name) = &arguments.org {
        let usage = app.usage_of(name).await?;
        if arguments.json {
            answer(json!(usage))?;
            return Ok(ExitCode::SUCCESS);
        }
        for store in &usage.stores {
            let (files, bytes) = (store.total.stored_files, ByteCount(store.total.stored_bytes));
            answer(format_args!("{}: {files} files, {bytes}", store.store))?;
        }
        let (files, bytes) = (usage.total.files, ByteCount(usage.total.bytes));
        answer(format_args!("{name} has {files} files of {bytes}, each counted"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let stores = app.list_stores().await?;
    if arguments.json {
        answer(json!(stores))?;
        return Ok(ExitCode::SUCCESS);
    }
    for store in &stores {
        answer(store_line(store))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn store_line(store: &StoreView) -> String {
    let mut line = format!("{}: {} files, {}", store.name, store.files, ByteCount(store.bytes));
    if store.unreferenced_files > 0 {
        let (files, bytes) = (store.unreferenced_files, ByteCount(store.unreferenced_bytes));
        write!(line, " ({files} files, {bytes}, wait for the sweep)")
            .expect("a String takes everything");
    }
    match &store.plugin {
        Some(plugin) if store.is_default => format!("{line} [{plugin}, default]"),
        Some(plugin) => format!("{line} [{plugin}]"),
        None => format!("{line} [NOT CONFIGURED]"),
    }
}

async fn verify(app: &App, arguments: &VerifyArguments) -> Result<ExitCode, CliError> {
    let depth = if arguments.quick { Depth::Length } else { Depth::Digest };
    let report = app.fsck(depth, |_| ()).await?;
    if arguments.json {
        answer(json!({
            "files": report.files,
            "bytes": report.bytes,
            "damaged": findings_json(&report.damaged),
            "leftovers": findings_json(&report.leftovers),
        }))?;
    } else {
        answer(server::fsck_text(&report).trim_end())?;
    }
    Ok(if report.damaged.is_empty() { ExitCode::SUCCESS } else { EXIT_FAILED.into() })
}

async fn sweep(app: &Arc<App>, arguments: &SweepArguments) -> Result<ExitCode, CliError> {
    let swept = server::sweep_older_than(app, arguments.older_than).await?;
    if arguments.json {
        answer(json!({
            "uploads": swept.uploads, "boxes": swept.boxes, "files": swept.blobs, "objects": swept.objects,
        }))?;
    } else {
        answer(server::swept_text(swept))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn migrate(app: &Arc<App>, arguments: MigrateArguments) -> Result<ExitCode, CliError> {
    let request = MoveRequest {
        from: arguments.from,
        to: arguments.to,
        organization: arguments.org,
        box_name: arguments.box_name,
        larger_than: arguments.larger_than,
        bytes_per_second: arguments.bytes_per_second,
        concurrency: arguments.concurrency,
    };
    let wish = app.wish_to_move(&request).await?;
    if arguments.dry_run {
        let amount = app.amount_to_move(&wish).await?;
        let bytes = bytes_of(amount.bytes);
        if arguments.json {
            answer(json!({ "files": amount.files, "bytes": amount.bytes }))?;
        } else {
            answer(format_args!(
                "{} files, {bytes}, would go from {} to {}",
                amount.files, request.from, request.to
            ))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    app.record_command(Action::Update, "storage").await?;
    let moving = Moving::new(app, wish, Progress::default())?;
    let begun = Instant::now();
    let Some(ended) = watch(|| moving.progress(), moving.run()).await else {
        moving.let_go().await?;
        return Err(CliError::Interrupted);
    };
    let progress = moving.progress();
    let left = progress.failed_files + progress.damaged_files;
    if arguments.json {
        let problem = ended.as_ref().err().map(|error| error.message().to_owned());
        answer(outcome_json(&moving, begun.elapsed(), problem.as_deref()))?;
    } else {
        for finding in moving.findings() {
            answer(format_args!(
                "not moved: {} in store {:?}: {}",
                finding.key, finding.store, finding.problem
            ))?;
        }
        answer(format_args!(
            "moved {} files, {}, from {} to {}; {} damaged and {} failed ones stay where they are",
            progress.moved.files,
            bytes_of(progress.moved.bytes),
            request.from,
            request.to,
            progress.damaged_files,
            progress.failed_files
        ))?;
        ended?;
        return Ok(if left == 0 { ExitCode::SUCCESS } else { EXIT_FAILED.into() });
    }
    Ok(if left == 0 && ended.is_ok() { ExitCode::SUCCESS } else { EXIT_FAILED.into() })
}

fn outcome_json(moving: &Moving, elapsed: Duration, problem: Option<&str>) -> Value {
    let progress = moving.progress();
    json!({
        "total": { "files": progress.total.files, "bytes": progress.total.bytes },
        "moved": { "files": progress.moved.files, "bytes": progress.moved.bytes },
        "failedFiles": progress.failed_files,
        "damagedFiles": progress.damaged_files,
        "notMoved": findings_json(&moving.findings()),
        "seconds": elapsed.as_secs_f64(),
        "bytesPerSecond": speed(progress.copied_bytes, elapsed),
        "problem": problem,
    })
}

pub(super) fn findings_json(findings: &[Finding]) -> Value {
    let one = |found: &Finding| json!({ "store": found.store, "key": found.key, "problem": found.problem });
    findings.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_the_configuration_lost_is_shown_as_such() {
        let mut store = StoreView {
            name: "main".to_owned(),
            plugin: Some("fs".to_owned()),
            is_default: true,
            files: 3,
            bytes: 2048,
            unreferenced_files: 0,
            unreferenced_bytes: 0,
        };
        assert_eq!(store_line(&store), "main: 3 files, 2 KiB [fs, default]");
        store.plugin = None;
        store.unreferenced_files = 1;
        let line = store_line(&store);
        assert_eq!(
            line,
            "main: 3 files, 2 KiB (1 files, 0 B, wait for the sweep) [NOT CONFIGURED]"
        );
    }
}
