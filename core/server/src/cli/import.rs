//! `boxvault import`: the boxes of another registry, brought over once.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use boxvault_types::{
    byte_count::ByteCount,
    names::{BoxName, OrganizationName},
};
use clap::Args;

use super::{CliError, EXIT_FAILED, answer};
use crate::{
    app::{
        App,
        import::{Event, Import, Report, Run},
    },
    upstream::{Hosts, Options, Reach, Reader, Upstream, certificates},
};

/// How often it is told how much of a file came.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);
/// How long an upstream may take to take the connection, and to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);
/// As browsers do, or nearly.
const REDIRECTS_MAX: usize = 10;
/// The list of an organization with thousands of boxes has some megabytes.
const DOCUMENT_BYTES_MAX: u64 = 64 << 20;

/// What to bring over.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// An organization of a registry (https://boxes.example.com/acme), or a catalogue
    /// (https://boxes.example.com/debian.json)
    url: String,
    /// The organization here that gets the boxes [default: the one of the same name]
    #[arg(long, value_name = "NAME")]
    org: Option<OrganizationName>,
    /// A file that holds a token for the other registry, and nothing else
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Only this box; may be given several times. Of a catalogue: what its box is called here
    #[arg(long, value_name = "BOX")]
    only: Vec<BoxName>,
    /// Say what would be copied, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Trust the certificates in this file (PEM) as well as those of the system
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Does what was asked for. What did not work is an exit code.
pub(super) async fn run(arguments: ImportArguments, app: &Arc<App>) -> Result<ExitCode, CliError> {
    let run = if arguments.dry_run { Run::Dry } else { Run::Real };
    let import = arguments.open(app).await?;
    let mut shown = Shown { last: Instant::now(), verb: verb(run) };
    let report = Box::pin(app.import(&import, run, &mut |event| shown.tell(&event))).await?;
    answer(summary(&report, run))?;
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { EXIT_FAILED.into() })
}

impl ImportArguments {
    async fn open(self, app: &App) -> Result<Import, CliError> {
        let upstream: Upstream = self.url.parse()?;
        let named = upstream.organization().and_then(|name| OrganizationName::parse(name).ok());
        let organization = self.org.or(named).ok_or(CliError::ImportWhere)?;
        let token = match &self.token_file {
            Some(path) => Some(read(path).await?),
            None => None,
        };
        let certificates = match &self.ca_file {
            Some(path) => certificates(path).await.map_err(|source| unusable(path, source))?,
            None => Vec::new(),
        };
        let options = Options {
            // whoever runs this has the host, and names the address
            reach: Reach { hosts: Hosts::Any, private_addresses: true },
            connect_timeout: CONNECT_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
            idle_timeout: app.config.limits.upload_idle_timeout.get(),
            redirects_max: REDIRECTS_MAX,
            document_bytes_max: DOCUMENT_BYTES_MAX,
            certificates,
        };
        let reader = Reader::new(options, &upstream, token.as_deref())?;
        Ok(Import { upstream, reader, organization, only: self.only })
    }
}

async fn read(path: &Path) -> Result<String, CliError> {
    let text = tokio::fs::read_to_string(path).await.map_err(|source| unusable(path, source))?;
    if text.trim().is_empty() {
        return Err(unusable(path, io::Error::other("it is empty")));
    }
    Ok(text)
}

fn unusable(path: &Path, source: io::Error) -> CliError {
    CliError::ImportFile { path: path.to_owned(), source }
}

fn verb(run: Run) -> &'static str {
    match run {
        Run::Real => "copied",
        Run::Dry => "would copy",
    }
}

/// What is told on standard error, while standard output waits for the summary.
struct Shown {
    last: Instant,
    verb: &'static str,
}

impl Shown {
    fn tell(&mut self, event: &Event) {
        let verb = self.verb;
        let line = match event {
            Event::Copied { what, size_bytes: Some(size) } => {
                format!("{verb} {what} ({})", ByteCount(*size))
            }
            Event::Copied { what, size_bytes: None } => format!("{verb} {what}"),
            Event::LeftOut { what, why } => format!("left out {what}: {why}"),
            Event::Failed { what, why } => format!("FAILED {what}: {why}"),
            Event::Came { what, size_bytes, of } => {
                if self.last.elapsed() < PROGRESS_INTERVAL {
                    return;
                }
                self.last = Instant::now();
                format!("copying {what}: {}", part(*size_bytes, *of))
            }
        };
        let mut out = io::stderr().lock();
        // nobody reads: the work goes on all the same
        let _told = writeln!(out, "{line}")
            .and_then(|()| if out.is_terminal() { out.flush() } else { Ok(()) });
    }
}

fn part(size_bytes: u64, of: Option<u64>) -> String {
    match of.filter(|of| *of > 0) {
        Some(of) => {
            format!("{} of {} ({} %)", ByteCount(size_bytes), ByteCount(of), size_bytes * 100 / of)
        }
        None => ByteCount(size_bytes).to_string(),
    }
}

fn summary(report: &Report, run: Run) -> String {
    let Report { copied, copied_bytes, present, left_out, failed } = report;
    let size = match run {
        Run::Real => format!(" ({})", ByteCount(*copied_bytes)),
        Run::Dry => String::new(),
    };
    let verb = verb(run);
    format!(
        "{verb} {copied} files{size}; {present} were here, {left_out} left out, {failed} failed"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_and_the_progress_has_a_share() {
        let report = Report { copied: 2, copied_bytes: 4096, present: 3, left_out: 1, failed: 0 };
        assert_eq!(
            summary(&report, Run::Real),
            "copied 2 files (4 KiB); 3 were here, 1 left out, 0 failed"
        );
        assert_eq!(
            summary(&report, Run::Dry),
            "would copy 2 files; 3 were here, 1 left out, 0 failed"
        );
        assert_eq!(part(1024, Some(4096)), "1 KiB of 4 KiB (25 %)");
        assert_eq!(part(1024, None), "1 KiB");
    }
}
