//! `boxvault storage`: what the stores hold, whether it is what came, what is left over, and moves from store to store.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
    pin::pin,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use boxvault_catalog::store_moves::Progress;
use boxvault_types::{
    action::Action,
    byte_count::ByteCount,
    names::{BoxName, OrganizationName},
    views::storage::StoreView,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::{
    signal,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{CliError, EXIT_FAILED, answer, server};
use crate::{
    app::{
        App,
        fsck::{Depth, Finding},
        moves::{CONCURRENCY, MoveRequest, Moving},
    },
    config::HumanDuration,
    error::AppError,
};

/// How often the progress of a move is shown: on a terminal, and in a log.
const TELL_ON_TERMINAL: Duration = Duration::from_secs(1);
const TELL_IN_LOG: Duration = Duration::from_secs(10);

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
    let ended = watch(&moving, begun).await?;
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

/// Moves and shows how far it is, until it is over or somebody stops it; what is in the middle is cleaned up then.
async fn watch(moving: &Moving, begun: Instant) -> Result<Result<(), AppError>, CliError> {
    let on_terminal = io::stderr().is_terminal();
    let mut ticks = interval(if on_terminal { TELL_ON_TERMINAL } else { TELL_IN_LOG });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut stop = pin!(stopped());
    let ended = {
        let mut work = pin!(moving.run());
        loop {
            tokio::select! {
                ended = &mut work => break Some(ended),
                () = &mut stop => break None,
                _ = ticks.tick() => tell(&progress_line(moving.progress(), begun.elapsed()), on_terminal),
            }
        }
    };
    tell(&progress_line(moving.progress(), begun.elapsed()), on_terminal);
    if on_terminal {
        tell("\n", false);
    }
    let Some(ended) = ended else {
        moving.let_go().await?;
        return Err(CliError::Interrupted);
    };
    Ok(ended)
}

/// Ends when somebody presses Ctrl-C, or the service manager says so.
async fn stopped() {
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// Progress is for whoever watches: where it cannot be written, the move goes on.
fn tell(line: &str, in_place: bool) {
    let mut output = io::stderr().lock();
    let written = if in_place {
        write!(output, "\r\x1b[2K{line}").and_then(|()| output.flush())
    } else {
        writeln!(output, "{line}")
    };
    drop(written);
}

fn progress_line(progress: Progress, elapsed: Duration) -> String {
    let Progress { total, moved, copied_bytes, .. } = progress;
    let speed = speed(copied_bytes, elapsed);
    let left = match u64::try_from(total.bytes - moved.bytes).unwrap_or_default().checked_div(speed)
    {
        Some(seconds) => duration_text(seconds),
        None => "unknown".to_owned(),
    };
    format!(
        "{} of {} files, {} of {}, {}/s, {left} left",
        moved.files,
        total.files,
        bytes_of(moved.bytes),
        bytes_of(total.bytes),
        ByteCount(round(speed)),
    )
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

fn findings_json(findings: &[Finding]) -> Value {
    let one = |found: &Finding| json!({ "store": found.store, "key": found.key, "problem": found.problem });
    findings.iter().map(one).collect()
}

fn speed(bytes: i64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    u64::try_from(bytes).unwrap_or_default().saturating_mul(1000) / millis
}

/// Whole MiB where there are some, so that a line is short.
fn round(bytes: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    if bytes > MIB { bytes / MIB * MIB } else { bytes }
}

fn bytes_of(bytes: i64) -> ByteCount {
    ByteCount(u64::try_from(bytes).unwrap_or_default())
}

fn duration_text(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use boxvault_catalog::moves::Amount;

    use super::*;

    #[test]
    fn progress_tells_files_bytes_speed_and_the_time_left() {
        let progress = Progress {
            total: Amount { files: 200, bytes: 40 << 20 },
            moved: Amount { files: 50, bytes: 10 << 20 },
            copied_bytes: 12 << 20,
            ..Progress::default()
        };
        let line = progress_line(progress, Duration::from_secs(4));
        assert_eq!(line, "50 of 200 files, 10 MiB of 40 MiB, 3 MiB/s, 10 s left");
        let line = progress_line(Progress::default(), Duration::ZERO);
        assert!(line.ends_with("unknown left"), "{line}");
        assert_eq!(duration_text(3 * 3600 + 125), "3 h 2 min");
        assert_eq!(duration_text(90), "1 min");
    }

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
